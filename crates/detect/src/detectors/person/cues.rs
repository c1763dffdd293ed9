//! Words beside a name that say that it is one.

use super::lexicon::{Traits, WORD};

/// A title or form of address: a name follows.
pub(super) const TITLE: Traits = 1 << 3;
/// The first word of a letter.
pub(super) const GREETING: Traits = 1 << 4;
/// Before a colon: a name follows.
pub(super) const LABEL: Traits = 1 << 5;
/// What somebody is: a name may follow.
pub(super) const ROLE: Traits = 1 << 6;
/// Before a lone given name: it is a person.
pub(super) const BEFORE: Traits = 1 << 7;
/// Behind a lone given name: it is a person.
pub(super) const AFTER: Traits = 1 << 8;
/// Before a name: it is a place's.
pub(super) const PLACE: Traits = 1 << 9;
/// Behind a name: it is that of a street, a company, an institution.
pub(super) const THING: Traits = 1 << 10;
/// Between the parts of a name.
pub(super) const PARTICLE: Traits = 1 << 11;
/// The last word of a letter's closing.
pub(super) const CLOSING: Traits = 1 << 12;
/// `name`, which says more together with the words around it.
pub(super) const NAME: Traits = 1 << 13;
/// Before `name:`, it is that of a person.
pub(super) const WHOSE: Traits = 1 << 14;
/// Verbs that introduce: `named`, `called`.
pub(super) const NAMED: Traits = 1 << 15;
/// A form of `be` after which somebody says who they are.
pub(super) const BE: Traits = 1 << 16;

/// Verbs of which only persons are the subject.
pub(super) const SPEAKS: Traits = 1 << 17;

/// The words of each kind.
pub(super) const LISTS: &[(&str, Traits)] = &[
    (
        "mr mrs ms mister miss mx dr prof professor doctor sir dame madam lord lady herr frau fraulein monsieur madame \
         mademoiselle mme mlle sr sra srta senor senora senorita signor signora signore sig don dona pan pani \
         meneer mevrouw dhr mevr fru rev reverend fr capt captain col colonel sgt sergeant lt lieutenant gen general \
         maj cpl president senator sen rep gov governor congressman congresswoman detective officer judge justice \
         chancellor minister king queen prince princess pope uncle aunt auntie coach",
        TITLE | WORD,
    ),
    (
        "dear hi hello hey hiya greetings hallo liebe lieber hola bonjour cher chere salut estimado estimada querido \
         querida caro cara gentile ciao ola prezado prezada beste geachte kaere hej morning afternoon evening thanks thank you",
        GREETING | WORD,
    ),
    (
        "customer client patient cardholder from to cc bcc attn attention contact recipient sender payee payer \
         beneficiary passenger guest employee applicant author signed signatory holder borrower tenant caller \
         respondent claimant nombre nom nome naam navn nimi namn imie user bot member owner assignee reporter \
         reviewer manager buyer student candidate participant by",
        LABEL,
    ),
    (
        "customer client patient cardholder policyholder holder employee user passenger guest applicant author singer \
         songwriter actor actress director producer writer poet novelist artist painter composer musician guitarist \
         drummer bassist vocalist rapper spokesman spokeswoman spokesperson ceo cto cfo founder cofounder \
         president senator commenter journalist reporter editor colleague friend husband wife brother sister son \
         daughter mother father cousin boss manager adjuster lawyer attorney nurse physician supplier recipient \
         beneficiary payee borrower tenant player striker goalkeeper midfielder footballer champion captain \
         teacher student secretary accountant agent officer engineer developer scientist photographer \
         comedian politician contractor consultant broker adviser advisor partner neighbour neighbor resident",
        ROLE,
    ),
    (
        "with by from to for and or ask asked asking tell told met meet call called email emailed contact contacted is was are \
         were did does has have had can could will would should why because when while if that but where kid son \
         daughter husband wife brother sister friend colleague partner mom dad uncle aunt nephew niece boss \
         than like about let since until knows know thanks hi hey love loves miss of poor me at under via cc young old little \
         see saw seen told tells give gave sent send invite invited help helped named says said thinks think as",
        BEFORE,
    ),
    (
        "is was has had said says will would can could did does lives lived works worked wrote writes asked asks \
         wants wanted called calls told tells thinks thought needs needed likes liked loves loved knows knew \
         went goes came comes got gets made makes took takes gave gives sent sends paid pays bought bring \
         confirmed replied responded reported submitted requested mentioned explained noted claims claimed joined left \
         born and or just never always still also who whose been seems seemed looks looked agreed signed shouted began started moved met sat stood ran looked turned opened closed ordered emailed phoned uploaded forgot",
        AFTER,
    ),
    (
        "saint st san santa santo sankt new lake mount mt port fort cape via rue calle plaza piazza avenida avenue rua ulica ul \
         corso viale place boulevard hotel hospital university college school church cathedral castle river north \
         south east west upper lower los las las el bay point route camp puerto villa isle ile avda largo the",
        PLACE,
    ),
    (
        "street st road rd avenue ave lane ln drive dr boulevard blvd court ct square way terrace place parkway highway \
         bridge river lake park hill county island islands beach city town village station airport university \
         college school hospital hotel church cathedral museum library institute foundation center centre hall \
         inc llc ltd limited corp corporation company co gmbh ag plc sa spa group holdings partners associates \
         bros brothers sons bank capital insurance industries international enterprises solutions systems \
         technologies software pharmaceuticals motors airlines records studios press university award prize \
         trophy stadium arena theatre theater strasse str gasse weg platz mall market mills \
         hills heights springs falls creek grove gardens ridge valley mountain mountains coast rapids harbor harbour junction theorem algorithm syndrome disease distribution transform equation framework index",
        THING,
    ),
    (
        "van von de der den del della di da do dos das du des la le lo al el bin ibn ben ter ten zu zur vom af av y e i op 't",
        PARTICLE,
    ),
    (
        "regards sincerely thanks cheers best wishes yours faithfully truly respectfully cordially thx greetings love grusse \
         grussen gruss gruessen cordialement saludos atentamente saluti groet groeten hilsen halsningar cumprimentos \
         warmly gratefully appreciatively advance you",
        CLOSING,
    ),
    ("name names nombre nom nome naam navn nimi namn imie", NAME),
    (
        "first last full given family customer cardholder patient contact account user employee my your his her their \
         the legal middle billing recipient sender beneficiary holder owner payee client guest passenger buyer \
         complete maiden mother's father's mothers fathers spouse student applicant shipping s and is primary",
        WHOSE,
    ),
    (
        "said says wrote writes replied thinks lives asked told speaks spoke speak explained noted commented tweeted \
         emailed phoned complained apologized resigned died ",
        SPEAKS,
    ),
    ("named called", NAMED),
    ("is i'm am are was", BE),
];

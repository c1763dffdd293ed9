//! What a call means, whichever way it came.

use crate::amount::{self, Amount, Currency};
use crate::arguments::{Argument, Arguments, is_name, is_segment};
use crate::catalogue::{Catalogue, Condition, Entry, Test};
use crate::class::RiskClass;
use crate::denied::Denied;
use std::collections::BTreeSet;
use std::fmt;

/// One call, understood. Two calls that do the same are equal here.
#[derive(Clone, Eq, PartialEq)]
#[non_exhaustive]
pub struct Operation {
    /// The server that it goes to, if that is not Stripe's: its name in the configuration.
    pub server: Option<String>,
    /// Stripe's operation id, such as `PostRefunds`; the name of a tool that has no operation, such as
    /// `stripe_analytics/execute_query_run`; or `SERVER/TOOL`.
    pub operation: String,
    /// The class by which the call is known.
    pub risk_class: RiskClass,
    /// All its classes, which policy judges one by one.
    pub classes: BTreeSet<RiskClass>,
    /// What else is true of it, such as `mails_customer`.
    pub facts: BTreeSet<String>,
    /// The object that its path names last, by its id or by what a merchant calls it.
    pub target: Option<String>,
    /// Ids of all objects that it names, each once: those at the top before those in lists. Names that merchants chose
    /// are none.
    pub objects: Vec<String>,
    /// The customer that it names.
    pub customer: Option<String>,
    /// How much money it is about.
    pub amount: Amount,
    /// In which currency, if the call says exactly one.
    pub currency: Option<Currency>,
    /// Whether it is about real money. Nothing is known: it counts as live.
    pub livemode: Option<bool>,
    /// The account that it concerns.
    pub account: Option<String>,
    /// Everything that it says.
    pub arguments: Arguments,
    /// What it leaves open has been asked.
    is_looked_up: bool,
}

impl fmt::Debug for Operation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Operation")
            .field("operation", &self.operation)
            .field("classes", &self.classes)
            .field("facts", &self.facts)
            .field("amount", &self.amount)
            .field("currency", &self.currency)
            .field("livemode", &self.livemode)
            .finish_non_exhaustive()
    }
}

/// What the connection to the server says of every call over it.
#[derive(Clone, Copy, Debug, Default)]
pub struct Connection<'a> {
    /// Whether its key is a live one, where that is known.
    pub livemode: Option<bool>,
    /// The account that its key or the header `Stripe-Account` or `Stripe-Context` names.
    pub account: Option<&'a str>,
}

/// A read that tells what a call leaves open.
#[derive(Clone, Eq, PartialEq)]
pub struct Lookup {
    /// The operation to be asked.
    pub operation: &'static str,
    /// Its path, with the id in it.
    pub path: String,
}

impl fmt::Debug for Lookup {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lookup").field("operation", &self.operation).finish_non_exhaustive()
    }
}

/// What a look-up found.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// All that remains of the payment, in minor units.
    pub remaining_minor: Option<u64>,
    /// Its currency.
    pub currency: Option<Currency>,
    /// Whose it is.
    pub customer: Option<String>,
}

impl Operation {
    /// The operation of an entry with these arguments. An alias becomes what it stands for.
    pub(crate) fn new(
        catalogue: &Catalogue,
        entry: &Entry,
        mut arguments: Arguments,
        connection: Connection<'_>,
    ) -> Result<Operation, Denied> {
        check_names(&arguments)?;
        check_path(catalogue, entry, &arguments)?;
        for (old, new) in &entry.renamed {
            if let Some(argument) = arguments.0.remove(old) {
                arguments.insert(new, argument).map_err(|_taken| Denied::Duplicate("arguments"))?;
            }
        }
        let entry = entry.alias_of.as_deref().and_then(|id| catalogue.entry(id)).unwrap_or(entry);
        let (classes, facts) = judge(entry, &arguments);
        let amount = match amount::stated(entry, &arguments)? {
            Amount::None if classes.iter().any(|class| class.concerns_money()) => Amount::Unknown,
            amount => amount,
        };
        let is_id = |text: &&str| is_id(text);
        let objects = objects(catalogue, entry, &arguments);
        // The payment has a currency and a customer, whatever the call says of them: only a look-up tells.
        let is_of_payment = entry.id == "PostRefunds"
            && ["charge", "payment_intent"].iter().any(|name| arguments.named(name).is_some());
        Ok(Operation {
            server: None,
            operation: entry.id.clone(),
            risk_class: RiskClass::leading(entry.class, classes.iter().copied()),
            classes,
            facts,
            target: entry.path_parameters().last().and_then(|name| arguments.text(name)).map(str::to_owned),
            objects,
            customer: arguments
                .text("customer")
                .filter(|text| !is_of_payment && is_id(text))
                .map(str::to_owned),
            amount,
            currency: if is_of_payment { None } else { amount::currency(entry, &arguments) },
            livemode: connection.livemode,
            account: connection.account.map(str::to_owned),
            arguments,
            is_looked_up: false,
        })
    }

    /// An operation that is a tool's own.
    pub(crate) fn of_tool(
        operation: String,
        classes: BTreeSet<RiskClass>,
        facts: &[String],
        arguments: Arguments,
        connection: Connection<'_>,
    ) -> Operation {
        let own = classes.iter().copied().next().unwrap_or(RiskClass::KeyOrAccountAdmin);
        let is_open = classes.iter().any(|class| class.concerns_money());
        let customer = arguments.text("customer").filter(|text| is_id(text)).map(str::to_owned);
        Operation {
            server: None,
            operation,
            risk_class: RiskClass::leading(own, classes.iter().copied()),
            classes,
            facts: facts.iter().cloned().collect(),
            target: None,
            objects: customer.iter().cloned().collect(),
            customer,
            amount: if is_open { Amount::Unknown } else { Amount::None },
            currency: None,
            livemode: connection.livemode,
            account: connection.account.map(str::to_owned),
            arguments,
            is_looked_up: false,
        }
    }

    /// Whether all its classes are reads.
    pub fn is_read(&self) -> bool {
        self.classes.iter().all(|class| class.is_read())
    }

    /// The read that tells amount, currency and customer of the payment that the call is about, if it is about one and
    /// that was not asked yet.
    pub fn lookup(&self) -> Option<Lookup> {
        let (is_refund, is_capture) = match self.operation.as_str() {
            "PostRefunds" => (true, false),
            "PostChargesChargeCapture" | "PostPaymentIntentsIntentCapture" => (false, true),
            _ => return None,
        };
        if self.is_looked_up {
            return None;
        }
        for (argument, operation, path) in [
            ("charge", "GetChargesCharge", "/v1/charges/"),
            ("payment_intent", "GetPaymentIntentsIntent", "/v1/payment_intents/"),
            ("intent", "GetPaymentIntentsIntent", "/v1/payment_intents/"),
        ] {
            if let Some(id) = self.arguments.text(argument).filter(|id| is_segment(id))
                && (is_capture || is_refund && argument != "intent")
            {
                return Some(Lookup { operation, path: format!("{path}{id}") });
            }
        }
        None
    }

    /// Fills in what a look-up found. An amount that the call says stays; of the rest, what was found counts.
    pub fn fill_in(&mut self, found: Found) {
        if let (Amount::Unknown, Some(minor)) = (self.amount, found.remaining_minor) {
            self.amount = Amount::Minor(minor);
        }
        self.currency = found.currency.or(self.currency);
        self.customer = found.customer.or(self.customer.take());
        self.is_looked_up = true;
    }
}

/// Ids of objects, those first that the catalogue names, then those in lists and in objects.
fn objects(catalogue: &Catalogue, entry: &Entry, arguments: &Arguments) -> Vec<String> {
    let mut found: Vec<&str> =
        entry.ids.iter().flat_map(|path| arguments.at(path)).filter_map(Argument::as_text).collect();
    for (name, argument) in arguments.iter().filter(|(name, _)| *name != "metadata") {
        match argument {
            Argument::Text(text) if catalogue.is_id_name(name) => found.push(text),
            Argument::List(elements) if catalogue.is_id_name(name) => {
                found.extend(elements.iter().filter_map(Argument::as_text));
            }
            _ => {}
        }
        argument.texts_under(&|name| catalogue.is_id_name(name), &mut found);
    }
    let mut seen = BTreeSet::new();
    found.into_iter().filter(|text| is_id(text) && seen.insert(*text)).map(str::to_owned).collect()
}

/// Names at the top must be such as the API has: others are taken for something else by one server or the other
/// (`__proto__`, `_method`, a name with a dot).
fn check_names(arguments: &Arguments) -> Result<(), Denied> {
    if arguments.iter().all(|(name, _)| is_name(name)) {
        Ok(())
    } else {
        Err(Denied::Unreadable("arguments", "a name that arguments of the API do not have"))
    }
}

/// Parameters of the path must be there and stay one segment, however they came: a server puts them into the path. The
/// path must then still be that of the operation: `create_preview` is no invoice, but another operation.
fn check_path(catalogue: &Catalogue, entry: &Entry, arguments: &Arguments) -> Result<(), Denied> {
    for name in entry.path_parameters() {
        let fault = |what| Err(Denied::Argument(name.to_owned(), what));
        match arguments.named(name).map(|argument| argument.as_text()) {
            None => return fault("missing: the path needs it"),
            Some(Some(text)) if is_segment(text) => {}
            Some(_) => return fault("not what may stand in a path"),
        }
    }
    let parameter = |segment: &str| arguments.text(segment.strip_prefix('{')?.strip_suffix('}')?);
    let segments: Vec<&str> =
        entry.path.split('/').skip(1).map(|segment| parameter(segment).unwrap_or(segment)).collect();
    match catalogue.route(&entry.method, &segments) {
        Some((other, _)) if other.id == entry.id => Ok(()),
        _ => Err(Denied::Path("a parameter that makes it the path of another operation")),
    }
}

/// Classes and facts of a call.
fn judge(entry: &Entry, arguments: &Arguments) -> (BTreeSet<RiskClass>, BTreeSet<String>) {
    let mut classes: BTreeSet<RiskClass> =
        [entry.class].into_iter().chain(entry.also.iter().copied()).collect();
    let mut facts: BTreeSet<String> = entry.facts.iter().cloned().collect();
    for escalation in &entry.escalations {
        let holds = |list: &Vec<Condition>| list.iter().all(|condition| condition.holds(arguments));
        if escalation.any.iter().any(holds) {
            classes.insert(escalation.class);
            facts.insert(escalation.fact.clone());
        }
    }
    if arguments.named("expand").is_some() {
        facts.insert("expands".to_owned());
        // What an answer is expanded with may be a customer.
        if entry.class == RiskClass::Read {
            classes.insert(RiskClass::CustomerDataRead);
        }
    }
    let is_personal = |path: &String| match path.as_str() {
        "*" => !arguments.0.is_empty(),
        path => !arguments.at(path).is_empty(),
    };
    if entry.personal.iter().any(is_personal) {
        facts.insert("carries_personal_data".to_owned());
    }
    (classes, facts)
}

impl Condition {
    fn holds(&self, arguments: &Arguments) -> bool {
        let found = arguments.at(&self.at);
        let is_on = || found.iter().any(|argument| argument.as_text() != Some("false"));
        // What is no text could be taken for either.
        let any_is_one_of = |words: &[String], wanted: bool| {
            let is_one = |text: &str| words.iter().any(|word| word == text);
            found.iter().any(|argument| argument.as_text().is_none_or(|text| is_one(text) == wanted))
        };
        match &self.is {
            Test::Present => arguments.has(&self.at),
            Test::On => is_on(),
            Test::OnOrAbsent => found.is_empty() || is_on(),
            Test::OneOf(words) => any_is_one_of(words, true),
            Test::NotOneOf(words) => found.is_empty() || any_is_one_of(words, false),
        }
    }
}

/// Whether a text has the form of an id of Stripe's: `cus_…`. What merchants choose has not, and may be anything.
fn is_id(text: &str) -> bool {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_';
    text.len() <= 255
        && text.bytes().all(is_plain)
        && text.split_once('_').is_some_and(|(prefix, body)| {
            !body.is_empty()
                && prefix.len() >= 2
                && prefix.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        })
}

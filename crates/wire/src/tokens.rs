//! What the engine asks while it reads: tokens for values, values for tokens.

use crate::escape::escape;
use crate::links::Links;
use obelus::{Category, Finding, Format, Redactor, Sink, Transform, token};
use obelus_vault::Scope;
use std::convert::Infallible;
use std::sync::LazyLock;

/// The class of names of PINs, clear or as a block, in whatever rule file (PCI DSS 4.0.1, requirement 3.3.1.3).
const PIN_CLASS: &str = "card-pin";

/// What is done with values and tokens.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Mode {
    /// Values become tokens: requests.
    Mint,
    /// Tokens become values, what else is found its label: text of an answer.
    Open,
    /// Tokens stay, what else is found becomes its label: arguments of tool calls.
    Keep,
    /// Tokens stay, and nothing else may be found: what is signed or encrypted.
    Seal,
}

/// Rules, beside Stripe's own, that find keys of model providers.
const PROVIDER_RULES: [&str; 11] = [
    "azure-key",
    "bedrock-api-key",
    "google-api-key",
    "groq-api-key",
    "hugging-face-token",
    "langsmith-api-key",
    "model-api-key",
    "openai-session",
    "perplexity-api-key",
    "replicate-token",
    "xai-api-key",
];

/// How many different keys of one body or lane are told apart.
const KEYS_MAX: usize = 16;

/// A key of Stripe's or of a model provider's that stood in a text.
#[derive(Clone, Eq, PartialEq)]
pub struct SeenKey {
    /// The rule that found it, such as `stripe-restricted-key`.
    pub rule: String,
    /// A keyed hash of it (`Scope::fingerprint`); none where that is not known, as in a line that is no JSON and in
    /// which values become no tokens.
    pub fingerprint: Option<String>,
}

impl std::fmt::Debug for SeenKey {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("SeenKey").field("rule", &self.rule).finish_non_exhaustive()
    }
}

/// Whether a rule finds keys of Stripe's or of a model provider's.
fn is_key(rule: &str, category: Category) -> bool {
    category == Category::Secret && (rule.starts_with("stripe-") || PROVIDER_RULES.contains(&rule))
}

/// How many findings of each category were replaced.
#[derive(Clone, Debug)]
pub(crate) struct Tally {
    /// By category, in the order of [`Category::ALL`].
    found: [u64; Category::ALL.len()],
    /// Those where a token stayed or became its value.
    spared: [u64; Category::ALL.len()],
    /// Bytes that took the place of tokens and values.
    given: usize,
    /// Keys that were seen, each once.
    keys: Vec<SeenKey>,
}

/// How many bytes may take the place of tokens and values in one body or lane: twice the longest body of a request. A
/// token of some thirty bytes can stand for a kilobyte.
const GIVEN_BYTES_MAX: usize = 64 << 20;

impl Default for Tally {
    fn default() -> Tally {
        Tally {
            found: [0; Category::ALL.len()],
            spared: [0; Category::ALL.len()],
            given: 0,
            keys: Vec::new(),
        }
    }
}

impl Tally {
    /// What was replaced by something that hides it.
    pub(crate) fn counts(&self) -> Vec<(Category, u64)> {
        let replaced =
            self.found.iter().zip(&self.spared).map(|(found, spared)| found.saturating_sub(*spared));
        Category::ALL.iter().copied().zip(replaced).filter(|(_, count)| *count > 0).collect()
    }

    pub(crate) fn add(&mut self, other: &Tally) {
        for (to, from) in [(&mut self.found, &other.found), (&mut self.spared, &other.spared)] {
            to.iter_mut().zip(from).for_each(|(to, from)| *to += from);
        }
        self.given = self.given.saturating_add(other.given);
        other.keys.iter().for_each(|key| self.see(&key.rule, key.fingerprint.clone()));
    }

    /// Keys of Stripe's and of model providers that were found, at most sixteen.
    pub(crate) fn keys(&self) -> Vec<SeenKey> {
        self.keys.clone()
    }

    /// Notes that a key stood there. One of a rule that has a fingerprint says more than one that has none.
    fn see(&mut self, rule: &str, fingerprint: Option<String>) {
        let is_known =
            |key: &SeenKey| key.rule == rule && (fingerprint.is_none() || key.fingerprint == fingerprint);
        if !self.keys.iter().any(is_known) {
            if fingerprint.is_some() {
                self.keys.retain(|key| key.rule != rule || key.fingerprint.is_some());
            }
            if self.keys.len() < KEYS_MAX {
                self.keys.push(SeenKey { rule: rule.to_owned(), fingerprint });
            }
        }
    }

    /// Gives keys their hashes that became something else than tokens, of which the engine tells no value: reads the JSON
    /// that they stood in once more, for nothing else. They are rare.
    pub(crate) fn hash_keys(&mut self, json: &[u8], scope: &Scope) {
        if self.keys.iter().all(|key| key.fingerprint.is_some()) {
            return;
        }
        let Some(redactor) = KEYS.as_ref() else { return };
        let (mut sink, mut stream) = (KeyHashes { scope, tally: self }, redactor.stream());
        // It has been read before; where it cannot be read so, the keys stay without.
        stream.push(json, &mut sink).and_then(|()| stream.finish(&mut sink)).unwrap_or_default();
    }

    /// Notes that so many bytes take the place of tokens.
    pub(crate) fn give(&mut self, bytes: usize) {
        self.given = self.given.saturating_add(bytes);
    }

    /// Whether more takes the place of tokens and values than may: then what there is must not leave.
    pub(crate) fn is_long(&self) -> bool {
        self.given > GIVEN_BYTES_MAX
    }

    /// Whether nothing was found at all.
    pub(crate) fn is_empty(&self) -> bool {
        self.found.iter().all(|found| *found == 0)
    }

    /// Whether nothing was found but tokens.
    pub(crate) fn is_clean(&self) -> bool {
        self.found.iter().zip(&self.spared).all(|(found, spared)| found <= spared)
    }

    fn count(counters: &mut [u64], category: Category) {
        if let Some(counter) = counters.get_mut(category as usize) {
            *counter += 1;
        }
    }
}

/// Finds keys, wherever they stand. Nothing if that cannot be compiled, which the tests rule out.
static KEYS: LazyLock<Option<Redactor>> = LazyLock::new(|| {
    let mut builder = Redactor::builder();
    builder.format(Format::Json).transform(Transform::Token).only(&[Category::Secret]).build().ok()
});

/// Takes nothing but the hashes of keys.
struct KeyHashes<'s> {
    scope: &'s Scope,
    tally: &'s mut Tally,
}

impl Sink for KeyHashes<'_> {
    type Error = Infallible;

    fn keep(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn put(&mut self, _: &[u8]) -> Result<(), Infallible> {
        Ok(())
    }

    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], _: &mut Vec<u8>) -> bool {
        if is_key(rule, category) && !is_token(value) {
            self.tally.see(rule, Some(self.scope.fingerprint(value)));
        }
        false
    }
}

/// Takes the output of the engine, and answers what it asks.
pub(crate) struct Tokens<'s> {
    pub(crate) scope: &'s Scope,
    pub(crate) mode: Mode,
    pub(crate) out: &'s mut Vec<u8>,
    pub(crate) tally: &'s mut Tally,
    /// Where tokens stand, if those inside links are to stay.
    pub(crate) links: Option<&'s mut Links>,
}

impl Sink for Tokens<'_> {
    type Error = Infallible;

    fn keep(&mut self, input: &[u8]) -> Result<(), Infallible> {
        self.out.extend_from_slice(input);
        Ok(())
    }

    fn put(&mut self, bytes: &[u8]) -> Result<(), Infallible> {
        self.out.extend_from_slice(bytes);
        Ok(())
    }

    fn found(&mut self, finding: &Finding<'_>) -> Result<(), Infallible> {
        if let Some(links) = &mut self.links {
            links.pass(finding.span.end);
        }
        if !finding.allowed {
            Tally::count(&mut self.tally.found, finding.category);
            if is_key(finding.rule, finding.category) {
                self.tally.see(finding.rule, None);
            }
        }
        Ok(())
    }

    fn surrogate(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        if self.tally.is_long() {
            return false;
        }
        let from = out.len();
        let given = self.give(rule, category, value, out);
        self.tally.give(out.len() - from);
        given
    }
}

impl Tokens<'_> {
    fn give(&mut self, rule: &str, category: Category, value: &[u8], out: &mut Vec<u8>) -> bool {
        if is_key(rule, category) && !is_token(value) {
            self.tally.see(rule, Some(self.scope.fingerprint(value)));
        }
        let is_spared = match self.mode {
            // A PIN never comes back, whatever it looks like; the vault knows it by its form alone.
            Mode::Mint if rule.rsplit('/').next() == Some(PIN_CLASS) => return false,
            Mode::Mint if !is_token(value) => return self.scope.mint(category, value, out),
            // A token that this scope made says what it says, wherever it stands; what only looks like one becomes
            // one, and comes back as it was.
            Mode::Mint if opens(self.scope, value) => {
                out.extend_from_slice(value);
                true
            }
            Mode::Mint => return self.scope.mint(Category::TokenLike, value, out),
            Mode::Open => open(self.scope, self.links.as_deref_mut(), value, out),
            Mode::Keep | Mode::Seal => keep(self.scope, value, out),
        };
        if is_spared {
            Tally::count(&mut self.tally.spared, category);
        }
        is_spared
    }
}

/// Whether the text is of the form of one token and nothing else.
fn is_token(value: &[u8]) -> bool {
    token::parse(value).is_some_and(|(_, len)| len == value.len())
}

/// Whether the scope made the token.
fn opens(scope: &Scope, token: &[u8]) -> bool {
    scope.is_minted(token)
}

/// Appends `value` with the tokens in it opened, if that leaves nothing of it unjudged. A token that the scope did not
/// make resolves to nothing: it stays.
fn open(scope: &Scope, mut links: Option<&mut Links>, value: &[u8], out: &mut Vec<u8>) -> bool {
    let mut may_open = |token: &[u8]| links.as_deref_mut().is_none_or(|links| links.may_open(token));
    if is_token(value) {
        if !may_open(value) || !scope.open(value, out) {
            out.extend_from_slice(value);
        }
        return true;
    }
    let from = out.len();
    let is_open = replace(value, out, |token, out| {
        if may_open(token) {
            return scope.open(token, out);
        }
        out.extend_from_slice(token);
        opens(scope, token)
    });
    if !is_open {
        out.truncate(from);
    }
    is_open
}

/// Appends `value` as it is, if it is a token or words around tokens of the scope.
fn keep(scope: &Scope, value: &[u8], out: &mut Vec<u8>) -> bool {
    let is_kept = is_token(value) || replace(value, &mut Vec::new(), |token, _| opens(scope, token));
    if is_kept {
        out.extend_from_slice(value);
    }
    is_kept
}

/// Appends `value` with each token replaced by what `with` appends. False if there is none, if `with` says so of one,
/// or if something else than words stands around them: that could be what the value was found for.
fn replace(value: &[u8], out: &mut Vec<u8>, mut with: impl FnMut(&[u8], &mut Vec<u8>) -> bool) -> bool {
    let (mut rest, mut is_any) = (value, false);
    loop {
        let Some((at, len)) = token::find(rest) else {
            out.extend_from_slice(rest);
            return is_any && are_words(rest);
        };
        let (before, from) = rest.split_at(at);
        let (token, behind) = from.split_at(len);
        out.extend_from_slice(before);
        if !are_words(before) || !with(token, out) {
            return false;
        }
        is_any = true;
        rest = behind;
    }
}

/// How long the token is with which the text begins, if it does.
pub(crate) fn parse(text: &[u8]) -> Option<usize> {
    token::parse(text).map(|(_, len)| len)
}

/// Letters, spaces and punctuation, but nothing that addresses and numbers are made of.
fn are_words(text: &[u8]) -> bool {
    let may_stand = |sign: char| {
        sign.is_alphabetic() || sign.is_whitespace() || (sign.is_ascii_punctuation() && sign != '@')
    };
    std::str::from_utf8(text).is_ok_and(|text| text.chars().all(may_stand))
}

/// Appends the body of a JSON string with every token of the scope opened, and says whether there was one.
pub(crate) fn open_all(scope: &Scope, body: &[u8], out: &mut Vec<u8>) -> bool {
    let (mut rest, mut is_any, mut value) = (body, false, Vec::new());
    while let Some((at, len)) = token::find(rest) {
        let (before, from) = rest.split_at(at);
        let (token, behind) = from.split_at(len);
        out.extend_from_slice(before);
        value.clear();
        if scope.open(token, &mut value) {
            escape(&value, out);
            is_any = true;
        } else {
            out.extend_from_slice(token);
        }
        rest = behind;
    }
    out.extend_from_slice(rest);
    is_any
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOKEN: &str = "obl_email_abcdefghijklmnopabcd";

    fn replaced(value: &str) -> Option<String> {
        let mut out = Vec::new();
        let is_done = replace(value.as_bytes(), &mut out, |_, out| {
            out.extend_from_slice(b"X");
            true
        });
        is_done.then(|| String::from_utf8(out).unwrap())
    }

    #[test]
    fn tokens_among_words_are_replaced() {
        assert_eq!(replaced(&format!("Dear {TOKEN}, and {TOKEN}!")).unwrap(), "Dear X, and X!");
        assert_eq!(replaced(TOKEN).unwrap(), "X");
        assert_eq!(replaced("Dear"), None);
        assert_eq!(replaced(&format!("{TOKEN} 4")), None);
        assert_eq!(replaced(&format!("a@b {TOKEN}")), None);
    }

    #[test]
    fn a_key_is_told_once_and_by_its_hash_if_that_is_known() {
        let mut tally = Tally::default();
        let told = |tally: &Tally| -> Vec<(String, Option<String>)> {
            tally.keys().into_iter().map(|key| (key.rule, key.fingerprint)).collect()
        };
        tally.see("stripe-secret-key", None);
        tally.see("stripe-secret-key", Some("1:a".to_owned()));
        tally.see("stripe-secret-key", None);
        tally.see("stripe-secret-key", Some("1:a".to_owned()));
        tally.see("model-api-key", None);
        let key = |rule: &str, hash: Option<&str>| (rule.to_owned(), hash.map(str::to_owned));
        assert_eq!(told(&tally), [key("stripe-secret-key", Some("1:a")), key("model-api-key", None)]);
        let mut other = Tally::default();
        (0..20).for_each(|at| other.see("stripe-secret-key", Some(format!("1:{at}"))));
        assert_eq!(other.keys().len(), KEYS_MAX);
        tally.add(&other);
        assert_eq!(tally.keys().len(), KEYS_MAX);
    }

    #[test]
    fn only_rules_for_keys_count() {
        for (rule, category, wanted) in [
            ("stripe-restricted-key", Category::Secret, true),
            ("model-api-key", Category::Secret, true),
            ("stripe/secret", Category::Secret, false),
            ("password-hash", Category::Secret, false),
            ("stripe-client-secret", Category::UrlCredential, false),
        ] {
            assert_eq!(is_key(rule, category), wanted, "{rule}");
        }
        // Names of rules are not made up.
        let redactor = obelus::Redactor::builder().build().unwrap();
        let known: Vec<String> = redactor.rules().iter().map(|rule| rule.rule.clone()).collect();
        for rule in PROVIDER_RULES {
            assert!(known.iter().any(|known| known == rule), "{rule}");
        }
    }

    #[test]
    fn one_token_alone_is_told_from_text_with_tokens() {
        assert!(is_token(TOKEN.as_bytes()));
        assert!(!is_token(format!("{TOKEN}a").as_bytes()));
        assert_eq!(token::find(format!("obl_ {TOKEN}").as_bytes()), Some((5, TOKEN.len())));
    }
}

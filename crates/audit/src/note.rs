//! Signed notes and the keys that sign them, as <https://c2sp.org/signed-note> defines them, with Ed25519.

use crate::tree::hash;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use ring::rand::{SecureRandom, SystemRandom};
use ring::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use std::fmt;
use std::str::FromStr;
use zeroize::Zeroizing;

/// The type of signature and key: Ed25519.
const ALGORITHM: u8 = 1;
const PRIVATE: &str = "PRIVATE+KEY+";
const SIGNATURE_BYTES_MIN: usize = 64;
/// What a signature line begins with.
const DASH: &str = "\u{2014} ";

/// A key that signs. Shows nothing of itself.
pub struct SigningKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl fmt::Debug for SigningKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SigningKey").finish_non_exhaustive()
    }
}

impl SigningKey {
    /// The text of a new key of that name, as files hold it. Nothing if the system gives no random bytes.
    pub fn generate(name: &str) -> Option<Zeroizing<String>> {
        let mut seed = Zeroizing::new([0; 32]);
        SystemRandom::new().fill(&mut *seed).ok()?;
        let key = SigningKey::new(name, &*seed)?;
        let id = hex_id(key.verifier.id);
        let data = Zeroizing::new([&[ALGORITHM], seed.as_slice()].concat());
        let data = Zeroizing::new(STANDARD.encode(&*data));
        Some(Zeroizing::new(format!("{PRIVATE}{name}+{id}+{}\n", *data)))
    }

    /// The key that a text holds: `PRIVATE+KEY+`, name, id and seed, with `+` between.
    pub fn parse(text: &str) -> Option<SigningKey> {
        let (name, id, data) = split(text.trim_end().strip_prefix(PRIVATE)?)?;
        let data = Zeroizing::new(data);
        let key = SigningKey::new(name, data.strip_prefix(&[ALGORITHM])?)?;
        (id == hex_id(key.verifier.id)).then_some(key)
    }

    fn new(name: &str, seed: &[u8]) -> Option<SigningKey> {
        let pair = Ed25519KeyPair::from_seed_unchecked(seed).ok()?;
        let verifier = VerifierKey::new(name, pair.public_key().as_ref().try_into().ok()?)?;
        Some(SigningKey { pair, verifier })
    }

    /// The key that tells its signatures.
    pub fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    /// The note that a text becomes: the text, which ends with a line break, an empty line, and the signature.
    pub fn sign(&self, text: &str) -> String {
        let signature = [&self.verifier.id[..], self.pair.sign(text.as_bytes()).as_ref()].concat();
        format!("{text}\n{DASH}{} {}\n", self.verifier.name, STANDARD.encode(signature))
    }
}

/// A public key: written as name, id and key, with `+` between.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: [u8; 32],
}

impl VerifierKey {
    fn new(name: &str, key: [u8; 32]) -> Option<VerifierKey> {
        if name.is_empty() || name.contains(|sign: char| sign == '+' || sign.is_whitespace()) {
            return None;
        }
        let hash = hash([name.as_bytes(), b"\n", &[ALGORITHM], &key].iter());
        let id = *hash.first_chunk()?;
        Some(VerifierKey { name: name.to_owned(), id, key })
    }

    /// The name: of a log's key, the log's origin.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// Whether the note is signed by this key: nothing if no signature claims to be by it.
    pub fn has_signed(&self, note: &Note) -> Option<bool> {
        let by_this = |signature: &&Signature| signature.name == self.name && signature.id == self.id;
        let mut signatures = note.signatures.iter().filter(by_this).peekable();
        signatures.peek()?;
        let key = UnparsedPublicKey::new(&ED25519, self.key);
        Some(signatures.all(|signature| key.verify(note.text.as_bytes(), &signature.bytes).is_ok()))
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let data = [&[ALGORITHM], self.key.as_slice()].concat();
        write!(f, "{}+{}+{}", self.name, hex_id(self.id), STANDARD.encode(data))
    }
}

/// The text is no public key of this kind.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct NoVerifierKey;

impl fmt::Display for NoVerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no public key of a log: it is name, id and key with `+` between")
    }
}

impl std::error::Error for NoVerifierKey {}

impl FromStr for VerifierKey {
    type Err = NoVerifierKey;

    fn from_str(text: &str) -> Result<VerifierKey, NoVerifierKey> {
        let parsed = || {
            let (name, id, data) = split(text.trim_end())?;
            let key = VerifierKey::new(name, data.strip_prefix(&[ALGORITHM])?.try_into().ok()?)?;
            (id == hex_id(key.id)).then_some(key)
        };
        parsed().ok_or(NoVerifierKey)
    }
}

/// Name, id, and what base64 says behind them.
fn split(text: &str) -> Option<(&str, &str, Vec<u8>)> {
    let mut parts = text.splitn(3, '+');
    let (name, id, data) = (parts.next()?, parts.next()?, parts.next()?);
    Some((name, id, STANDARD.decode(data).ok()?))
}

fn hex_id(id: [u8; 4]) -> String {
    format!("{:08x}", u32::from_be_bytes(id))
}

/// A note: a text and who has signed it. What it says counts only once a known key [has signed](VerifierKey::has_signed).
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Note {
    /// The text, with its last line break.
    pub text: String,
    signatures: Vec<Signature>,
}

#[derive(Clone, Debug, Eq, PartialEq)]
struct Signature {
    name: String,
    id: [u8; 4],
    bytes: Vec<u8>,
}

impl Note {
    /// The notes in a text, one behind the other. Their texts have no empty lines. What is no whole note, such as one
    /// that was being written when a machine stopped, is passed over, also where it ends within a sign.
    pub fn parse_all(text: impl AsRef<[u8]>) -> Vec<Note> {
        let mut notes = Vec::new();
        let mut note = Note { text: String::new(), signatures: Vec::new() };
        let mut is_behind_text = false;
        for line in text.as_ref().split_inclusive(|&byte| byte == b'\n') {
            // A line that is no text is one of no note.
            let line = str::from_utf8(line).unwrap_or("\u{fffd}\n");
            match line.strip_prefix(DASH).filter(|_| is_behind_text) {
                Some(signature) => note.signatures.extend(Signature::parse(signature)),
                None if line == "\n" => is_behind_text = true,
                None => {
                    if std::mem::take(&mut is_behind_text) {
                        let behind = Note { text: String::new(), signatures: Vec::new() };
                        notes.push(std::mem::replace(&mut note, behind));
                    }
                    note.text.push_str(line);
                }
            }
        }
        notes.push(note);
        notes.retain(|note| !note.text.is_empty() && !note.signatures.is_empty());
        notes
    }
}

impl Signature {
    fn parse(line: &str) -> Option<Signature> {
        let (name, data) = line.strip_suffix('\n')?.split_once(' ')?;
        let data = STANDARD.decode(data).ok()?;
        let (id, bytes) = data.split_first_chunk()?;
        // No kind of signature is shorter; one that was cut off is.
        if bytes.len() < SIGNATURE_BYTES_MIN {
            return None;
        }
        Some(Signature { name: name.to_owned(), id: *id, bytes: bytes.to_vec() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the reference implementation (golang.org/x/mod/sumdb/note).
    const VERIFIER: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const TEXT: &str = "If you think cryptography is the answer to your problem,\nthen you don't know what your \
                        problem is.\n";
    const SIGNATURE: &str = "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJ\
                             nAM=";

    /// Its private key, in parts so that nobody takes it for one that is in use.
    fn private() -> String {
        ["PRIVATE+KEY+", "PeterNeumann+c74f20a3+", "AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz"].concat()
    }

    #[test]
    fn the_reference_note_is_made_and_told() {
        let note = format!("{TEXT}\n\u{2014} PeterNeumann {SIGNATURE}\n");
        let key = SigningKey::parse(&private()).unwrap();
        assert_eq!(key.sign(TEXT), note);
        assert_eq!(key.verifier().to_string(), VERIFIER);
        let verifier: VerifierKey = VERIFIER.parse().unwrap();
        let notes = Note::parse_all(&note);
        assert_eq!(notes.len(), 1);
        assert_eq!(verifier.has_signed(&notes[0]), Some(true));
        let other = Note { text: TEXT.replace("answer", "Answer"), ..notes[0].clone() };
        assert_eq!(verifier.has_signed(&other), Some(false));
        let stranger = SigningKey::parse(&SigningKey::generate("stranger").unwrap()).unwrap();
        assert_eq!(stranger.verifier().has_signed(&notes[0]), None);
    }

    #[test]
    fn every_sign_of_a_public_key_counts() {
        for (at, _) in VERIFIER.char_indices() {
            let mut other = VERIFIER.as_bytes().to_vec();
            other[at] += 1;
            String::from_utf8(other).unwrap().parse::<VerifierKey>().unwrap_err();
            VERIFIER.get(..at).unwrap().parse::<VerifierKey>().unwrap_err();
        }
    }

    #[test]
    fn notes_stand_behind_each_other_and_what_is_torn_is_passed_over() {
        let key = SigningKey::parse(&SigningKey::generate("a/b").unwrap()).unwrap();
        let (one, two) = (key.sign("one\n1\nx\n"), key.sign("one\n2\ny\n"));
        let has_signed = |note: &Note| key.verifier().has_signed(note) == Some(true);
        let both = Note::parse_all(format!("{one}{two}"));
        assert!(both.len() == 2 && both.iter().all(has_signed), "{both:?}");
        // All of it but the last line break is a whole note.
        for at in 0..two.len() - 1 {
            let torn = two.as_bytes().get(..at).unwrap();
            let notes = Note::parse_all([one.as_bytes(), torn, b"\n\n", two.as_bytes()].concat());
            assert!(notes.len() == 2 && notes.iter().all(has_signed), "{at} {notes:?}");
        }
        assert_eq!(Note::parse_all("a\n\nb\n"), []);
        assert_eq!(Note::parse_all("a\n\n\u{2014} b ?\n"), []);
    }
}

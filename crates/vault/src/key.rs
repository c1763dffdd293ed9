//! The keys of a vault, several at a time so that they can be replaced, and the files they lie in.

use crate::derive::{KEY_BYTES, Secret, Use, derive};
use crate::private_file;
use std::fmt;
use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use zeroize::Zeroizing;

/// How many keys one vault may know: each older one is another look-up for a token that is not found.
pub const KEYS_MAX: usize = 8;

const ID_LEN_MAX: usize = 32;

/// The hexadecimal digits of a key and a line break of two signs.
const FILE_BYTES_MAX: usize = 2 * KEY_BYTES + 2;

/// A key of a vault and the name by which it is told from others. Erased from memory when dropped.
pub struct VaultKey {
    id: String,
    secret: Secret,
}

/// The keys of a vault: the newest makes tokens, all open what was made under them.
pub struct Keyring {
    newest: VaultKey,
    older: Vec<VaultKey>,
}

/// Why a key cannot be used. Holds no part of one.
#[derive(Debug)]
#[non_exhaustive]
pub enum KeyError {
    /// The id is empty, longer than 32 signs, or holds something else than ASCII letters, digits, `-` and `_`.
    Id,
    /// The text is not 64 hexadecimal digits.
    Text,
    /// Two keys of a ring have the same id.
    SameId,
    /// More keys than [`KEYS_MAX`].
    TooMany,
    /// The system gives no random bytes.
    Random,
    /// The file cannot be read or made.
    File(PathBuf, io::Error),
    /// The file is no plain file.
    NoFile(PathBuf),
    /// The file does not hold 64 hexadecimal digits.
    FileText(PathBuf),
    /// Others than the owner may use the file; its permission bits.
    Permissions(PathBuf, u32),
}

impl VaultKey {
    /// A key of 32 bytes, which must be random: whoever can guess them can make tokens of guessed values.
    pub fn new(id: &str, bytes: &[u8; KEY_BYTES]) -> Result<VaultKey, KeyError> {
        let is_sign = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if id.is_empty() || id.len() > ID_LEN_MAX || !id.bytes().all(is_sign) {
            return Err(KeyError::Id);
        }
        Ok(VaultKey { id: id.to_owned(), secret: Zeroizing::new(*bytes) })
    }

    /// A key written as 64 hexadecimal digits, as `openssl rand -hex 32` does; one line break behind them is no
    /// part of it.
    pub fn from_text(id: &str, text: &[u8]) -> Result<VaultKey, KeyError> {
        let line = text.strip_suffix(b"\n").map_or(text, |line| line.strip_suffix(b"\r").unwrap_or(line));
        let mut bytes = Zeroizing::new([0; KEY_BYTES]);
        if line.len() != 2 * KEY_BYTES {
            return Err(KeyError::Text);
        }
        for (byte, pair) in bytes.iter_mut().zip(line.chunks_exact(2)) {
            for &digit in pair {
                *byte = *byte << 4 | nibble(digit).ok_or(KeyError::Text)?;
            }
        }
        VaultKey::new(id, &bytes)
    }

    /// A key that nobody else has and that is gone when it is dropped.
    pub fn random(id: &str) -> Result<VaultKey, KeyError> {
        VaultKey::new(id, &*random_bytes()?)
    }

    /// The key in a file of the form of [`VaultKey::from_text`]. If there is none, one with a new key is made that
    /// only its owner can use, whole or not at all.
    ///
    /// # Errors
    /// A file that others than its owner may read or write is refused, as is what is no plain file. Where the
    /// system knows no such permissions, they are not looked at.
    pub fn from_file(id: &str, path: &Path) -> Result<VaultKey, KeyError> {
        let file = match File::open(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                create(path)?;
                File::open(path)
            }
            other => other,
        };
        let at = |error| KeyError::File(path.to_owned(), error);
        let file = file.map_err(at)?;
        let metadata = file.metadata().map_err(at)?;
        if !metadata.is_file() {
            return Err(KeyError::NoFile(path.to_owned()));
        }
        if let Some(mode) = private_file::open_to_others(&metadata) {
            return Err(KeyError::Permissions(path.to_owned(), mode));
        }
        let mut text = Zeroizing::new(Vec::with_capacity(FILE_BYTES_MAX + 1));
        file.take(FILE_BYTES_MAX as u64 + 1).read_to_end(&mut text).map_err(at)?;
        VaultKey::from_text(id, &text).map_err(|error| match error {
            KeyError::Text => KeyError::FileText(path.to_owned()),
            other => other,
        })
    }

    /// The name of the key.
    pub fn id(&self) -> &str {
        &self.id
    }

    /// A key for something else than a vault, which follows from this one and says nothing of it.
    pub fn derived(&self, purpose: &str) -> Zeroizing<[u8; KEY_BYTES]> {
        derive(&self.secret, Use::Other, &[purpose.as_bytes()])
    }

    pub(crate) fn secret(&self) -> &Secret {
        &self.secret
    }
}

impl Keyring {
    /// A ring of one key.
    pub fn new(newest: VaultKey) -> Keyring {
        Keyring { newest, older: Vec::new() }
    }

    /// Adds a key that makes no tokens any more but still opens what was made under it.
    pub fn with_older(mut self, key: VaultKey) -> Result<Keyring, KeyError> {
        if self.keys().any(|known| known.id == key.id) {
            return Err(KeyError::SameId);
        }
        if self.keys().count() == KEYS_MAX {
            return Err(KeyError::TooMany);
        }
        self.older.push(key);
        Ok(self)
    }

    pub(crate) fn newest(&self) -> &VaultKey {
        &self.newest
    }

    pub(crate) fn older(&self) -> &[VaultKey] {
        &self.older
    }

    /// All of them, the newest first.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &VaultKey> {
        [&self.newest].into_iter().chain(&self.older)
    }
}

impl fmt::Debug for VaultKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("VaultKey").finish_non_exhaustive()
    }
}

impl fmt::Debug for Keyring {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keyring").finish_non_exhaustive()
    }
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            KeyError::Id => f.write_str(
                "vault key id is empty, longer than 32 signs or not of letters, digits, - and _: choose another",
            ),
            KeyError::Text => f.write_str(
                "vault key is not 64 hexadecimal digits: make one, for example with `openssl rand -hex 32`",
            ),
            KeyError::SameId => f.write_str("two vault keys have the same id: give each its own"),
            KeyError::TooMany => {
                write!(f, "more than {KEYS_MAX} vault keys: remove those whose tokens have expired")
            }
            KeyError::Random => f.write_str("system gives no random bytes for a key: try again"),
            KeyError::File(path, error) => {
                write!(f, "{}: cannot read or create the key file: {error}: check the path", path.display())
            }
            KeyError::NoFile(path) => {
                write!(f, "{}: key file is not a plain file: name another", path.display())
            }
            KeyError::FileText(path) => write!(
                f,
                "{}: key file does not hold 64 hexadecimal digits: write it again, for example with \
                 `openssl rand -hex 32`",
                path.display()
            ),
            KeyError::Permissions(path, mode) => write!(
                f,
                "{}: key file is open to others (mode {mode:04o}): run `chmod 600` on it, and replace the key if \
                 others could have read it",
                path.display()
            ),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            KeyError::File(_, error) => Some(error),
            _ => None,
        }
    }
}

/// Random bytes from the system.
pub(crate) fn random_bytes<const N: usize>() -> Result<Zeroizing<[u8; N]>, KeyError> {
    let mut bytes = Zeroizing::new([0; N]);
    match getrandom::fill(bytes.as_mut_slice()) {
        Ok(()) => Ok(bytes),
        Err(_) => Err(KeyError::Random),
    }
}

fn nibble(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

/// Makes a file with a new key. If another process was faster, its key stays.
fn create(path: &Path) -> Result<(), KeyError> {
    let random: Zeroizing<[u8; KEY_BYTES]> = random_bytes()?;
    let mut text = Zeroizing::new([b'\n'; 2 * KEY_BYTES + 1]);
    for (pair, byte) in text.chunks_exact_mut(2).zip(random.iter()) {
        pair.copy_from_slice(&[digit(byte >> 4), digit(byte & 15)]);
    }
    private_file::create(path, text.as_slice()).map_err(|error| KeyError::File(path.to_owned(), error))
}

fn digit(nibble: u8) -> u8 {
    if nibble < 10 { b'0' + nibble } else { b'a' + nibble - 10 }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    const TEXT: &[u8] = b"000102030405060708090a0b0c0d0e0f101112131415161718191A1B1C1D1E1F";

    #[test]
    fn a_key_is_64_digits_and_one_line_break() {
        let wanted: Vec<u8> = (0..32).collect();
        for end in ["", "\n", "\r\n"] {
            let key = VaultKey::from_text("a", &[TEXT, end.as_bytes()].concat()).unwrap();
            assert_eq!(key.secret().as_slice(), wanted);
        }
        for text in [&TEXT[1..], b"", &[TEXT, b"0"].concat(), &[TEXT, b"\n\n"].concat(), &[b'g'; 64]] {
            assert!(matches!(VaultKey::from_text("a", text), Err(KeyError::Text)));
        }
    }

    #[test]
    fn ids_are_plain_and_differ() {
        for id in ["", "a b", "é", &"a".repeat(33)] {
            assert!(matches!(VaultKey::new(id, &[1; 32]), Err(KeyError::Id)), "{id}");
        }
        let key = |id: &str| VaultKey::new(id, &[1; 32]).unwrap();
        let ring = Keyring::new(key("a"));
        assert!(matches!(ring.with_older(key("a")), Err(KeyError::SameId)));
        let full = (1..KEYS_MAX)
            .fold(Keyring::new(key("k0")), |ring, at| ring.with_older(key(&format!("k{at}"))).unwrap());
        assert!(matches!(full.with_older(key("more")), Err(KeyError::TooMany)));
    }

    #[test]
    fn a_file_is_made_once_and_read_after_that() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        let first = VaultKey::from_file("a", &path).unwrap();
        let second = VaultKey::from_file("a", &path).unwrap();
        assert_eq!(first.secret(), second.secret());
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1, "no draft is left");
        let other = VaultKey::from_file("a", &folder.path().join("other.key")).unwrap();
        assert_ne!(first.secret(), other.secret());
    }

    #[cfg(unix)]
    #[test]
    fn a_file_is_for_its_owner_alone() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        VaultKey::from_file("a", &path).unwrap();
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode(&path), 0o600);
        for wide in [0o640, 0o604, 0o620] {
            fs::set_permissions(&path, fs::Permissions::from_mode(wide)).unwrap();
            let error = VaultKey::from_file("a", &path).unwrap_err();
            assert!(error.to_string().contains("chmod 600"), "{error}");
        }
    }

    #[test]
    fn files_with_something_else_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("vault.key");
        VaultKey::from_file("a", &path).unwrap();
        fs::write(&path, b"quartz").unwrap();
        let error = VaultKey::from_file("a", &path).unwrap_err();
        assert!(error.to_string().contains("64 hexadecimal digits"), "{error}");
        assert!(!format!("{error} {error:?}").contains("quartz"));
        assert!(matches!(VaultKey::from_file("a", folder.path()), Err(KeyError::NoFile(_))));
        let missing = folder.path().join("no/vault.key");
        assert!(matches!(VaultKey::from_file("a", &missing), Err(KeyError::File(..))));
    }
}

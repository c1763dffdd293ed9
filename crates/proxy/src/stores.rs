//! Opens what outlives the process: the store of keys and tokens, the vault over it, the audit.

use crate::config::{Config, ConfigError, Env, Source, VaultKeySource};
use crate::policy::secret;
use obelus_vault::{
    Keyring, Settings, SqliteStore, Store, StoreError, Vault, VaultError, VaultKey, VirtualKeys,
};
use std::fmt;
use std::fs::DirBuilder;
use std::io;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Why the process cannot start.
#[derive(Debug)]
pub enum StartError {
    /// The configuration cannot be used.
    Config(ConfigError),
    /// The store cannot be opened.
    Store(StoreError),
    /// The vault cannot be started.
    Vault(VaultError),
    /// The audit cannot be opened or written.
    Audit(obelus_audit::Error),
    /// A folder or a socket.
    Io(String, &'static str, io::Error),
}

impl StartError {
    /// Whether the configuration must be changed, rather than the machine.
    pub fn is_config(&self) -> bool {
        matches!(self, StartError::Config(_))
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Config(error) => error.fmt(f),
            StartError::Store(error) => error.fmt(f),
            StartError::Vault(error) => error.fmt(f),
            StartError::Audit(error) => error.fmt(f),
            StartError::Io(what, doing, error) => write!(f, "{what}: cannot {doing}: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

impl From<ConfigError> for StartError {
    fn from(error: ConfigError) -> StartError {
        StartError::Config(error)
    }
}

/// Opens the store of virtual keys and tokens, making it if there is none.
fn store(config: &Config) -> Result<Arc<dyn Store>, StartError> {
    make_folder(&config.state)?;
    SqliteStore::open(&config.state).map(|store| Arc::new(store) as Arc<dyn Store>).map_err(StartError::Store)
}

/// The virtual keys of a configuration: for commands that change them.
///
/// # Errors
/// A store that cannot be opened or made.
pub fn virtual_keys(config: &Config) -> Result<VirtualKeys, StartError> {
    store(config).map(VirtualKeys::new)
}

/// The virtual keys, and the vault over the same store.
pub(crate) fn open(config: &Config, env: Env<'_>) -> Result<(VirtualKeys, Vault), StartError> {
    let store = store(config)?;
    let keys = keyring(&config.vault_keys, env)?;
    let settings = Settings { form: config.tokens, ..Settings::default() };
    let vault = Vault::new(keys, Some(Arc::clone(&store)), settings).map_err(StartError::Vault)?;
    Ok((VirtualKeys::new(store), vault))
}

fn keyring(sources: &[VaultKeySource], env: Env<'_>) -> Result<Keyring, StartError> {
    let mut ring = None;
    for source in sources {
        let key = vault_key(source, env)?;
        ring = Some(match ring {
            None => Keyring::new(key),
            Some(ring) => {
                Keyring::with_older(ring, key).map_err(|error| StartError::Config(named(source, &error)))?
            }
        });
    }
    ring.ok_or_else(|| StartError::Config(ConfigError::new("vault_key: names no key")))
}

fn vault_key(source: &VaultKeySource, env: Env<'_>) -> Result<VaultKey, StartError> {
    let key = match &source.source {
        Source::File(path) => {
            make_folder(path)?;
            VaultKey::from_file(&source.id, path)
        }
        Source::Env(variable) => {
            let text = secret(&source.source, env)?.ok_or_else(|| {
                ConfigError::new(format!("{variable}: is not set: it must hold the key of the vault"))
            })?;
            VaultKey::from_text(&source.id, text.as_bytes())
        }
    };
    key.map_err(|error| StartError::Config(named(source, &error)))
}

fn named(source: &VaultKeySource, error: &obelus_vault::KeyError) -> ConfigError {
    ConfigError::new(format!("vault_key `{}`: {error}", source.id))
}

/// Makes the folder of a file, for its owner alone.
pub(crate) fn make_folder(file: &Path) -> Result<(), StartError> {
    let folder = match file.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => return Ok(()),
    };
    let made = DirBuilder::new().recursive(true).mode(0o700).create(folder);
    made.map_err(|error| StartError::Io(place(folder), "make the folder", error))
}

fn place(path: &Path) -> String {
    PathBuf::from(path).display().to_string()
}

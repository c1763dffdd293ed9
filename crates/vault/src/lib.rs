#![forbid(unsafe_code)]
//! Keeps values behind tokens, and who holds a virtual key.
//!
//! A token stands for a value and can be turned back only by the scope that made it: one session of one tenant. Both
//! names come from authentication, never from a text. The same value has the same token there and nowhere else.
//!
//! # Overview
//! * [`Vault`] holds the keys and the store; [`Vault::scope`] opens what one session of one tenant may see.
//! * [`Scope`] makes tokens of values and turns them back.
//! * [`VirtualKeys`] makes, checks and ends the keys that clients present.
//! * [`Store`] is what keeps both: [`SqliteStore`] in a file, [`MemoryStore`] as long as the process.
//!
//! ```
//! use obelus::Category;
//! use obelus_vault::Vault;
//!
//! let vault = Vault::ephemeral()?;
//! let (ours, theirs) = (vault.scope("shop", "chat-1"), vault.scope("shop", "chat-2"));
//! let (mut token, mut value) = (Vec::new(), Vec::new());
//! assert!(ours.mint(Category::Email, b"jenny@example.com", &mut token));
//! assert!(ours.open(&token, &mut value));
//! assert_eq!(value, b"jenny@example.com");
//! assert!(!theirs.is_minted(&token));
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```
//!
//! # What a store sees
//! Names of rows are keyed hashes, values are sealed with AES-256-GCM-SIV (RFC 8452) under a key of their scope, with
//! scope and token as associated data. Who has the file and not the vault's key learns how many values there are, how
//! long, and when they were made. Of virtual keys there is a hash of the secret, workflow, tenant and times.
//!
//! # Sealed tokens
//! With [`TokenForm::Sealed`] a token holds the value itself, under AES-SIV (RFC 5297) with scope and category as associated
//! data: another vault with the same key opens it in a scope of the same names. Nothing of it is kept, so nothing can
//! be erased or expire. Values of more than 88 bytes get a short token.
//!
//! # Limits
//! Values of up to 1,024 bytes. [`Settings`] bounds what is at hand; with a store, the rest is there, without one no
//! more tokens are made. No token is made that the vault could not promise to keep: while its store fails or does not
//! keep up, values get labels. What was accepted is written behind the caller's back within milliseconds; a crash
//! of the process in between loses it, and those tokens stay tokens.
//!
//! # What it does not do
//! Copies of keys inside the hash and the cipher are erased as far as those crates do it; what is swapped or dumped
//! while the process runs is not protected.

mod derive;
mod guard;
mod key;
mod memory;
mod private_file;
mod pulse;
mod reader;
mod scope;
mod scope_key;
mod store;
mod time;
mod vault;
pub mod virtual_key;
mod virtual_keys;
mod writer;

pub use derive::{KEY_BYTES, ROW_BYTES, RowId};
pub use guard::VALUE_BYTES_MAX;
pub use key::{KEYS_MAX, KeyError, Keyring, VaultKey};
pub use scope::Scope;
pub use store::{KeyRow, MemoryStore, SealedValue, SqliteStore, Store, StoreError, TokenRow};
pub use vault::{Clock, Counts, Health, Settings, TokenForm, Vault, VaultError};
pub use virtual_keys::{Holder, KeyChangeError, KeyFault, KeyRequest, ListedKey, NAME_LEN_MAX, VirtualKeys};

//! Tokens, virtual keys and their store over the public interface.

mod erasure;
mod faults;
mod quiet;
mod scopes;
mod sealed;
mod support;
mod tokens;
mod virtual_keys;

#![forbid(unsafe_code)]
//! The sidecar: stands between a client and a model provider and lets nothing through unread.

//! The command that is a server of tools, and what it gets to see.

use crate::config::{Config, ConfigError, McpKind, McpServer, Source};
use std::ffi::{OsStr, OsString};

/// How the names of variables begin that are of Obelus.
const OWN_PREFIX: &[u8] = b"OBELUS_";

/// Where Stripe's local servers look for their key.
const STRIPE_VARIABLES: [&str; 2] = ["STRIPE_SECRET_KEY", "STRIPE_API_KEY"];

/// Whether the server's key is a live one, as far as the key says it.
///
/// # Errors
/// Keys that the server may not have, or that are not what the configuration says.
pub(super) fn livemode(
    name: &str,
    described: &McpServer,
    command: &[OsString],
) -> Result<Option<bool>, ConfigError> {
    let (said, allow_secret_key) = match &described.kind {
        McpKind::Other(_) => return Ok(None),
        McpKind::Stripe { livemode, allow_secret_key, .. } => (*livemode, *allow_secret_key),
    };
    let named = STRIPE_VARIABLES.into_iter().filter_map(std::env::var_os);
    let texts: Vec<OsString> = command.iter().cloned().chain(named).collect();
    let holds = |part: &str| texts.iter().any(|text| contains(text, part));
    if !allow_secret_key && (holds("sk_live_") || holds("sk_test_")) {
        return Err(ConfigError::new(format!(
            "mcp.{name}: the server would get a secret key (sk_…), which can do everything: give it a restricted one \
             (rk_…), or set allow_secret_key"
        )));
    }
    let is_live = holds("sk_live_") || holds("rk_live_");
    let is_test = holds("sk_test_") || holds("rk_test_");
    let by_key = match (is_live, is_test) {
        (true, true) => {
            return Err(ConfigError::new(format!(
                "mcp.{name}: the server would get a live key and a test key: leave one out"
            )));
        }
        (false, false) => None,
        (is_live, _) => Some(is_live),
    };
    if said.zip(by_key).is_some_and(|(said, by_key)| said != by_key) {
        return Err(ConfigError::new(format!("mcp.{name}.livemode: not what the key of the server says")));
    }
    Ok(by_key)
}

/// The variables that the server does not get: those of Obelus, and all that the configuration names for a key, but for
/// those in which Stripe's servers look for their own.
pub(super) fn hidden(config: &Config, described: &McpServer) -> Vec<OsString> {
    let stripe = config.gate.iter().filter_map(|gate| gate.stripe.as_ref());
    let stripe = stripe.flat_map(|stripe| stripe.keys.values().chain(&stripe.events_key));
    let providers = config.upstreams.values().map(|upstream| &upstream.key);
    let vault = config.vault_keys.iter().map(|key| &key.source);
    let tools = config.mcp.values().filter_map(|server| server.place.as_ref());
    let tools = tools.flat_map(|place| place.keys.values());
    let webhook = config.webhook.iter().map(|webhook| &webhook.secret);
    let collector = config.otlp.iter().flat_map(|otlp| otlp.headers.iter().map(|(_, value)| value));
    let named = stripe.chain(providers).chain(vault).chain(tools).chain(webhook).chain(collector);
    let named = named.filter_map(|source| match source {
        Source::Env(variable) => Some(OsString::from(variable)),
        Source::File(_) => None,
    });
    let is_own = |variable: &OsString| {
        matches!(described.kind, McpKind::Stripe { .. }) && STRIPE_VARIABLES.iter().any(|own| variable == own)
    };
    let ours = std::env::vars_os().map(|(variable, _)| variable);
    let ours = ours.filter(|variable| variable.as_encoded_bytes().starts_with(OWN_PREFIX));
    named.filter(|variable| !is_own(variable)).chain(ours).collect()
}

fn contains(text: &OsStr, part: &str) -> bool {
    text.as_encoded_bytes().windows(part.len()).any(|window| window == part.as_bytes())
}

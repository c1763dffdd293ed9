//! The test that a compiled configuration must pass before it judges anybody's traffic: a planted card number and a
//! planted key must not come out of any route, neither way.

use crate::config::ConfigError;
use crate::policy::{Grant, Policy};
use obelus_vault::Vault;
use obelus_wire::{Redacted, Refusal, Route};

/// What is planted: a number of a published test card, and the form of a key.
fn planted() -> [String; 2] {
    ["4242424242424242".to_owned(), ["sk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat()]
}

/// Runs the test.
///
/// # Errors
/// A route that refuses the test or lets a planted value through.
pub(crate) fn run(policy: &Policy) -> Result<(), ConfigError> {
    // Tokens of the test are nobody's: they are gone with this vault.
    let vault = Vault::ephemeral().map_err(|error| ConfigError::new(error.to_string()))?;
    for grant in policy.grants() {
        for route in Route::ALL {
            for value in planted() {
                request(grant, &vault, route, &value)?;
                answer(grant, &vault, route, &value)?;
            }
        }
    }
    Ok(())
}

fn request(grant: &Grant, vault: &Vault, route: Route, value: &str) -> Result<(), ConfigError> {
    let text = format!("my card or key is {value}, thank you");
    let body = match route {
        Route::Models => return Ok(()),
        Route::ChatCompletions => {
            format!(r#"{{"model":"m","messages":[{{"role":"user","content":"{text}"}}]}}"#)
        }
        Route::Responses | Route::Embeddings => format!(r#"{{"model":"m","input":"{text}"}}"#),
        Route::Messages | Route::CountTokens => {
            format!(r#"{{"model":"m","max_tokens":1,"messages":[{{"role":"user","content":"{text}"}}]}}"#)
        }
    };
    let scope = vault.scope("self-test", "request");
    check(grant, route, value, grant.wire.request(route, body.as_bytes(), &scope))
}

fn answer(grant: &Grant, vault: &Vault, route: Route, value: &str) -> Result<(), ConfigError> {
    let body = format!(r#"{{"error":{{"message":"no such card or key: {value}"}}}}"#);
    let scope = vault.scope("self-test", "answer");
    check(grant, route, value, grant.wire.answer(route, scope).finish(body.as_bytes()))
}

fn check(
    grant: &Grant,
    route: Route,
    value: &str,
    result: Result<Redacted, Refusal>,
) -> Result<(), ConfigError> {
    let name = &grant.name;
    let route = route.as_str();
    match result {
        Err(refusal) => {
            let message = refusal.message;
            Err(ConfigError::new(format!("workflows.{name}: {route} fails the self-test: {message}")))
        }
        Ok(redacted) if redacted.body.windows(value.len()).any(|window| window == value.as_bytes()) => {
            let message = "a planted card number or key came out: check the rule files of its profile";
            Err(ConfigError::new(format!("workflows.{name}: {route} fails the self-test: {message}")))
        }
        Ok(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use obelus::Category;
    use obelus_wire::{Profile, Wire};
    use std::ffi::OsString;
    use std::path::Path;
    use std::sync::Arc;

    /// No configuration can say this: levels, treatments and allow-lists have no power over cards and keys. So the
    /// test is shown readers that are made blind.
    #[test]
    fn a_reader_that_lets_cards_or_keys_through_fails() {
        let env = |name: &str| (name == "HOME").then(|| OsString::from("/nowhere"));
        let config = Config::parse("", "", Path::new(""), &env).unwrap();
        let mut policy = Policy::compile(&config, &env).unwrap();
        run(&policy).unwrap();
        for blind in [Category::CardNumber, Category::Secret] {
            let mut profile = Profile::default();
            profile.skip = vec![blind];
            policy.read_by(&Arc::new(Wire::new(&profile).unwrap()));
            let error = run(&policy).unwrap_err().to_string();
            assert!(error.contains("workflows.default") && error.contains("came out"), "{error}");
            assert!(!planted().iter().any(|value| error.contains(value.as_str())), "{error}");
        }
    }
}

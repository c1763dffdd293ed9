//! Credentials and virtual keys.

use super::Review;
use crate::config::{Source, Workflow};
use crate::policy::secret;
use crate::stores::{StartError, virtual_keys};
use obelus_audit::Utc;
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::time::{Duration, SystemTime};
use zeroize::Zeroizing;

const DAY: Duration = Duration::from_secs(86_400);
/// After so long a key should be another.
const KEY_AGE_MAX: Duration = Duration::from_secs(90 * 86_400);
/// After so long without use a virtual key should be revoked.
const UNUSED_MAX: Duration = Duration::from_secs(30 * 86_400);
/// Variables in which Stripe's libraries look for a key.
const STRIPE_VARIABLES: [&str; 3] = ["STRIPE_API_KEY", "STRIPE_SECRET_KEY", "STRIPE_KEY"];

impl Review<'_> {
    pub(super) fn credentials(&mut self) -> Result<(), StartError> {
        let own = self.stripe_credentials()?;
        for variable in STRIPE_VARIABLES.into_iter().filter(|variable| !own.iter().any(|own| own == variable))
        {
            let value = (self.env)(variable).and_then(|value| value.into_string().ok());
            if let Some(kind) = value.as_deref().and_then(stripe_key) {
                self.note("credentials/stripe-in-environment", variable, kind);
            }
        }
        let config = self.config;
        for (name, upstream) in &config.upstreams {
            let place = format!("upstreams.{name}.key");
            self.file(&place, &upstream.key);
            match secret(&upstream.key, self.env)? {
                None => self.note("credentials/missing", place, "no key"),
                Some(key) => {
                    if let Some(kind) = stripe_key(&key) {
                        self.note("credentials/stripe-key-of-provider", place, kind);
                    }
                }
            }
            let uses = |workflow: &Workflow| workflow.upstreams.contains(name);
            let users: Vec<&str> =
                config.workflows.iter().filter(|(_, one)| uses(one)).map(|(name, _)| name.as_str()).collect();
            if users.len() > 1 {
                self.note(
                    "credentials/shared",
                    format!("upstreams.{name}"),
                    format!("workflows {}", users.join(", ")),
                );
            }
        }
        if let Some(webhook) = &config.webhook {
            self.file("webhook.secret", &webhook.secret);
        }
        for (name, profile) in &config.profiles {
            if let Some((Source::File(path), _)) = &profile.hash_key {
                self.permissions(&format!("profiles.{name}.hash_key"), path);
            }
        }
        for key in &config.vault_keys {
            let place = format!("vault_key `{}`", key.id);
            if let Source::File(path) = &key.source {
                if path.parent() == config.state.parent() {
                    let seen = path.display().to_string();
                    self.note("credentials/vault-key-beside-state", place.clone(), seen);
                }
                self.permissions(&place, path);
            }
        }
        self.permissions("audit.key_file", &config.audit.key_path());
        Ok(())
    }

    /// Looks at the keys that the gate uses, and gives the variables in which they are.
    fn stripe_credentials(&mut self) -> Result<Vec<String>, StartError> {
        let config = self.config;
        let Some(gate) = &config.gate else {
            self.note("credentials/none", "", "the configuration has no section `gate`");
            return Ok(Vec::new());
        };
        self.permissions("gate.key_file", &gate.key_file);
        if let Some(subjects) = &gate.subjects {
            self.permissions("gate.subjects", subjects);
        }
        let Some(stripe) = &gate.stripe else {
            self.note("credentials/none", "gate", "the gate has no section `stripe`");
            return Ok(Vec::new());
        };
        let mut variables = Vec::new();
        let mut known: Vec<(String, Zeroizing<String>)> = Vec::new();
        let keys = stripe.keys.iter().map(|(name, source)| (format!("gate.stripe.keys.{name}"), source));
        let events = stripe.events_key.iter().map(|source| ("gate.stripe.events_key".to_owned(), source));
        for (place, source) in keys.chain(events) {
            self.file(&place, source);
            if let Source::Env(variable) = source {
                variables.push(variable.clone());
            }
            let Some(key) = secret(source, self.env)? else {
                self.note("credentials/missing", place, "no key");
                continue;
            };
            if !key.trim().starts_with("rk_") {
                let kind = stripe_key(&key).unwrap_or("no restricted key");
                self.note("credentials/stripe-not-restricted", place.clone(), kind);
            }
            if let Some((other, _)) = known.iter().find(|(_, other)| *other == key) {
                self.note("credentials/stripe-shared", place.clone(), format!("the key of {other}"));
            }
            known.push((place, key));
        }
        Ok(variables)
    }

    /// Looks at the file of a key that should be changed from time to time.
    fn file(&mut self, place: &str, source: &Source) {
        let Source::File(path) = source else { return };
        self.permissions(place, path);
        let changed = fs::metadata(path).and_then(|metadata| metadata.modified()).ok();
        let age = changed.and_then(|changed| self.now.duration_since(changed).ok());
        if let Some(age) = age.filter(|age| *age > KEY_AGE_MAX) {
            self.note("credentials/old", place, format!("{}: {} old", path.display(), days(age)));
        }
    }

    fn permissions(&mut self, place: &str, path: &Path) {
        // What is not there yet is made for its owner alone.
        let Ok(metadata) = fs::metadata(path) else { return };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            self.note("credentials/readable", place, format!("{}: mode {mode:03o}", path.display()));
        }
    }

    pub(super) fn virtual_keys(&mut self) -> Result<(), StartError> {
        let none = |review: &mut Review<'_>| {
            review.note("keys/none", "state", review.config.state.display().to_string());
        };
        if !self.config.state.exists() {
            none(self);
            return Ok(());
        }
        let listed = virtual_keys(self.config)?.list().map_err(StartError::Store)?;
        let now = self.now;
        let since = |time: SystemTime| now.duration_since(time).unwrap_or_default();
        let is_valid = |expires: Option<SystemTime>| expires.is_none_or(|expires| expires > now);
        let valid: Vec<_> =
            listed.into_iter().filter(|key| key.revoked.is_none() && is_valid(key.expires)).collect();
        if valid.is_empty() {
            none(self);
        }
        for key in valid {
            let id = key.id.as_str();
            if key.expires.is_none() {
                self.note("keys/no-expiry", id, format!("of the workflow {}", key.workflow));
            }
            if since(key.created) > KEY_AGE_MAX {
                self.note("keys/old", id, format!("made {}", Utc::from(key.created)));
            }
            if since(key.last_used.unwrap_or(key.created)) > UNUSED_MAX {
                let seen = key
                    .last_used
                    .map_or("never used".to_owned(), |used| format!("last used {}", Utc::from(used)));
                self.note("keys/unused", id, seen);
            }
            if !self.config.workflows.contains_key(&key.workflow) {
                self.note("keys/no-workflow", id, format!("workflow {}", key.workflow));
            }
        }
        Ok(())
    }
}

/// What kind of Stripe's keys a text is, if it is one.
fn stripe_key(text: &str) -> Option<&'static str> {
    let kinds = [
        ("sk_live_", "a secret key of live mode"),
        ("rk_live_", "a restricted key of live mode"),
        ("sk_org_", "a key of an organization"),
        ("sk_test_", "a secret key of test mode"),
        ("rk_test_", "a restricted key of test mode"),
    ];
    kinds.into_iter().find(|(prefix, _)| text.trim().starts_with(prefix)).map(|(_, kind)| kind)
}

fn days(age: Duration) -> String {
    format!("{} days", age.as_secs() / DAY.as_secs())
}

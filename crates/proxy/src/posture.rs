//! A review of how the sidecar is set up: what could be safer, and how. Nothing is changed, nothing is made.

mod checks;
mod evidence;
mod keys;
mod tools;
mod traffic;

pub use checks::{CHECKS, Check, Part, Severity};

use crate::canary;
use crate::config::{Config, Env};
use crate::policy::Policy;
use crate::stores::StartError;
use std::path::Path;
use std::time::SystemTime;

/// Something that could be safer, or that could not be reviewed.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct PostureFinding {
    /// Which check.
    pub check: &'static Check,
    /// Where, as the configuration names it: `upstreams.openai.key`; or a virtual key by its id.
    pub place: String,
    /// What was seen, without a value.
    pub seen: String,
}

/// What a review sees.
struct Review<'a> {
    config: &'a Config,
    policy: &'a Policy,
    env: Env<'a>,
    now: SystemTime,
    findings: Vec<PostureFinding>,
}

impl Review<'_> {
    /// Notes what a check has found. The check must be one of the list, which a test sees to.
    fn note(&mut self, id: &str, place: impl Into<String>, seen: impl Into<String>) {
        if let Some(check) = CHECKS.iter().find(|check| check.id == id) {
            self.findings.push(PostureFinding { check, place: place.into(), seen: seen.into() });
        }
    }
}

/// Reviews a configuration and the state that it names. The most severe findings come first.
///
/// # Errors
/// A configuration with which the sidecar would not start, or state that cannot be read.
pub fn posture(path: Option<&Path>, env: Env<'_>) -> Result<Vec<PostureFinding>, StartError> {
    let config = Config::read(path, env)?;
    let policy = Policy::compile(&config, env)?;
    let lanes = canary::lanes(&policy)?;
    let mut review =
        Review { config: &config, policy: &policy, env, now: SystemTime::now(), findings: Vec::new() };
    review.credentials()?;
    review.tools();
    review.routing();
    review.virtual_keys()?;
    review.guardrails(&lanes);
    review.evidence()?;
    let mut findings = review.findings;
    findings.sort_by(|one, other| {
        let rank = |finding: &PostureFinding| (std::cmp::Reverse(finding.check.severity), finding.check.part);
        (rank(one), one.check.id, &one.place).cmp(&(rank(other), other.check.id, &other.place))
    });
    Ok(findings)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsString;
    use std::fs;
    use std::os::unix::fs::PermissionsExt;

    /// The ids of what a review of `text` finds, with their places.
    fn found(text: &str, folder: &Path, key: &str) -> Vec<(&'static str, String)> {
        let path = folder.join("obelus.yaml");
        fs::write(&path, text).unwrap();
        let env = |name: &str| match name {
            "STATE_DIRECTORY" => Some(folder.as_os_str().to_owned()),
            "OPENAI_API_KEY" => Some(OsString::from("fake")),
            "STRIPE_API_KEY" if !key.is_empty() => Some(OsString::from(key)),
            _ => None,
        };
        let findings = posture(Some(&path), &env).unwrap();
        assert!(findings.windows(2).all(|pair| pair[0].check.severity >= pair[1].check.severity));
        findings.into_iter().map(|finding| (finding.check.id, finding.place)).collect()
    }

    fn ids(found: &[(&'static str, String)]) -> Vec<&'static str> {
        found.iter().map(|(id, _)| *id).collect()
    }

    #[test]
    fn a_part_for_which_nothing_is_configured_says_so() {
        let folder = tempfile::tempdir().unwrap();
        let ids = ids(&found("", folder.path(), ""));
        for wanted in ["credentials/none", "tools/none", "keys/none", "evidence/none"] {
            assert!(ids.contains(&wanted), "{wanted} {ids:?}");
        }
        assert!(!folder.path().join("state.db").exists() && !folder.path().join("vault.key").exists());
    }

    #[test]
    fn what_is_set_up_carelessly_is_found_with_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("openai.key");
        fs::write(&key, ["sk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat()).unwrap();
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        fs::write(folder.path().join("allow.toml"), "").unwrap();
        let text = "listen: 0.0.0.0:8787
upstreams: {openai: {key: {file: openai.key}, url: 'https://gateway.example.com'}}
profiles: {loose: {media: mark, level: certain, transform: mask, restore_arguments: [{tool: pay}]}}
workflows: {one: {profile: loose, requests_per_day: 5}, two: {models: [gpt-4o]}}
";
        let live = ["rk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat();
        let found = found(text, folder.path(), &live);
        for (id, place) in [
            ("credentials/readable", "upstreams.openai.key"),
            ("credentials/stripe-key-of-provider", "upstreams.openai.key"),
            ("credentials/stripe-in-environment", "STRIPE_API_KEY"),
            ("credentials/shared", "upstreams.openai"),
            ("tools/restored", "profiles.loose.restore_arguments"),
            ("routing/other-host", "upstreams.openai.url"),
            ("guardrails/media", "profiles.loose.media"),
            ("guardrails/level", "profiles.loose.level"),
            ("guardrails/mask", "profiles.loose.transform"),
            ("guardrails/no-loopback", "listen"),
            ("guardrails/breadth", "workflows.one"),
            ("evidence/no-copies", "audit.checkpoints"),
        ] {
            assert!(found.contains(&(id, place.to_owned())), "{id} {place} {found:?}");
        }
        assert!(!found.contains(&("guardrails/breadth", "workflows.two".to_owned())), "{found:?}");
    }

    #[test]
    fn the_gate_and_servers_of_tools_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let text = "workflows: {one: {}, two: {}}
gate: {stripe: {allow_secret_key: true, keys: {one: {env: STRIPE_API_KEY}, two: {env: STRIPE_API_KEY}}}}
mcp: {notes: {tools: {find: read}, on_change: record, restore_arguments: [{tool: find}]}}
";
        let secret = ["sk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat();
        let careless = found(text, folder.path(), &secret);
        for (id, place) in [
            ("credentials/stripe-not-restricted", "gate.stripe.keys.one"),
            ("credentials/stripe-shared", "gate.stripe.keys.two"),
            ("tools/no-approver", "gate.approvers"),
            ("tools/unpinned", "mcp.notes.on_change"),
            ("tools/restored", "mcp.notes.restore_arguments"),
        ] {
            assert!(careless.contains(&(id, place.to_owned())), "{id} {place} {careless:?}");
        }
        let text = "workflows: {one: {}, two: {}}
gate: {rules: [own.cedar]}
mcp:
  shop: {kind: stripe, livemode: false, workflows: [two]}
  notes: {workflows: [one], tools: {find: read, send: outbound_message, pay: money_movement, hook: key_or_account_admin}}
";
        let rule = "@id(\"pays\") permit (principal, action == Action::\"notes/pay\", resource);";
        fs::write(folder.path().join("own.cedar"), rule).unwrap();
        let path = folder.path().join("obelus.yaml");
        fs::write(&path, text).unwrap();
        let env = |name: &str| (name == "STATE_DIRECTORY").then(|| folder.path().as_os_str().to_owned());
        let findings = posture(Some(&path), &env).unwrap();
        let seen = |id: &str| {
            let of_id = findings.iter().filter(|finding| finding.check.id == id);
            of_id.map(|finding| (finding.place.as_str(), finding.seen.as_str())).collect::<Vec<_>>()
        };
        let place = "mcp.notes, workflow one";
        assert_eq!(seen("tools/unattended"), [(place, "pay")]);
        assert_eq!(seen("tools/no-rule"), [(place, "hook (key_or_account_admin)")]);
        let [notes, shop] = seen("tools/open").try_into().unwrap();
        assert_eq!(notes, (place, "pay (goes out), send (waits for people)"));
        assert_eq!(shop.0, "mcp.shop, workflow two");
        assert!(shop.1.contains("create_customer (goes out)") && shop.1.contains(" more"), "{}", shop.1);
        let token = "a".repeat(64);
        let text = format!(
            "gate: {{approvers: {{alice: {{token_sha256: {token}}}}}, stripe: {{keys: {{default: {{env: STRIPE_API_KEY}}}}}}}}"
        );
        let careful = found(&text, folder.path(), &["rk", "_live_", "51QuartzQuartzQuartzQuartz0"].concat());
        for id in ["credentials/none", "credentials/stripe-in-environment", "tools/none", "tools/no-approver"]
        {
            assert!(careful.iter().all(|(found, _)| *found != id), "{id} {careful:?}");
        }
    }

    #[test]
    fn virtual_keys_and_records_are_looked_at() {
        let folder = tempfile::tempdir().unwrap();
        let env = |name: &str| (name == "STATE_DIRECTORY").then(|| folder.path().as_os_str().to_owned());
        let config = Config::read(None, &env).unwrap();
        let keys = crate::virtual_keys(&config).unwrap();
        let request = |workflow: &str| obelus_vault::KeyRequest {
            workflow: workflow.to_owned(),
            tenant: None,
            expires: None,
            requester: None,
        };
        let long_ago = SystemTime::UNIX_EPOCH;
        keys.create(&request("default"), long_ago).unwrap();
        keys.create(&request("gone"), long_ago).unwrap();
        drop(keys);
        drop(obelus_audit::Log::open(&config.audit).unwrap());
        let found_ids = ids(&found("", folder.path(), ""));
        for wanted in
            ["keys/no-expiry", "keys/old", "keys/unused", "keys/no-workflow", "evidence/not-reconciled"]
        {
            assert!(found_ids.contains(&wanted), "{wanted} {found_ids:?}");
        }
        assert!(!found_ids.contains(&"evidence/chain"));
        // A folder that is named for copies, and holds none; a signing key that others may read.
        fs::set_permissions(config.audit.key_path(), fs::Permissions::from_mode(0o644)).unwrap();
        fs::create_dir(folder.path().join("copies")).unwrap();
        let careless = found("audit: {checkpoints: copies}", folder.path(), "");
        for (id, place) in
            [("evidence/copies-behind", "audit.checkpoints"), ("credentials/readable", "audit.key_file")]
        {
            assert!(careless.contains(&(id, place.to_owned())), "{id} {place} {careless:?}");
        }
        let unsent = found("audit: {otlp: {url: 'http://127.0.0.1:9'}}", folder.path(), "");
        assert!(unsent.contains(&("evidence/collector-behind", "audit.otlp".to_owned())), "{unsent:?}");
        // One sign of a record.
        let text = fs::read_to_string(&config.audit.path).unwrap();
        fs::write(&config.audit.path, text.replacen("segment_started", "segment_starteb", 1)).unwrap();
        fs::write(
            config.audit.path.with_file_name("reconciled.json"),
            r#"{"time":"2020-01-01T00:00:00Z","verdict":"fault"}"#,
        )
        .unwrap();
        let found_ids = ids(&found("", folder.path(), ""));
        for wanted in ["evidence/chain", "evidence/reconciled-fault", "evidence/reconciled-long-ago"] {
            assert!(found_ids.contains(&wanted), "{wanted} {found_ids:?}");
        }
    }

    #[test]
    fn every_check_is_told_apart_and_says_what_to_do() {
        for (at, check) in CHECKS.iter().enumerate() {
            assert!(check.id.starts_with(check.part.as_str()), "{}", check.id);
            assert!(CHECKS[..at].iter().all(|other| other.id != check.id), "{}", check.id);
            assert!([check.title, check.why, check.mend].iter().all(|text| !text.is_empty()), "{}", check.id);
        }
        // What the review names is in the list.
        let sources = [
            include_str!("posture/evidence.rs"),
            include_str!("posture/keys.rs"),
            include_str!("posture/tools.rs"),
            include_str!("posture/traffic.rs"),
        ];
        let mut asked = std::collections::BTreeSet::new();
        for part in sources.iter().flat_map(|source| source.split(".note(").skip(1)) {
            let id = part.split('"').nth(1).unwrap();
            assert!(CHECKS.iter().any(|check| check.id == id), "{id}");
            asked.insert(id);
        }
        assert_eq!(asked.len(), CHECKS.len(), "a check that nothing asks");
    }
}

//! A configuration, compiled: what requests are judged by. One request uses one from start to end.

use crate::config::{Config, ConfigError, Env, MediaPolicy, Profile, Source, Upstream, Workflow};
use crate::gate::Gate;
use crate::mcp::Tools;
use crate::reader::Reader;
use crate::upstream::Client;
use crate::webhook::Endpoint;
use hyper::header::{AUTHORIZATION, HeaderName, HeaderValue};
use obelus_audit::Word;
use obelus_wire::{Provider, Wire};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use sha2::{Digest, Sha256};
use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use zeroize::Zeroizing;

/// Bytes of a digest that name a version.
const VERSION_BYTES: usize = 6;

/// A configuration, compiled.
pub(crate) struct Policy {
    pub(crate) config: Config,
    /// The names of configuration and rules together.
    pub(crate) version: Word,
    /// Reads headers and parameters.
    pub(crate) reader: Reader,
    grants: HashMap<String, Arc<Grant>>,
    /// Which calls may go out, if any are served.
    pub(crate) gate: Option<Arc<Gate>>,
    tools: HashMap<String, Arc<Tools>>,
    /// Where messages for people go, if anywhere.
    pub(crate) webhook: Option<Arc<Endpoint>>,
}

impl fmt::Debug for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Policy").field("version", &self.version).finish_non_exhaustive()
    }
}

/// What the keys of one workflow may do, and how their traffic is read.
#[cfg_attr(test, derive(Clone))]
pub(crate) struct Grant {
    pub(crate) name: Word,
    pub(crate) workflow: Workflow,
    pub(crate) wire: Arc<Wire>,
    /// Whether tokens in arguments of tools become values: then something may be done with them.
    pub(crate) restores_arguments: bool,
    targets: Vec<Target>,
}

/// An upstream and the key for it.
#[derive(Clone)]
pub(crate) struct Target {
    pub(crate) name: Word,
    pub(crate) upstream: Upstream,
    pub(crate) client: Client,
    credential: Option<(HeaderName, HeaderValue)>,
}

impl Target {
    /// The header that holds the provider's key, if there is one.
    pub(crate) fn credential(&self) -> Option<&(HeaderName, HeaderValue)> {
        self.credential.as_ref()
    }
}

impl Grant {
    /// The upstream of a provider, if the workflow has one.
    pub(crate) fn target(&self, provider: Provider) -> Option<&Target> {
        self.targets.iter().find(|target| target.upstream.provider == provider)
    }
}

impl Policy {
    /// Reads rule files and keys, and compiles.
    ///
    /// # Errors
    /// A rule file that cannot be read or compiled, or a key that is no key.
    pub(crate) fn compile(config: &Config, env: Env<'_>) -> Result<Policy, ConfigError> {
        let mut digest = Sha256::new();
        digest.update(env!("CARGO_PKG_VERSION"));
        digest.update(&config.text);
        let mut wires = BTreeMap::new();
        for (name, profile) in &config.profiles {
            let profile = wire_profile(profile)?;
            for (text, _) in profile.rules.iter().chain(&profile.allow) {
                digest.update(text);
            }
            let wire = Wire::new(&profile)
                .map_err(|error| ConfigError::new(one_line(&format!("profiles.{name}: {error}"))))?;
            wires.insert(name.as_str(), Arc::new(wire));
        }
        let client = Client::new(&config.timeouts, None)?;
        let mut targets = BTreeMap::new();
        for (name, upstream) in &config.upstreams {
            let client = match &upstream.ca_file {
                None => client.clone(),
                Some(path) => {
                    Client::new(&config.timeouts, Some(authorities(&format!("upstreams.{name}"), path)?))?
                }
            };
            targets.insert(name.as_str(), target(name, upstream, client, env)?);
        }
        let mut grants = HashMap::new();
        for (name, workflow) in &config.workflows {
            let wire = wires.get(workflow.profile.as_str());
            let (Some(wire), Some(word)) = (wire, Word::new(name)) else { continue };
            let targets = workflow.upstreams.iter().filter_map(|name| targets.get(name.as_str()).cloned());
            let grant = Grant {
                name: word,
                workflow: workflow.clone(),
                wire: Arc::clone(wire),
                targets: targets.collect(),
                restores_arguments: config
                    .profiles
                    .get(&workflow.profile)
                    .is_some_and(|profile| !profile.restore_arguments.is_empty()),
            };
            grants.insert(name.clone(), Arc::new(grant));
        }
        let gate = Gate::compile(config, env)?;
        if let Some(gate) = &gate {
            digest.update(gate.rules.version());
        }
        Ok(Policy {
            webhook: Endpoint::compile(config, env)?,
            gate: gate.map(Arc::new),
            version: Word::hex(digest.finalize().get(..VERSION_BYTES).unwrap_or_default()),
            reader: Reader::new().map_err(|error| ConfigError::new(error.to_string()))?,
            config: config.clone(),
            grants,
            tools: Tools::compile(config, env)?,
        })
    }

    /// A server of tools.
    pub(crate) fn tools(&self, server: &str) -> Option<&Arc<Tools>> {
        self.tools.get(server)
    }

    /// All servers of tools, by name.
    pub(crate) fn all_tools(&self) -> impl Iterator<Item = (&str, &Arc<Tools>)> {
        self.tools.iter().map(|(name, tools)| (name.as_str(), tools))
    }

    pub(crate) fn grant(&self, workflow: &str) -> Option<&Arc<Grant>> {
        self.grants.get(workflow)
    }

    pub(crate) fn grants(&self) -> impl Iterator<Item = &Arc<Grant>> {
        self.grants.values()
    }

    /// Has all traffic read in another way.
    #[cfg(test)]
    pub(crate) fn read_by(&mut self, wire: &Arc<Wire>) {
        for grant in self.grants.values_mut() {
            *grant = Arc::new(Grant { wire: Arc::clone(wire), ..Grant::clone(grant) });
        }
    }

    /// The upstreams without a key, and where it is looked for.
    pub(crate) fn keyless(&self) -> Vec<(Word, Source)> {
        let mut keyless: Vec<(Word, Source)> = self
            .targets()
            .filter(|target| target.credential.is_none())
            .map(|target| (target.name.clone(), target.upstream.key.clone()))
            .collect();
        keyless.sort_by(|one, other| one.0.cmp(&other.0));
        keyless.dedup_by(|one, other| one.0 == other.0);
        keyless
    }

    /// Whether any upstream has a key.
    pub(crate) fn has_key(&self) -> bool {
        self.targets().any(|target| target.credential.is_some())
    }

    fn targets(&self) -> impl Iterator<Item = &Target> {
        self.grants.values().flat_map(|grant| &grant.targets)
    }
}

/// Text and name of files that a profile names.
fn texts(paths: &[PathBuf], what: &str) -> Result<Vec<(String, String)>, ConfigError> {
    let read = paths.iter().map(|path| {
        let name = path.display().to_string();
        match fs::read_to_string(path) {
            Ok(text) => Ok((text, name)),
            Err(error) => {
                Err(ConfigError::new(format!("{name}: cannot read the {what}: {error}: check the path")))
            }
        }
    });
    read.collect()
}

/// The profile as the reader of bodies wants it.
pub(crate) fn wire_profile(profile: &Profile) -> Result<obelus_wire::Profile, ConfigError> {
    let mut wire = obelus_wire::Profile::default();
    wire.rules = texts(&profile.rules, "rule file")?;
    wire.allow = texts(&profile.allow, "allow-list")?;
    wire.names = profile.strictness;
    wire.level = profile.level;
    wire.transform = profile.transform;
    wire.hash_key = profile.hash_key.as_ref().map(|(_, key)| key.clone());
    wire.media = match profile.media {
        MediaPolicy::Block => obelus_wire::Media::Block,
        MediaPolicy::Mark => obelus_wire::Media::Mark,
    };
    for restore in &profile.restore_arguments {
        for path in &restore.paths {
            let argument = obelus_wire::RestoredArgument { tool: restore.tool.clone(), path: path.clone() };
            wire.restore_arguments.push(argument);
        }
    }
    Ok(wire)
}

/// Errors of rule files show the place in a drawing of some lines.
pub(crate) fn one_line(text: &str) -> String {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).collect::<Vec<_>>().join(" ")
}

fn target(name: &str, upstream: &Upstream, client: Client, env: Env<'_>) -> Result<Target, ConfigError> {
    let place = || ConfigError::new(format!("upstreams.{name}: the name cannot stand in records"));
    let name = Word::new(name).ok_or_else(place)?;
    let credential = match secret(&upstream.key, env)? {
        None => None,
        Some(key) => {
            let unusable =
                || ConfigError::new(format!("upstreams.{name}.key: holds what no header can hold"));
            Some(credential(upstream.provider, &key).ok_or_else(unusable)?)
        }
    };
    Ok(Target { name, upstream: upstream.clone(), client, credential })
}

/// The authorities in a file of certificates.
/// `place` is the section that names the file.
pub(crate) fn authorities(place: &str, path: &Path) -> Result<RootCertStore, ConfigError> {
    let wrong = |what: String| ConfigError::new(format!("{place}.ca_file: {}: {what}", path.display()));
    let certificates = CertificateDer::pem_file_iter(path).and_then(Iterator::collect::<Result<Vec<_>, _>>);
    let certificates = certificates.map_err(|error| wrong(format!("cannot be read as PEM: {error}")))?;
    let mut authorities = RootCertStore::empty();
    for certificate in certificates {
        authorities
            .add(certificate)
            .map_err(|error| wrong(format!("holds a certificate that is of no authority: {error}")))?;
    }
    if authorities.is_empty() {
        return Err(wrong("holds no certificate: write those of the authorities, in PEM".to_owned()));
    }
    Ok(authorities)
}

/// The header that holds the key, as the provider wants it.
fn credential(provider: Provider, key: &str) -> Option<(HeaderName, HeaderValue)> {
    let (name, value) = match provider {
        Provider::OpenAi => (AUTHORIZATION, Zeroizing::new(format!("Bearer {key}"))),
        Provider::Anthropic => (crate::headers::X_API_KEY, Zeroizing::new(key.to_owned())),
    };
    let mut value = HeaderValue::from_str(&value).ok().filter(|_| !key.is_empty())?;
    value.set_sensitive(true);
    Some((name, value))
}

/// A secret from its place; nothing if a variable is not set.
pub(crate) fn secret(source: &Source, env: Env<'_>) -> Result<Option<Zeroizing<String>>, ConfigError> {
    match source {
        Source::File(path) => {
            let name = path.display();
            let text = fs::read_to_string(path).map_err(|error| {
                ConfigError::new(format!("{name}: cannot read the key: {error}: check the path"))
            })?;
            let text = Zeroizing::new(text);
            Ok(Some(Zeroizing::new(text.trim_end_matches(['\r', '\n']).to_owned())))
        }
        Source::Env(variable) => match env(variable).map(|value| value.into_string()) {
            None => Ok(None),
            Some(Ok(value)) if value.is_empty() => Ok(None),
            Some(Ok(value)) => Ok(Some(Zeroizing::new(value))),
            Some(Err(_)) => Err(ConfigError::new(format!("{variable}: is no text in UTF-8"))),
        },
    }
}

//! The sections of the configuration, checked one by one.

use super::file::{
    AuditSection, LevelName, LimitsSection, Media, OtlpSection, ProfileSection, ProviderName,
    Source as SourceSection, Strictness, Tokens, TransformName, UpstreamSection, VaultKeySection,
    WorkflowSection,
};
use super::{ConfigError, DEFAULT, Env, provider_name};
use crate::policy::secret;
use hyper::Uri;
use hyper::header::{self, HeaderName};
use hyper::http::uri::{Authority, PathAndQuery, Scheme};
use obelus::{Level, Transform};
use obelus_vault::TokenForm;
use obelus_wire::{HashKey, Provider, Route};
use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

/// Where a secret is read from.
#[derive(Clone, Debug, Eq, PartialEq)]
pub enum Source {
    /// A file.
    File(PathBuf),
    /// An environment variable.
    Env(String),
}

/// A key of the vault.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct VaultKeySource {
    /// The name of the key.
    pub id: String,
    /// Where it is.
    pub source: Source,
}

/// A provider that may be reached.
#[derive(Clone, Debug)]
pub struct Upstream {
    /// Whose form requests and answers have.
    pub provider: Provider,
    /// `https`, or `http` for loopback addresses.
    pub scheme: Scheme,
    /// Host and port.
    pub authority: Authority,
    /// Where the provider's key is.
    pub key: Source,
    /// The authorities that may vouch for it, if not those that browsers trust.
    pub ca_file: Option<PathBuf>,
}

/// What happens to media that are not read.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum MediaPolicy {
    /// The request is refused.
    Block,
    /// It passes, and the record says so.
    Mark,
}

/// A tool in whose arguments tokens become values again.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Restore {
    /// The name of the tool.
    pub tool: String,
    /// Places in its arguments.
    pub paths: Vec<String>,
}

/// How traffic is read.
#[derive(Clone, Debug)]
pub struct Profile {
    /// Rule files.
    pub rules: Vec<PathBuf>,
    /// Allow-lists.
    pub allow: Vec<PathBuf>,
    /// How strong the evidence of a finding must be.
    pub level: Level,
    /// What happens to each class of names.
    pub strictness: obelus::Profile,
    /// What happens to media.
    pub media: MediaPolicy,
    /// What stands in place of a finding in a request.
    pub transform: Transform,
    /// The key of hashes, if a transform needs one, and where it is.
    pub hash_key: Option<(Source, HashKey)>,
    /// Tools in whose arguments tokens become values again.
    pub restore_arguments: Vec<Restore>,
}

/// What virtual keys of a workflow may do.
#[derive(Clone, Debug)]
pub struct Workflow {
    /// Names of upstreams, at most one of each provider.
    pub upstreams: Vec<String>,
    /// Routes.
    pub routes: Vec<Route>,
    /// Patterns of models.
    pub models: Vec<String>,
    /// The name of the profile.
    pub profile: String,
    /// Requests of one virtual key in a minute.
    pub requests_per_minute: u32,
    /// Requests of one virtual key in a day; no limit if there is none.
    pub requests_per_day: Option<u32>,
    /// The header that names the session.
    pub session_header: Option<HeaderName>,
}

impl Workflow {
    /// Whether the workflow allows the model.
    pub fn allows_model(&self, model: &str) -> bool {
        self.models.iter().any(|pattern| is_match(pattern.as_bytes(), model.as_bytes()))
    }
}

/// Bounds of size and count.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Bytes of a request body, before and after decompression.
    pub body_bytes: usize,
    /// Bytes of an answer that is not streamed.
    pub answer_bytes: usize,
    /// Bytes of all bodies that are in memory at one time.
    pub memory_bytes: usize,
    /// Bytes of a request's head.
    pub header_bytes: usize,
    /// Header lines of a request.
    pub headers: usize,
    /// Connections open at one time.
    pub connections: usize,
}

/// Bounds of time.
#[derive(Clone, Copy, Debug)]
pub struct Timeouts {
    /// To the end of the next request's head.
    pub header: Duration,
    /// Between two pieces of a request body.
    pub body_idle: Duration,
    /// For the connection to an upstream.
    pub connect: Duration,
    /// To the head of the upstream's answer.
    pub response_header: Duration,
    /// Between two pieces of an answer, also on their way to the client.
    pub stream_idle: Duration,
    /// For open requests once the process was told to end.
    pub drain: Duration,
}

pub(super) fn source(section: &SourceSection, place: &str, folder: &Path) -> Result<Source, ConfigError> {
    match (&section.file, &section.env) {
        (Some(file), None) => Ok(Source::File(folder.join(file))),
        (None, Some(env)) if !env.is_empty() => Ok(Source::Env(env.clone())),
        _ => Err(ConfigError::at(place, "name either `file` or `env`")),
    }
}

/// The shortest that a file of records may become before the next begins.
const SEGMENT_BYTES_MIN: u64 = 64 << 10;

/// Where records are written, and how.
pub(super) fn audit(
    section: AuditSection,
    folder: &Path,
    path: PathBuf,
    connections: usize,
) -> Result<obelus_audit::Settings, ConfigError> {
    let mut settings = obelus_audit::Settings::new(path);
    settings.key = section.key_file.map(|path| folder.join(path));
    settings.copies = section.checkpoints.map(|path| folder.join(path));
    settings.ship = section.ship.map(|path| folder.join(path));
    settings.stdout = section.stdout;
    settings.segment_bytes = section.segment_bytes.unwrap_or(settings.segment_bytes);
    if settings.segment_bytes < SEGMENT_BYTES_MIN {
        return Err(ConfigError::at(
            "audit.segment_bytes",
            format_args!("choose at least {SEGMENT_BYTES_MIN}"),
        ));
    }
    // An open request has a place for its decision or for what comes of it, for a moment for both.
    settings.places += 2 * connections;
    Ok(settings)
}

/// A collector of logs.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct OtlpConfig {
    /// Scheme and host.
    pub api: (Scheme, Authority),
    /// The path that takes logs.
    pub path: String,
    /// Where the values of headers are.
    pub headers: Vec<(HeaderName, Source)>,
    /// The only authorities that may vouch for it.
    pub ca_file: Option<PathBuf>,
}

/// The collector that records are sent to.
pub(super) fn otlp(section: OtlpSection, folder: &Path) -> Result<OtlpConfig, ConfigError> {
    let at = |key: &str, what: &str| ConfigError::at(&format!("audit.otlp.{key}"), what);
    let api = origin(&section.url).map_err(|message| at("url", message))?;
    if section.ca_file.is_some() && api.0 != Scheme::HTTPS {
        return Err(at("ca_file", "only https:// has certificates"));
    }
    let path = section.path.unwrap_or_else(|| "/v1/logs".to_owned());
    if !path.starts_with('/') || path.parse::<PathAndQuery>().is_err() || path.contains('#') {
        return Err(at("path", "write the path that takes logs, such as /v1/logs"));
    }
    let mut headers = Vec::new();
    for (name, value) in &section.headers {
        let place = format!("audit.otlp.headers.{name}");
        let Ok(header) = name.parse::<HeaderName>() else {
            return Err(ConfigError::at(&place, "this is no name of a header"));
        };
        if TRANSPORT.contains(&header) {
            return Err(ConfigError::at(&place, "this header is the sidecar's own to set: leave it out"));
        }
        headers.push((header, source(value, &place, folder)?));
    }
    Ok(OtlpConfig { api, path, headers, ca_file: section.ca_file.map(|path| folder.join(path)) })
}

/// Headers that say how a request is framed and read.
const TRANSPORT: [HeaderName; 7] = [
    header::CONNECTION,
    header::CONTENT_ENCODING,
    header::CONTENT_LENGTH,
    header::CONTENT_TYPE,
    header::HOST,
    header::TE,
    header::TRANSFER_ENCODING,
];

/// The keys of the vault, the newest first. `made` is the place of the key if the file names none.
pub(super) fn vault_keys(
    section: Option<VaultKeySection>,
    folder: &Path,
    made: impl FnOnce() -> Result<PathBuf, ConfigError>,
) -> Result<Vec<VaultKeySource>, ConfigError> {
    let section = section.unwrap_or_default();
    let newest = match (section.file, section.env) {
        (None, None) => Source::File(made()?),
        (file, env) => source(&SourceSection { file, env }, "vault_key", folder)?,
    };
    let mut keys = vec![VaultKeySource { id: section.id.unwrap_or_else(|| "1".to_owned()), source: newest }];
    for older in section.older {
        let named = SourceSection { file: older.file, env: older.env };
        keys.push(VaultKeySource { id: older.id, source: source(&named, "vault_key.older", folder)? });
    }
    Ok(keys)
}

pub(super) fn tokens(named: Tokens) -> TokenForm {
    match named {
        Tokens::Short => TokenForm::Short,
        Tokens::Sealed => TokenForm::Sealed,
    }
}

pub(super) fn upstreams(
    sections: Option<BTreeMap<String, UpstreamSection>>,
    folder: &Path,
) -> Result<BTreeMap<String, Upstream>, ConfigError> {
    let named = sections.unwrap_or_else(|| {
        let names = [Provider::OpenAi, Provider::Anthropic].map(provider_name);
        let silent = |name: &str| (name.to_owned(), UpstreamSection::default());
        names.map(silent).into()
    });
    let checked = named.into_iter().map(|(name, section)| {
        let place = format!("upstreams.{name}");
        check_name(&name, "upstreams")?;
        let upstream = upstream(&name, &section, folder, &place)?;
        Ok((name, upstream))
    });
    checked.collect()
}

fn upstream(
    name: &str,
    section: &UpstreamSection,
    folder: &Path,
    place: &str,
) -> Result<Upstream, ConfigError> {
    let provider = match (section.provider, name) {
        (Some(ProviderName::Openai), _) | (None, "openai") => Provider::OpenAi,
        (Some(ProviderName::Anthropic), _) | (None, "anthropic") => Provider::Anthropic,
        (None, _) => return Err(ConfigError::at(place, "name its `provider`: openai or anthropic")),
    };
    let (url, variable) = match provider {
        Provider::OpenAi => ("https://api.openai.com", "OPENAI_API_KEY"),
        Provider::Anthropic => ("https://api.anthropic.com", "ANTHROPIC_API_KEY"),
    };
    let key = match &section.key {
        Some(key) => source(key, &format!("{place}.key"), folder)?,
        None => Source::Env(variable.to_owned()),
    };
    let (scheme, authority) = origin(section.url.as_deref().unwrap_or(url))
        .map_err(|message| ConfigError::at(&format!("{place}.url"), message))?;
    let ca_file = section.ca_file.as_ref().map(|path| folder.join(path));
    if ca_file.is_some() && scheme != Scheme::HTTPS {
        return Err(ConfigError::at(&format!("{place}.ca_file"), "only https:// has certificates"));
    }
    Ok(Upstream { provider, scheme, authority, key, ca_file })
}

/// Scheme and host of a URL that has nothing else.
pub(super) fn origin(url: &str) -> Result<(Scheme, Authority), &'static str> {
    const FORM: &str = "write https://, a host and, if need be, a port";
    let Ok(uri) = url.parse::<Uri>() else { return Err(FORM) };
    let parts = uri.into_parts();
    let (Some(scheme), Some(authority)) = (parts.scheme, parts.authority) else { return Err(FORM) };
    if authority.as_str().contains('@') || authority.host().is_empty() {
        return Err(FORM);
    }
    if parts.path_and_query.is_some_and(|path| path.as_str() != "/") {
        return Err("leave the path out: requests bring their own");
    }
    let host = authority.host();
    let address = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    let is_loopback =
        host == "localhost" || address.parse::<IpAddr>().is_ok_and(|address| address.is_loopback());
    match scheme.as_str() {
        "https" => Ok((scheme, authority)),
        "http" if is_loopback => Ok((scheme, authority)),
        "http" => Err("http is for loopback addresses only: write https"),
        _ => Err(FORM),
    }
}

pub(super) fn profiles(
    sections: Option<BTreeMap<String, ProfileSection>>,
    folder: &Path,
    env: Env<'_>,
) -> Result<BTreeMap<String, Profile>, ConfigError> {
    let mut named = sections.unwrap_or_default();
    named.entry(DEFAULT.to_owned()).or_default();
    let profiles = named.into_iter().map(|(name, section)| {
        let place = format!("profiles.{name}.hash_key");
        let key = section.hash_key.as_ref().map(|section| hash_key(section, &place, folder, env));
        let key = key.transpose()?;
        if key.is_none() && matches!(section.transform, TransformName::Hash) {
            return Err(ConfigError::at(&place, "hashes need a key: name a file, or a variable OBELUS_…"));
        }
        // A rule file may say it for a category.
        let may_hash = matches!(section.transform, TransformName::Hash) || !section.rules.is_empty();
        if key.is_some() && !may_hash {
            let what = "nothing is hashed in this profile: say transform: hash, or leave the key out";
            return Err(ConfigError::at(&place, what));
        }
        Ok((name, profile(section, key, folder)))
    });
    profiles.collect()
}

/// A key of hashes. One in the environment must have a name by which servers of tools do not get it.
fn hash_key(
    section: &SourceSection,
    place: &str,
    folder: &Path,
    env: Env<'_>,
) -> Result<(Source, HashKey), ConfigError> {
    let source = source(section, place, folder)?;
    if matches!(&source, Source::Env(variable) if !variable.starts_with("OBELUS_")) {
        let what = "name a variable that begins with OBELUS_: servers of tools get none of these";
        return Err(ConfigError::at(place, what));
    }
    let key =
        secret(&source, env)?.ok_or_else(|| ConfigError::at(place, "there is no key: set the variable"))?;
    Ok((source, HashKey(key.as_bytes().to_vec())))
}

fn profile(section: ProfileSection, hash_key: Option<(Source, HashKey)>, folder: &Path) -> Profile {
    Profile {
        hash_key,
        rules: section.rules.iter().map(|path| folder.join(path)).collect(),
        allow: section.allow.iter().map(|path| folder.join(path)).collect(),
        level: match section.level {
            LevelName::Possible => Level::Possible,
            LevelName::Likely => Level::Likely,
            LevelName::Certain => Level::Certain,
        },
        strictness: match section.profile {
            Strictness::Balanced => obelus::Profile::Balanced,
            Strictness::Strict => obelus::Profile::Strict,
        },
        media: match section.media {
            Media::Block => MediaPolicy::Block,
            Media::Mark => MediaPolicy::Mark,
        },
        transform: match section.transform {
            TransformName::Token => Transform::Token,
            TransformName::Label => Transform::Label,
            TransformName::Hash => Transform::Hash,
            TransformName::Mask => Transform::Mask,
            TransformName::Remove => Transform::Remove,
            TransformName::Generalise => Transform::Generalise,
        },
        restore_arguments: section
            .restore_arguments
            .into_iter()
            .map(|restore| Restore {
                tool: restore.tool,
                paths: restore.paths.unwrap_or_else(|| vec!["/*".to_owned()]),
            })
            .collect(),
    }
}

pub(super) fn workflows(
    sections: Option<BTreeMap<String, WorkflowSection>>,
    upstreams: &BTreeMap<String, Upstream>,
    profiles: &BTreeMap<String, Profile>,
) -> Result<BTreeMap<String, Workflow>, ConfigError> {
    let named = sections.unwrap_or_else(|| [(DEFAULT.to_owned(), WorkflowSection::default())].into());
    let checked = named.into_iter().map(|(name, section)| {
        check_name(&name, "workflows")?;
        let workflow = workflow(section, upstreams, profiles)
            .map_err(|error| ConfigError::at(&format!("workflows.{name}"), error))?;
        Ok((name, workflow))
    });
    checked.collect()
}

fn workflow(
    section: WorkflowSection,
    known: &BTreeMap<String, Upstream>,
    profiles: &BTreeMap<String, Profile>,
) -> Result<Workflow, ConfigError> {
    let upstreams =
        some_of("upstreams", section.upstreams)?.unwrap_or_else(|| known.keys().cloned().collect());
    let mut providers = Vec::new();
    for name in &upstreams {
        let Some(upstream) = known.get(name) else {
            return Err(ConfigError::at("upstreams", format_args!("`{name}` is none of `upstreams`")));
        };
        if providers.contains(&upstream.provider) {
            return Err(ConfigError::at("upstreams", format_args!("`{name}` is the second of its provider")));
        }
        providers.push(upstream.provider);
    }
    let profile = section.profile.unwrap_or_else(|| DEFAULT.to_owned());
    if !profiles.contains_key(&profile) {
        return Err(ConfigError::at("profile", format_args!("`{profile}` is none of `profiles`")));
    }
    let models = some_of("models", section.models)?.unwrap_or_else(|| vec!["*".to_owned()]);
    Ok(Workflow {
        upstreams,
        routes: routes(section.routes)?,
        models,
        profile,
        requests_per_minute: positive("requests_per_minute", section.requests_per_minute)?.unwrap_or(600),
        requests_per_day: positive("requests_per_day", section.requests_per_day)?,
        session_header: section.session_header.map(|name| session_header(&name)).transpose()?,
    })
}

/// Names of something, one at least if there is a list.
fn some_of(what: &str, names: Option<Vec<String>>) -> Result<Option<Vec<String>>, ConfigError> {
    match names {
        Some(names) if names.is_empty() => {
            Err(ConfigError::at(what, "name at least one, or leave it out to allow all"))
        }
        names => Ok(names),
    }
}

fn routes(names: Option<Vec<String>>) -> Result<Vec<Route>, ConfigError> {
    let Some(names) = some_of("routes", names)? else { return Ok(Route::ALL.to_vec()) };
    let known = names.iter().map(|name| {
        Route::ALL.into_iter().find(|route| route.as_str() == name).ok_or_else(|| {
            let known = Route::ALL.map(Route::as_str).join(", ");
            ConfigError::at("routes", format_args!("`{name}` is none of {known}"))
        })
    });
    known.collect()
}

/// A header that is not spoken for.
fn session_header(name: &str) -> Result<HeaderName, ConfigError> {
    let free = name.to_ascii_lowercase();
    match free.parse::<HeaderName>() {
        Ok(header) if !crate::headers::is_spoken_for(&header) => Ok(header),
        Ok(_) => {
            Err(ConfigError::at("session_header", "this header has another meaning: choose one of your own"))
        }
        Err(_) => Err(ConfigError::at("session_header", "this is no name of a header")),
    }
}

fn positive(name: &str, said: Option<u32>) -> Result<Option<u32>, ConfigError> {
    match said {
        Some(0) => Err(ConfigError::at(name, "0 would refuse every request: leave it out, or say how many")),
        said => Ok(said),
    }
}

/// Names stand in metrics and records, and on the command line.
pub(super) fn check_name(name: &str, section: &str) -> Result<(), ConfigError> {
    match obelus_audit::Word::new(name) {
        Some(_) => Ok(()),
        None => {
            Err(ConfigError::at(section, format_args!("`{name}`: a name is letters, digits and `._:/-`")))
        }
    }
}

pub(super) fn limits(section: &LimitsSection) -> Result<Limits, ConfigError> {
    let bound = |name: &str, said: Option<u64>, default: u64, (min, max): (u64, u64)| {
        let value = said.unwrap_or(default);
        match usize::try_from(value) {
            Ok(bound) if (min..=max).contains(&value) => Ok(bound),
            _ => Err(ConfigError::new(format!("limits.{name}: choose {min} to {max}"))),
        }
    };
    let body = (1, 1 << 30);
    let body_bytes = bound("body_bytes", section.body_bytes.map(u64::from), 32 << 20, body)?;
    let answer_bytes = bound("answer_bytes", section.answer_bytes.map(u64::from), 32 << 20, body)?;
    // A body is there twice: as it came and as it leaves.
    let memory = (2 * body_bytes.max(answer_bytes) as u64, 1 << 40);
    Ok(Limits {
        body_bytes,
        answer_bytes,
        memory_bytes: bound("memory_bytes", section.memory_bytes, 256 << 20, memory)?,
        header_bytes: bound("header_bytes", section.header_bytes.map(u64::from), 64 << 10, (1024, 1 << 20))?,
        headers: bound("headers", section.headers.map(u64::from), 100, (8, 1000))?,
        connections: bound("connections", section.connections.map(u64::from), 4096, (1, 1 << 20))?,
    })
}

/// Whether the text is what the pattern says: `*` is any run of bytes, everything else is itself. Linear: after a
/// mismatch only the last `*` takes more.
fn is_match(pattern: &[u8], text: &[u8]) -> bool {
    let (mut at, mut read) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while read < text.len() {
        if pattern.get(at) == Some(&b'*') {
            star = Some((at, read));
            at += 1;
        } else if pattern.get(at) == Some(&text[read]) {
            at += 1;
            read += 1;
        } else if let Some((star_at, taken)) = star {
            star = Some((star_at, taken + 1));
            at = star_at + 1;
            read = taken + 1;
        } else {
            return false;
        }
    }
    pattern[at..].iter().all(|&byte| byte == b'*')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_matches_the_whole_name() {
        for (pattern, text, wanted) in [
            ("*", "", true),
            ("*", "gpt-4o", true),
            ("gpt-4o", "gpt-4o", true),
            ("gpt-4o", "gpt-4o-mini", false),
            ("gpt-*", "gpt-4o", true),
            ("gpt-*", "ft:gpt-4o", false),
            ("*-mini", "gpt-4o-mini", true),
            ("*-mini", "gpt-mini-4o", false),
            ("a*b*c", "axxbxbxc", true),
            ("a*b*c", "axxc", false),
            ("", "", true),
            ("", "a", false),
        ] {
            assert_eq!(is_match(pattern.as_bytes(), text.as_bytes()), wanted, "{pattern} {text}");
        }
    }
}

//! The section of the webhook, checked.

use super::ConfigError;
use super::file::Source as SourceSection;
use super::parts::{Source, origin, source};
use hyper::http::uri::{Authority, Scheme, Uri};
use schemars::JsonSchema;
use serde::Deserialize;
use std::fmt;
use std::path::{Path, PathBuf};

/// Whom the sidecar tells at once of exposed keys, of calls that wait or were decided, and of an audit that fails.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct WebhookSection {
    /// Where to: `https`, or `http` to loopback addresses. Redirects are not followed.
    pub(crate) url: String,
    /// The secret that signs: `whsec_` and 24 to 64 random bytes in base64.
    pub(crate) secret: SourceSection,
    /// A file of certificates (PEM): only authorities among them may vouch for the host.
    #[serde(default)]
    pub(crate) ca_file: Option<PathBuf>,
}

/// The path of an address can be a secret of its own.
impl fmt::Debug for WebhookSection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WebhookSection").finish_non_exhaustive()
    }
}

/// Whom the sidecar tells at once what people should know.
#[derive(Clone)]
pub struct Webhook {
    /// Scheme and host.
    pub origin: (Scheme, Authority),
    /// Path and query, which can be a secret of their own.
    pub path: String,
    /// Where the secret is that signs.
    pub secret: Source,
    /// The authorities that may vouch for the host, if not those that browsers trust.
    pub ca_file: Option<PathBuf>,
}

impl fmt::Debug for Webhook {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Webhook").field("origin", &self.origin).finish_non_exhaustive()
    }
}

pub(super) fn webhook(section: &WebhookSection, folder: &Path) -> Result<Webhook, ConfigError> {
    let at = |key: &str, what: &str| ConfigError::at(&format!("webhook.{key}"), what);
    let form = || at("url", "write https://, a host, and a path");
    let uri: Uri = section.url.parse().map_err(|_quotes_it| form())?;
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return Err(form()) };
    let origin = origin(&format!("{scheme}://{authority}")).map_err(|what| at("url", what))?;
    if section.ca_file.is_some() && origin.0 != Scheme::HTTPS {
        return Err(at("ca_file", "only https:// has certificates"));
    }
    Ok(Webhook {
        origin,
        path: uri.path_and_query().map_or_else(|| "/".to_owned(), ToString::to_string),
        secret: source(&section.secret, "webhook.secret", folder)?,
        ca_file: section.ca_file.as_ref().map(|path| folder.join(path)),
    })
}

//! The way to the providers: pinned hosts, TLS, no redirects.

use crate::config::{ConfigError, Timeouts};
use crate::policy::Target;
use crate::refused::{Refused, Why};
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::HeaderMap;
use hyper::http::uri::{Authority, PathAndQuery, Scheme, Uri};
use hyper::{Method, Request, Response};
use hyper_rustls::{HttpsConnector, HttpsConnectorBuilder};
use hyper_util::client::legacy::{self, connect::HttpConnector};
use hyper_util::rt::{TokioExecutor, TokioTimer};
use rustls::{ClientConfig, RootCertStore};
use std::error::Error;
use std::sync::Arc;
use std::time::Duration;
use tokio::time::timeout;

/// How long an idle connection to an upstream is kept.
const IDLE: Duration = Duration::from_secs(60);

/// Keeps connections to upstreams.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    client: legacy::Client<HttpsConnector<HttpConnector>, Full<Bytes>>,
    response_header: Duration,
}

/// A request that may leave.
#[derive(Debug)]
pub(crate) struct Outgoing {
    pub(crate) method: Method,
    /// The path that the route knows, and the query that passes.
    pub(crate) path: String,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

impl Client {
    /// A client that trusts these authorities, or those that browsers do.
    pub(crate) fn new(timeouts: &Timeouts, trusted: Option<RootCertStore>) -> Result<Client, ConfigError> {
        let mut connector = HttpConnector::new();
        connector.enforce_http(false);
        connector.set_nodelay(true);
        connector.set_connect_timeout(Some(timeouts.connect));
        let trusted = trusted.unwrap_or_else(|| webpki_roots::TLS_SERVER_ROOTS.iter().cloned().collect());
        let tls = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| ConfigError::new(format!("TLS cannot be set up: {error}")))?
            .with_root_certificates(trusted)
            .with_no_client_auth();
        let connector = HttpsConnectorBuilder::new()
            .with_tls_config(tls)
            // The configuration allows plain HTTP for loopback addresses alone.
            .https_or_http()
            .enable_all_versions()
            .wrap_connector(connector);
        let client = legacy::Client::builder(TokioExecutor::new())
            .pool_idle_timeout(IDLE)
            .pool_timer(TokioTimer::new())
            .timer(TokioTimer::new())
            .build(connector);
        Ok(Client { client, response_header: timeouts.response_header })
    }

    /// Sends a request to the target, with the target's key attached last, and waits for the head of its answer.
    pub(crate) async fn send(
        &self,
        target: &Target,
        mut outgoing: Outgoing,
    ) -> Result<Response<Incoming>, Refused> {
        let Some((name, value)) = target.credential() else {
            let message = format!("the upstream `{}` has no provider key: set it and restart", target.name);
            return Err(Refused::new(503, Why::NoProviderKey, message));
        };
        outgoing.headers.insert(name.clone(), value.clone());
        let origin = (&target.upstream.scheme, &target.upstream.authority);
        self.request(origin, outgoing).await.map_err(|unanswered| unanswered.refused)
    }

    /// Sends a request as it is, and waits for the head of the answer.
    pub(crate) async fn request(
        &self,
        origin: (&Scheme, &Authority),
        outgoing: Outgoing,
    ) -> Result<Response<Incoming>, Unanswered> {
        let mut request = Request::new(Full::new(outgoing.body));
        *request.method_mut() = outgoing.method;
        *request.uri_mut() =
            uri(origin, &outgoing.path).map_err(|refused| Unanswered { refused, has_left: false })?;
        *request.headers_mut() = outgoing.headers;
        match timeout(self.response_header, self.client.request(request)).await {
            Ok(Ok(response)) => Ok(response),
            Ok(Err(error)) => Err(Unanswered { refused: unreachable(&error), has_left: !error.is_connect() }),
            Err(_) => {
                let refused = Refused::new(504, Why::Timeout, "the upstream did not answer in time");
                Err(Unanswered { refused, has_left: true })
            }
        }
    }
}

/// A request that got no answer.
#[derive(Debug)]
pub(crate) struct Unanswered {
    pub(crate) refused: Refused,
    /// Whether any of it may have reached the upstream.
    pub(crate) has_left: bool,
}

/// The path is the route's own, so that only scheme and host of the configuration are added.
fn uri((scheme, authority): (&Scheme, &Authority), path: &str) -> Result<Uri, Refused> {
    let malformed = |_| Refused::new(400, Why::Route, "the path cannot be forwarded");
    let mut parts = hyper::http::uri::Parts::default();
    parts.scheme = Some(scheme.clone());
    parts.authority = Some(authority.clone());
    parts.path_and_query = Some(path.parse::<PathAndQuery>().map_err(malformed)?);
    Uri::from_parts(parts).or(Err(Refused::new(400, Why::Route, "the path cannot be forwarded")))
}

/// What went wrong, in words that name no address.
fn unreachable(error: &legacy::Error) -> Refused {
    let mut source = error.source();
    while let Some(inner) = source {
        if inner.downcast_ref::<std::io::Error>().is_some_and(|io| io.kind() == std::io::ErrorKind::TimedOut)
        {
            return Refused::new(504, Why::Timeout, "the upstream cannot be connected to in time");
        }
        source = inner.source();
    }
    let message = if error.is_connect() {
        "the upstream cannot be connected to"
    } else {
        "the upstream ended the connection before it answered"
    };
    Refused::new(502, Why::Upstream, message)
}

//! Health and metrics, on a listener of their own, and the approvals of the gate and keys of its subjects. Nothing else of any request is told
//! here.

use crate::core::Core;
use crate::gate;
use crate::server::Phase;
use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Method, Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::sleep;

/// Connections that are open at one time.
const CONNECTIONS_MAX: usize = 32;
const HEADER_TIME: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(50);
/// The type of Prometheus' text.
const METRICS_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// Serves until the process ends.
pub(crate) async fn serve(listener: TcpListener, core: Arc<Core>, mut phase: watch::Receiver<Phase>) {
    let permits = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let accepting = async {
        loop {
            let Ok(permit) = Arc::clone(&permits).acquire_owned().await else { return };
            match listener.accept().await {
                Ok((stream, _)) => {
                    let core = Arc::clone(&core);
                    tokio::spawn(async move {
                        connection(stream, core).await;
                        drop(permit);
                    });
                }
                Err(_) => sleep(PAUSE).await,
            }
        }
    };
    tokio::select! {
        () = accepting => {}
        _ = phase.wait_for(|phase| *phase == Phase::Ending) => {}
    }
}

async fn connection(stream: TcpStream, core: Arc<Core>) {
    let service = service_fn(move |request: Request<Incoming>| {
        let core = Arc::clone(&core);
        async move {
            let path = request.uri().path();
            let is_under = |room: &str| {
                path.strip_prefix(room).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
            };
            Ok::<_, Infallible>(if is_under("/approvals") {
                gate::approvals(request, &core).await
            } else if is_under("/subjects") {
                gate::subjects(request, &core).await
            } else {
                answer(&request, &core).await
            })
        }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEADER_TIME)
        .keep_alive(false)
        .serve_connection(TokioIo::new(stream), service)
        .await;
    if let Err(error) = served {
        tracing::debug!(timeout = error.is_timeout(), "admin connection");
    }
}

async fn answer(request: &Request<Incoming>, core: &Arc<Core>) -> Response<Full<Bytes>> {
    match (request.method(), request.uri().path()) {
        (&Method::GET, "/healthz") => say(StatusCode::OK, "application/json", "{\"alive\":true}".to_owned()),
        (&Method::GET, "/readyz") => ready(core).await,
        (&Method::GET, "/metrics") => match core.metrics.text() {
            Ok(text) => say(StatusCode::OK, METRICS_TYPE, text),
            Err(_) => say(StatusCode::INTERNAL_SERVER_ERROR, "text/plain", String::new()),
        },
        _ => say(
            StatusCode::NOT_FOUND,
            "text/plain",
            "/healthz, /readyz, /metrics, /approvals, /subjects\n".to_owned(),
        ),
    }
}

/// What must hold before requests can be served, one by one.
async fn ready(core: &Arc<Core>) -> Response<Full<Bytes>> {
    let asked = Arc::clone(core);
    // The store may make wait.
    let works = move || (asked.has_store(), asked.has_gate());
    let (store, gate) = tokio::task::spawn_blocking(works).await.unwrap_or_default();
    let checks = [
        ("serving", !core.is_draining()),
        ("audit", core.check_audit().is_ok()),
        ("vault", store),
        ("gate", gate),
        ("provider_key", core.policy.load().has_key()),
    ];
    let is_ready = checks.iter().all(|(_, holds)| *holds);
    let checks: Vec<String> = checks.iter().map(|(name, holds)| format!("\"{name}\":{holds}")).collect();
    let status = if is_ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    say(status, "application/json", format!("{{\"ready\":{is_ready},\"checks\":{{{}}}}}", checks.join(",")))
}

fn say(status: StatusCode, media: &'static str, body: String) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from(body)));
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(media));
    response
}

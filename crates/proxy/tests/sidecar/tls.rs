//! TLS to upstreams: who vouches for them, and what leaves before somebody does.

use crate::support::{Sidecar, Upstream, app, env, wait};
use obelus_proxy::{App, Config};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use std::net::SocketAddr;
use std::sync::Arc;
use tempfile::TempDir;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use tokio_rustls::rustls::crypto::ring::default_provider;
use tokio_rustls::rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

/// An authority that nobody knows, and a certificate of it for one name.
struct Vouched {
    authority: String,
    server: Arc<ServerConfig>,
}

impl Vouched {
    fn new(name: &str) -> Vouched {
        let mut params = CertificateParams::new([]).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let key = KeyPair::generate().unwrap();
        let leaf = CertificateParams::new([name.to_owned()]).unwrap().signed_by(&key, &issuer).unwrap();
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let server = ServerConfig::builder_with_provider(Arc::new(default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key)
            .unwrap();
        Vouched { authority: issuer.pem(), server: Arc::new(server) }
    }
}

/// Takes TLS off what comes and hands it to an upstream.
async fn front(upstream: SocketAddr, server: Arc<ServerConfig>) -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = TlsAcceptor::from(server);
    let task = tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(mut stream) = acceptor.accept(stream).await else { return };
                let mut behind = TcpStream::connect(upstream).await.unwrap();
                drop(tokio::io::copy_bidirectional(&mut stream, &mut behind).await);
            });
        }
    });
    (address, task)
}

fn yaml(upstream: SocketAddr, ca_file: Option<&str>) -> String {
    let ca_file = ca_file.map(|path| format!(", ca_file: {path}")).unwrap_or_default();
    format!(
        "listen: 127.0.0.1:0\nadmin: 127.0.0.1:0\nstate: state.db\nvault_key: {{file: vault.key}}\n\
         audit: {{path: audit.jsonl}}\nupstreams:\n  \
         openai: {{url: 'https://{upstream}', key: {{env: PROVIDER}}{ca_file}}}\n"
    )
}

/// What a client gets and how many requests the upstream saw.
async fn ask(vouched: &Vouched, ca_file: Option<&str>) -> (u16, usize) {
    let upstream = Upstream::echo().await;
    let (address, task) = front(upstream.address, Arc::clone(&vouched.server)).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("ca.pem"), &vouched.authority).unwrap();
    let (app, keys) = app(&folder, &yaml(address, ca_file)).await;
    let sidecar = Sidecar::run(app, keys, folder);
    let reply = sidecar.send(&sidecar.chat("hello", "")).await;
    task.abort();
    (reply.status, upstream.seen().len())
}

#[tokio::test]
async fn an_upstream_answers_for_whom_its_authority_vouches() {
    assert_eq!(wait(ask(&Vouched::new("127.0.0.1"), Some("ca.pem"))).await, (200, 1));
}

#[tokio::test]
async fn nothing_leaves_for_whom_nobody_known_vouches() {
    assert_eq!(wait(ask(&Vouched::new("127.0.0.1"), None)).await, (502, 0));
}

#[tokio::test]
async fn nothing_leaves_under_another_name() {
    assert_eq!(wait(ask(&Vouched::new("localhost"), Some("ca.pem"))).await, (502, 0));
}

#[tokio::test]
async fn a_file_without_an_authority_is_refused_at_start() {
    let folder: TempDir = tempfile::tempdir().unwrap();
    for (text, expected) in [("", "holds no certificate"), ("-----BEGIN CERTIFICATE-----\n", "PEM")] {
        std::fs::write(folder.path().join("ca.pem"), text).unwrap();
        let path = folder.path().join("obelus.yaml");
        std::fs::write(&path, yaml("127.0.0.1:9".parse().unwrap(), Some("ca.pem"))).unwrap();
        let error = App::start(Some(path), Arc::new(env)).await.unwrap_err().to_string();
        assert!(error.contains("upstreams.openai.ca_file") && error.contains(expected), "{error}");
    }
    let plain = yaml("127.0.0.1:9".parse().unwrap(), Some("ca.pem")).replace("https://", "http://");
    let path = folder.path().join("plain.yaml");
    std::fs::write(&path, plain).unwrap();
    let error = Config::read(Some(&path), &env).unwrap_err().to_string();
    assert!(error.contains("only https://"), "{error}");
}

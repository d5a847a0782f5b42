use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everwire_server::{Tls, TlsError};
use everwire_test_client::{Client, raw};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::harness::Harness;

/// A certificate for localhost, as files and as the root that a client trusts.
struct Localhost {
    folder: TempDir,
    roots: RootCertStore,
}

impl Localhost {
    fn new() -> Self {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = TempDir::new().unwrap();
        fs::write(folder.path().join("cert.pem"), cert.pem()).unwrap();
        fs::write(folder.path().join("key.pem"), signing_key.serialize_pem()).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        Self { folder, roots }
    }

    /// A connection that trusts the certificate.
    async fn connect(&self, harness: &Harness) -> TlsStream<TcpStream> {
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(self.roots.clone())
            .with_no_client_auth();
        let stream = TcpStream::connect(harness.address()).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap()
    }

    fn cert(&self) -> PathBuf {
        self.folder.path().join("cert.pem")
    }

    fn key(&self) -> PathBuf {
        self.folder.path().join("key.pem")
    }
}

#[tokio::test]
async fn wss_works_with_a_certificate_and_a_key() {
    let localhost = Localhost::new();
    let tls = Tls::from_pem_files(&localhost.cert(), &localhost.key()).unwrap();
    let harness = Harness::start(|config| config.tls = Some(tls)).await;
    let stream = localhost.connect(&harness).await;
    let mut client = Client::over(stream, "wss://localhost/echo", &[]).await.unwrap();
    assert_eq!(client.ask("secret").await, "secret");
    let (closed, ()) = tokio::join!(client.closed(), harness.server.stop());
    assert_eq!(closed.0, 1001);
}

#[tokio::test]
async fn a_connection_over_the_limit_is_refused_with_429_over_tls() {
    let localhost = Localhost::new();
    let tls = Tls::from_pem_files(&localhost.cert(), &localhost.key()).unwrap();
    let harness = Harness::start(|config| {
        config.tls = Some(tls);
        config.limits.connections_per_address = 1;
    })
    .await;
    let _first = localhost.connect(&harness).await;
    let second = localhost.connect(&harness).await;
    assert_eq!(Client::over(second, "wss://localhost/echo", &[]).await.err().unwrap().0, 429);
}

#[tokio::test]
async fn a_client_that_does_not_start_tls_in_time_is_disconnected() {
    let localhost = Localhost::new();
    let tls = Tls::from_pem_files(&localhost.cert(), &localhost.key()).unwrap();
    let harness = Harness::start(|config| {
        config.tls = Some(tls);
        config.limits.handshake = Duration::from_millis(100);
    })
    .await;
    assert_eq!(raw(harness.address(), "").await, "");
}

#[tokio::test]
async fn a_client_without_tls_gets_no_answer_in_the_clear() {
    let localhost = Localhost::new();
    let tls = Tls::from_pem_files(&localhost.cert(), &localhost.key()).unwrap();
    let harness = Harness::start(|config| config.tls = Some(tls)).await;
    let answer = raw(harness.address(), "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    assert!(!answer.contains("HTTP/1.1"), "{answer}");
}

#[test]
fn unusable_certificate_files_are_named() {
    let (localhost, other) = (Localhost::new(), Localhost::new());
    let missing = PathBuf::from("no-such.pem");
    let error = Tls::from_pem_files(&missing, &localhost.key()).unwrap_err();
    assert!(error.to_string().contains("certificate from no-such.pem"), "{error}");
    let error = Tls::from_pem_files(&localhost.cert(), &localhost.cert()).unwrap_err();
    assert!(error.to_string().contains("cannot read the key"), "{error}");
    let error = Tls::from_pem_files(&localhost.cert(), &other.key()).unwrap_err();
    assert!(matches!(error, TlsError::Unusable(_)), "{error}");
}

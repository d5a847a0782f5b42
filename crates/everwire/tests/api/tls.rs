//! `wss://` in native programs: the crypto provider and the roots are the client's own choice.

use std::sync::Arc;

#[cfg(any(feature = "rustls", feature = "rustls-native-roots"))]
use everwire::Cause;
use everwire::{
    RootCertificates, RootCertificatesError, Socket,
    rustls::{
        self, ClientConfig, RootCertStore,
        crypto::ring,
        pki_types::{CertificateDer, pem::PemObject},
    },
};
use rcgen::{CertifiedKey, generate_simple_self_signed};

use crate::support::{TestServer, dropped, eager, message, opened, text};

/// A server with a self-signed certificate, and that certificate as a root.
pub(crate) async fn server() -> (TestServer, RootCertificates) {
    let (server, pem) = server_and_pem().await;
    (server, RootCertificates::from_pem(pem).unwrap())
}

async fn server_and_pem() -> (TestServer, String) {
    let names = ["localhost".to_owned(), "127.0.0.1".to_owned()];
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(names).unwrap();
    let server = TestServer::start_with_tls(&cert.pem(), &signing_key.serialize_pem()).await;
    (server, cert.pem())
}

fn client_config(roots: RootCertStore) -> ClientConfig {
    ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// Without an explicit crypto provider rustls panicked in the socket's task, and the application got connect timeouts forever.
#[tokio::test]
async fn a_server_with_a_trusted_self_signed_certificate_is_connected_to() {
    let (server, roots) = server().await;
    for url in [server.url("/echo"), server.url("/echo").replacen("127.0.0.1", "LOCALHOST", 1)] {
        let mut socket = Socket::builder(&url).root_certificates(roots.clone()).open().unwrap();
        assert_eq!(opened(&mut socket).await.url, url.to_ascii_lowercase());
        socket.send("secret").unwrap();
        assert_eq!(text(&mut socket).await, "secret");
    }
}

#[tokio::test]
async fn a_message_larger_than_all_buffers_passes_over_tls() {
    let (server, roots) = server().await;
    let large = vec![7; 1 << 20];
    let mut socket = Socket::builder(server.url("/echo")).root_certificates(roots).open().unwrap();
    socket.send(large.clone()).unwrap();
    assert!(message(&mut socket).await == large.into());
}

#[cfg(any(feature = "rustls", feature = "rustls-native-roots"))]
#[tokio::test]
async fn an_untrusted_certificate_is_reported_at_once_with_what_to_do() {
    let (server, _) = server().await;
    let mut socket = Socket::builder(server.url("/echo")).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    let Cause::Closed { code: 1006, reason, .. } = cause else { panic!("{cause:?}") };
    assert!(reason.contains("UnknownIssuer") && reason.contains("SocketBuilder::root_certificates"), "{reason}");
}

/// A configuration that an application shares with its HTTP client offers HTTP/2, which a server then prefers.
#[tokio::test]
async fn the_applications_own_configuration_of_tls_is_used_also_where_it_was_made_for_http_2() {
    let (server, pem) = server_and_pem().await;
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(pem.as_bytes()).unwrap()).unwrap();
    let mut config = client_config(roots);
    config.alpn_protocols = vec![b"h2".to_vec()];
    let mut socket = Socket::builder(server.url("/echo")).tls_config(config).open().unwrap();
    socket.send("secret").unwrap();
    assert_eq!(text(&mut socket).await, "secret");
}

#[tokio::test]
async fn the_last_choice_of_roots_or_of_a_configuration_counts() {
    let (server, roots) = server().await;
    let untrusting = || client_config(RootCertStore::empty());
    let builder = || Socket::builder(server.url("/echo")).backoff(eager());
    let mut trusting = builder().tls_config(untrusting()).root_certificates(roots.clone()).open().unwrap();
    opened(&mut trusting).await;
    let mut socket = builder().root_certificates(roots).tls_config(untrusting()).open().unwrap();
    let cause = dropped(&mut socket).await.cause.to_string();
    assert!(cause.contains("UnknownIssuer"), "{cause}");
}

#[tokio::test]
async fn combined_roots_are_all_trusted() {
    let (server, roots) = server().await;
    let (_other, others) = self::server().await;
    let mut socket = Socket::builder(server.url("/echo")).root_certificates(others.and(roots)).open().unwrap();
    opened(&mut socket).await;
}

#[cfg(any(feature = "rustls", feature = "rustls-native-roots"))]
#[tokio::test]
async fn a_server_that_speaks_no_tls_is_a_failed_attempt_and_not_a_panic() {
    let server = TestServer::start().await;
    let url = server.url("/echo").replacen("ws:", "wss:", 1);
    let mut socket = Socket::builder(url).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    let Cause::Closed { code: 1006, reason, .. } = cause else { panic!("{cause:?}") };
    assert!(reason.contains("InvalidContentType"), "{reason}");
}

#[cfg(not(any(feature = "rustls", feature = "rustls-native-roots")))]
#[tokio::test]
async fn without_roots_a_wss_address_is_an_error_that_says_so() {
    let error = Socket::open("wss://example.org/").unwrap_err().to_string();
    assert!(error.contains("SocketBuilder::root_certificates"), "{error}");
}

#[cfg(feature = "rustls-native-roots")]
#[test]
fn the_operating_system_has_roots_or_the_error_says_what_to_install() {
    match RootCertificates::native() {
        Ok(roots) => assert!(!format!("{roots:?}").contains("count: 0")),
        Err(error) => assert!(error.to_string().contains("ca-certificates"), "{error}"),
    }
}

#[test]
fn a_text_without_certificates_is_refused() {
    assert_eq!(RootCertificates::from_pem("").unwrap_err(), RootCertificatesError::Empty);
}

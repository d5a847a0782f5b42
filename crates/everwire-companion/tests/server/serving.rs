//! What surrounds the endpoints: the files of a web application, origins and hosts, TLS, and a shared port.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use everwire_server::{Origins, Tls, TlsError};
use everwire_test_client::{Client, Refused, TIMEOUT, http, raw};
use futures_util::SinkExt;
use rcgen::{CertifiedKey, generate_simple_self_signed};
use tempfile::TempDir;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

/// A server of an application, and the folder that the application's folder is in.
async fn harness_with_pages() -> (Harness, TempDir) {
    let parent = TempDir::new().unwrap();
    let dist = parent.path().join("dist");
    fs::create_dir(&dist).unwrap();
    fs::write(dist.join("index.html"), "<!doctype html><title>the application</title>").unwrap();
    fs::write(dist.join("app_bg.wasm"), b"\0asm").unwrap();
    fs::write(dist.join("app.js"), "export {}").unwrap();
    fs::create_dir(dist.join("docs")).unwrap();
    fs::write(dist.join("docs").join("index.html"), "the documentation").unwrap();
    (Harness::start(|config| config.dist = Some(dist)).await, parent)
}

#[tokio::test]
async fn files_have_their_content_types() {
    let (harness, _parent) = harness_with_pages().await;
    for (path, content_type) in
        [("/", "text/html"), ("/app_bg.wasm", "application/wasm"), ("/app.js", "text/javascript")]
    {
        let answer = harness.get(path).await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.contains(&format!("content-type: {content_type}")),
            "{answer}"
        );
    }
}

#[tokio::test]
async fn a_path_of_the_application_shows_the_application() {
    let (harness, _parent) = harness_with_pages().await;
    for path in ["/demos/map", "/somewhere", "/somewhere/?x=1.5"] {
        let answer = harness.get(path).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("the application"), "{path}: {answer}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_not_the_application() {
    let (harness, _parent) = harness_with_pages().await;
    let answer = harness.get("/old_bg.wasm").await;
    assert!(answer.starts_with("HTTP/1.1 404 ") && !answer.contains("the application"), "{answer}");
}

#[tokio::test]
async fn nothing_outside_the_folder_is_served() {
    let (harness, parent) = harness_with_pages().await;
    fs::write(parent.path().join("outside.txt"), "secret").unwrap();
    for path in ["/../outside.txt", "/%2e%2e/outside.txt", "/..%2foutside.txt"] {
        assert!(!harness.get(path).await.contains("secret"), "{path}");
    }
}

#[tokio::test]
async fn a_browser_that_opens_an_endpoints_path_sees_the_application_and_a_socket_the_endpoint() {
    let (harness, _parent) = harness_with_pages().await;
    let page = http(harness.address(), "/ticker", "Accept: text/html,*/*\r\n").await;
    assert!(page.contains("the application"), "{page}");
    assert!(harness.get("/ticker").await.starts_with("HTTP/1.1 426 "));
    assert_eq!(harness.client("/echo").await.ask("hi").await, "hi");
    assert!(harness.get("/healthz").await.ends_with("ok\n"));
}

#[tokio::test]
async fn a_path_that_is_too_long_for_a_file_is_not_found() {
    let (harness, _parent) = harness_with_pages().await;
    for name in ["a".repeat(300), "a".repeat(300) + ".js", "%C3%A4".repeat(150), "a/".repeat(3000)] {
        for encodings in ["", "Accept-Encoding: gzip, br\r\n"] {
            let answer = http(harness.address(), &format!("/{name}"), encodings).await;
            assert!(answer.starts_with("HTTP/1.1 404 "), "{answer}");
        }
    }
}

/// A browser takes what follows `//` for the name of another host, even if it has backslashes instead of slashes.
#[tokio::test]
async fn a_redirect_stays_on_this_server() {
    let (harness, _parent) = harness_with_pages().await;
    for path in ["/docs", "//docs", "///docs", "/\\docs", "/docs?x=1", "//docs?x=//evil.example"] {
        let answer = harness.get(path).await;
        if let Some(location) = answer.lines().find_map(|line| line.strip_prefix("location: ")) {
            assert!(location.starts_with("/docs/"), "{path}: {location}");
        }
    }
    assert!(harness.get("/docs").await.contains("location: /docs/\r\n"));
    assert!(harness.get("//docs?x=1").await.contains("location: /docs/?x=1\r\n"));
    assert!(harness.get("/docs/").await.ends_with("the documentation"));
}

/// Opening one blocks until it has a writer.
#[cfg(unix)]
#[tokio::test]
async fn a_pipe_among_the_pages_is_not_found_and_blocks_no_request() {
    let (harness, parent) = harness_with_pages().await;
    let dist = parent.path().join("dist");
    let made =
        std::process::Command::new("mkfifo").args(["a.js", "b.js.gz", "page"]).current_dir(&dist).status().unwrap();
    assert!(made.success());
    fs::write(dist.join("b.js"), "export {}").unwrap();
    let get = async |path| {
        let answer = http(harness.address(), path, "Accept-Encoding: gzip\r\n");
        timeout(TIMEOUT, answer).await.expect("an answer in time")
    };
    assert!(get("/a.js").await.starts_with("HTTP/1.1 404 "));
    assert!(get("/b.js").await.ends_with("export {}"));
    assert!(get("/page").await.contains("the application"));
}

/// A build writes them next to the file.
#[tokio::test]
async fn a_compressed_file_is_sent_to_clients_that_accept_it() {
    let (harness, parent) = harness_with_pages().await;
    let dist = parent.path().join("dist");
    for (name, text) in [
        ("app_bg.wasm.br", "by brotli"),
        ("app_bg.wasm.gz", "by gzip"),
        ("app.js.gz", "by gzip"),
        ("index.html.gz", "by gzip"),
    ] {
        fs::write(dist.join(name), text).unwrap();
    }
    for (path, accepted, encoding, content_type, body) in [
        ("/app_bg.wasm", "gzip, deflate, br", "br", "application/wasm", "by brotli"),
        ("/app_bg.wasm", "gzip", "gzip", "application/wasm", "by gzip"),
        ("/app_bg.wasm", "br;q=0, gzip", "gzip", "application/wasm", "by gzip"),
        ("/app.js", "br, gzip", "gzip", "text/javascript", "by gzip"),
        ("/", "gzip", "gzip", "text/html", "by gzip"),
        ("/demos/map", "gzip", "gzip", "text/html", "by gzip"),
    ] {
        let answer = http(harness.address(), path, &format!("Accept-Encoding: {accepted}\r\n")).await;
        for line in [
            format!("content-encoding: {encoding}\r\n"),
            format!("content-type: {content_type}"),
            "vary: accept-encoding".to_owned(),
        ] {
            assert!(answer.contains(&line), "{path} to {accepted}: {line} is missing in {answer}");
        }
        assert!(answer.ends_with(body), "{path} to {accepted}: {answer}");
    }
    let plain = harness.get("/app_bg.wasm").await;
    assert!(plain.ends_with("\0asm") && !plain.contains("content-encoding"), "{plain}");
    assert!(plain.contains("vary: accept-encoding"), "a cache between must not mix the two up: {plain}");
}

#[tokio::test]
async fn files_with_a_hash_in_their_name_are_cached_and_all_others_are_revalidated() {
    let (harness, parent) = harness_with_pages().await;
    let dist = parent.path().join("dist");
    let hashed = ["demos-3f2a91b07c4d5e68.js", "demos-3f2a91b07c4d5e68_bg.wasm", "base-90ab12cd34ef5678.css"];
    let others =
        ["app.js", "leaflet-1.9.4.js", "deadbeef.js", "feedbacked-facade.js", "countries-50m.json", "20261130.txt"];
    for name in hashed.iter().chain(&others) {
        fs::write(dist.join(name), "").unwrap();
    }
    let kept = "cache-control: public, max-age=31536000, immutable\r\n";
    for name in hashed {
        let answer = harness.get(&format!("/{name}")).await;
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains(kept), "{name}: {answer}");
    }
    for name in
        others.iter().chain(&["", "index.html", "demos/map", "gone-3f2a91b07c4d5e68.js", "gone-3f2a91b07c4d5e68"])
    {
        let answer = harness.get(&format!("/{name}")).await;
        assert!(answer.contains("cache-control: no-cache\r\n"), "{name}: {answer}");
    }
}

async fn from(harness: &Harness, origin: &str) -> Result<Client, Refused> {
    Client::try_connect(harness.address(), "/echo", &[("origin", origin)]).await
}

#[tokio::test]
async fn a_page_of_another_host_is_refused_with_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let (status, sentence) = from(&harness, "https://evil.example").await.expect_err("a refusal");
    assert_eq!(status, 403);
    assert!(sentence.contains("--allow-origin https://evil.example"), "{sentence}");
    assert_eq!(harness.drops("/echo", "origin").await, 1);
}

/// A page can let its own name resolve to the visitor's machine.
#[tokio::test]
async fn a_page_whose_name_was_rebound_to_this_machine_is_refused() {
    let harness = Harness::start(|_| {}).await;
    let headers = "Host: evil.example\r\nOrigin: http://evil.example\r\nConnection: upgrade, close\r\nUpgrade: websocket\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let answer = raw(harness.address(), &format!("GET /echo HTTP/1.1\r\n{headers}\r\n")).await;
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
}

#[tokio::test]
async fn pages_of_localhost_and_of_a_listed_origin_and_programs_connect() {
    let harness =
        Harness::start(|config| config.origins = Origins::default().allow("https://friend.example").unwrap()).await;
    assert!(from(&harness, "http://localhost:8080").await.is_ok());
    assert!(from(&harness, "https://friend.example").await.is_ok());
    assert!(Client::try_connect(harness.address(), "/echo", &[]).await.is_ok());
    assert!(from(&harness, "https://evil.example").await.is_err());
}

/// A GET from a page of its own host sends no origin to check, so that a rebound name could read the response.
#[tokio::test]
async fn no_route_answers_to_a_name_that_was_rebound_to_this_machine() {
    let harness = Harness::start(|config| config.monitor = true).await;
    for host in
        ["evil.example", "evil.example:9001", "localhost.evil.example", "evil-localhost", "0x7f000001.evil.example"]
    {
        for path in [
            "/healthz",
            "/metrics",
            "/lab/poll",
            "/lab/events",
            "/lab/accounts",
            "/files/x",
            "/",
            "/echo",
            "/elsewhere",
        ] {
            let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
            let answer = raw(harness.address(), &request).await;
            assert!(answer.starts_with("HTTP/1.1 403 "), "{host} {path}: {answer}");
            assert!(answer.contains(&format!("--allow-origin http://{host}")), "{answer}");
        }
    }
    // The host of the address counts where there is one (RFC 9112 section 3.2.2).
    let request = "GET http://evil.example/metrics HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";
    assert!(raw(harness.address(), request).await.starts_with("HTTP/1.1 403 "));
}

#[tokio::test]
async fn every_route_answers_to_a_name_that_is_listed() {
    let origins = Origins::default().allow("https://proxied.example").unwrap().allow("https://*.demo.example").unwrap();
    let harness = Harness::start(|config| config.origins = origins).await;
    for (host, status) in [("proxied.example", 200), ("a.demo.example:8443", 200), ("demo.example", 403)] {
        let request = format!("GET /healthz HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        let answer = raw(harness.address(), &request).await;
        assert!(answer.starts_with(&format!("HTTP/1.1 {status} ")), "{host}: {answer}");
    }
}

#[tokio::test]
async fn a_page_whose_origin_only_begins_like_an_allowed_one_is_refused() {
    let harness = Harness::start(|_| {}).await;
    for origin in [
        "http://localhost:9640.evil.example",
        "http://localhost:9640@evil.example",
        "http://localhost.evil.example",
        "http://127.0.0.1:9640.evil.example",
        "http://127.0.0.1.evil.example",
        "http://[::1].evil.example",
        "http://localhost evil.example",
        "http://localhost/evil.example",
        "http://localhost#evil.example",
        "http://localhost\\evil.example",
        "localhost",
    ] {
        assert_eq!(from(&harness, origin).await.err().map(|refused| refused.0), Some(403), "{origin}");
    }
}

#[tokio::test]
async fn the_origin_that_a_refusal_names_can_be_allowed() {
    let harness = Harness::start(|_| {}).await;
    for origin in [
        "https://evil.example",
        "http://evil.example:8080",
        "null",
        "file://",
        "app://obsidian.md",
        "http://[fd00::1]:80",
    ] {
        let (_, sentence) = from(&harness, origin).await.err().unwrap();
        let (_, listed) = sentence.split_once("--allow-origin ").expect(&sentence);
        let origins = Origins::default().allow(listed.trim_end().trim_end_matches('.')).unwrap();
        let listing = Harness::start(|config| config.origins = origins).await;
        assert!(from(&listing, origin).await.is_ok(), "{origin}: {sentence}");
    }
}

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

#[tokio::test]
async fn two_servers_on_one_port_are_each_given_some_of_the_connections() {
    let first = Harness::start(|config| config.reuse_port = true).await;
    let address = first.address();
    let second = Harness::start(|config| {
        (config.reuse_port, config.listen) = (true, address);
        // Its clients do not read before it has gone.
        config.connection.close = Duration::ZERO;
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..40 {
        clients.push(first.client("/echo").await);
    }
    second.server.stop().await;
    let mut echoed = 0;
    for client in &mut clients {
        // Fails where the second server has gone.
        let _ = client.socket.send(Message::text("still there?")).await;
        echoed += usize::from(matches!(client.message().await, Message::Text(_)));
    }
    // That chance gave all of them to one server happens once in 2^39 times.
    assert!((1..40).contains(&echoed), "{echoed} of 40 were connected to the first");
}

#[tokio::test]
async fn a_port_is_not_shared_unless_both_agree() {
    let first = Harness::start(|_| ()).await;
    let config = everwire_companion::Config { listen: first.address(), reuse_port: true, ..Default::default() };
    assert!(everwire_companion::Server::bind(config).await.is_err());
}

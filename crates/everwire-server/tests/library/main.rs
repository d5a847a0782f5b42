//! Tests of the library in an application, by a real client over TCP: served by `axum::serve`, and by the library's own accept loop.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/counter.rs"]
mod counter;
#[allow(dead_code, reason = "its main is not called")]
#[path = "../../examples/mounted.rs"]
mod mounted;

mod application;

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::routing::get;
use everwire_server::{DropReason, Everwire, Server, ServerConfig};
use everwire_test_client::{Client, TIMEOUT, http};
use tokio::net::TcpListener;
use tokio::time::timeout;

/// Which accept loop serves the application.
#[derive(Clone, Copy, Debug)]
pub(crate) enum ServedBy {
    Axum,
    Everwire,
}

pub(crate) const BOTH: [ServedBy; 2] = [ServedBy::Axum, ServedBy::Everwire];

/// Serves an application on a free port until the runtime ends.
pub(crate) async fn serve(by: ServedBy, everwire: &Everwire, app: Router) -> SocketAddr {
    match by {
        ServedBy::Axum => {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let app = app.into_make_service_with_connect_info::<SocketAddr>();
            tokio::spawn(async move { axum::serve(listener, app).await });
            address
        }
        ServedBy::Everwire => {
            let config = ServerConfig::new(([127, 0, 0, 1], 0)).drain(Duration::ZERO);
            Server::bind(everwire, config).await.unwrap().start(app).local_addr()
        }
    }
}

#[tokio::test]
async fn a_visitor_without_a_login_cookie_is_refused_before_the_handshake() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, counter::app(&everwire)).await;
        let refused = Client::try_connect(address, "/counter", &[]).await.err();
        assert_eq!(refused, Some((401, "Log in first.".to_owned())), "{by:?}");
        let metrics = everwire.endpoint_metrics("/counter");
        assert_eq!((metrics.drops(DropReason::Rejected), metrics.connections_total()), (1, 0));
    }
}

#[tokio::test]
async fn everyone_sees_who_has_raised_the_counter() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, counter::app(&everwire)).await;
        let login = http(address, "/login/ann", "").await;
        assert!(login.contains("set-cookie: user=ann;"), "{login}");
        let mut ann = Client::try_connect(address, "/counter", &[("cookie", "a=b; user=ann")]).await.unwrap();
        let mut bob = Client::try_connect(address, "/counter", &[("cookie", "user=bob")]).await.unwrap();
        assert_eq!((ann.text().await, bob.text().await), ("0".to_owned(), "0".to_owned()));
        ann.send("").await;
        assert_eq!(ann.text().await, "1 by ann, seen by 2");
        assert_eq!(bob.ask("").await, "1 by ann, seen by 2");
        assert_eq!(bob.text().await, "2 by bob, seen by 2");
        let mut late = Client::try_connect(address, "/counter", &[("cookie", "user=eve")]).await.unwrap();
        assert_eq!(late.text().await, "2");
    }
}

#[tokio::test]
async fn a_route_has_limits_of_its_own() {
    let everwire = Everwire::default();
    let address = serve(ServedBy::Everwire, &everwire, counter::app(&everwire)).await;
    let mut ann = Client::try_connect(address, "/counter", &[("cookie", "user=ann")]).await.unwrap();
    for _ in 0..11 {
        ann.send("").await;
    }
    assert_eq!(ann.closed().await, (1008, "more than 10 messages per second".to_owned()));
}

#[tokio::test]
async fn an_application_keeps_its_pages_its_fallback_and_the_paths_of_its_probes() {
    for by in BOTH {
        let everwire = Everwire::default();
        let address = serve(by, &everwire, mounted::app(&everwire)).await;
        let mut one = Client::connect(address, "/live/broadcast").await;
        let mut other = Client::connect(address, "/live/broadcast").await;
        assert_eq!(one.ask("hi").await, "hi");
        assert_eq!(other.text().await, "hi");
        assert_eq!(Client::connect(address, "/live/echo").await.ask("echo").await, "echo");
        for (path, answer) in [("/", "my page"), ("/ops/healthz", "ok\n"), ("/healthz", "my fallback")] {
            assert!(http(address, path, "").await.ends_with(answer), "{path} by {by:?}");
        }
        assert!(
            http(address, "/ops/metrics", "").await.contains("everwire_connections{endpoint=\"/live/broadcast\"} 2")
        );
        assert!(http(address, "/live/echo", "").await.contains("\r\n\r\n/live/echo is a WebSocket"));
        assert!(http(address, "/live/elsewhere", "").await.ends_with("my fallback"));
    }
}

#[tokio::test]
async fn the_probes_can_be_merged_into_an_application_that_has_none() {
    let everwire = Everwire::default();
    let app = Router::new().route("/", get(|| async { "my page" })).merge(everwire.probes());
    let address = serve(ServedBy::Axum, &everwire, app).await;
    assert!(http(address, "/healthz", "").await.ends_with("ok\n"));
    assert!(http(address, "/metrics", "").await.contains("# TYPE everwire_connections gauge"));
    assert!(http(address, "/elsewhere", "").await.starts_with("HTTP/1.1 404 "));
}

#[tokio::test]
async fn an_application_that_drains_closes_its_sockets_and_refuses_new_ones() {
    let everwire = Everwire::default();
    let address = serve(ServedBy::Axum, &everwire, mounted::app(&everwire)).await;
    let mut client = Client::connect(address, "/live/echo").await;
    assert_eq!(client.ask("hi").await, "hi");
    let (closed, ()) = tokio::join!(client.close_frame(), everwire.drain(Duration::ZERO));
    assert_eq!(closed, (1001, "the server is stopping".to_owned()));
    let (status, body) = Client::try_connect(address, "/live/echo", &[]).await.err().unwrap();
    assert_eq!((status, body.contains("stopping")), (503, true));
    assert!(http(address, "/ops/healthz", "").await.starts_with("HTTP/1.1 503 "));
}

#[tokio::test]
async fn clients_wait_while_no_server_serves_the_socket_and_the_next_one_answers_them() {
    let config = ServerConfig::new(([127, 0, 0, 1], 0));
    let listener = config.bind().unwrap();
    let address = listener.local_addr().unwrap();
    for _ in 0..2 {
        let mut waiting = tokio::spawn(async move { http(address, "/healthz", "").await });
        tokio::task::yield_now().await;
        assert!(!waiting.is_finished());
        let everwire = Everwire::default();
        let app = Router::new().merge(everwire.healthz());
        let server = Server::with_listener(&everwire, listener.try_clone().unwrap(), config.clone()).await.unwrap();
        assert_eq!(server.local_addr(), address);
        let server = server.start(app);
        let answer = timeout(TIMEOUT, &mut waiting).await.expect("the client was waiting").unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        server.stop().await;
    }
}

#[cfg(feature = "tls")]
mod tls {
    use std::sync::Arc;

    use axum::Router;
    use axum::response::Response;
    use everwire_server::{Connection, Endpoint, Everwire, Handler, Message, Server, ServerConfig, Tls, Upgrade};
    use everwire_test_client::Client;
    use rcgen::{CertifiedKey, generate_simple_self_signed};
    use tokio::net::TcpStream;
    use tokio_rustls::TlsConnector;
    use tokio_rustls::rustls::crypto::ring;
    use tokio_rustls::rustls::pki_types::ServerName;
    use tokio_rustls::rustls::{ClientConfig, RootCertStore};

    struct Echo(Connection);

    impl Handler for Echo {
        fn on_message(&mut self, message: Message) {
            self.0.send(message);
        }
    }

    #[tokio::test]
    async fn a_connection_with_tls_works_and_is_counted_as_one_without_a_direct_way_to_tcp() {
        async fn open(upgrade: Upgrade) -> Response {
            upgrade.accept(|connection| Echo(connection.clone()))
        }

        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
        std::fs::write(&cert_file, cert.pem()).unwrap();
        std::fs::write(&key_file, signing_key.serialize_pem()).unwrap();
        let everwire = Everwire::default();
        let app = Router::new().route("/", Endpoint::new(&everwire, "/").route(open));
        let config = ServerConfig::new(([127, 0, 0, 1], 0)).tls(Tls::from_pem_files(&cert_file, &key_file).unwrap());
        let address = Server::bind(&everwire, config).await.unwrap().start(app).local_addr();

        let mut roots = RootCertStore::empty();
        roots.add(cert.der().clone()).unwrap();
        let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_root_certificates(roots)
            .with_no_client_auth();
        let stream = TcpStream::connect(address).await.unwrap();
        let name = ServerName::try_from("localhost").unwrap();
        let stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await.unwrap();
        let mut client = Client::over(stream, &format!("wss://localhost:{}/", address.port()), &[]).await.unwrap();
        assert_eq!(client.ask("hi").await, "hi");
        assert_eq!(everwire.endpoint_metrics("/").indirect_connections_total(), 1);
    }
}

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

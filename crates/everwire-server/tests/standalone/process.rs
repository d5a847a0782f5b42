//! The process: how it starts, stops and is killed.

use std::fs;
use std::sync::Arc;

use everwire_core::protocol::SUBPROTOCOL;
use everwire_test_client::{Client as Socket, TIMEOUT, connect};
use rcgen::{CertifiedKey, generate_simple_self_signed};
use serde_json::json;
use tokio::time::timeout;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::support::{Client, KEY, Process, option, request, word};

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_has_its_history_and_its_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--allow-all", "--journal", directory.path().to_str().unwrap()];
    let process = Process::start(&flags);
    let (mut client, welcome) = process.attach().await;
    client.ask("sub chat live", "subscribed chat ").await;
    let ack = client.ask("pub chat 1\nfirst", "ack 1 ").await;
    drop(process);

    let process = Process::start(&flags);
    let mut client = process.connect().await;
    let (session, secret) = (word(&welcome, 1), option(&welcome, "secret").unwrap());
    let hello = format!("hello attempt=1 session={session} secret={secret} acked=0 ␞ sub chat last:9");
    let welcome = client.ask(&hello, "welcome ").await;
    assert_eq!((word(&welcome, 1), option(&welcome, "secret")), (session, None));
    assert_eq!(client.line().await, ack);
    client.expect("subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

#[tokio::test]
async fn clients_learn_the_heartbeat_of_the_flag() {
    let (_, welcome) = Process::start(&["--allow-all", "--heartbeat", "1.5"]).attach().await;
    assert_eq!(option(&welcome, "heartbeat"), Some("1500"));
}

#[tokio::test]
async fn a_server_with_an_fsync_interval_that_is_killed_takes_back_what_was_published_within_it() {
    let directory = tempfile::tempdir().unwrap();
    let journal = ["--journal", directory.path().to_str().unwrap(), "--fsync", "interval", "--fsync-interval", "3600"];
    let flags = [&["--allow-all"][..], &journal].concat();
    for _ in 0..2 {
        let process = Process::start(&flags);
        assert_eq!(process.ok("POST", "/channels/chat/messages", "hi").await["offset"], 1);
    }
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_closes_the_sockets_with_1001_and_stores_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let journal = ["--journal", directory.path().to_str().unwrap(), "--fsync", "interval", "--fsync-interval", "3600"];
    let flags = [&["--allow-all", "--drain", "0.2", "--api-listen", "127.0.0.1:0"][..], &journal].concat();
    let mut process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("pub chat 1\nfirst", "ack 1 ").await;
    process.signal("-TERM");
    assert_eq!(client.client.closed().await.0, 1001);
    drop(client);
    assert!(process.end().await.success());

    let process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("sub chat last:9", "subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

/// The API as well, also on an address of its own: a key must not travel in the clear.
#[tokio::test]
async fn clients_and_the_api_use_tls_with_a_certificate() {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (cert_file, key_file) = (folder.path().join("cert.pem"), folder.path().join("key.pem"));
    fs::write(&cert_file, cert.pem()).unwrap();
    fs::write(&key_file, signing_key.serialize_pem()).unwrap();
    let tls = ["--tls-cert", cert_file.to_str().unwrap(), "--tls-key", key_file.to_str().unwrap()];
    let process = Process::start(&[&["--allow-all", "--api-listen", "127.0.0.1:0"][..], &tls].concat());
    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let connector = TlsConnector::from(Arc::new(config));
    let open =
        async |address| connector.connect(ServerName::try_from("localhost").unwrap(), connect(address)).await.unwrap();
    let url = format!("wss://localhost:{}/everwire", process.address.port());
    let protocol = [("sec-websocket-protocol", SUBPROTOCOL)];
    let mut client = Client::over(Socket::over(open(process.address).await, &url, &protocol).await.unwrap());
    client.ask("hello attempt=0", "welcome ").await;
    client.ask("sub chat live", "subscribed ").await;
    let key = format!("Authorization: Bearer {KEY}\r\n");
    let stream = open(process.api).await;
    let answer = request(stream, process.api, "POST", "/api/channels/chat/messages", &key, b"hi").await;
    assert_eq!((answer.status, &answer.json()["offset"]), (200, &json!(1)), "{}", answer.body);
    client.expect("msg chat ").await;
}

/// A process without a handler would be ended by the signal that the system sends at the limit on file sizes.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_publish_that_finds_no_room_on_the_disk_is_refused_and_not_stored() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let publish = async || process.api("POST", "/channels/chat/messages", "", &[b'x'; 100_000]).await;
    process.limit_file_size(3 << 20);
    let (mut stored, mut refused) = (0, publish().await);
    while refused.status == 200 {
        stored += 1;
        assert!(stored < 100, "there is room for no 100 of them");
        refused = publish().await;
    }
    assert_eq!((refused.status, refused.code().as_str()), (503, "unavailable"), "{}", refused.body);
    assert!(refused.message().contains("nothing was stored"), "{}", refused.body);
    assert!(refused.head.to_lowercase().contains("retry-after: "), "{}", refused.head);
    process.limit_file_size(rlimit::INFINITY);
    assert_eq!(publish().await.json()["offset"], stored + 1);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_publish_of_unknown_fate_says_so_and_the_health_fails_until_the_disk_works_again() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let publish = async |headers| process.api("POST", "/channels/chat/messages", headers, b"hi").await;
    process.limit_file_size(0);
    let failed = publish("").await;
    assert_eq!((failed.status, failed.code().as_str()), (500, "unknown"), "{}", failed.body);
    assert!(failed.message().contains("Idempotency-Key"), "{}", failed.body);
    let health = process.health().await;
    assert_eq!((health.status, &health.json()["status"]), (503, &json!("journal failing")), "{}", health.body);
    let failed = publish("Idempotency-Key: a\r\n").await;
    assert_eq!((failed.status, failed.code().as_str()), (503, "unavailable"), "{}", failed.body);
    process.limit_file_size(rlimit::INFINITY);
    let healthy = async { while process.health().await.status != 200 {} };
    timeout(TIMEOUT, healthy).await.expect("the journal works again");
    assert_eq!(publish("Idempotency-Key: a\r\n").await.status, 200);
}

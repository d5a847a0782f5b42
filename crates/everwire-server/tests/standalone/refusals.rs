//! Routes, probes and addresses.

use everwire_test_client::{connect, http};
use serde_json::json;

use crate::support::{KEY, Process, request};

#[tokio::test]
async fn what_is_not_there_is_answered_in_json() {
    let process = Process::open();
    assert_eq!(process.refused("GET", "/channel", "", b"").await, (404, "not-found".to_owned()));
    let answer = process.api("PUT", "/channels/chat/messages", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method-not-allowed"));
    assert!(answer.head.to_lowercase().contains("allow: get,head,post"), "{}", answer.head);
    let answer = request(connect(process.address), process.address, "GET", "/", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"));
    let answer = request(connect(process.address), process.address, "GET", "/api/nothing", "", b"").await;
    assert_eq!(answer.status, 401, "who has no key learns nothing of the routes");
}

#[tokio::test]
async fn health_and_metrics_report_channels_and_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let _client = process.subscribed("sub chat live").await;
    process.ok("POST", "/channels/chat/messages", "hi").await;
    let health = process.health().await.json();
    assert_eq!(health["status"], "ok");
    let counts = ["failures", "queued", "corruptions"].map(|name| health["journal"][name].clone());
    assert_eq!(counts, [0, 0, 0].map(|count| json!(count)));
    let metrics = http(process.address, "/metrics", "").await;
    for line in [
        "everwire_sessions 1",
        "everwire_channels 1",
        "everwire_subscriptions 1",
        "everwire_connections{endpoint=\"/everwire\"} 1",
        "everwire_journal_failing 0",
        "everwire_journal_commits_total 2",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is missing in\n{metrics}");
    }
}

/// A back end that wants to end sessions of a server that is full needs a place as well.
#[tokio::test]
async fn the_api_is_reached_on_an_address_of_its_own_when_clients_have_all_places() {
    let full = ["--allow-all", "--max-connections", "1", "--max-connections-per-address", "1"];
    let process = Process::start(&full);
    let _client = process.attach().await;
    let answer = process.api("GET", "/channels", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too-many-connections"));
    let process = Process::start(&[&full[..], &["--api-listen", "127.0.0.1:0"]].concat());
    let _client = process.attach().await;
    process.ok("GET", "/channels", "").await;
}

#[tokio::test]
async fn the_api_on_an_address_of_its_own_is_not_on_the_clients() {
    let process = Process::start(&["--allow-all", "--api-listen", "127.0.0.1:0"]);
    assert_ne!(process.address, process.api);
    process.ok("POST", "/channels/chat/messages", "hi").await;
    assert!(http(process.api, "/metrics", "").await.starts_with("HTTP/1.1 200 "));
    let key = format!("Authorization: Bearer {KEY}\r\n");
    for path in ["/api/channels", "/metrics"] {
        let answer = request(connect(process.address), process.address, "GET", path, &key, b"").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for address in [process.address, process.api] {
        assert!(http(address, "/healthz", "").await.starts_with("HTTP/1.1 200 "));
    }
    let answer = request(connect(process.api), process.api, "GET", "/everwire", "", b"").await;
    assert_eq!(answer.status, 404);
}

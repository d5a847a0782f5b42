use everwire_test_client::{Client, TIMEOUT, connect, connect_with_small_buffers};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;

use crate::files_client::{Sender, content, key, sha256};
use crate::harness::Harness;

/// An answer to an HTTP request: its head in small letters, and its body.
struct Answer {
    head: String,
    body: Vec<u8>,
}

async fn get(harness: &Harness, path: &str, headers: &str) -> Answer {
    let mut stream = connect(harness.address());
    let request = format!("GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n{headers}\r\n", harness.address());
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    timeout(TIMEOUT, stream.read_to_end(&mut answer)).await.expect("an answer in time").unwrap();
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").expect("the end of the head") + 4;
    let body = answer.split_off(end);
    Answer { head: String::from_utf8(answer).unwrap().to_lowercase(), body }
}

/// A server with one file on it: the path to fetch it from, and its bytes.
async fn with_a_file() -> (Harness, String, Vec<u8>) {
    let harness = Harness::start(|_| {}).await;
    let bytes = content(300_000);
    let file = Sender::connect(&harness).await.send("Bericht für Ann.txt", &bytes, &key(1)).await;
    (harness, format!("/files/{}", file["id"].as_str().unwrap()), bytes)
}

#[tokio::test]
async fn a_file_that_was_sent_is_fetched_byte_for_byte_and_cannot_run_as_a_page() {
    let (harness, path, bytes) = with_a_file().await;
    let answer = get(&harness, &path, "").await;
    assert!(answer.body == bytes, "{} bytes", answer.body.len());
    for line in [
        "http/1.1 200 ok",
        "content-type: application/octet-stream",
        "content-length: 300000",
        "x-content-type-options: nosniff",
        "content-security-policy: default-src 'none'; sandbox",
        "content-disposition: attachment; filename=\"bericht f_r ann.txt\"; filename*=utf-8''bericht%20f%c3%bcr%20ann.txt",
        &format!("etag: \"{}\"", sha256(&bytes)),
    ] {
        assert!(answer.head.contains(line), "{line} is missing in\n{}", answer.head);
    }
}

#[tokio::test]
async fn a_part_of_a_file_is_fetched_as_long_as_it_is_the_same_file() {
    let (harness, path, bytes) = with_a_file().await;
    let part = get(&harness, &path, "Range: bytes=100000-\r\n").await;
    assert!(part.head.starts_with("http/1.1 206"), "{}", part.head);
    assert!(part.head.contains("content-range: bytes 100000-299999/300000"), "{}", part.head);
    assert!(part.body == bytes[100_000..]);
    let tag = sha256(&bytes);
    let same = get(&harness, &path, &format!("Range: bytes=0-9\r\nIf-Range: \"{tag}\"\r\n")).await;
    assert_eq!(same.body, bytes[..10]);
    let other = get(&harness, &path, "Range: bytes=0-9\r\nIf-Range: \"another\"\r\n").await;
    assert!(other.head.starts_with("http/1.1 200") && other.body == bytes, "{}", other.head);
    let kept = get(&harness, &path, &format!("If-None-Match: \"{tag}\"\r\n")).await;
    assert!(kept.head.starts_with("http/1.1 304") && kept.body.is_empty(), "{}", kept.head);
}

#[tokio::test]
async fn pages_of_allowed_origins_may_fetch_and_send_and_others_may_not() {
    let (harness, path, bytes) = with_a_file().await;
    let allowed = get(&harness, &path, "Origin: http://127.0.0.1:8080\r\n").await;
    assert!(allowed.head.contains("access-control-allow-origin: http://127.0.0.1:8080"), "{}", allowed.head);
    assert!(allowed.body == bytes);
    let refused = get(&harness, &path, "Origin: https://evil.example\r\n").await;
    assert!(refused.head.starts_with("http/1.1 403") && !refused.head.contains("access-control"), "{}", refused.head);
    let origin = [("origin", "https://evil.example")];
    assert_eq!(Client::try_connect(harness.address(), "/files", &origin).await.err().unwrap().0, 403);
}

#[tokio::test]
async fn invalid_and_unknown_ids_are_not_found() {
    let (harness, path, _) = with_a_file().await;
    let none = "0".repeat(32);
    for path in [&format!("/files/{none}"), "/files/..%2f..%2fetc%2fpasswd", "/files/lock", &path.to_uppercase()] {
        let answer = get(&harness, path, "").await;
        assert!(answer.head.starts_with("http/1.1 404"), "{path}: {}", answer.head);
    }
}

#[tokio::test]
async fn a_new_file_is_announced_to_all_clients_and_listed_for_new_ones() {
    let harness = Harness::start(|_| {}).await;
    let mut watcher = Sender::connect(&harness).await;
    assert_eq!(watcher.welcome["files"], serde_json::json!([]));
    let file = Sender::connect(&harness).await.send("a.txt", b"hello", &key(1)).await;
    assert_eq!(watcher.hears("added").await["file"], file);
    assert_eq!((&file["name"], &file["size"]), (&"a.txt".into(), &5.into()));
    assert_eq!(file["sha256"], sha256(b"hello"));
    assert_eq!(Sender::connect(&harness).await.welcome["files"], serde_json::json!([file]));
}

#[tokio::test]
async fn a_file_without_bytes_is_a_file() {
    let harness = Harness::start(|_| {}).await;
    let file = Sender::connect(&harness).await.send("empty", b"", &key(1)).await;
    let answer = get(&harness, &format!("/files/{}", file["id"].as_str().unwrap()), "").await;
    assert!(answer.head.starts_with("http/1.1 200") && answer.body.is_empty(), "{}", answer.head);
}

#[tokio::test]
async fn corrupted_bytes_are_detected_and_the_file_can_be_sent_again() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    assert_eq!(sender.ready("a.txt", 5, &key(1)).await, 0);
    sender.put(0, b"hullo").await;
    sender.finish(&sha256(b"hello")).await;
    let mismatch = sender.next().await;
    assert_eq!((&mismatch["type"], &mismatch["sha256"]), (&"mismatch".into(), &sha256(b"hullo").into()));
    sender.send("a.txt", b"hello", &key(1)).await;
}

#[tokio::test]
async fn sending_a_stored_file_again_returns_the_stored_file() {
    let harness = Harness::start(|_| {}).await;
    let file = Sender::connect(&harness).await.send("a.txt", b"hello", &key(1)).await;
    // The answer may have been lost with the connection.
    let again = Sender::connect(&harness).await.ask("a.txt", 5, &key(1)).await;
    assert_eq!((&again["type"], &again["file"]), (&"stored".into(), &file));
}

#[tokio::test]
async fn a_finish_before_the_last_byte_is_answered_with_what_is_missing() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a.txt", 5, &key(1)).await;
    sender.put(0, b"he").await;
    sender.finish(&sha256(b"hello")).await;
    assert_eq!(sender.next().await["error"], "2 of 5 bytes have arrived; send the rest first");
    sender.put(2, b"llo").await;
    sender.finish(&sha256(b"hello")).await;
    assert_eq!(sender.next().await["type"], "stored");
}

#[tokio::test]
async fn only_its_sender_can_remove_a_file() {
    let (harness, path, _) = with_a_file().await;
    let mut anyone = Sender::connect(&harness).await;
    let id = path.rsplit('/').next().unwrap();
    let remove = |key: &str| serde_json::json!({ "type": "remove", "id": id, "resume": key }).to_string();
    assert!(anyone.client.mistake(&remove(&key(2))).await.contains("no such file of yours"));
    anyone.client.send(&remove(&key(1))).await;
    assert_eq!(anyone.hears("removed").await["ids"], serde_json::json!([id]));
    assert!(get(&harness, &path, "").await.head.starts_with("http/1.1 404"));
}

#[tokio::test]
async fn downloads_hold_connections_of_their_address_until_they_are_read() {
    let harness = Harness::start(|config| config.limits.connections_per_address = 1).await;
    let mut sender = Sender::connect(&harness).await;
    // More than the system buffers for a client that does not read.
    let file = sender.send("a.bin", &content(3_000_000), &key(1)).await;
    let path = format!("/files/{}", file["id"].as_str().unwrap());
    sender.client.socket.close(None).await.unwrap();
    let gone = async { while harness.metric(r#"everwire_connections{endpoint="/files"}"#).await != 0 {} };
    timeout(TIMEOUT, gone).await.expect("the sender's place is free");

    let read = async {
        loop {
            let mut reader = connect_with_small_buffers(harness.address()).await;
            let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
            reader.write_all(request.as_bytes()).await.unwrap();
            let mut status = [0; 12];
            reader.read_exact(&mut status).await.unwrap();
            if &status == b"HTTP/1.1 200" {
                break reader;
            }
        }
    };
    let reader = timeout(TIMEOUT, read).await.expect("a place for the reader");
    let refused = get(&harness, &path, "Origin: http://127.0.0.1:8080\r\n").await;
    assert!(refused.head.starts_with("http/1.1 429") && refused.head.contains("retry-after"), "{}", refused.head);
    assert!(String::from_utf8_lossy(&refused.body).contains("Your address holds 1 connections"));
    assert_eq!(harness.drops("/files", "address_full").await, 1);

    drop(reader);
    let again = async { while get(&harness, &path, "").await.head.starts_with("http/1.1 429") {} };
    timeout(TIMEOUT, again).await.expect("a place that was left is free");
}

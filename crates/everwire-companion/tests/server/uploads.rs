//! Uploads that are interrupted, moved or cancelled, and those that the server refuses.

use std::time::Duration;

use everwire_test_client::TIMEOUT;
use futures_util::SinkExt;
use tokio::time::timeout;

use crate::files::{Sender, chunk, content, key, sha256};
use crate::harness::Harness;

#[tokio::test]
async fn an_upload_resumes_at_its_offset_after_the_connection_was_cut() {
    let harness = Harness::start(|config| config.faults = true).await;
    let bytes = content(1_000_000);
    // The welcome, the request, the answer; four chunks, and the acknowledgement that says that they are written.
    let mut sender = Sender::over(&harness, "/files?fault=drop:8").await;
    assert_eq!(sender.ready("a.bin", bytes.len(), &key(1)).await, 0);
    sender.put(0, &bytes[..64 << 10]).await;
    for part in 1..4 {
        let rest = chunk(1, part << 16, &bytes[(part as usize) << 16..][..64 << 10]);
        // Fails where acknowledgements between them have made it eight already.
        let _ = futures_util::SinkExt::send(&mut sender.client.socket, rest).await;
    }
    while let Some(Ok(_)) = futures_util::StreamExt::next(&mut sender.client.socket).await {}

    let mut sender = Sender::connect(&harness).await;
    let offset = sender.ready("a.bin", bytes.len(), &key(1)).await;
    assert!(offset >= 64 << 10 && offset < bytes.len(), "what was acknowledged is there: {offset}");
    sender.put(offset, &bytes[offset..]).await;
    sender.finish(&sha256(&bytes)).await;
    assert_eq!(sender.next().await["file"]["sha256"], sha256(&bytes));
}

#[tokio::test]
async fn an_upload_moves_to_a_new_connection_although_the_old_one_seems_alive() {
    let harness = Harness::start(|config| config.faults = true).await;
    let bytes = content(200_000);
    // Goes silent after the welcome, the request, the answer, one chunk and its acknowledgement.
    let mut silent = Sender::over(&harness, "/files?fault=half-open:5").await;
    silent.ready("a.bin", bytes.len(), &key(1)).await;
    silent.put(0, &bytes[..50_000]).await;

    let mut sender = Sender::connect(&harness).await;
    assert_eq!(sender.ready("a.bin", bytes.len(), &key(1)).await, 50_000);
    sender.put(50_000, &bytes[50_000..]).await;
    sender.finish(&sha256(&bytes)).await;
    assert_eq!(sender.next().await["type"], "stored");
}

#[tokio::test]
async fn a_connection_that_loses_its_upload_is_notified_and_its_chunks_are_dropped() {
    let harness = Harness::start(|_| {}).await;
    let (mut first, mut second) = (Sender::connect(&harness).await, Sender::connect(&harness).await);
    first.ready("a.bin", 6, &key(1)).await;
    first.put(0, b"ab").await;
    assert_eq!(second.ready("a.bin", 6, &key(1)).await, 2);
    assert_eq!(first.next().await["type"], "taken");
    first.chunk(2, b"XX").await;
    second.put(2, b"cdef").await;
    second.finish(&sha256(b"abcdef")).await;
    assert_eq!(second.next().await["type"], "stored");
}

#[tokio::test]
async fn the_sender_of_an_upload_that_another_connection_cancels_gets_an_error() {
    let harness = Harness::start(|_| {}).await;
    let (mut first, mut second) = (Sender::connect(&harness).await, Sender::connect(&harness).await);
    first.ready("a.bin", 6, &key(1)).await;
    first.put(0, b"ab").await;
    second.cancel(&key(1)).await;
    let failed = first.next().await;
    assert_eq!(failed["type"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("cancelled from another page"), "{failed}");
}

#[tokio::test]
async fn a_connection_that_cancels_its_upload_gets_no_error() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a.bin", 6, &key(1)).await;
    sender.cancel(&key(1)).await;
    assert_eq!(sender.ready("a.bin", 6, &key(1)).await, 0);
}

#[tokio::test]
async fn chunks_of_an_earlier_attempt_are_dropped() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    // What an outbox kept over a reconnect comes before and behind the request.
    futures_util::SinkExt::send(&mut sender.client.socket, chunk(77, 4, b"old")).await.unwrap();
    sender.ready("a.txt", 5, &key(1)).await;
    futures_util::SinkExt::send(&mut sender.client.socket, chunk(77, 4, b"old")).await.unwrap();
    sender.put(0, b"hello").await;
    sender.finish(&sha256(b"hello")).await;
    assert_eq!(sender.next().await["type"], "stored");
}

#[tokio::test]
async fn two_files_take_turns_on_one_connection() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a", 4, &key(1)).await;
    sender.put(0, b"aa").await;
    sender.send("b", b"bbb", &key(2)).await;
    assert_eq!(sender.ready("a", 4, &key(1)).await, 2);
    sender.put(2, b"AA").await;
    sender.finish(&sha256(b"aaAA")).await;
    assert_eq!(sender.next().await["type"], "stored");
}

#[tokio::test]
async fn an_idle_upload_expires_and_its_sender_gets_the_reason() {
    let harness = Harness::start(|config| config.files.unfinished = Duration::from_millis(200)).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a", 4, &key(1)).await;
    sender.chunk(0, b"aa").await;
    let failed = sender.next_of_type("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("send it again"), "{failed}");
    assert_eq!(sender.ready("a", 4, &key(1)).await, 0);
}

#[tokio::test]
async fn an_expired_file_is_removed_and_all_clients_are_notified() {
    let harness = Harness::start(|config| config.files.finished = Duration::from_millis(200)).await;
    let mut watcher = Sender::connect(&harness).await;
    let file = Sender::connect(&harness).await.send("a", b"aa", &key(1)).await;
    assert_eq!(watcher.next_of_type("removed").await["ids"], serde_json::json!([file["id"]]));
    let answer = harness.get(&format!("/files/{}", file["id"].as_str().unwrap())).await;
    assert!(answer.contains("404") && answer.contains("Ask the sender"), "{answer}");
}

#[tokio::test]
async fn a_client_that_ignores_the_window_is_closed_with_1008_and_the_reason() {
    // In one message, so that no disk is fast enough to keep up.
    let harness = Harness::start(|config| config.connection.message_bytes = 8 << 20).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a.bin", 8 << 20, &key(1)).await;
    sender.chunk(0, &vec![7; 5 << 20]).await;
    let (code, reason) = sender.client.closed().await;
    assert_eq!(code, 1008);
    assert!(reason.contains("more than 4194304 bytes without waiting for their acknowledgement"), "{reason}");
    assert_eq!(harness.drops("/files", "malformed").await, 1);
}

#[tokio::test]
async fn a_chunk_in_the_wrong_place_or_beyond_the_end_closes_with_1008() {
    let harness = Harness::start(|_| {}).await;
    for (offset, bytes) in [(1, "ab"), (0, "abcdef"), (usize::MAX, "ab")] {
        let mut sender = Sender::connect(&harness).await;
        sender.ready("a", 5, &key(offset % 1000 + bytes.len())).await;
        sender.chunk(offset, bytes.as_bytes()).await;
        let (code, reason) = sender.client.closed().await;
        assert_eq!(code, 1008);
        assert!(reason.contains("where 0 of 5 bytes had arrived"), "{reason}");
    }
    assert_eq!(harness.drops("/files", "malformed").await, 3);
}

#[tokio::test]
async fn names_that_are_paths_are_refused_and_the_connection_stays_open() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    for (name, why) in [
        ("../../etc/passwd", "path"),
        ("a\u{202e}b", "invisible"),
        ("", "no name"),
        ("NUL", "reserve"),
        ("a?b", "reserve"),
    ] {
        let refused = sender.ask(name, 1, &key(1)).await;
        assert_eq!(refused["type"], "refused", "{name:?}");
        assert!(refused["error"].as_str().unwrap().contains(why), "{refused}");
        assert_eq!(refused["is_final"], true, "another try would be refused as well");
    }
    sender.send("passwd", b"x", &key(1)).await;
}

#[tokio::test]
async fn a_file_that_is_too_large_is_refused_before_a_byte_is_sent() {
    let harness = Harness::start(|config| config.files.file_bytes = 1000).await;
    let mut sender = Sender::connect(&harness).await;
    assert_eq!(sender.welcome["limits"]["file_bytes"], 1000);
    assert_eq!(sender.welcome["limits"]["unfinished"], 3_600_000.0);
    let refused = sender.ask("a", 1001, &key(1)).await;
    assert_eq!(refused["is_final"], true);
    assert_eq!(
        refused["error"],
        "The file has 1.0 kB; the limit is 1.0 kB. Split it, or start the server with a larger --max-file-bytes."
    );
    sender.send("a", &[0; 1000], &key(1)).await;
}

#[tokio::test]
async fn a_full_store_names_the_oldest_file_and_its_expiry() {
    let harness = Harness::start(|config| config.files.store_bytes = 1000).await;
    let mut sender = Sender::connect(&harness).await;
    sender.send("first", &[0; 600], &key(1)).await;
    let refused = sender.ask("second", 500, &key(2)).await;
    assert_eq!(refused["is_final"], false, "there will be room");
    let refused = refused["error"].as_str().unwrap();
    for words in [
        "600 B of 1.0 kB are taken",
        "needs 500 B",
        "\u{201c}first\u{201d} is the oldest",
        "60 min",
        "--max-store-bytes",
    ] {
        assert!(refused.contains(words), "{words} is missing in {refused}");
    }
    sender.send("third", &[0; 400], &key(3)).await;
}

#[tokio::test]
async fn an_unfinished_upload_holds_its_room_until_it_is_cancelled() {
    let harness = Harness::start(|config| config.files.files = 1).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a", 10, &key(1)).await;
    let refused = sender.ask("b", 1, &key(2)).await;
    assert_eq!(refused["is_final"], false);
    let sentence = refused["error"].as_str().unwrap();
    assert!(sentence.contains("it has 1 files. Unfinished uploads hold the room"), "{sentence}");
    sender.cancel(&key(1)).await;
    sender.send("b", b"x", &key(2)).await;
}

#[tokio::test]
async fn a_key_stays_with_its_file() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a", 10, &key(1)).await;
    for (name, size) in [("b", 10), ("a", 11)] {
        let refused = sender.ask(name, size, &key(1)).await;
        assert!(refused["error"].as_str().unwrap().contains("choose another key"), "{refused}");
        assert_eq!(refused["is_final"], true);
    }
}

#[tokio::test]
async fn an_invalid_request_is_answered_with_the_grammar() {
    let harness = Harness::start(|_| {}).await;
    let mut sender = Sender::connect(&harness).await;
    for text in [
        "hello",
        r#"{"type":"upload"}"#,
        r#"{"type":"upload","stream":1,"name":"a","size":-1,"resume":"0123456789abcdef"}"#,
        r#"{"type":"upload","stream":1,"name":"a","size":1,"resume":"short"}"#,
        r#"{"type":"upload","stream":1,"name":"a","size":1,"resume":"../../../../../etc"}"#,
    ] {
        let mistake = sender.client.mistake(text).await;
        assert!(mistake.contains(r#"{"type":"finish""#), "{text}: {mistake}");
    }
    sender.client.socket.send(tokio_tungstenite::tungstenite::Message::binary(vec![1; 11])).await.unwrap();
    assert!(sender.next().await["error"].as_str().unwrap().contains("or a chunk"));
}

#[tokio::test]
async fn a_disk_error_is_reported_to_the_sender() {
    let harness = Harness::start(|config| {
        // A folder cannot be made below a file.
        config.files.folder = Some("/dev/null/files".into());
    })
    .await;
    let mut sender = Sender::connect(&harness).await;
    sender.ready("a", 2, &key(1)).await;
    sender.chunk(0, b"ab").await;
    let failed = timeout(TIMEOUT, sender.next()).await.unwrap();
    assert_eq!(failed["type"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("cannot write the file"), "{failed}");
    // Nothing is left of it that would count.
    assert_eq!(sender.ready("a", 2, &key(1)).await, 0);
}

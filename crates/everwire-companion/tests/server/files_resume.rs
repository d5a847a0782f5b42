use std::time::Duration;

use crate::files_client::{Sender, chunk, content, key, sha256};
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
    let failed = sender.hears("failed").await;
    assert!(failed["error"].as_str().unwrap().contains("send it again"), "{failed}");
    assert_eq!(sender.ready("a", 4, &key(1)).await, 0);
}

#[tokio::test]
async fn an_expired_file_is_removed_and_all_clients_are_notified() {
    let harness = Harness::start(|config| config.files.finished = Duration::from_millis(200)).await;
    let mut watcher = Sender::connect(&harness).await;
    let file = Sender::connect(&harness).await.send("a", b"aa", &key(1)).await;
    assert_eq!(watcher.hears("removed").await["ids"], serde_json::json!([file["id"]]));
    let answer = harness.get(&format!("/files/{}", file["id"].as_str().unwrap())).await;
    assert!(answer.contains("404") && answer.contains("Ask its sender"), "{answer}");
}

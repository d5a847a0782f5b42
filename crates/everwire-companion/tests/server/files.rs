//! Files: sending and fetching them, and what the server leaves on disk.

use std::net::SocketAddr;

use everwire_test_client::{Client, TIMEOUT, connect, connect_with_small_buffers};
use futures_util::SinkExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

/// A connection to `/files` that has read its welcome.
pub(crate) struct Sender {
    pub(crate) client: Client,
    pub(crate) welcome: Value,
    stream: u32,
}

impl Sender {
    pub(crate) async fn connect(harness: &Harness) -> Self {
        Self::over(harness, "/files").await
    }

    /// Connects with parameters, such as a fault.
    pub(crate) async fn over(harness: &Harness, path: &str) -> Self {
        Self::at(harness.address(), path).await
    }

    pub(crate) async fn at(address: SocketAddr, path: &str) -> Self {
        let mut client = Client::connect(address, path).await;
        let welcome = client.json().await;
        assert_eq!(welcome["type"], "files");
        Self { client, welcome, stream: 0 }
    }

    /// Requests an upload, and returns the answer.
    pub(crate) async fn ask(&mut self, name: &str, size: u64, key: &str) -> Value {
        self.stream += 1;
        let ask = json!({ "type": "upload", "stream": self.stream, "name": name, "size": size, "resume": key });
        self.client.send(&ask.to_string()).await;
        self.next().await
    }

    /// Requests an upload, and returns the offset to continue at.
    pub(crate) async fn ready(&mut self, name: &str, size: usize, key: &str) -> usize {
        let ready = self.ask(name, size as u64, key).await;
        assert_eq!(ready["type"], "ready", "{ready}");
        usize::try_from(ready["offset"].as_u64().unwrap()).unwrap()
    }

    pub(crate) async fn chunk(&mut self, offset: usize, bytes: &[u8]) {
        let message = chunk(self.stream, offset as u64, bytes);
        self.client.socket.send(message).await.unwrap();
    }

    /// Sends bytes from an offset on, and waits until they are in the file.
    pub(crate) async fn put(&mut self, offset: usize, bytes: &[u8]) {
        for (index, piece) in bytes.chunks(64 << 10).enumerate() {
            self.chunk(offset + index * (64 << 10), piece).await;
        }
        let end = (offset + bytes.len()) as u64;
        while !bytes.is_empty() {
            let ack = self.next().await;
            assert_eq!(ack["type"], "ack", "{ack}");
            if ack["offset"] == end {
                break;
            }
        }
    }

    pub(crate) async fn finish(&mut self, sha256: &str) {
        let finish = json!({ "type": "finish", "stream": self.stream, "sha256": sha256 });
        self.client.send(&finish.to_string()).await;
    }

    pub(crate) async fn cancel(&mut self, key: &str) {
        self.client.send(&json!({ "type": "cancel", "resume": key }).to_string()).await;
    }

    /// Sends a whole file and returns what the server says of it.
    pub(crate) async fn send(&mut self, name: &str, bytes: &[u8], key: &str) -> Value {
        let offset = self.ready(name, bytes.len(), key).await;
        self.put(offset, &bytes[offset..]).await;
        self.finish(&sha256(bytes)).await;
        let stored = self.next().await;
        assert_eq!(stored["type"], "stored", "{stored}");
        stored["file"].clone()
    }

    /// The next message that is about this connection's uploads.
    pub(crate) async fn next(&mut self) -> Value {
        loop {
            let message = self.client.json().await;
            if !matches!(message["type"].as_str(), Some("added" | "removed")) {
                return message;
            }
        }
    }

    /// The next message of this type.
    pub(crate) async fn next_of_type(&mut self, kind: &str) -> Value {
        loop {
            let message = self.client.json().await;
            if message["type"] == kind {
                return message;
            }
        }
    }
}

pub(crate) fn chunk(stream: u32, offset: u64, bytes: &[u8]) -> Message {
    let mut message = stream.to_be_bytes().to_vec();
    message.extend(offset.to_be_bytes());
    message.extend(bytes);
    Message::binary(message)
}

pub(crate) fn sha256(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Bytes that do not repeat soon, so that a chunk at a wrong offset is detected.
pub(crate) fn content(size: usize) -> Vec<u8> {
    (0..size as u64).map(|index| (index.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 56) as u8).collect()
}

/// A name for an upload as a page would make it.
pub(crate) fn key(number: usize) -> String {
    format!("visitor-and-file-{number}")
}

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
    assert_eq!(watcher.next_of_type("added").await["file"], file);
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
    assert!(anyone.client.mistake(&remove(&key(2))).await.contains("you have no such file"));
    anyone.client.send(&remove(&key(1))).await;
    assert_eq!(anyone.next_of_type("removed").await["ids"], serde_json::json!([id]));
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

/// What the binary leaves on disk: nothing.
#[cfg(unix)]
mod on_disk {
    use std::fs;
    use std::path::Path;

    use super::{Sender, key};
    use crate::process::Process;

    fn start(folder: &Path) -> Process {
        Process::start(&["--files-dir", folder.to_str().unwrap(), "--drain", "0"])
    }

    fn folders(parent: &Path) -> Vec<String> {
        fs::read_dir(parent).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    /// Leaves a file and the half of another one.
    async fn leave(process: &Process) {
        let mut sender = Sender::at(process.address, "/files").await;
        sender.send("whole", b"hello", &key(1)).await;
        sender.ready("half", 10, &key(2)).await;
        sender.put(0, b"hello").await;
    }

    #[tokio::test]
    async fn a_server_that_is_stopped_removes_its_files() {
        let parent = tempfile::tempdir().unwrap();
        let mut process = start(parent.path());
        leave(&process).await;
        assert_eq!(folders(parent.path()).len(), 1);
        process.signal("-TERM");
        assert!(process.child.wait().unwrap().success());
        assert_eq!(folders(parent.path()), [""; 0]);
    }

    #[tokio::test]
    async fn the_next_server_removes_the_files_of_a_killed_one_and_keeps_those_of_a_running_one() {
        let parent = tempfile::tempdir().unwrap();
        let (mut killed, other) = (start(parent.path()), start(parent.path()));
        leave(&other).await;
        let others = folders(parent.path());
        leave(&killed).await;
        killed.signal("-KILL");
        killed.child.wait().unwrap();
        assert_eq!(folders(parent.path()).len(), 2);
        let _next = start(parent.path());
        assert_eq!(folders(parent.path()), others);
    }

    #[tokio::test]
    async fn other_users_of_the_machine_cannot_read_the_files() {
        use std::os::unix::fs::PermissionsExt;
        let parent = tempfile::tempdir().unwrap();
        let process = start(parent.path());
        leave(&process).await;
        let folder = parent.path().join(&folders(parent.path())[0]);
        assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700);
    }

    #[tokio::test]
    async fn a_file_that_grows_beyond_what_the_system_lets_the_server_write_does_not_end_it() {
        // 100 blocks of 512 bytes, or of 1024.
        let mut process = Process::after("ulimit -f 100", &["--drain", "0"]);
        let mut sender = Sender::at(process.address, "/files").await;
        sender.ready("large", 200_000, &key(1)).await;
        sender.chunk(0, &[7; 200_000]).await;
        let failed = sender.next().await;
        assert!(failed["error"].as_str().unwrap().contains("cannot write the file"), "{failed}");
        sender.send("small", b"hello", &key(2)).await;
        process.signal("-TERM");
        assert!(process.end().await.success());
    }
}

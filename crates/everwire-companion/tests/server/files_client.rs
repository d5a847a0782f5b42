use std::net::SocketAddr;

use everwire_test_client::Client;
use futures_util::SinkExt;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};
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
            let news = self.client.json().await;
            if !matches!(news["type"].as_str(), Some("added" | "removed")) {
                return news;
            }
        }
    }

    /// The next message of this type.
    pub(crate) async fn hears(&mut self, kind: &str) -> Value {
        loop {
            let news = self.client.json().await;
            if news["type"] == kind {
                return news;
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

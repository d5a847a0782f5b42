use std::time::Duration;

use everwire_test_client::{Client, TIMEOUT};
use futures_util::stream::SplitStream;
use futures_util::{SinkExt, StreamExt};
use tokio::net::TcpStream;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::Harness;

/// A server with tight limits for slow readers.
async fn harness() -> Harness {
    Harness::start(|config| {
        config.connection.backlog_bytes = 256 << 10;
        // It may take its time to read what is under way, and what comes behind that.
        config.connection.close = TIMEOUT;
    })
    .await
}

#[tokio::test]
async fn a_slow_reader_is_closed_with_1013_and_counted_and_a_fast_one_misses_nothing() {
    let harness = harness().await;
    let mut slow = Client::with_small_buffer(harness.address(), "/broadcast").await;
    slow.ask(r#"{"ping":1}"#).await;
    let mut fast = harness.client("/broadcast").await;
    let mut sent = 0_u32;
    let flood = async {
        while harness.drops("/broadcast", "slow_reader").await == 0 {
            for _ in 0..20 {
                let mut message = vec![0; 64 << 10];
                message[..4].copy_from_slice(&sent.to_be_bytes());
                // It comes back although the slow reader does not take it: no client waits for another.
                fast.echoes(Message::binary(message)).await;
                sent += 1;
            }
        }
    };
    timeout(TIMEOUT, flood).await.expect("a reader that never reads must be noticed");
    assert_eq!(slow.closed().await.0, 1013);
    fast.echoes(Message::text("still served")).await;
}

#[tokio::test]
async fn a_slow_reader_reads_in_order_and_without_a_gap() {
    let harness = harness().await;
    let mut slow = Client::with_small_buffer(harness.address(), "/ticker?rate=10000").await;
    let counted = async { while harness.drops("/ticker", "slow_reader").await == 0 {} };
    timeout(TIMEOUT, counted).await.expect("a reader that never reads must be noticed");
    let mut last = slow.json().await["seq"].as_u64().unwrap();
    loop {
        match slow.message().await {
            Message::Text(text) => {
                let updates: serde_json::Value = serde_json::from_str(&text).unwrap();
                for update in updates["updates"].as_array().unwrap() {
                    last += 1;
                    assert_eq!(update["seq"], last);
                }
            }
            Message::Close(frame) => break assert_eq!(u16::from(frame.unwrap().code), 1013),
            other => panic!("{other:?}"),
        }
    }
}

/// Its stream is observed, so that it is written through the stream with the time limits of HTTP.
#[tokio::test]
async fn a_client_of_the_lab_that_sends_without_reading_is_counted_as_a_slow_reader() {
    let harness = Harness::start(|config| config.connection.write = Duration::from_millis(300)).await;
    send_without_reading(&harness, "/lab/socket?call=x").await.1.abort();
}

/// Sends until the server counts a slow reader. Returns the reading half, and the task that continues to send.
async fn send_without_reading(
    harness: &Harness,
    path: &str,
) -> (SplitStream<WebSocketStream<TcpStream>>, JoinHandle<()>) {
    let client = Client::with_small_buffer(harness.address(), path).await;
    let (mut write, read) = client.socket.split();
    let sending = tokio::spawn(async move { while write.send(Message::binary(vec![0; 64 << 10])).await.is_ok() {} });
    let endpoint = path.split('?').next().unwrap();
    let counted = async { while harness.drops(endpoint, "slow_reader").await == 0 {} };
    timeout(TIMEOUT, counted).await.expect("a client that never reads must be noticed");
    (read, sending)
}

#[tokio::test]
async fn a_client_that_sends_without_reading_is_slowed_down_and_then_closed_with_1013() {
    let harness = Harness::start(|config| {
        config.connection.write = Duration::from_millis(300);
        // The client may take its time to read what is under way.
        config.connection.close = TIMEOUT;
    })
    .await;
    let (mut read, sending) = send_without_reading(&harness, "/echo").await;
    let read_to_the_end = async {
        while let Some(Ok(message)) = read.next().await {
            if let Message::Close(frame) = message {
                return u16::from(frame.unwrap().code);
            }
        }
        panic!("no close frame");
    };
    assert_eq!(timeout(TIMEOUT, read_to_the_end).await.expect("a close frame in time"), 1013);
    sending.abort();
}

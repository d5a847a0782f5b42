//! Backpressure: nothing is sent faster than the network takes it, and everybody can wait for it.

use core::{
    pin::Pin,
    task::{Context, Waker},
};
use std::sync::Arc;

use everwire::{Message, OutboxLimits, SendError, Socket, Watermarks};
use futures_util::Sink;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{Wakes, message, nobody, opened, within},
};

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_sender_that_waits_until_the_socket_is_ready_never_overruns_the_outbox() {
    let server = TestServer::start().await;
    let outbox = OutboxLimits::default().max_messages(4).max_bytes(300_000);
    let watermarks = Watermarks::default().high(200_000).low(100_000);
    let mut socket = Socket::builder(server.url("/echo")).outbox(outbox).watermarks(watermarks).open().unwrap();
    opened(&mut socket).await;
    let chunk = vec![7_u8; 64_000];
    let handle = socket.handle().clone();
    let sending = async {
        for _ in 0..50 {
            handle.ready().await.unwrap();
            handle.send(chunk.clone()).unwrap();
        }
        handle.flush().await.unwrap();
        assert_eq!((handle.buffered_amount(), handle.stats().queued_messages), (0, 0));
    };
    let receiving = async {
        for _ in 0..50 {
            assert_eq!(message(&mut socket).await.len(), 64_000);
        }
    };
    within("all was sent and echoed", futures_util::future::join(sending, receiving)).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_full_outbox_hands_the_message_back() {
    let outbox = OutboxLimits::default().max_messages(1);
    let socket = Socket::builder(nobody(4)).outbox(outbox).open().unwrap();
    socket.send("fits").unwrap();
    let error = socket.send("does not").unwrap_err();
    assert_eq!(error, SendError::Full(Message::from("does not")));
    assert!(error.is_retryable() && error.to_string().contains("await ready()"));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn waiting_ends_with_an_error_when_the_connection_does() {
    let outbox = OutboxLimits::default().max_messages(1);
    let socket = Socket::builder(nobody(5)).outbox(outbox).open().unwrap();
    socket.send("never sent").unwrap();
    let handle = socket.handle().clone();
    let (ready, flushed, _) = within("both waits ended", async {
        futures_util::future::join3(handle.ready(), handle.flush(), async { drop(socket) }).await
    })
    .await;
    assert_eq!((ready, flushed), (Err(SendError::ClosedWhileWaiting), Err(SendError::ClosedWhileWaiting)));
}

/// A task that drives the connection each time it is polled, and is woken by that, never lets the browser's event loop run again.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_wait_does_not_wake_itself() {
    let mut socket = Socket::builder(nobody(6)).open().unwrap();
    socket.send("waits").unwrap();
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    for _ in 0..3 {
        assert!(Pin::new(&mut socket).poll_flush(&mut context).is_pending());
    }
    assert_eq!(wakes.count(), 0);
    drop(socket.close());
    assert!(wakes.count() > 0);
}

//! Every fault that the companion server can make, survived.

use everwire::{Cause, Heartbeat, Message, Sent, Socket};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{brisk, dropped, eager, faulty_once, message, opened, text},
};

/// A documented reconnect that is never made (dioxus-fullstack), or is by hand only (most of the field).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_cut_line_does_not_end_the_conversation() {
    let server = TestServer::start().await;
    let mut socket =
        faulty_once(server.url("/echo?fault=drop:2"), server.url("/echo")).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    socket.send("one").unwrap();
    let Cause::Closed { code, was_clean, .. } = dropped(&mut socket).await.cause else { panic!("not closed") };
    assert_eq!((code, was_clean), (1006, false));
    assert!(matches!(socket.send("two"), Ok(Sent::Queued(_))));
    assert!(opened(&mut socket).await.is_reconnect);
    assert_eq!(text(&mut socket).await, "two");
    let stats = socket.stats();
    assert_eq!((stats.opened, stats.dropped), (2, 1));
}

/// Heartbeats that expect no answer never find a half-open link (leptos-use, supabase).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_half_open_link_is_not_trusted_for_ever() {
    let server = TestServer::start().await;
    let mut socket = faulty_once(server.url("/echo?fault=half-open:2"), server.url("/echo"))
        .backoff(eager())
        .heartbeat(Heartbeat::ping().schedule(brisk()))
        .open()
        .unwrap();
    // Sent before there is a connection: a ping that came first would be one of the two messages.
    socket.send("one").unwrap();
    assert_eq!(text(&mut socket).await, "one");
    let cause = dropped(&mut socket).await.cause;
    assert!(matches!(cause, Cause::HeartbeatTimeout { .. }), "{cause:?}");
    opened(&mut socket).await;
    socket.send("two").unwrap();
    assert_eq!(text(&mut socket).await, "two");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_refused_handshake_is_tried_again() {
    let server = TestServer::start().await;
    let mut socket =
        faulty_once(server.url("/echo?fault=refuse:503"), server.url("/echo")).backoff(eager()).open().unwrap();
    assert_eq!(dropped(&mut socket).await.attempt, 1);
    assert_eq!(opened(&mut socket).await.failures, 1);
}

/// `unreachable!` in a callback ends the application (wasm-sockets, yew-hooks, leptos-use, gloo-net).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn garbage_is_not_a_panic_but_messages() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo?fault=garbage")).unwrap();
    opened(&mut socket).await;
    let (mut texts, mut binaries) = (0, 0);
    let mut sent = 0;
    while texts == 0 || binaries == 0 {
        socket.send("hello").unwrap();
        sent += 1;
        match message(&mut socket).await {
            Message::Text(text) if text != "hello" => texts += 1,
            Message::Binary(_) => binaries += 1,
            _ => {}
        }
        assert!(sent < 1_000, "no garbage came");
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_slow_server_is_waited_for() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo?fault=delay:100")).unwrap();
    socket.send("slow").unwrap();
    assert_eq!(text(&mut socket).await, "slow");
}

/// A connection that is cut takes along what the browser had yet to send, and Chromium counts nothing any more by the time that it
/// says so.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_was_still_held_when_the_line_was_cut_is_told() {
    let server = TestServer::start().await;
    let mut socket =
        faulty_once(server.url("/echo?fault=drop:1"), server.url("/echo")).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    socket.send("the server hangs up at this").unwrap();
    // More than the system's own buffers take.
    let large = socket.send(vec![0_u8; 30_000_000]).unwrap();
    let at_risk = dropped(&mut socket).await.at_risk;
    assert!(at_risk.bytes > 0 && at_risk.messages.contains(&large.id()), "{at_risk:?}");
}

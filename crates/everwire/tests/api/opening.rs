//! From an address to an open connection, or to a clear error.

use everwire::{Cause, OpenError, Protocols, ReadyState, Socket, State};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{dropped, eager, nobody, opened},
};

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_socket_opens_in_the_background_and_tells_where_it_is() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    assert_eq!((socket.state(), socket.handle().ready_state()), (State::Connecting, ReadyState::Connecting));
    let open = opened(&mut socket).await;
    assert_eq!((open.url, open.is_reconnect, open.failures), (server.url("/echo"), false, 0));
    assert_eq!(
        (socket.state(), socket.handle().ready_state(), socket.handle().url()),
        (State::Open, ReadyState::Open, server.url("/echo"))
    );
    assert_eq!(socket.stats().opened, 1);
}

/// Joined by a comma, several names are one invalid name (tokio-tungstenite-wasm 0.9).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn several_subprotocols_are_not_offered_as_one_and_the_choice_is_not_read_before_the_handshake() {
    let server = TestServer::start().await;
    let protocols = Protocols::new(["chat.v2", "chat.v1"]).unwrap();
    let mut socket = Socket::builder(server.url("/echo")).protocols(protocols).open().unwrap();
    assert_eq!(socket.handle().protocol(), "");
    assert_eq!(opened(&mut socket).await.protocol, "chat.v2");
    assert_eq!(socket.handle().protocol(), "chat.v2");
}

/// `WebSocket::new(..).unwrap()` ends the application (yew-hooks, leptos-use).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_bad_address_is_not_a_panic_but_an_error_that_says_what_to_do() {
    for (url, advice) in [
        ("ftp://example.org/", "scheme has to be ws or wss"),
        ("ws://example.org/#part", "leave out the part from #"),
        ("ws://example.org/#", "leave out the part from #"),
        ("ws://", "write it as wss://host/path"),
    ] {
        let OpenError::Address { url: named, problem } = Socket::open(url).unwrap_err() else { panic!("{url}") };
        assert!(named == url && problem.contains(advice), "{url}: {problem}");
    }
}

/// A client that waits for `open` alone notices a refused connection by its timeout only (supabase-client-realtime, yawc#43).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_refused_connection_is_not_noticed_by_the_timeout_but_at_once() {
    let mut socket = Socket::builder(nobody(7)).backoff(eager()).open().unwrap();
    let dropped = dropped(&mut socket).await;
    let Cause::Closed { code, was_clean, .. } = dropped.cause else { panic!("{:?}", dropped.cause) };
    assert_eq!((code, was_clean, dropped.attempt), (1006, false, 1));
}

/// `reconnect_attempts(None)` dials without any delay (matchbox 0.15).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn retries_are_not_made_without_delay() {
    let backoff = eager();
    let floor = backoff.floor;
    let mut socket = Socket::builder(nobody(8)).backoff(backoff).open().unwrap();
    for attempt in 1..=3 {
        let dropped = dropped(&mut socket).await;
        assert_eq!(dropped.attempt, attempt);
        assert!(dropped.retry_in >= Some(floor.into()), "{dropped:?}");
    }
}

/// Closures that are freed while they are registered are "invoked after being dropped" (tokio-tungstenite-wasm,
/// reqwest-websocket, supabase).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_socket_dropped_while_it_dials_does_not_come_back_later() {
    let server = TestServer::start().await;
    for _ in 0..20 {
        drop(Socket::open(server.url("/echo")).unwrap());
    }
    let handle = Socket::open(server.url("/echo")).unwrap().handle().clone();
    assert_eq!(handle.state(), State::Closed);
    handle.reconnect();
    assert_eq!(handle.state(), State::Closed);
    let mut other = Socket::open(server.url("/echo")).unwrap();
    opened(&mut other).await;
    assert_eq!(handle.stats().opened, 0);
}

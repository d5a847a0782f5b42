//! The end of a connection, asked for by either side.

use core::time::Duration;

use everwire::{Cause, CloseCode, CloseReason, Decision, Ended, Event, ReadyState, ReconnectPolicy, Socket, State};
use futures_util::{SinkExt, StreamExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{closed, dropped, eager, nobody, opened, text, within},
};

/// A sink's `close` that returns without closing leaves the connection open (gloo-net 0.7).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn closing_the_sink_does_not_leave_the_socket_open() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    within("the sink closed", SinkExt::close(&mut socket)).await.unwrap();
    assert_eq!((socket.state(), socket.handle().ready_state()), (State::Closed, ReadyState::Closed));
    let Ended::ByApplication { code, was_clean, .. } = closed(&mut socket).await.ended else { panic!("not by us") };
    assert_eq!((code, was_clean), (1000, true));
    assert!(socket.next().await.is_none());
}

/// A reason without a code is sent with 1005, which a browser throws for (gloo-net 0.7).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_reason_does_not_need_a_code_that_throws() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    let reason = CloseReason::new("that was all").unwrap();
    let closed = within("it closed", socket.close_with(CloseCode::default(), reason)).await;
    let Ended::ByApplication { code, was_clean, .. } = closed.ended else { panic!("{closed:?}") };
    assert_eq!((code, was_clean), (1000, true));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_was_sent_before_the_close_or_the_drop_is_not_lost() {
    let server = TestServer::start().await;
    let mut observer = Socket::open(server.url("/broadcast")).unwrap();
    // Whoever hears itself hears the others, too; the handshake alone does not say that.
    observer.send("here").unwrap();
    while text(&mut observer).await != "here" {}
    for end in ["close", "drop"] {
        let mut speaker = Socket::open(server.url("/broadcast")).unwrap();
        opened(&mut speaker).await;
        let words = format!("last words before the {end}");
        speaker.send(words.as_str()).unwrap();
        if end == "close" {
            drop(speaker.close());
            closed(&mut speaker).await;
        } else {
            drop(speaker);
        }
        while text(&mut observer).await != words {}
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_waited_when_the_connection_was_closed_is_handed_back() {
    let socket = Socket::builder(nobody(1)).open().unwrap();
    let id = socket.send("never sent").unwrap().id();
    drop(socket.close());
    let events: Vec<_> = within("the stream ended", socket.collect()).await;
    let discarded = events.iter().find_map(|event| match event {
        Event::Discarded(discarded) => Some((discarded.id, discarded.message.clone())),
        _ => None,
    });
    assert_eq!(discarded, Some((id, "never sent".into())));
    assert!(matches!(events.last(), Some(Event::Closed(_))));
}

/// `close(1001)` throws in a browser, and a `Drop` that ignores it leaves the socket open (libp2p websocket-websys); others do
/// not close at all (ewebsock#4).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_dropped_socket_does_not_stay_open() {
    let server = TestServer::start().await;
    let mut observer = Socket::open(server.url("/tracker")).unwrap();
    let mut other = Socket::open(server.url("/tracker")).unwrap();
    // Whoever was welcomed hears of the others; the handshake alone does not say that.
    text(&mut observer).await;
    let welcome: serde_json::Value = serde_json::from_str(&text(&mut other).await).unwrap();
    let id = welcome["id"].clone();
    other.send(r#"{"type":"position","lat":1.0,"lon":2.0,"accuracy":3.0}"#).unwrap();
    let of_other = |wanted: &'static str, id: serde_json::Value| {
        move |event: Event| match event {
            Event::Message(message) => {
                let message: serde_json::Value = serde_json::from_str(message.as_text()?).ok()?;
                (message["type"] == wanted && message["id"] == id).then_some(())
            }
            _ => None,
        }
    };
    crate::tools::next(&mut observer, "the other shared its position", of_other("position", id.clone())).await;
    drop(other);
    crate::tools::next(&mut observer, "the other had left", of_other("left", id)).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_server_that_is_done_is_not_dialled_again() {
    let server = TestServer::start().await;
    let mut socket = Socket::builder(server.url("/hello")).backoff(eager()).open().unwrap();
    socket.send("Ann").unwrap();
    assert_eq!(text(&mut socket).await, "Hello Ann!");
    let Ended::Final(Cause::Closed { code, was_clean, .. }) = closed(&mut socket).await.ended else {
        panic!("not final")
    };
    assert_eq!((code, was_clean), (1000, true));
    assert!(socket.next().await.is_none());
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn the_code_and_reason_of_the_server_are_told() {
    let server = TestServer::start().await;
    let mut socket = Socket::builder(server.url("/echo?fault=close:4000")).backoff(eager()).open().unwrap();
    let Cause::Closed { code, was_clean, .. } = dropped(&mut socket).await.cause else { panic!("not closed") };
    assert_eq!((code, was_clean), (4000, true));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn an_application_can_replace_the_reconnect_policy() {
    let server = TestServer::start().await;
    let policy = ReconnectPolicy::new(|cause| match cause {
        Cause::Closed { code: 4000, .. } => Decision::Stop,
        other => ReconnectPolicy::default().decide(other),
    });
    let mut socket = Socket::builder(server.url("/echo?fault=close:4000")).reconnect_policy(policy).open().unwrap();
    let ended = closed(&mut socket).await.ended;
    assert!(matches!(ended, Ended::Final(Cause::Closed { code: 4000, .. })), "{ended:?}");
}

/// After the last retry, or a close and a reopen in quick succession, `reconnect()` does nothing any more
/// (reconnecting-websocket#125, #165).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn reconnect_is_not_dead_after_a_close() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    drop(socket.close());
    socket.reconnect();
    opened(&mut socket).await;
    socket.send("back").unwrap();
    assert_eq!(text(&mut socket).await, "back");
    within("it closed", socket.close()).await;
    socket.reconnect();
    assert!(opened(&mut socket).await.is_reconnect);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn retries_end_where_the_application_says_and_can_be_asked_for_again() {
    let backoff = eager().max_retries(2);
    let mut socket = Socket::builder(nobody(2)).backoff(backoff).open().unwrap();
    for _ in 0..2 {
        let ended = closed(&mut socket).await.ended;
        assert!(matches!(ended, Ended::Exhausted(_)), "{ended:?}");
        assert_eq!(socket.state(), State::Closed);
        socket.reconnect();
    }
    assert_ne!(socket.state(), State::Closed);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_close_while_dialling_ends_at_once() {
    let socket = Socket::builder(nobody(3)).connect_timeout(Duration::from_secs(60)).open().unwrap();
    let closed = within("it closed", socket.close()).await;
    assert!(matches!(closed.ended, Ended::ByApplication { code: 1000, was_clean: false, .. }), "{closed:?}");
}

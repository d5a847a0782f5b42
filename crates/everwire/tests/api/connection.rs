//! The life of a connection: opening, faults, reconnects, and its end by either side.

use core::{
    future::pending,
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use std::sync::Arc;

use everwire::{
    Address, AtRisk, Attempt, Cause, CloseCode, CloseReason, Decision, Ended, Event, Heartbeat, Message, OpenError,
    Protocols, ReadyState, ReconnectPolicy, Sent, Socket, State,
};
use futures_util::{SinkExt, StreamExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{
    TestServer, brisk, closed, dropped, eager, faulty_once, message, opened, text, unused_address, within,
};

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_socket_opens_in_the_background_and_reports_its_state_and_url() {
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
async fn a_refused_connection_is_reported_at_once_and_not_by_the_timeout() {
    let mut socket = Socket::builder(unused_address(7)).backoff(eager()).open().unwrap();
    let dropped = dropped(&mut socket).await;
    let Cause::Closed { code, was_clean, .. } = dropped.cause else { panic!("{:?}", dropped.cause) };
    assert_eq!((code, was_clean, dropped.attempt), (1006, false, 1));
}

/// `reconnect_attempts(None)` dials without any delay (matchbox 0.15).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn retries_are_not_made_without_delay() {
    let backoff = eager();
    let floor = backoff.floor;
    let mut socket = Socket::builder(unused_address(8)).backoff(backoff).open().unwrap();
    for attempt in 1..=3 {
        let dropped = dropped(&mut socket).await;
        assert_eq!(dropped.attempt, attempt);
        assert!(dropped.retry_in >= Some(floor.into()), "{dropped:?}");
    }
}

/// Closures that are freed while they are registered are "invoked after being dropped" (tokio-tungstenite-wasm,
/// reqwest-websocket, supabase).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_socket_dropped_while_it_connects_does_not_come_back_later() {
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

/// A documented reconnect that is never made (dioxus-fullstack), or is by hand only (most of the field).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_connection_that_is_cut_is_replaced_and_messages_go_on() {
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
async fn a_half_open_link_is_detected_and_replaced() {
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
async fn what_was_still_buffered_when_the_connection_was_cut_is_reported() {
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

/// A rejected address promise leaves the client stuck for ever (reconnecting-websocket#134).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_fails_is_called_again() {
    let server = TestServer::start().await;
    let url = server.url("/echo");
    let provide = move |attempt: Attempt| {
        let answer = if attempt.failures < 2 { Err("no token today") } else { Ok(url.clone()) };
        async move { answer }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    for _ in 0..2 {
        assert_eq!(dropped(&mut socket).await.cause, Cause::ProviderFailed("no token today".to_owned()));
    }
    opened(&mut socket).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_hangs_does_not_outlast_the_connect_timeout() {
    // The second time it answers at once. What it says is an error, since the timeout is too short for a handshake on a busy machine.
    let provide = |attempt: Attempt| async move {
        if attempt.failures == 0 { pending().await } else { Err::<String, _>("asked again") }
    };
    let timeout = Duration::from_millis(200);
    let mut socket =
        Socket::builder_with_url_provider(provide).backoff(eager()).connect_timeout(timeout).open().unwrap();
    assert_eq!(dropped(&mut socket).await.cause, Cause::ConnectTimeout);
    assert_eq!(dropped(&mut socket).await.cause, Cause::ProviderFailed("asked again".to_owned()));
}

/// An expired token is replayed for ever (streamlabs/desktop#6203, supabase-js#2613).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn credentials_are_requested_for_each_attempt_and_not_replayed() {
    let server = TestServer::start().await;
    let asked = Arc::new(AtomicU32::new(0));
    let counter = asked.clone();
    let url = server.url("/echo");
    let provide = move |_| {
        let token = format!("token-{}", counter.fetch_add(1, Ordering::Relaxed));
        let address = Address::new(url.clone()).protocols(Protocols::new([token]).unwrap());
        async move { Ok::<_, String>(address) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    assert_eq!(opened(&mut socket).await.protocol, "token-0");
    socket.reconnect();
    assert_eq!(opened(&mut socket).await.protocol, "token-1");
    assert_eq!(asked.load(Ordering::Relaxed), 2);
}

/// A token that has expired ends the connection, although the next one is available (nyaruka/rapidpro#6836).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn credentials_that_the_server_refuses_are_renewed_where_a_provider_gives_them() {
    let server = TestServer::start().await;
    let urls = [server.url("/echo?fault=close:4401"), server.url("/echo?fault=close:3000"), server.url("/echo")];
    let asked = Arc::new(AtomicU32::new(0));
    let provide = move |_| {
        let url = urls[asked.fetch_add(1, Ordering::Relaxed) as usize].clone();
        async move { Ok::<_, String>(url) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    for refused in [4401, 3000] {
        let dropped = dropped(&mut socket).await;
        assert!(matches!(dropped.cause, Cause::Closed { code, .. } if code == refused), "{dropped:?}");
        assert!(dropped.retry_in >= Some(eager().floor.into()), "{dropped:?}");
    }
    opened(&mut socket).await;
    let mut fixed = Socket::builder(server.url("/echo?fault=close:4401")).backoff(eager()).open().unwrap();
    let ended = closed(&mut fixed).await.ended;
    assert!(matches!(ended, Ended::Final(Cause::Closed { code: 4401, .. })), "{ended:?}");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_provider_that_gives_a_bad_address_may_give_a_better_one() {
    let server = TestServer::start().await;
    let url = server.url("/echo");
    let provide = move |attempt: Attempt| {
        let url = if attempt.failures == 0 { "ftp://example.org".to_owned() } else { url.clone() };
        async move { Ok::<_, String>(url) }
    };
    let mut socket = Socket::builder_with_url_provider(provide).backoff(eager()).open().unwrap();
    let cause = dropped(&mut socket).await.cause;
    assert!(matches!(cause, Cause::ProviderFailed(_)), "{cause:?}");
    opened(&mut socket).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_requested_connection_replaces_the_old_one_which_reports_nothing_more() {
    let server = TestServer::start().await;
    // It goes on for longer than any machine takes to ask.
    let mut socket = Socket::open(server.url("/countdown?from=100000&every=1")).unwrap();
    assert_eq!(text(&mut socket).await, "100000");
    socket.reconnect();
    let dropped = dropped(&mut socket).await;
    assert_eq!((dropped.cause, dropped.at_risk), (Cause::Requested, AtRisk::default()));
    opened(&mut socket).await;
    assert_eq!(text(&mut socket).await, "100000");
    assert_eq!(text(&mut socket).await, "99999");
}

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
    // A client that receives its own message receives those of others, too; the handshake alone does not prove it.
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
    let socket = Socket::builder(unused_address(1)).open().unwrap();
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
    // A welcomed client receives the events of others; the handshake alone does not prove it.
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
    crate::support::next(&mut observer, "the other shared its position", of_other("position", id.clone())).await;
    drop(other);
    crate::support::next(&mut observer, "the other had left", of_other("left", id)).await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_server_that_closed_with_1000_is_not_connected_to_again() {
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
async fn the_code_and_reason_of_the_server_are_reported() {
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
async fn retries_end_at_the_limit_of_the_application_and_a_reconnect_starts_them_again() {
    let backoff = eager().max_retries(2);
    let mut socket = Socket::builder(unused_address(2)).backoff(backoff).open().unwrap();
    for _ in 0..2 {
        let ended = closed(&mut socket).await.ended;
        assert!(matches!(ended, Ended::Exhausted(_)), "{ended:?}");
        assert_eq!(socket.state(), State::Closed);
        socket.reconnect();
    }
    assert_ne!(socket.state(), State::Closed);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_close_while_connecting_ends_at_once() {
    let socket = Socket::builder(unused_address(3)).connect_timeout(Duration::from_secs(60)).open().unwrap();
    let closed = within("it closed", socket.close()).await;
    assert!(matches!(closed.ended, Ended::ByApplication { code: 1000, was_clean: false, .. }), "{closed:?}");
}

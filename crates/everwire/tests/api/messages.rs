//! What is sent and received.

use core::{
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::Arc;

use everwire::{Cause, Event, Heartbeat, InboxLimits, Message, Pong, SendError, SendOptions, Sent, Socket};
use futures_util::{SinkExt, StreamExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{Wakes, brisk, closed, dropped, eager, message, next, opened, text, within},
};

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn text_and_binary_come_back_unchanged_and_in_order() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    let messages = [
        Message::from("plain"),
        Message::from("Grüße, 世界, 🦀"),
        Message::from(""),
        Message::from((0..=255).collect::<Vec<u8>>()),
        Message::from(Vec::new()),
        Message::from("x".repeat(100_000)),
        Message::from("Grüße, 世界, 🦀. ".repeat(1_000)),
        Message::from(format!("{}🦀", "x".repeat(300))),
        Message::from(r#"{"pong":"not an answer"}"#),
    ];
    for message in &messages {
        socket.send(message.clone()).unwrap();
    }
    for sent in &messages {
        assert_eq!(&message(&mut socket).await, sent);
    }
    let stats = socket.stats();
    assert_eq!((stats.messages_out, stats.messages_in), (9, 9));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_is_sent_while_connecting_is_queued_and_arrives_before_what_is_sent_after() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    assert!(matches!(socket.send("first"), Ok(Sent::Queued(_))));
    opened(&mut socket).await;
    assert!(matches!(socket.send("second"), Ok(Sent::Transmitted(_))));
    assert_eq!((text(&mut socket).await, text(&mut socket).await), ("first".to_owned(), "second".to_owned()));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn on_open_messages_are_sent_first_on_every_connection() {
    let server = TestServer::start().await;
    let messages = |opened: &everwire::Opened| vec![Message::from(format!("again: {}", opened.is_reconnect))];
    let mut socket = Socket::builder(server.url("/echo")).on_open_messages(messages).open().unwrap();
    socket.send("waiting").unwrap();
    assert_eq!(text(&mut socket).await, "again: false");
    assert_eq!(text(&mut socket).await, "waiting");
    socket.reconnect();
    assert_eq!(text(&mut socket).await, "again: true");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_socket_can_be_split_into_a_stream_and_a_sink() {
    let server = TestServer::start().await;
    let (mut sink, stream) = Socket::open(server.url("/echo")).unwrap().split();
    let texts = stream.filter_map(|event| async {
        match event {
            Event::Message(Message::Text(text)) => Some(text),
            _ => None,
        }
    });
    let sending = async {
        for text in ["a", "b", "c"] {
            sink.send(text.into()).await.unwrap();
        }
    };
    let (received, ()) =
        within("three echoes came", futures_util::future::join(texts.take(3).collect::<Vec<_>>(), sending)).await;
    assert_eq!(received, ["a", "b", "c"]);
}

/// Several wrappers queue without bound what nobody reads (gloo-net, ws_stream_wasm, reqwest-websocket, yawc, supabase).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_nobody_reads_does_not_pile_up_without_bound_or_word() {
    let server = TestServer::start().await;
    let limits = InboxLimits::default().max_messages(10);
    let mut reader = Socket::open(server.url("/echo")).unwrap();
    let mut lazy = Socket::builder(server.url("/echo")).inbox(limits).open().unwrap();
    opened(&mut reader).await;
    for n in 0..100 {
        lazy.send(n.to_string()).unwrap();
    }
    // While another socket is read, the echoes come in unread; the last of them shows in the statistics.
    while lazy.stats().messages_in < 100 {
        reader.send("turn").unwrap();
        text(&mut reader).await;
    }
    let missed = next(&mut lazy, "the gap was told", |event| match event {
        Event::Lagged { missed } => Some(missed),
        _ => None,
    })
    .await;
    assert_eq!((missed, lazy.stats().lagged), (90, 90));
    assert_eq!(text(&mut lazy).await, "90");
}

/// A task that is woken for each message costs more than the message.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn messages_that_arrive_before_the_reader_runs_wake_it_once_and_are_read_at_once() {
    let server = TestServer::start().await;
    let mut reader = Socket::open(server.url("/echo")).unwrap();
    let mut lazy = Socket::open(server.url("/echo")).unwrap();
    opened(&mut lazy).await;
    let wakes = Arc::new(Wakes::default());
    let waker = Waker::from(wakes.clone());
    let mut context = Context::from_waker(&waker);
    assert!(lazy.poll_next_unpin(&mut context).is_pending());
    for n in 0..100 {
        lazy.send(n.to_string()).unwrap();
    }
    while lazy.stats().messages_in < 100 {
        reader.send("turn").unwrap();
        text(&mut reader).await;
    }
    assert_eq!(wakes.count(), 1);
    for n in 0..100 {
        let Poll::Ready(Some(Event::Message(message))) = lazy.poll_next_unpin(&mut context) else { panic!("{n}") };
        assert_eq!(message, Message::from(n.to_string()));
    }
    assert!(lazy.poll_next_unpin(&mut context).is_pending());
    assert_eq!(wakes.count(), 1);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_message_with_a_key_waits_only_in_its_latest_form() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    let position = |text: &str| {
        let options = SendOptions::default().key("position");
        socket.send_with(text, options).unwrap().id()
    };
    let (first, _second) = (position("1"), position("2"));
    let discarded = next(&mut socket, "the first was discarded", |event| match event {
        Event::Discarded(discarded) => Some(discarded),
        _ => None,
    })
    .await;
    assert_eq!((discarded.id, discarded.message), (first, Message::from("1")));
    assert_eq!(text(&mut socket).await, "2");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_waited_is_reported_when_it_was_transmitted_where_that_is_asked_for() {
    let server = TestServer::start().await;
    for is_asked_for in [true, false] {
        let mut socket = Socket::builder(server.url("/echo")).report_transmitted(is_asked_for).open().unwrap();
        let keyed = || SendOptions::default().key("latest");
        let replaced = socket.send_with("replaced", keyed()).unwrap().id();
        let waited = [socket.send("one").unwrap().id(), socket.send_with("two", keyed()).unwrap().id()];
        let mut told = Vec::new();
        while told.last().is_none_or(|last| last != "not queued") {
            let event = next(&mut socket, "all was echoed", |event| match event {
                Event::Opened(_) => Some("opened".to_owned()),
                Event::Discarded(discarded) => Some(format!("discarded {:?}", discarded.id)),
                Event::Transmitted(id) => Some(format!("transmitted {id:?}")),
                Event::Message(message) => Some(message.as_text().unwrap().to_owned()),
                _ => None,
            });
            told.push(event.await);
            if told.last().is_some_and(|last| last == "two") {
                assert!(matches!(socket.send("not queued"), Ok(Sent::Transmitted(_))));
            }
        }
        let mut expected = vec![format!("discarded {replaced:?}"), "opened".to_owned()];
        if is_asked_for {
            expected.extend(waited.map(|id| format!("transmitted {id:?}")));
        }
        expected.extend(["one", "two", "not queued"].map(str::to_owned));
        assert_eq!(told, expected);
    }
}

/// After `CLOSED`, a browser's `send` does not throw, and a wrapper that trusts it loses messages (gloo#499).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_send_after_the_end_does_not_succeed_and_the_message_comes_back() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    drop(socket.close());
    assert_eq!(socket.send("too late"), Err(SendError::Closed(Message::from("too late"))));
    closed(&mut socket).await;
    assert_eq!(socket.send("too late"), Err(SendError::Closed(Message::from("too late"))));
    let waiting = SinkExt::<Message>::send(&mut socket, "too late".into()).await.unwrap_err();
    assert!(waiting == SendError::ClosedWhileWaiting && !waiting.is_retryable());
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn pings_measure_the_round_trip_and_do_not_reach_the_application() {
    let server = TestServer::start().await;
    let heartbeat = Heartbeat::ping().schedule(brisk());
    let mut socket = Socket::builder(server.url("/clock")).heartbeat(heartbeat).open().unwrap();
    for _ in 0..3 {
        let round_trip = next(&mut socket, "a round trip was measured", |event| match event {
            Event::Latency(round_trip) => Some(round_trip),
            Event::Message(message) => panic!("{message:?}"),
            _ => None,
        })
        .await;
        assert!(round_trip < Duration::from_secs(5));
    }
    let latency = socket.stats().latency;
    assert!(latency.count >= 3 && latency.min <= latency.p50 && latency.p50 <= latency.max, "{latency:?}");
    assert!(socket.handle().server_time().is_some_and(|time| time > 1.7e12));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_custom_heartbeat_sends_the_servers_own_ping_and_reads_its_answer() {
    let server = TestServer::start().await;
    let ask = |ping: u64| Message::from(format!("are you there? {ping}"));
    let answer = |message: &Message| message.as_text()?.strip_prefix("are you there? ")?.parse().ok().map(Pong::new);
    let heartbeat = Heartbeat::custom(ask, answer).schedule(brisk());
    let mut socket = Socket::builder(server.url("/echo")).heartbeat(heartbeat).open().unwrap();
    socket.send("of the application").unwrap();
    let mut texts = Vec::new();
    next(&mut socket, "a round trip was measured", |event| match event {
        Event::Message(message) => {
            texts.push(message);
            None
        }
        Event::Latency(_) => Some(()),
        _ => None,
    })
    .await;
    assert_eq!(texts, [Message::from("of the application")]);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_server_that_fell_silent_is_left_where_silence_means_that_it_is_dead() {
    let server = TestServer::start().await;
    let heartbeat = Heartbeat::silence(Duration::from_millis(300));
    let mut socket = Socket::builder(server.url("/echo")).heartbeat(heartbeat).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    let cause = dropped(&mut socket).await.cause;
    // Nobody was asked, so that nobody is told to choose another heartbeat.
    assert_eq!(cause, Cause::HeartbeatTimeout { ever_answered: true });
    assert_eq!(socket.stats().messages_out, 0);
}

/// Messages are no answers to pings, and prove just as well that the link lives.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_server_that_talks_is_not_given_up_whether_it_answers_pings_or_not() {
    let server = TestServer::start().await;
    let unanswered = Heartbeat::custom(|ping| Message::from(ping.to_string()), |_| None);
    // The countdown takes longer than either would wait for a server that says nothing.
    let url = server.url("/countdown?from=100&every=30");
    let heard = async |heartbeat| {
        let mut socket = Socket::builder(url.as_str()).heartbeat(heartbeat).open().unwrap();
        let mut counted = 0;
        while let Some(event) = within("the next event", socket.next()).await {
            match event {
                Event::Message(Message::Text(text)) if !text.starts_with('{') => counted += 1,
                Event::Dropped(dropped) => panic!("{}", dropped.cause),
                _ => {}
            }
        }
        counted
    };
    let asking = heard(unanswered.schedule(brisk()));
    let listening = heard(Heartbeat::silence(Duration::from_secs(2)));
    assert_eq!(futures_util::future::join(asking, listening).await, (101, 101));
}

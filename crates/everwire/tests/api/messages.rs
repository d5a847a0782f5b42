//! Messages: sending, receiving, backpressure, the heartbeat's messages, and events by a callback.

use core::{
    pin::Pin,
    task::{Context, Poll, Waker},
    time::Duration,
};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire::{
    Cause, Event, Heartbeat, InboxLimits, Message, OutboxLimits, Pong, SendError, SendOptions, Sent, Socket, Watermarks,
};
use futures_util::{Sink, SinkExt, StreamExt};
use wasm_bindgen_test::wasm_bindgen_test;

use crate::support::{
    TestServer, Wakes, brisk, closed, dropped, eager, message, next, opened, text, unused_address, within,
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

/// Several wrappers queue unread messages without bound (gloo-net, ws_stream_wasm, reqwest-websocket, yawc, supabase).
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn unread_messages_are_bounded_and_those_dropped_are_reported() {
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
    let missed = next(&mut lazy, "the gap was reported", |event| match event {
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
async fn a_queued_message_is_reported_when_it_was_transmitted_if_that_is_enabled() {
    let server = TestServer::start().await;
    for is_asked_for in [true, false] {
        let mut socket = Socket::builder(server.url("/echo")).report_transmitted(is_asked_for).open().unwrap();
        let keyed = || SendOptions::default().key("latest");
        let replaced = socket.send_with("replaced", keyed()).unwrap().id();
        let waited = [socket.send("one").unwrap().id(), socket.send_with("two", keyed()).unwrap().id()];
        let mut reports = Vec::new();
        while reports.last().is_none_or(|last| last != "not queued") {
            let event = next(&mut socket, "all was echoed", |event| match event {
                Event::Opened(_) => Some("opened".to_owned()),
                Event::Discarded(discarded) => Some(format!("discarded {:?}", discarded.id)),
                Event::Transmitted(id) => Some(format!("transmitted {id:?}")),
                Event::Message(message) => Some(message.as_text().unwrap().to_owned()),
                _ => None,
            });
            reports.push(event.await);
            if reports.last().is_some_and(|last| last == "two") {
                assert!(matches!(socket.send("not queued"), Ok(Sent::Transmitted(_))));
            }
        }
        let mut expected = vec![format!("discarded {replaced:?}"), "opened".to_owned()];
        if is_asked_for {
            expected.extend(waited.map(|id| format!("transmitted {id:?}")));
        }
        expected.extend(["one", "two", "not queued"].map(str::to_owned));
        assert_eq!(reports, expected);
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
async fn a_server_that_fell_silent_is_left_by_a_silence_heartbeat() {
    let server = TestServer::start().await;
    let heartbeat = Heartbeat::silence(Duration::from_millis(300));
    let mut socket = Socket::builder(server.url("/echo")).heartbeat(heartbeat).backoff(eager()).open().unwrap();
    opened(&mut socket).await;
    let cause = dropped(&mut socket).await.cause;
    // No ping was sent, so that the cause does not advise another heartbeat.
    assert_eq!(cause, Cause::HeartbeatTimeout { ever_answered: true });
    assert_eq!(socket.stats().messages_out, 0);
}

/// Messages are no answers to pings, and prove just as well that the link lives.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_server_that_sends_is_not_taken_for_dead_whether_it_answers_pings_or_not() {
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

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_sender_that_awaits_ready_never_overruns_the_outbox() {
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
    let socket = Socket::builder(unused_address(4)).outbox(outbox).open().unwrap();
    socket.send("fits").unwrap();
    let error = socket.send("does not").unwrap_err();
    assert_eq!(error, SendError::Full(Message::from("does not")));
    assert!(error.is_retryable() && error.to_string().contains("await ready()"));
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn waiting_ends_with_an_error_when_the_connection_does() {
    let outbox = OutboxLimits::default().max_messages(1);
    let socket = Socket::builder(unused_address(5)).outbox(outbox).open().unwrap();
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
    let mut socket = Socket::builder(unused_address(6)).open().unwrap();
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

/// What a callback has received, as short texts.
#[derive(Clone, Default)]
struct EventLog(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    texts: Vec<String>,
    waker: Option<Waker>,
}

impl EventLog {
    fn entries(&self) -> MutexGuard<'_, Entries> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, text: impl Into<String>) {
        let mut entries = self.entries();
        entries.texts.push(text.into());
        let waker = entries.waker.take();
        drop(entries);
        waker.into_iter().for_each(Waker::wake);
    }

    fn callback(&self) -> impl FnMut(Event) + use<> {
        let log = self.clone();
        move |event| log.push(short(&event))
    }

    async fn until(&self, last: &str) -> Vec<String> {
        within(
            last,
            core::future::poll_fn(|context| {
                let mut entries = self.entries();
                if entries.texts.last().is_some_and(|text| text == last) {
                    return Poll::Ready(entries.texts.clone());
                }
                entries.waker = Some(context.waker().clone());
                Poll::Pending
            }),
        )
        .await
    }
}

fn short(event: &Event) -> String {
    match event {
        Event::Opened(_) => "opened".to_owned(),
        Event::Message(message) => message.as_text().unwrap_or("bytes").to_owned(),
        Event::Discarded(discarded) => format!("discarded {}", discarded.message.as_text().unwrap_or("bytes")),
        Event::Dropped(_) => "dropped".to_owned(),
        Event::Closed(_) => "closed".to_owned(),
        _ => "other".to_owned(),
    }
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_callback_receives_every_event_in_order() {
    let server = TestServer::start().await;
    let log = EventLog::default();
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    socket.on_event(log.callback());
    for text in ["1", "2", "3"] {
        socket.send(text).unwrap();
    }
    log.until("3").await;
    let closing = socket.close();
    assert_eq!(log.until("closed").await, ["opened", "1", "2", "3", "closed"]);
    closing.await;
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn what_waited_is_delivered_when_a_callback_is_set_and_the_stream_ends() {
    let server = TestServer::start().await;
    let log = EventLog::default();
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    let mut other = Socket::open(server.url("/echo")).unwrap();
    socket.send("1").unwrap();
    while socket.stats().messages_in == 0 {
        other.send("turn").unwrap();
        text(&mut other).await;
    }
    socket.on_event(log.callback());
    assert!(log.entries().texts.is_empty(), "delivered within a call of the application");
    assert_eq!(log.until("1").await, ["opened", "1"]);
    assert_eq!(socket.next().await, None);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_callback_may_do_everything_and_never_runs_within_itself() {
    let server = TestServer::start().await;
    let log = EventLog::default();
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    let handle = socket.handle().clone();
    let entries = log.clone();
    socket.on_event(move |event| {
        let text = short(&event);
        entries.push(format!("{text} begins"));
        match text.as_str() {
            "opened" if handle.stats().opened == 1 => drop(handle.send("1").unwrap()),
            // The connection is lost, and open again, while the callback for this message runs.
            "1" => handle.reconnect(),
            "dropped" => drop(handle.send("2").unwrap()),
            "2" => drop(handle.close()),
            _ => {}
        }
        entries.push(format!("{text} ends"));
    });
    let entries = log.until("closed ends").await;
    for pair in entries.chunks(2) {
        let [begins, ends] = pair else { panic!("{entries:?}") };
        assert_eq!(begins.strip_suffix(" begins"), ends.strip_suffix(" ends"), "{entries:?}");
    }
    let begun: Vec<_> = entries.iter().filter_map(|entry| entry.strip_suffix(" begins")).collect();
    assert_eq!(begun, ["opened", "1", "dropped", "opened", "2", "closed"]);
}

/// A program that sends while it has something locked or borrowed would deadlock or panic.
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_callback_never_runs_within_a_call_of_the_application() {
    let state = Arc::new(Mutex::new(()));
    let log = EventLog::default();
    let mut socket = Socket::builder(unused_address(11)).open().unwrap();
    let (entries, locked) = (log.clone(), state.clone());
    socket.on_event(move |event| {
        let is_free = locked.try_lock().is_ok();
        entries.push(if is_free { short(&event) } else { "within a call".to_owned() });
    });
    let guard = state.lock().unwrap();
    for text in ["1", "2", "3"] {
        socket.send_with(text, SendOptions::default().key("latest")).unwrap();
    }
    drop(socket.close());
    drop(guard);
    let entries = log.until("closed").await;
    assert_eq!(entries, ["discarded 1", "discarded 2", "discarded 3", "closed"]);
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_dropped_socket_has_dropped_its_callback_though_that_holds_a_handle() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    let (handle, log) = (socket.handle().clone(), EventLog::default());
    let watch = Arc::downgrade(&log.0);
    socket.on_event(move |event| {
        log.push(short(&event));
        let _ = handle.send("again");
    });
    assert!(watch.upgrade().is_some());
    drop(socket);
    assert!(watch.upgrade().is_none());
}

#[cfg_attr(target_family = "wasm", allow(clippy::arc_with_non_send_sync, reason = "native programs have threads"))]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_callback_that_drops_its_socket_receives_nothing_more() {
    let server = TestServer::start().await;
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    opened(&mut socket).await;
    let held = Arc::new(Mutex::new(None));
    let log = EventLog::default();
    let (own, entries) = (held.clone(), log.clone());
    socket.on_event(move |event| {
        entries.push(short(&event));
        let socket: Option<Socket> = own.lock().unwrap().take();
        drop(socket);
        entries.push("dropped by the callback");
    });
    for text in ["1", "2", "3"] {
        socket.send(text).unwrap();
    }
    *held.lock().unwrap() = Some(socket);
    assert_eq!(log.until("dropped by the callback").await, ["1", "dropped by the callback"]);
    // Another connection's round trip is longer than what is left of this one.
    let mut other = Socket::open(server.url("/echo")).unwrap();
    other.send("done").unwrap();
    text(&mut other).await;
    assert_eq!(log.entries().texts.len(), 2);
    assert_eq!(Arc::strong_count(&held), 1, "the callback lives on");
}

#[wasm_bindgen_test(unsupported = tokio::test)]
async fn another_callback_replaces_the_first() {
    let server = TestServer::start().await;
    let (first, second) = (EventLog::default(), EventLog::default());
    let mut socket = Socket::open(server.url("/echo")).unwrap();
    socket.on_event(first.callback());
    socket.send("1").unwrap();
    first.until("1").await;
    socket.on_event(second.callback());
    socket.send("2").unwrap();
    assert_eq!(second.until("2").await, ["2"]);
    assert_eq!(first.entries().texts, ["opened", "1"]);
}

#[cfg(feature = "json")]
#[wasm_bindgen_test(unsupported = tokio::test)]
async fn a_typed_socket_hands_values_and_errors_to_its_callback() {
    let server = TestServer::start().await;
    let log = EventLog::default();
    let socket = Socket::open(server.url("/echo")).unwrap();
    let handle = socket.handle().clone();
    let mut socket = socket.json::<u32, u32>();
    let entries = log.clone();
    socket.on_event(move |event| match event {
        Ok(Event::Message(number)) => entries.push(number.to_string()),
        Ok(_) => {}
        Err(error) => entries.push(error.to_string().split(':').next().unwrap_or_default()),
    });
    handle.send(Message::from("surprise")).unwrap();
    socket.send(&7).unwrap();
    assert_eq!(log.until("7").await, ["not the JSON that was expected", "7"]);
}

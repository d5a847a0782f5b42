//! Events by a callback in place of the stream.

use core::task::{Poll, Waker};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use everwire::{Event, Message, SendOptions, Socket};
use futures_util::StreamExt;
use wasm_bindgen_test::wasm_bindgen_test;

use crate::{
    server::TestServer,
    tools::{nobody, opened, text, within},
};

/// What a callback has received, as short texts.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Entries>>);

#[derive(Default)]
struct Entries {
    texts: Vec<String>,
    waker: Option<Waker>,
}

impl Log {
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
    let log = Log::default();
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
    let log = Log::default();
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
    let log = Log::default();
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
    let log = Log::default();
    let mut socket = Socket::builder(nobody(11)).open().unwrap();
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
    let (handle, log) = (socket.handle().clone(), Log::default());
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
    let log = Log::default();
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
    let (first, second) = (Log::default(), Log::default());
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
    let log = Log::default();
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

//! What many tests need.

use core::{
    future::Future,
    pin::pin,
    sync::atomic::{AtomicBool, AtomicUsize, Ordering},
    time::Duration,
};
use std::{sync::Arc, task::Wake};

use everwire::{Backoff, Closed, Dropped, Event, Message, Opened, PingSchedule, Socket, SocketBuilder};
use futures_util::{StreamExt, future::Either};

/// An address at which nobody listens, another one for each test: Firefox delays a dial to an address that has failed before,
/// and longer each time.
pub(crate) fn nobody(test: u16) -> String {
    format!("ws://127.0.0.1:{}/", 9_190 + test)
}

/// How long a test waits for something before it says that it never came.
const PATIENCE: Duration = Duration::from_secs(20);

/// Retries that come at once, so that tests need not wait.
pub(crate) fn eager() -> Backoff {
    let brief = Duration::from_millis(20);
    Backoff::default().floor(Duration::from_millis(5)).first(brief).max(brief).quick(brief)
}

/// A heartbeat that asks often. Its deadline is as short as a test can wait for, and long enough for a server on a busy machine:
/// a link that is taken for dead takes along what was sent on it.
pub(crate) fn brisk() -> PingSchedule {
    let often = Duration::from_millis(50);
    let deadline = Duration::from_secs(2);
    PingSchedule::default()
        .after_silence(often)
        .min_deadline(deadline)
        .max_deadline(deadline)
        .wake_deadline(deadline)
        .sample_every(often)
}

/// A socket whose first attempt goes to a faulty address and every other to a clean one.
pub(crate) fn faulty_once(faulty: String, clean: String) -> SocketBuilder {
    let is_first = AtomicBool::new(true);
    Socket::builder_with_url_provider(move |_| {
        let url = if is_first.swap(false, Ordering::Relaxed) { faulty.clone() } else { clean.clone() };
        async move { Ok::<_, String>(url) }
    })
}

/// The next event that `pick` takes; what it does not take is passed over.
pub(crate) async fn next<R>(socket: &mut Socket, what: &str, mut pick: impl FnMut(Event) -> Option<R>) -> R {
    let found = async {
        loop {
            let event = socket.next().await.unwrap_or_else(|| panic!("the stream ended before {what}"));
            if let Some(picked) = pick(event) {
                return picked;
            }
        }
    };
    within(what, found).await
}

pub(crate) async fn opened(socket: &mut Socket) -> Opened {
    next(socket, "the connection opened", |event| match event {
        Event::Opened(opened) => Some(opened),
        _ => None,
    })
    .await
}

pub(crate) async fn dropped(socket: &mut Socket) -> Dropped {
    next(socket, "the connection was lost", |event| match event {
        Event::Dropped(dropped) => Some(dropped),
        _ => None,
    })
    .await
}

pub(crate) async fn closed(socket: &mut Socket) -> Closed {
    next(socket, "the connection was over", |event| match event {
        Event::Closed(closed) => Some(closed),
        _ => None,
    })
    .await
}

pub(crate) async fn message(socket: &mut Socket) -> Message {
    next(socket, "a message arrived", |event| match event {
        Event::Message(message) => Some(message),
        _ => None,
    })
    .await
}

pub(crate) async fn text(socket: &mut Socket) -> String {
    match message(socket).await {
        Message::Text(text) => text,
        other => panic!("not a text: {other:?}"),
    }
}

/// Fails the test if it takes too long, saying what did not come.
pub(crate) async fn within<R>(what: &str, future: impl Future<Output = R>) -> R {
    match futures_util::future::select(pin!(future), pin!(patience())).await {
        Either::Left((result, _)) => result,
        Either::Right(_) => panic!("waited in vain until {what}"),
    }
}

#[cfg(not(target_family = "wasm"))]
async fn patience() {
    tokio::time::sleep(PATIENCE).await;
}

#[cfg(target_family = "wasm")]
async fn patience() {
    gloo_timers::future::sleep(PATIENCE).await;
}

/// Counts how often a task is woken.
#[derive(Default)]
pub(crate) struct Wakes(AtomicUsize);

impl Wakes {
    pub(crate) fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }
}

impl Wake for Wakes {
    fn wake(self: Arc<Self>) {
        self.0.fetch_add(1, Ordering::Relaxed);
    }
}

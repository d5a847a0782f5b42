//! The task that reads a socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use everwire::{DecodeError, Ended, Event, State};
use futures_util::Stream;
use futures_util::future::{Either, select};
use gloo_timers::future::sleep;

use crate::live::Live;

/// Reads a socket for as long as it is held. Dropping it closes the socket at once, and no event is told after that.
pub(crate) struct Reader<S> {
    socket: Rc<RefCell<Option<S>>>,
    live: Rc<Live>,
}

impl<S> Reader<S>
where
    S: Stream + Unpin + 'static,
    S::Item: Incoming,
{
    /// Starts to read: `on_state` hears of every change of the state, `on_event` of every event.
    pub(crate) fn start(
        socket: S,
        live: &Rc<Live>,
        on_state: impl Fn(State, Trouble) + 'static,
        on_event: impl Fn(S::Item) + 'static,
    ) -> Self {
        let reader = Self { socket: Rc::new(RefCell::new(Some(socket))), live: Rc::clone(live) };
        let source = Source { socket: Rc::clone(&reader.socket), live: Rc::clone(live) };
        wasm_bindgen_futures::spawn_local(source.read(on_state, on_event));
        reader
    }
}

impl<S> Drop for Reader<S> {
    fn drop(&mut self) {
        // Taken out first: a socket that is dropped may call back into this module.
        let socket = self.socket.borrow_mut().take();
        drop(socket);
        self.live.nudge();
    }
}

/// What the state's change had as its reason.
pub(crate) enum Trouble {
    /// The one that was known before.
    Same,
    Gone,
    Is(String),
}

/// What can come out of a socket, as far as the status depends on it.
pub(crate) trait Incoming {
    fn news(&self) -> News;
}

pub(crate) enum News {
    Nothing,
    RoundTrip(Duration),
    Trouble(Trouble),
}

impl<T> Incoming for Event<T> {
    fn news(&self) -> News {
        match self {
            Self::Opened(_) => News::Trouble(Trouble::Gone),
            Self::Latency(round_trip) => News::RoundTrip(*round_trip),
            Self::Dropped(dropped) => News::Trouble(Trouble::Is(dropped.cause.to_string())),
            Self::Closed(closed) => News::Trouble(Trouble::Is(how_it_ended(&closed.ended))),
            _ => News::Nothing,
        }
    }
}

fn how_it_ended(ended: &Ended) -> String {
    match ended {
        Ended::ByApplication { code, reason, .. } if reason.is_empty() => {
            format!("closed by this page with code {code}")
        }
        Ended::ByApplication { code, reason, .. } => format!("closed by this page with code {code}: {reason}"),
        Ended::Final(cause) => format!("over, since another attempt would fail the same way: {cause}"),
        Ended::Exhausted(cause) => format!("over, after as many attempts as allowed: {cause}"),
        _ => "over".to_owned(),
    }
}

impl<T> Incoming for Result<Event<T>, DecodeError> {
    fn news(&self) -> News {
        self.as_ref().map_or(News::Nothing, Incoming::news)
    }
}

struct Source<S> {
    socket: Rc<RefCell<Option<S>>>,
    live: Rc<Live>,
}

/// What the reader waits for.
enum Next<I> {
    Item(I),
    /// Something may have changed without an event.
    Look,
    /// The component is gone, or has another socket.
    Gone,
}

impl<S> Source<S>
where
    S: Stream + Unpin,
    S::Item: Incoming,
{
    async fn read(self, on_state: impl Fn(State, Trouble), on_event: impl Fn(S::Item)) {
        loop {
            match self.next().await {
                Next::Item(item) => {
                    match item.news() {
                        News::Nothing => {}
                        News::RoundTrip(round_trip) => self.live.measured(round_trip),
                        News::Trouble(trouble) => on_state(self.state(), trouble),
                    }
                    on_event(item);
                }
                Next::Look => on_state(self.state(), Trouble::Same),
                Next::Gone => break,
            }
        }
    }

    fn state(&self) -> State {
        self.live.state().unwrap_or(State::Closed)
    }

    /// The next event, or the time at which a wait is over: an attempt that begins has no event of its own.
    async fn next(&self) -> Next<S::Item> {
        let item = poll_fn(|context| self.poll(context));
        match self.state() {
            State::Waiting { retry_in: Some(retry_in), .. } => {
                // Timers may fire a little early; a millisecond more and the attempt has begun.
                let over = pin!(sleep(retry_in + Duration::from_millis(1)));
                match select(pin!(item), over).await {
                    Either::Left((next, _)) => next,
                    Either::Right(((), _)) => Next::Look,
                }
            }
            _ => item.await,
        }
    }

    fn poll(&self, context: &mut Context<'_>) -> Poll<Next<S::Item>> {
        let mut socket = self.socket.borrow_mut();
        // Asked first: a reader that is done must not stand in the place of the one that followed it.
        let Some(socket) = socket.as_mut() else { return Poll::Ready(Next::Gone) };
        if self.live.take_nudge(context.waker()) {
            return Poll::Ready(Next::Look);
        }
        match Pin::new(socket).poll_next(context) {
            Poll::Ready(Some(item)) => Poll::Ready(Next::Item(item)),
            // A connection that is over yields nothing, until somebody reconnects and nudges.
            Poll::Ready(None) | Poll::Pending => Poll::Pending,
        }
    }
}

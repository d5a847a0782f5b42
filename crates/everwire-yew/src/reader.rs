//! The task that reads a socket.

use std::cell::RefCell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use everwire::{Cause, DecodeError, Ended, Event, State};
use futures_util::Stream;
use futures_util::future::{Either, select};
use gloo_timers::future::sleep;

use crate::live::Live;
use crate::{DownReason, WasOpen};

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
        on_state: impl Fn(State, Change) + 'static,
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

/// What the state's change did to the reason why the connection is down.
#[derive(Debug, PartialEq)]
pub(crate) enum Change {
    /// The one that was known before.
    Same,
    /// There is none any more.
    Gone,
    Down(DownReason),
}

/// What can come out of a socket, as far as the status depends on it.
pub(crate) trait Incoming {
    fn news(&self) -> News;
}

pub(crate) enum News {
    Nothing,
    RoundTrip(Duration),
    Opened,
    Dropped(Cause),
    Ended(Ended),
}

impl<T> Incoming for Event<T> {
    fn news(&self) -> News {
        match self {
            Self::Opened(_) => News::Opened,
            Self::Latency(round_trip) => News::RoundTrip(*round_trip),
            Self::Dropped(dropped) => News::Dropped(dropped.cause.clone()),
            Self::Closed(closed) => News::Ended(closed.ended.clone()),
            _ => News::Nothing,
        }
    }
}

/// Remembers whether there was an open connection, which the events that follow do not say.
#[derive(Debug, Default)]
struct Memory {
    was_open: WasOpen,
}

impl Memory {
    /// What news do to the status; `None` where they leave it alone.
    fn take(&mut self, news: News) -> Option<Change> {
        let was_open = self.was_open;
        let change = match news {
            News::Nothing | News::RoundTrip(_) => return None,
            News::Opened => Change::Gone,
            News::Dropped(cause) => Change::Down(DownReason::Dropped { cause, was_open }),
            News::Ended(ended) => Change::Down(DownReason::Ended { ended, was_open }),
        };
        self.was_open = match (&change, was_open) {
            (Change::Gone, _) => WasOpen::UntilNow,
            (_, WasOpen::Never) => WasOpen::Never,
            (_, WasOpen::Earlier | WasOpen::UntilNow) => WasOpen::Earlier,
        };
        Some(change)
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
    async fn read(self, on_state: impl Fn(State, Change), on_event: impl Fn(S::Item)) {
        let mut memory = Memory::default();
        loop {
            match self.next().await {
                Next::Item(item) => {
                    let news = item.news();
                    if let News::RoundTrip(round_trip) = news {
                        self.live.measured(round_trip);
                    } else if let Some(change) = memory.take(news) {
                        on_state(self.state(), change);
                    }
                    on_event(item);
                }
                Next::Look => on_state(self.state(), Change::Same),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failed_attempt_is_told_from_a_lost_connection_and_from_an_address_that_never_worked() {
        let mut memory = Memory::default();
        let cut = || Cause::closed(1006, "", false);
        let mut was_open = |news| match memory.take(news) {
            Some(Change::Down(DownReason::Dropped { was_open, .. })) => Some(was_open),
            _ => None,
        };
        assert_eq!(was_open(News::Dropped(cut())), Some(WasOpen::Never));
        assert_eq!(was_open(News::Dropped(cut())), Some(WasOpen::Never));
        assert_eq!(was_open(News::Opened), None);
        assert_eq!(was_open(News::Dropped(cut())), Some(WasOpen::UntilNow));
        assert_eq!(was_open(News::Nothing), None);
        assert_eq!(was_open(News::Dropped(cut())), Some(WasOpen::Earlier));
    }
}

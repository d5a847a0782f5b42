//! Reads a socket by a callback, and follows the state of a connection.

use std::any::Any;
use std::cell::RefCell;
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::client::{ClientError, ClientEvent, ErrorCode};
use everwire::{Cause, Ended, Event, JsonDecodeError, Socket, State};
use gloo_timers::callback::Timeout;

use crate::live::Live;
use crate::{DownReason, WasOpen};

/// How a socket is read: sets the callback, and returns what keeps the socket open.
pub(crate) type Listen<I> = fn(Socket, Box<dyn FnMut(I)>) -> Box<dyn Any>;

/// Reads a socket for as long as it is held. Dropping it closes the socket at once, and no event follows.
pub(crate) struct Reader {
    socket: Option<Box<dyn Any>>,
    live: Rc<Live>,
}

impl Reader {
    /// Starts to read: `on_state` receives every change of the state, `on_event` every event.
    pub(crate) fn start<I: Incoming + 'static>(
        socket: Socket,
        listen: Listen<I>,
        live: &Rc<Live>,
        on_state: impl Fn(State, Change) + 'static,
        on_event: impl Fn(I) + 'static,
    ) -> Self {
        let mut watch = Watch::start(live, WasOpen::Never, on_state);
        let socket = listen(
            socket,
            Box::new(move |item: I| {
                watch.take(item.news());
                on_event(item);
            }),
        );
        Self { socket: Some(socket), live: Rc::clone(live) }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.live.set_look(None);
        drop(self.socket.take());
    }
}

/// Reports the state of a connection and its round trips, by the news that it is given. Dropping it ends that.
pub(crate) struct Watch {
    state: Rc<StateWatch>,
    memory: Memory,
}

impl Watch {
    pub(crate) fn start(live: &Rc<Live>, was_open: WasOpen, on_state: impl Fn(State, Change) + 'static) -> Self {
        let state =
            Rc::new(StateWatch { live: Rc::clone(live), on_state: Box::new(on_state), timer: RefCell::default() });
        let watched = Rc::downgrade(&state);
        live.set_look(Some(Rc::new(move || StateWatch::look(&watched))));
        Self { state, memory: Memory { was_open } }
    }

    pub(crate) fn take(&mut self, news: News) {
        if let News::RoundTrip(round_trip) = news {
            self.state.live.measured(round_trip);
        } else if let Some(change) = self.memory.take(news) {
            if matches!(change, Change::Down(_)) {
                self.state.live.forget_round_trip();
            }
            self.state.changed(change);
        }
    }
}

/// Reports the state of a connection whenever it may have changed.
struct StateWatch {
    live: Rc<Live>,
    on_state: Box<dyn Fn(State, Change)>,
    /// Fires when the wait for an attempt is over.
    timer: RefCell<Option<Timeout>>,
}

impl StateWatch {
    fn look(watch: &Weak<Self>) {
        if let Some(watch) = watch.upgrade() {
            watch.changed(Change::Same);
        }
    }

    fn changed(self: &Rc<Self>, change: Change) {
        let state = self.live.state().unwrap_or(State::Closed);
        // An attempt that begins has no event of its own. Timers may fire a little early; a millisecond later it has begun.
        let timer = match state {
            State::Waiting { retry_in: Some(retry_in), .. } => {
                // Browsers fire at once above 31 bits.
                let millis = (retry_in.as_millis() + 1).min(i32::MAX as u128) as u32;
                let watch = Rc::downgrade(self);
                Some(Timeout::new(millis, move || Self::look(&watch)))
            }
            _ => None,
        };
        let before = self.timer.replace(timer);
        drop(before);
        (self.on_state)(state, change);
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

/// What can come out of a socket or a client, as far as the status depends on it.
pub(crate) trait Incoming {
    fn news(&self) -> News;
}

pub(crate) enum News {
    Nothing,
    RoundTrip(Duration),
    Opened,
    Dropped(Cause),
    Ended(Ended),
    ClientDropped { code: ErrorCode, reason: String },
    ClientOver(ClientError),
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

impl Incoming for ClientEvent {
    fn news(&self) -> News {
        match self {
            Self::Attached(_) => News::Opened,
            Self::Latency(round_trip) => News::RoundTrip(*round_trip),
            Self::Dropped(dropped) => client_dropped(&dropped.cause),
            Self::Closed(ClientError::Connection(ended)) => News::Ended(ended.clone()),
            Self::Closed(error) => News::ClientOver(error.clone()),
            _ => News::Nothing,
        }
    }
}

/// Codes from 3000 on mean to a client what `everwire.v1` says; those below are WebSocket's own.
fn client_dropped(cause: &Cause) -> News {
    match cause {
        Cause::Closed { code: number @ 3000.., reason, .. } => match ErrorCode::from_close_code(*number) {
            Some(code) => News::ClientDropped { code, reason: reason.clone() },
            None => News::Dropped(cause.clone()),
        },
        cause => News::Dropped(cause.clone()),
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
            News::ClientDropped { code, reason } => Change::Down(DownReason::ClientDropped { code, reason }),
            News::ClientOver(error) => Change::Down(DownReason::ClientOver(error)),
        };
        self.was_open = match (&change, was_open) {
            (Change::Gone, _) => WasOpen::UntilNow,
            (_, WasOpen::Never) => WasOpen::Never,
            (_, WasOpen::Earlier | WasOpen::UntilNow) => WasOpen::Earlier,
        };
        Some(change)
    }
}

impl<T> Incoming for Result<Event<T>, JsonDecodeError> {
    fn news(&self) -> News {
        self.as_ref().map_or(News::Nothing, Incoming::news)
    }
}

#[cfg(test)]
mod tests {
    use everwire::Dropped;
    use everwire::client::Attachment;

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

    #[test]
    fn a_connection_does_not_show_the_round_trip_of_the_one_before() {
        let live = Rc::new(Live::default());
        let mut watch = Watch::start(&live, WasOpen::Never, |_, _| ());
        let sample = Duration::from_millis(38);
        watch.take(News::Opened);
        watch.take(News::RoundTrip(sample));
        assert_eq!(live.round_trip(), Some(sample));
        watch.take(News::Dropped(Cause::closed(1006, "", false)));
        watch.take(News::Opened);
        assert_eq!(live.round_trip(), None);
        watch.take(News::RoundTrip(sample * 2));
        assert_eq!(live.round_trip(), Some(sample * 2));
    }

    #[test]
    fn a_client_that_is_lost_or_over_says_why_as_a_socket_does() {
        let mut memory = Memory::default();
        let mut down = |event: ClientEvent| match memory.take(event.news()) {
            Some(Change::Down(reason)) => Some(reason),
            _ => None,
        };
        let cut = || Cause::closed(1006, "", false);
        assert_eq!(down(ClientEvent::Attached(Attachment::New)), None);
        let lost = DownReason::Dropped { cause: cut(), was_open: WasOpen::UntilNow };
        assert_eq!(down(ClientEvent::Dropped(Dropped::new(cut()))), Some(lost));
        let malformed = DownReason::ClientDropped { code: ErrorCode::Malformed, reason: String::new() };
        let dropped = |code| ClientEvent::Dropped(Dropped::new(Cause::closed(code, "", true)));
        assert_eq!(down(dropped(4501)), Some(malformed));
        assert!(matches!(down(dropped(1013)), Some(DownReason::Dropped { .. })));
        let ended = Ended::Exhausted(cut());
        let over = DownReason::Ended { ended: ended.clone(), was_open: WasOpen::Earlier };
        assert_eq!(down(ClientEvent::Closed(ClientError::Connection(ended))), Some(over));
        let refused = ClientError::NotEverwire;
        assert_eq!(down(ClientEvent::Closed(refused.clone())), Some(DownReason::ClientOver(refused)));
        assert_eq!(down(ClientEvent::Latency(Duration::from_millis(3))), None);
    }
}

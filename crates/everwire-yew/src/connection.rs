//! The connection behind a hook: shared by its clones and badges, and observed for changes of its status.

use std::any::Any;
use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::client::{ClientError, ClientEvent, ClientState, ErrorCode};
use everwire::{Cause, Client, Ended, Event, JsonDecodeError, Socket, SocketHandle, State};
use gloo_timers::callback::Timeout;
use yew::Callback;

use crate::{DownReason, WasOpen};

/// What a hook watches.
#[derive(Clone)]
pub(crate) enum Connection {
    Socket(SocketHandle),
    Client(Client),
}

impl Connection {
    fn state(&self) -> State {
        match self {
            Self::Socket(handle) => handle.state(),
            Self::Client(client) => match client.state() {
                ClientState::Attached => State::Open,
                ClientState::Waiting { attempt, retry_in } => State::Waiting { attempt, retry_in },
                ClientState::Closed => State::Closed,
                _ => State::Connecting,
            },
        }
    }

    /// Whether an attempt can be made: a client that is over makes none.
    fn can_reconnect(&self) -> bool {
        matches!(self, Self::Socket(_)) || self.state() != State::Closed
    }
}

/// The current connection of a hook, if there is one, and the listeners to its round trip.
#[derive(Default)]
pub(crate) struct SharedConnection {
    connection: RefCell<Option<Connection>>,
    refresh: RefCell<Option<Rc<dyn Fn()>>>,
    round_trip: Cell<Option<Duration>>,
    listeners: RefCell<Vec<(usize, Callback<Duration>)>>,
    next_listener: Cell<usize>,
}

impl SharedConnection {
    pub(crate) fn handle(&self) -> Option<SocketHandle> {
        match &*self.connection.borrow() {
            Some(Connection::Socket(handle)) => Some(handle.clone()),
            _ => None,
        }
    }

    pub(crate) fn has_connection(&self) -> bool {
        self.connection.borrow().is_some()
    }

    pub(crate) fn replace(&self, connection: Option<Connection>) {
        self.clear_round_trip();
        let before = self.connection.replace(connection);
        // The last clone of a client closes it when it is dropped, which may call back.
        drop(before);
    }

    /// The state of the connection now; `None` where there is none.
    pub(crate) fn state(&self) -> Option<State> {
        self.connection.borrow().as_ref().map(Connection::state)
    }

    pub(crate) fn can_reconnect(&self) -> bool {
        self.connection.borrow().as_ref().is_some_and(Connection::can_reconnect)
    }

    pub(crate) fn reconnect(&self) {
        let connection = self.connection.borrow().clone();
        match connection {
            Some(Connection::Socket(handle)) => handle.reconnect(),
            Some(Connection::Client(client)) => client.reconnect(),
            None => return,
        }
        self.refresh();
    }

    /// Sets the function that reads the state after a change without an event.
    pub(crate) fn set_refresh(&self, refresh: Option<Rc<dyn Fn()>>) {
        let before = self.refresh.replace(refresh);
        drop(before);
    }

    /// Reads the state again: a call of a handle may change it without an event.
    pub(crate) fn refresh(&self) {
        let refresh = self.refresh.borrow().clone();
        if let Some(refresh) = refresh {
            refresh();
        }
    }

    /// The latest sample of the round trip on the current connection.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// Clears the sample when its connection is lost.
    pub(crate) fn clear_round_trip(&self) {
        self.round_trip.set(None);
    }

    pub(crate) fn record_round_trip(&self, round_trip: Duration) {
        self.round_trip.set(Some(round_trip));
        // A listener may render, and thereby add or remove another.
        let listeners: Vec<_> = self.listeners.borrow().iter().map(|(_, listener)| listener.clone()).collect();
        listeners.iter().for_each(|listener| listener.emit(round_trip));
    }

    /// Calls `listener` for every sample of the round trip, until the subscription is dropped.
    #[must_use = "dropping it ends the subscription"]
    pub(crate) fn subscribe(self: &Rc<Self>, listener: Callback<Duration>) -> RoundTripSubscription {
        let number = self.next_listener.get();
        self.next_listener.set(number + 1);
        self.listeners.borrow_mut().push((number, listener));
        RoundTripSubscription { connection: Rc::downgrade(self), number }
    }
}

/// A listener to round trips. Dropping it removes the listener.
pub(crate) struct RoundTripSubscription {
    connection: Weak<SharedConnection>,
    number: usize,
}

impl Drop for RoundTripSubscription {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.upgrade() {
            connection.listeners.borrow_mut().retain(|(number, _)| *number != self.number);
        }
    }
}

/// How a socket is read: sets the callback, and returns what keeps the socket open.
pub(crate) type Listen<I> = fn(Socket, Box<dyn FnMut(I)>) -> Box<dyn Any>;

/// A socket that a component reads. Dropping it closes the socket at once, and no event follows.
pub(crate) struct OpenSocket {
    socket: Option<Box<dyn Any>>,
    connection: Rc<SharedConnection>,
}

impl OpenSocket {
    /// Starts to read: `on_state` receives every change of the state, `on_event` every event.
    pub(crate) fn start<I: StatusSource + 'static>(
        socket: Socket,
        listen: Listen<I>,
        connection: &Rc<SharedConnection>,
        on_state: impl Fn(State, ReasonChange) + 'static,
        on_event: impl Fn(I) + 'static,
    ) -> Self {
        let mut observer = StatusObserver::start(connection, WasOpen::Never, on_state);
        let socket = listen(
            socket,
            Box::new(move |item: I| {
                observer.update(item.status_update());
                on_event(item);
            }),
        );
        Self { socket: Some(socket), connection: Rc::clone(connection) }
    }
}

impl Drop for OpenSocket {
    fn drop(&mut self) {
        self.connection.set_refresh(None);
        drop(self.socket.take());
    }
}

/// Reports the state of a connection and its round trips, from the updates that it is given, until it is dropped.
pub(crate) struct StatusObserver {
    state: Rc<StateReporter>,
    history: OpenHistory,
}

impl StatusObserver {
    pub(crate) fn start(
        connection: &Rc<SharedConnection>,
        was_open: WasOpen,
        on_state: impl Fn(State, ReasonChange) + 'static,
    ) -> Self {
        let state = Rc::new(StateReporter {
            connection: Rc::clone(connection),
            on_state: Box::new(on_state),
            timer: RefCell::default(),
        });
        let watched = Rc::downgrade(&state);
        connection.set_refresh(Some(Rc::new(move || StateReporter::refresh(&watched))));
        Self { state, history: OpenHistory { was_open } }
    }

    pub(crate) fn update(&mut self, update: StatusUpdate) {
        if let StatusUpdate::RoundTrip(round_trip) = update {
            self.state.connection.record_round_trip(round_trip);
        } else if let Some(change) = self.history.apply(update) {
            if matches!(change, ReasonChange::Set(_)) {
                self.state.connection.clear_round_trip();
            }
            self.state.changed(change);
        }
    }
}

/// Reports the state of a connection whenever it may have changed.
struct StateReporter {
    connection: Rc<SharedConnection>,
    on_state: Box<dyn Fn(State, ReasonChange)>,
    /// Fires when the wait for the next attempt is over.
    timer: RefCell<Option<Timeout>>,
}

impl StateReporter {
    fn refresh(observer: &Weak<Self>) {
        if let Some(observer) = observer.upgrade() {
            observer.changed(ReasonChange::Keep);
        }
    }

    fn changed(self: &Rc<Self>, change: ReasonChange) {
        let state = self.connection.state().unwrap_or(State::Closed);
        // The start of an attempt has no event. Timers may fire a little early, hence the additional millisecond.
        let timer = match state {
            State::Waiting { retry_in: Some(retry_in), .. } => {
                // Browsers fire at once for a delay above 31 bits.
                let millis = (retry_in.as_millis() + 1).min(i32::MAX as u128) as u32;
                let observer = Rc::downgrade(self);
                Some(Timeout::new(millis, move || Self::refresh(&observer)))
            }
            _ => None,
        };
        let before = self.timer.replace(timer);
        drop(before);
        (self.on_state)(state, change);
    }
}

/// How an update changes the reason why the connection is down.
#[derive(Debug, PartialEq)]
pub(crate) enum ReasonChange {
    /// The reason stays.
    Keep,
    /// The connection is not down any more.
    Clear,
    Set(DownReason),
}

/// An event of a socket or a client, which may update the status.
pub(crate) trait StatusSource {
    fn status_update(&self) -> StatusUpdate;
}

/// The part of an event on which the status depends.
pub(crate) enum StatusUpdate {
    None,
    RoundTrip(Duration),
    Opened,
    Dropped(Cause),
    Ended(Ended),
    ClientDropped { code: ErrorCode, reason: String },
    ClientOver(ClientError),
}

impl<T> StatusSource for Event<T> {
    fn status_update(&self) -> StatusUpdate {
        match self {
            Self::Opened(_) => StatusUpdate::Opened,
            Self::Latency(round_trip) => StatusUpdate::RoundTrip(*round_trip),
            Self::Dropped(dropped) => StatusUpdate::Dropped(dropped.cause.clone()),
            Self::Closed(closed) => StatusUpdate::Ended(closed.ended.clone()),
            _ => StatusUpdate::None,
        }
    }
}

impl StatusSource for ClientEvent {
    fn status_update(&self) -> StatusUpdate {
        match self {
            Self::Attached(_) => StatusUpdate::Opened,
            Self::Latency(round_trip) => StatusUpdate::RoundTrip(*round_trip),
            Self::Dropped(dropped) => client_dropped(&dropped.cause),
            Self::Closed(ClientError::Connection(ended)) => StatusUpdate::Ended(ended.clone()),
            Self::Closed(error) => StatusUpdate::ClientOver(error.clone()),
            _ => StatusUpdate::None,
        }
    }
}

/// To a client, codes from 3000 on are those of `everwire.v1`; lower ones are WebSocket's own.
fn client_dropped(cause: &Cause) -> StatusUpdate {
    match cause {
        Cause::Closed { code: number @ 3000.., reason, .. } => match ErrorCode::from_close_code(*number) {
            Some(code) => StatusUpdate::ClientDropped { code, reason: reason.clone() },
            None => StatusUpdate::Dropped(cause.clone()),
        },
        cause => StatusUpdate::Dropped(cause.clone()),
    }
}

/// Remembers whether a connection was open, which later events do not contain.
#[derive(Debug, Default)]
struct OpenHistory {
    was_open: WasOpen,
}

impl OpenHistory {
    /// The change that an update causes; `None` if it leaves the status unchanged.
    fn apply(&mut self, update: StatusUpdate) -> Option<ReasonChange> {
        let was_open = self.was_open;
        let change = match update {
            StatusUpdate::None | StatusUpdate::RoundTrip(_) => return None,
            StatusUpdate::Opened => ReasonChange::Clear,
            StatusUpdate::Dropped(cause) => ReasonChange::Set(DownReason::Dropped { cause, was_open }),
            StatusUpdate::Ended(ended) => ReasonChange::Set(DownReason::Ended { ended, was_open }),
            StatusUpdate::ClientDropped { code, reason } => {
                ReasonChange::Set(DownReason::ClientDropped { code, reason })
            }
            StatusUpdate::ClientOver(error) => ReasonChange::Set(DownReason::ClientOver(error)),
        };
        self.was_open = match (&change, was_open) {
            (ReasonChange::Clear, _) => WasOpen::UntilNow,
            (_, WasOpen::Never) => WasOpen::Never,
            (_, WasOpen::Earlier | WasOpen::UntilNow) => WasOpen::Earlier,
        };
        Some(change)
    }
}

impl<T> StatusSource for Result<Event<T>, JsonDecodeError> {
    fn status_update(&self) -> StatusUpdate {
        self.as_ref().map_or(StatusUpdate::None, StatusSource::status_update)
    }
}

#[cfg(test)]
mod tests {
    use everwire::Dropped;
    use everwire::client::Attachment;

    use super::*;

    #[test]
    fn a_sample_reaches_every_listener_until_it_is_removed() {
        let connection = Rc::new(SharedConnection::default());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let listener = |name: &'static str| {
            let seen = Rc::clone(&seen);
            Callback::from(move |sample: Duration| seen.borrow_mut().push((name, sample.as_millis())))
        };
        let first = connection.subscribe(listener("first"));
        let _second = connection.subscribe(listener("second"));
        connection.record_round_trip(Duration::from_millis(1));
        drop(first);
        connection.record_round_trip(Duration::from_millis(2));
        assert_eq!(*seen.borrow(), [("first", 1), ("second", 1), ("second", 2)]);
    }

    #[test]
    fn a_failed_attempt_differs_from_a_lost_connection_and_from_an_address_that_never_worked() {
        let mut history = OpenHistory::default();
        let cut = || Cause::closed(1006, "", false);
        let mut was_open = |update| match history.apply(update) {
            Some(ReasonChange::Set(DownReason::Dropped { was_open, .. })) => Some(was_open),
            _ => None,
        };
        assert_eq!(was_open(StatusUpdate::Dropped(cut())), Some(WasOpen::Never));
        assert_eq!(was_open(StatusUpdate::Dropped(cut())), Some(WasOpen::Never));
        assert_eq!(was_open(StatusUpdate::Opened), None);
        assert_eq!(was_open(StatusUpdate::Dropped(cut())), Some(WasOpen::UntilNow));
        assert_eq!(was_open(StatusUpdate::None), None);
        assert_eq!(was_open(StatusUpdate::Dropped(cut())), Some(WasOpen::Earlier));
    }

    #[test]
    fn a_connection_does_not_show_the_round_trip_of_the_one_before() {
        let connection = Rc::new(SharedConnection::default());
        let mut observer = StatusObserver::start(&connection, WasOpen::Never, |_, _| ());
        let sample = Duration::from_millis(38);
        observer.update(StatusUpdate::Opened);
        observer.update(StatusUpdate::RoundTrip(sample));
        assert_eq!(connection.round_trip(), Some(sample));
        observer.update(StatusUpdate::Dropped(Cause::closed(1006, "", false)));
        observer.update(StatusUpdate::Opened);
        assert_eq!(connection.round_trip(), None);
        observer.update(StatusUpdate::RoundTrip(sample * 2));
        assert_eq!(connection.round_trip(), Some(sample * 2));
    }

    #[test]
    fn a_client_that_is_lost_or_over_says_why_as_a_socket_does() {
        let mut history = OpenHistory::default();
        let mut down = |event: ClientEvent| match history.apply(event.status_update()) {
            Some(ReasonChange::Set(reason)) => Some(reason),
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

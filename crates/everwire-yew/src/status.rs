//! The status of a connection, as a value to render from.

use std::fmt;
use std::rc::Rc;

use everwire::State;
use gloo_events::EventListener;
use web_sys::window;
use yew::prelude::*;

use crate::DownReason;
use crate::connection::{ReasonChange, SharedConnection};

/// The status of the connection of a socket or a client, as a value to render from and to pass to other components.
///
/// It changes when the connection's state does, and when the browser goes offline or online, and not with messages or the round
/// trip; [`ConnectionBadge`] follows those by itself.
///
/// [`ConnectionBadge`]: crate::ConnectionBadge
#[derive(Clone)]
pub struct ConnectionStatus {
    state: State,
    attempt: Option<u32>,
    down_reason: Option<DownReason>,
    is_offline: bool,
    trouble: Option<AttrValue>,
    pub(crate) connection: Rc<SharedConnection>,
}

impl ConnectionStatus {
    pub(crate) fn new(state: State, connection: Rc<SharedConnection>) -> Self {
        Self { state, attempt: None, down_reason: None, is_offline: false, trouble: None, connection }
    }

    /// The status that follows. The number of an attempt outlasts the wait for it.
    pub(crate) fn then(&self, state: State, down_reason: Option<DownReason>) -> Self {
        let attempt = match state {
            State::Waiting { attempt, .. } => Some(attempt),
            State::Connecting => self.attempt,
            _ => None,
        };
        Self { state, attempt, down_reason, ..self.clone() }
    }

    /// The status as it is shown: with what the browser says of its network, and in words.
    pub(crate) fn shown(&self, address: Option<&str>, is_offline: bool) -> Self {
        let trouble = self.down_reason.as_ref().map(|reason| reason.explain(address, is_offline).into());
        Self { is_offline, trouble, ..self.clone() }
    }

    /// The state of the connection. The time until the next attempt is as of when the wait began.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether messages flow.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether there is no socket: the options are [`idle`](crate::SocketOptions::idle), or it could not be opened; or there is no client.
    pub fn is_idle(&self) -> bool {
        self.state == State::Closed && !self.connection.has_connection()
    }

    /// Whether the browser says that this device has no network. An attempt then waits for the network, whatever time
    /// [`state`](Self::state) names.
    pub fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// The current state of the connection, which may be ahead of the latest render.
    pub(crate) fn state_now(&self) -> State {
        // Before the first effect there is no socket yet, but it is about to connect.
        self.connection.state().unwrap_or(self.state)
    }

    /// The number of the attempt that follows or is under way, since a connection was last stable, from 1. `None` while the
    /// connection is open or over, and for the very first attempt.
    pub fn attempt(&self) -> Option<u32> {
        self.attempt
    }

    /// Why the connection is not open, as data. It stays until the connection is open again.
    pub fn down_reason(&self) -> Option<&DownReason> {
        self.down_reason.as_ref()
    }

    /// Why the connection is not open, in one or two sentences for users: the likely cause, and what to do. It names the address where
    /// [`SocketOptions::new`](crate::SocketOptions::new) was given one; [`DownReason::explain`] takes it from elsewhere.
    pub fn trouble(&self) -> Option<&AttrValue> {
        self.trouble.as_ref()
    }

    /// Connects now. It has no effect on a client that is over.
    pub fn reconnect(&self) {
        self.connection.reconnect();
    }
}

impl PartialEq for ConnectionStatus {
    fn eq(&self, other: &Self) -> bool {
        let same_wait = match (self.state, other.state) {
            // The time that is left runs down by itself.
            (State::Waiting { attempt, retry_in }, State::Waiting { attempt: other, retry_in: others }) => {
                attempt == other && retry_in.is_some() == others.is_some()
            }
            (state, other) => state == other,
        };
        same_wait
            && self.attempt == other.attempt
            && self.down_reason == other.down_reason
            && self.is_offline == other.is_offline
            && self.trouble == other.trouble
            && Rc::ptr_eq(&self.connection, &other.connection)
    }
}

impl fmt::Debug for ConnectionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectionStatus")
            .field("state", &self.state)
            .field("attempt", &self.attempt)
            .field("down_reason", &self.down_reason)
            .field("is_offline", &self.is_offline)
            .finish_non_exhaustive()
    }
}

/// The status as a reducer, so that each change builds on the previous status.
#[derive(PartialEq)]
pub(crate) struct StatusReducer(pub(crate) ConnectionStatus);

impl Reducible for StatusReducer {
    type Action = (State, ReasonChange);

    fn reduce(self: Rc<Self>, (state, change): Self::Action) -> Rc<Self> {
        // The event with the reason is about to arrive. Rendered without it, a requested reconnect would look like a loss.
        let is_premature = matches!(state, State::Connecting | State::Waiting { .. });
        if change == ReasonChange::Keep && self.0.is_open() && is_premature {
            return self;
        }
        let down_reason = match change {
            ReasonChange::Keep => self.0.down_reason().cloned(),
            ReasonChange::Clear => None,
            ReasonChange::Set(reason) => Some(reason),
        };
        let status = self.0.then(state, down_reason);
        if status == self.0 { self } else { Self(status).into() }
    }
}

/// Whether the browser reports that this device is offline; renders again when that changes.
#[hook]
pub(crate) fn use_offline() -> bool {
    // Read in an effect only: a component that is rendered on a server has no browser.
    let is_offline = use_state_eq(|| false);
    {
        let is_offline = is_offline.setter();
        use_effect_with((), move |()| {
            let listeners = window().map(|window| {
                let navigator = window.navigator();
                is_offline.set(!navigator.on_line());
                ["online", "offline"].map(|event| {
                    let (is_offline, navigator) = (is_offline.clone(), navigator.clone());
                    EventListener::new(&window, event, move |_| is_offline.set(!navigator.on_line()))
                })
            });
            move || drop(listeners)
        });
    }
    *is_offline
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use everwire::Cause;

    use super::*;
    use crate::WasOpen;

    const WAITING: State = State::Waiting { attempt: 1, retry_in: Some(Duration::from_millis(200)) };

    fn reducer(state: State) -> Rc<StatusReducer> {
        Rc::new(StatusReducer(ConnectionStatus::new(state, Rc::default())))
    }

    #[test]
    fn an_open_connection_is_not_shown_as_down_before_the_reason_is_known() {
        let reducer = reducer(State::Open).reduce((WAITING, ReasonChange::Keep));
        assert!(reducer.0.is_open());
        let requested = DownReason::Dropped { cause: Cause::Requested, was_open: WasOpen::UntilNow };
        let reducer = reducer.reduce((WAITING, ReasonChange::Set(requested.clone())));
        assert_eq!((reducer.0.state(), reducer.0.down_reason()), (WAITING, Some(&requested)));
    }

    #[test]
    fn an_attempt_that_begins_without_an_event_is_shown() {
        assert_eq!(reducer(WAITING).reduce((State::Connecting, ReasonChange::Keep)).0.state(), State::Connecting);
        assert_eq!(reducer(State::Open).reduce((State::Closing, ReasonChange::Keep)).0.state(), State::Closing);
    }
}

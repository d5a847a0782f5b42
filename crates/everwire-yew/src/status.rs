use std::fmt;
use std::rc::Rc;

use everwire::State;
use yew::{AttrValue, Reducible};

use crate::DownReason;
use crate::live::Live;
use crate::reader::Change;

/// How the connection of a socket or of a client is, as a value to render from and to hand to other components.
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
    pub(crate) live: Rc<Live>,
}

impl ConnectionStatus {
    pub(crate) fn new(state: State, live: Rc<Live>) -> Self {
        Self { state, attempt: None, down_reason: None, is_offline: false, trouble: None, live }
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

    /// Where the connection stands. The time until the next attempt is as of when the wait began.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether messages flow.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether there is no socket: the options are [`idle`](crate::SocketOptions::idle), or it could not be opened; or there is no client.
    pub fn is_idle(&self) -> bool {
        self.state == State::Closed && !self.live.has_connection()
    }

    /// Whether the browser says that this device has no network. An attempt then waits for the network, whatever time
    /// [`state`](Self::state) names.
    pub fn is_offline(&self) -> bool {
        self.is_offline
    }

    /// Where the connection stands now, which may be further than what was told.
    pub(crate) fn state_now(&self) -> State {
        // Before the first effect there is no socket yet, and still it is on its way.
        self.live.state().unwrap_or(self.state)
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

    /// Why the connection is not open, in a sentence or two for people: what is likely, and what to do. It names the address where
    /// [`SocketOptions::new`](crate::SocketOptions::new) was given one; [`DownReason::explain`] takes it from elsewhere.
    pub fn trouble(&self) -> Option<&AttrValue> {
        self.trouble.as_ref()
    }

    /// Makes an attempt now. A client that is over makes none.
    pub fn reconnect(&self) {
        self.live.reconnect();
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
            && Rc::ptr_eq(&self.live, &other.live)
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

/// The status as a reducer, so that a change builds on what was known before it.
#[derive(PartialEq)]
pub(crate) struct Known(pub(crate) ConnectionStatus);

impl Reducible for Known {
    type Action = (State, Change);

    fn reduce(self: Rc<Self>, (state, change): Self::Action) -> Rc<Self> {
        // The event with the reason is on its way. Rendered without it, a reconnect by the application would look like a loss.
        let is_premature = matches!(state, State::Connecting | State::Waiting { .. });
        if change == Change::Same && self.0.is_open() && is_premature {
            return self;
        }
        let down_reason = match change {
            Change::Same => self.0.down_reason().cloned(),
            Change::Gone => None,
            Change::Down(reason) => Some(reason),
        };
        let status = self.0.then(state, down_reason);
        if status == self.0 { self } else { Self(status).into() }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use everwire::Cause;

    use super::*;
    use crate::WasOpen;

    const WAITING: State = State::Waiting { attempt: 1, retry_in: Some(Duration::from_millis(200)) };

    fn known(state: State) -> Rc<Known> {
        Rc::new(Known(ConnectionStatus::new(state, Rc::default())))
    }

    #[test]
    fn an_open_connection_is_not_shown_as_down_before_the_reason_is_known() {
        let known = known(State::Open).reduce((WAITING, Change::Same));
        assert!(known.0.is_open());
        let requested = DownReason::Dropped { cause: Cause::Requested, was_open: WasOpen::UntilNow };
        let known = known.reduce((WAITING, Change::Down(requested.clone())));
        assert_eq!((known.0.state(), known.0.down_reason()), (WAITING, Some(&requested)));
    }

    #[test]
    fn an_attempt_that_begins_without_an_event_is_shown() {
        assert_eq!(known(WAITING).reduce((State::Connecting, Change::Same)).0.state(), State::Connecting);
        assert_eq!(known(State::Open).reduce((State::Closing, Change::Same)).0.state(), State::Closing);
    }
}

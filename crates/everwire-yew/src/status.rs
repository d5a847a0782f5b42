use std::fmt;
use std::rc::Rc;

use everwire::State;
use yew::AttrValue;

use crate::live::Live;

/// How a connection is, as a value to render from and to hand to other components.
///
/// It changes when the connection's state does, and not with messages or the round trip; [`ConnectionBadge`] follows
/// those by itself.
///
/// [`ConnectionBadge`]: crate::ConnectionBadge
#[derive(Clone)]
pub struct ConnectionStatus {
    state: State,
    trouble: Option<AttrValue>,
    pub(crate) live: Rc<Live>,
}

impl ConnectionStatus {
    pub(crate) fn new(state: State, trouble: Option<AttrValue>, live: Rc<Live>) -> Self {
        Self { state, trouble, live }
    }

    /// Where the connection stands. The time until the next attempt is as of when the wait began.
    pub fn state(&self) -> State {
        self.state
    }

    /// Whether messages flow.
    pub fn is_open(&self) -> bool {
        self.state == State::Open
    }

    /// Whether there is no socket: the options are [`idle`](crate::SocketOptions::idle), or it could not be opened.
    pub fn is_idle(&self) -> bool {
        self.state == State::Closed && self.live.handle().is_none()
    }

    /// Where the connection stands now, which may be further than what was told.
    pub(crate) fn state_now(&self) -> State {
        // Before the first effect there is no socket yet, and still it is on its way.
        self.live.state().unwrap_or(self.state)
    }

    /// Why the connection is not open, in a sentence: how it was lost, why an attempt failed, how it ended, or what is
    /// wrong with the address.
    pub fn trouble(&self) -> Option<&AttrValue> {
        self.trouble.as_ref()
    }

    /// Makes an attempt now.
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
        same_wait && self.trouble == other.trouble && Rc::ptr_eq(&self.live, &other.live)
    }
}

impl fmt::Debug for ConnectionStatus {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("ConnectionStatus")
            .field("state", &self.state)
            .field("trouble", &self.trouble)
            .finish_non_exhaustive()
    }
}

//! What a hook, its clones and the badges that show it share.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::client::ClientState;
use everwire::{Client, SocketHandle, State};
use yew::Callback;

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

/// The current connection of a hook, if there is one, and who follows its round trip.
#[derive(Default)]
pub(crate) struct Live {
    connection: RefCell<Option<Connection>>,
    look: RefCell<Option<Rc<dyn Fn()>>>,
    round_trip: Cell<Option<Duration>>,
    followers: RefCell<Vec<(usize, Callback<Duration>)>>,
    next_follower: Cell<usize>,
}

impl Live {
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
        self.forget_round_trip();
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
        self.look();
    }

    /// Sets what looks at the state after a change without an event.
    pub(crate) fn set_look(&self, look: Option<Rc<dyn Fn()>>) {
        let before = self.look.replace(look);
        drop(before);
    }

    /// Has the state looked at again: what is done through a handle need not cause an event.
    pub(crate) fn look(&self) {
        let look = self.look.borrow().clone();
        if let Some(look) = look {
            look();
        }
    }

    /// The latest sample of the round trip, of the present connection.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
    }

    /// Forgets the sample: the connection that it is of is gone.
    pub(crate) fn forget_round_trip(&self) {
        self.round_trip.set(None);
    }

    pub(crate) fn measured(&self, round_trip: Duration) {
        self.round_trip.set(Some(round_trip));
        // A follower may render, and thereby add or remove another.
        let followers: Vec<_> = self.followers.borrow().iter().map(|(_, follower)| follower.clone()).collect();
        followers.iter().for_each(|follower| follower.emit(round_trip));
    }

    /// Has every sample of the round trip handed to `follower`, until what is returned is dropped.
    #[must_use = "dropping it ends the following"]
    pub(crate) fn follow(self: &Rc<Self>, follower: Callback<Duration>) -> Following {
        let number = self.next_follower.get();
        self.next_follower.set(number + 1);
        self.followers.borrow_mut().push((number, follower));
        Following { live: Rc::downgrade(self), number }
    }
}

/// Somebody who follows a round trip. Dropping it ends that.
pub(crate) struct Following {
    live: Weak<Live>,
    number: usize,
}

impl Drop for Following {
    fn drop(&mut self) {
        if let Some(live) = self.live.upgrade() {
            live.followers.borrow_mut().retain(|(number, _)| *number != self.number);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sample_reaches_whoever_follows_and_nobody_who_stopped() {
        let live = Rc::new(Live::default());
        let seen = Rc::new(RefCell::new(Vec::new()));
        let follower = |name: &'static str| {
            let seen = Rc::clone(&seen);
            Callback::from(move |sample: Duration| seen.borrow_mut().push((name, sample.as_millis())))
        };
        let first = live.follow(follower("first"));
        let _second = live.follow(follower("second"));
        live.measured(Duration::from_millis(1));
        drop(first);
        live.measured(Duration::from_millis(2));
        assert_eq!(*seen.borrow(), [("first", 1), ("second", 1), ("second", 2)]);
    }
}

//! What a hook, its clones and the badges that show it share.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::time::Duration;

use everwire::{SocketHandle, State};
use yew::Callback;

/// The current socket of a hook, if there is one, and who follows its round trip.
#[derive(Default)]
pub(crate) struct Live {
    handle: RefCell<Option<SocketHandle>>,
    look: RefCell<Option<Rc<dyn Fn()>>>,
    round_trip: Cell<Option<Duration>>,
    followers: RefCell<Vec<(usize, Callback<Duration>)>>,
    next_follower: Cell<usize>,
}

impl Live {
    pub(crate) fn handle(&self) -> Option<SocketHandle> {
        self.handle.borrow().clone()
    }

    pub(crate) fn replace_handle(&self, handle: Option<SocketHandle>) {
        *self.handle.borrow_mut() = handle;
        self.round_trip.set(None);
    }

    /// Where the connection stands now; `None` where there is no socket.
    pub(crate) fn state(&self) -> Option<State> {
        self.handle.borrow().as_ref().map(SocketHandle::state)
    }

    pub(crate) fn reconnect(&self) {
        if let Some(handle) = self.handle() {
            handle.reconnect();
            self.look();
        }
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

    /// The latest sample of the round trip.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.round_trip.get()
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

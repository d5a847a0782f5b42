//! What a hook, its clones and the badges that show it share.

use std::cell::{Cell, RefCell};
use std::rc::{Rc, Weak};
use std::task::Waker;
use std::time::Duration;

use everwire::{SocketHandle, State};
use yew::Callback;

/// The current socket of a hook, if there is one, and who follows its round trip.
#[derive(Default)]
pub(crate) struct Live {
    handle: RefCell<Option<SocketHandle>>,
    /// The task that reads the socket. Nothing that is done through a handle wakes it by itself.
    reader: RefCell<Option<Waker>>,
    is_nudged: Cell<bool>,
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
            self.nudge();
        }
    }

    /// Has the reader look at the state again.
    pub(crate) fn nudge(&self) {
        self.is_nudged.set(true);
        let reader = self.reader.borrow_mut().take();
        reader.into_iter().for_each(Waker::wake);
    }

    /// Whether somebody has nudged since this was last asked; remembers the reader where nobody has.
    pub(crate) fn take_nudge(&self, reader: &Waker) -> bool {
        let was_nudged = self.is_nudged.replace(false);
        if !was_nudged {
            *self.reader.borrow_mut() = Some(reader.clone());
        }
        was_nudged
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

    #[test]
    fn a_nudge_is_seen_once() {
        let live = Live::default();
        let waker = Waker::noop();
        assert!(!live.take_nudge(waker));
        live.nudge();
        assert!(live.take_nudge(waker));
        assert!(!live.take_nudge(waker));
    }
}

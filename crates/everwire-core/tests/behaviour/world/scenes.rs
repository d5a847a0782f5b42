//! What happens to the world.

use everwire_core::{DropCause, Input, Network, Page, Time};

use super::{Timers, World, agenda::Event};

impl World {
    pub(crate) fn page(&mut self, page: Page) {
        self.input(Input::Page(page));
    }

    pub(crate) fn close(&mut self) {
        self.input(Input::Close);
    }

    /// The connection goes half-open: nothing passes, and the platform does not report it. A new one would work.
    pub(crate) fn cut(&mut self) {
        self.kill_uplink();
    }

    /// The platform says that the socket closed without a close frame.
    pub(crate) fn drop_socket(&mut self) {
        let socket = self.socket();
        let buffered = self.buffered(socket);
        self.lose_socket(socket);
        self.input(Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered });
    }

    pub(crate) fn go_offline(&mut self) {
        self.link.has_network = false;
        self.link.is_stalled = true;
        self.input(Input::Network(Network::Offline));
    }

    pub(crate) fn go_online(&mut self) {
        self.link.has_network = true;
        self.link.is_stalled = false;
        self.input(Input::Network(Network::Online));
    }

    /// The page is frozen for so long. The server goes on sending.
    pub(crate) fn freeze_for(&mut self, time: Time) {
        self.page(Page::Frozen);
        self.stall_for(time);
    }

    /// Nothing runs in the page for so long: a busy main thread, or a freeze that was not announced. What was held back
    /// arrives behind the timer that is due.
    pub(crate) fn stall_for(&mut self, time: Time) {
        let before = core::mem::replace(&mut self.timers, Timers::Frozen);
        self.run_for(time);
        self.timers = before;
        for (index, to_client) in core::mem::take(&mut self.held).into_iter().enumerate() {
            let after = Time::from_millis(1 + index as u64);
            self.agenda.add(self.now + after, Event::AtClient(to_client));
        }
    }

    /// The machine sleeps. Some platforms' monotonic clock stops meanwhile.
    pub(crate) fn sleep_for(&mut self, time: Time, monotonic_runs_on: bool) {
        if monotonic_runs_on {
            self.stall_for(time);
        } else {
            self.slept = self.slept + time;
        }
    }

    /// The platform refuses the attempt.
    pub(crate) fn refuse_socket(&mut self, cause: DropCause) {
        let socket = self.socket();
        self.lose_socket(socket);
        self.input(Input::Dropped { socket, cause, buffered: 0 });
    }

    /// A timer fires, due or not.
    pub(crate) fn wake(&mut self) {
        self.input(Input::Wake { wall: self.now + self.slept });
    }
}

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use everwire::{Event, SocketHandle};
use everwire_companion_api::ticker::ServerMessage;
use gloo_render::{AnimationFrame, request_animation_frame};
use web_sys::window;
use yew::Callback;

use super::book::{Book, Missed, Taken};

/// The milliseconds between two samples of the sparklines.
const SAMPLE_EVERY: f64 = 600.0;

/// The time that a rate is taken over, in milliseconds.
const METER_WINDOW: f64 = 1_000.0;

/// The state of the page.
///
/// Every message is applied to the book as it arrives, also while the page is hidden and draws nothing. The table is drawn once
/// an animation frame, with all messages since the last one.
#[derive(Default)]
pub(super) struct Feed {
    book: RefCell<Book>,
    meters: RefCell<Meters>,
    /// The requested frame. Dropping it cancels the request.
    frame: RefCell<Option<AnimationFrame>>,
    board: RefCell<Option<Callback<()>>>,
    /// Changes with every snapshot: the rows may be others.
    edition: Cell<u32>,
}

#[derive(Default)]
struct Meters {
    updates: Meter,
    frames: Meter,
    since_frame: u64,
    folded: u64,
    age: Option<Duration>,
    sampled_at: f64,
    reconnects: u64,
}

/// What the page shows of the feed itself.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    pub(super) updates_per_second: u64,
    pub(super) frames_per_second: u64,
    /// How many updates the latest frame shows the effect of.
    pub(super) folded: u64,
    /// How long the latest message was on its way, by the server's clock.
    pub(super) age: Option<Duration>,
    pub(super) missed: Missed,
    pub(super) reconnects: u64,
}

impl Feed {
    /// Applies an event of the socket. Returns whether only a new connection can bring the book up to date.
    pub(super) fn receive(self: &Rc<Self>, event: Event<ServerMessage>, handle: Option<&SocketHandle>) -> bool {
        match event {
            Event::Message(message) => self.take(message, handle),
            Event::Opened(opened) => {
                self.meters.borrow_mut().reconnects += u64::from(opened.is_reconnect);
                false
            }
            // The dropped messages are missing in the middle.
            Event::Lagged { .. } => true,
            _ => false,
        }
    }

    /// Sets what is called in each animation frame that has something new.
    pub(super) fn set_on_frame(&self, board: Option<Callback<()>>) {
        *self.board.borrow_mut() = board;
    }

    /// Empties the book before another feed.
    pub(super) fn clear(self: &Rc<Self>) {
        self.book.take();
        self.edition.set(self.edition.get() + 1);
        self.request_frame();
    }

    pub(super) fn with_book<R>(&self, read: impl FnOnce(&Book) -> R) -> R {
        read(&self.book.borrow())
    }

    pub(super) fn edition(&self) -> u32 {
        self.edition.get()
    }

    pub(super) fn figures(&self) -> Figures {
        let now = now();
        let meters = &mut *self.meters.borrow_mut();
        Figures {
            updates_per_second: meters.updates.per_second(now),
            frames_per_second: meters.frames.per_second(now),
            folded: meters.folded,
            age: meters.age,
            missed: self.book.borrow().missed(),
            reconnects: meters.reconnects,
        }
    }

    fn take(self: &Rc<Self>, message: ServerMessage, handle: Option<&SocketHandle>) -> bool {
        let now = now();
        let sent = match &message {
            ServerMessage::Snapshot(snapshot) => snapshot.server_time,
            ServerMessage::Updates(updates) => updates.server_time,
        };
        let taken = self.book.borrow_mut().take(message);
        {
            let meters = &mut *self.meters.borrow_mut();
            // The offset of the clocks is known to a fraction of the round trip; what is within that is no age.
            let age = handle.and_then(SocketHandle::server_time).map(|time| (time - sent).max(0.0));
            meters.age = age.map(|ms| Duration::from_secs_f64(ms / 1e3));
            if let Taken::Updates(number) = taken {
                meters.updates.count(now, number);
                meters.since_frame += number;
            }
            if now - meters.sampled_at >= SAMPLE_EVERY {
                meters.sampled_at = now;
                self.book.borrow_mut().sample();
            }
        }
        if taken == Taken::Snapshot {
            self.edition.set(self.edition.get() + 1);
        }
        self.request_frame();
        taken == Taken::Gap
    }

    fn request_frame(self: &Rc<Self>) {
        let mut frame = self.frame.borrow_mut();
        if frame.is_none() {
            let feed = Rc::downgrade(self);
            *frame = Some(request_animation_frame(move |_| {
                if let Some(feed) = feed.upgrade() {
                    feed.draw();
                }
            }));
        }
    }

    fn draw(&self) {
        self.frame.borrow_mut().take();
        {
            let meters = &mut *self.meters.borrow_mut();
            meters.folded = std::mem::take(&mut meters.since_frame);
            meters.frames.count(now(), 1);
        }
        let board = self.board.borrow().clone();
        if let Some(board) = board {
            board.emit(());
        }
    }
}

/// Milliseconds of a clock that never goes back.
fn now() -> f64 {
    window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}

/// How often something happened in the last second.
#[derive(Clone, Debug, Default)]
struct Meter {
    /// When, in milliseconds, and how many.
    happened: VecDeque<(f64, u64)>,
}

impl Meter {
    fn count(&mut self, now: f64, number: u64) {
        self.happened.push_back((now, number));
        self.expire(now);
    }

    fn per_second(&mut self, now: f64) -> u64 {
        self.expire(now);
        self.happened.iter().map(|(_, number)| number).sum()
    }

    fn expire(&mut self, now: f64) {
        while self.happened.front().is_some_and(|(at, _)| now - at >= METER_WINDOW) {
            self.happened.pop_front();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_older_than_a_second_no_longer_counts() {
        let mut meter = Meter::default();
        for step in 0..30 {
            meter.count(f64::from(step) * 100.0, 5);
        }
        assert_eq!(meter.per_second(2_900.0), 50);
        assert_eq!(meter.per_second(3_000.0), 45);
        assert_eq!(meter.per_second(9_000.0), 0);
    }
}

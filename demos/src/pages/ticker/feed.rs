use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;
use std::time::Duration;

use everwire::Delivery;
use everwire::client::{Cursor, Gap, GapReason, SubscribeOptions};
use everwire_companion_api::ticker as api;
use gloo_render::{AnimationFrame, request_animation_frame};
use web_sys::window;
use yew::Callback;

use super::book::{Book, Missed};
use super::controls::Selection;

/// The milliseconds between two samples of the sparklines.
const SAMPLE_EVERY: f64 = 600.0;

/// The time that a rate is taken over, in milliseconds.
const METER_WINDOW: f64 = 1_000.0;

/// The state of the page.
///
/// Every message is applied to the book as it arrives, also while the page is hidden and draws nothing. The table is drawn once
/// an animation frame, with all messages since the last one. It outlives the page: a visitor who returns gets what has changed since.
#[derive(Default)]
pub(super) struct Feed {
    book: RefCell<Book>,
    meters: RefCell<Meters>,
    /// The requested frame. Dropping it cancels the request.
    frame: RefCell<Option<AnimationFrame>>,
    board: RefCell<Option<Callback<()>>>,
    /// Changes when the rows are others.
    edition: Cell<u32>,
    /// The server and the channel that the book is of.
    source: RefCell<Option<(String, Selection)>>,
    /// The position in the channel after what the book has.
    cursor: Cell<Option<Cursor>>,
    /// Whether what arrives is new.
    is_live: Cell<bool>,
    /// Whether the client was connected since the page is shown.
    was_connected: Cell<bool>,
}

thread_local! {
    /// The feed of the page that was shown last.
    static KEPT: RefCell<Option<Rc<Feed>>> = const { RefCell::new(None) };
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
    /// The feed that a page has left, or an empty one.
    pub(super) fn recall() -> Rc<Self> {
        KEPT.take().unwrap_or_default()
    }

    /// Keeps the feed of a page that goes, for its return.
    pub(super) fn keep(self: &Rc<Self>) {
        self.was_connected.set(false);
        KEPT.set(Some(Rc::clone(self)));
    }

    /// What the visitor selected the last time.
    pub(super) fn selection(&self) -> Option<Selection> {
        self.source.borrow().as_ref().map(|(_, selection)| *selection)
    }

    /// The book is of this server and channel from now on; that of another one is emptied.
    pub(super) fn set_source(self: &Rc<Self>, server: String, selection: Selection) {
        let source = Some((server, selection));
        if *self.source.borrow() != source {
            *self.source.borrow_mut() = source;
            self.cursor.set(None);
            self.is_live.set(false);
            self.book.take();
            self.rows_changed();
        }
    }

    /// Where the subscription starts: with all quotes, or with those that have changed since.
    pub(super) fn options(&self) -> SubscribeOptions {
        let options = SubscribeOptions::default().latest();
        match self.cursor.get() {
            Some(cursor) => options.from(cursor),
            None => options.state(),
        }
    }

    /// Takes what the channel delivers, at this time of the server if that is known.
    pub(super) fn receive(self: &Rc<Self>, delivery: Delivery<api::Quote>, server_time: Option<f64>) {
        match delivery {
            Delivery::Message(message) => {
                self.cursor.set(Some(message.cursor));
                if let Some(symbol) = &message.key {
                    self.take(symbol, message.value, server_time);
                }
            }
            Delivery::Removed(removed) => self.cursor.set(Some(removed.cursor)),
            Delivery::Gap(Gap { reason, missed, .. }) => {
                self.cursor.set(None);
                self.is_live.set(false);
                self.book.borrow_mut().gap(missed, reason == GapReason::Rewritten);
            }
            Delivery::Resumed => self.is_live.set(false),
            Delivery::CaughtUp => {
                self.is_live.set(true);
                if self.book.borrow_mut().caught_up() {
                    self.rows_changed();
                }
            }
            _ => {}
        }
    }

    /// The client is connected, as the page learns or as it happens.
    pub(super) fn connected(&self, is_news: bool) {
        if self.was_connected.replace(true) && is_news {
            self.meters.borrow_mut().reconnects += 1;
        }
    }

    /// Sets what is called in each animation frame that has something new.
    pub(super) fn set_on_frame(&self, board: Option<Callback<()>>) {
        *self.board.borrow_mut() = board;
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

    fn take(self: &Rc<Self>, symbol: &str, quote: api::Quote, server_time: Option<f64>) {
        let now = now();
        let sent = quote.time;
        let (trades, is_new) = {
            let mut book = self.book.borrow_mut();
            let rows = book.quotes().len();
            let trades = book.take(symbol, quote);
            (trades, book.quotes().len() > rows)
        };
        {
            let meters = &mut *self.meters.borrow_mut();
            // Quotes that the page has missed are old. The offset of the clocks is known to a fraction of the round trip; what is within
            // that is no age.
            if self.is_live.get() {
                meters.age = server_time.map(|time| Duration::from_secs_f64((time - sent).max(0.0) / 1e3));
                meters.updates.count(now, trades);
            }
            meters.since_frame += trades;
            if now - meters.sampled_at >= SAMPLE_EVERY {
                meters.sampled_at = now;
                self.book.borrow_mut().sample();
            }
        }
        if is_new {
            // The companies of a channel that nobody has used before come after its state, which is empty.
            if self.is_live.get() {
                self.book.borrow_mut().caught_up();
            }
            self.rows_changed();
        }
        self.request_frame();
    }

    fn rows_changed(self: &Rc<Self>) {
        self.edition.set(self.edition.get() + 1);
        self.request_frame();
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

use super::recovery::{Gap, History};
use crate::{
    Delivery,
    protocol::{Cursor, GapReason, Mode, Start},
};

/// What a subscription of a connection gets, and from where: from the channel's history until it has caught up, then from the fan-out.
///
/// # The contract
/// [`start`](Self::start) says how to answer `sub`. Then, whenever the connection has room and the feed [is not live](Self::is_live), the
/// driver calls [`poll`](Self::poll) and does what it says, until that is [`FeedStep::Idle`]. While it is live, each message of the
/// channel goes to [`fan_out`](Self::fan_out), and the driver calls [`fell_behind`](Self::fell_behind) when the connection has more
/// queued than it should: what follows is read from history when that has drained.
///
/// The driver polls under the lock under which the channel's messages are handed out, so that no message comes between the end of the
/// history and the fan-out. A feed to which that happens all the same notices it by the next message, and catches up.
///
/// Where a page is read later than the history that was given to `poll`, the driver polls again with the history that the page was
/// read from, before it hands on the messages: if it does not get [`FeedStep::Read`] again, messages were trimmed meanwhile, and it does
/// what it gets instead.
///
/// Where only the latest message of each key is read, a message is left out for a later one of its key. If the connection breaks between the
/// two, and the broker comes back with a copy of its data that has the first and not the second, the subscriber gets neither.
///
/// ```
/// use everwire_core::{Delivery, protocol::{Cursor, Mode, Start}, session::{Feed, FeedStep, History}};
///
/// let at = |offset| Cursor { epoch: 0x9f, offset, time: 1_000 + offset };
/// let history = History { trimmed: 0, last: at(2) };
/// let (mut feed, opening) = Feed::start(Start::Last(1), Mode::Each, true, &history, |offset| Some(1_000 + offset));
/// assert_eq!((opening.cursor, opening.gap), (at(1), None));
///
/// assert_eq!(feed.poll(&history), FeedStep::Read { after: 1, up_to: 2, mode: Mode::Each });
/// assert_eq!(feed.paged(at(2)), Some(1)); // `msg`, the one before it is 1
/// feed.page_ended();
/// assert_eq!(feed.poll(&history), FeedStep::Position { cursor: at(2), is_live: true });
/// assert_eq!(feed.fan_out(at(3)), Delivery::Deliver);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Feed {
    mode: Mode,
    phase: Phase,
    /// What the feed has read, or been handed, of the channel.
    position: Cursor,
    /// The offset that the client has: that of the latest line which says one.
    sent: u64,
    page: Option<Page>,
}

/// What is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Page {
    end: Cursor,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// Nothing is delivered.
    Hold,
    /// The latest message of each key is read, as far as it is not later than this position.
    State { until: Cursor },
    /// The history is read.
    CatchingUp,
    /// Each new message is delivered at once.
    Live,
}

/// The answer to `sub`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Opening {
    /// The cursor of `subscribed`.
    pub cursor: Cursor,
    /// The `gap` that follows it.
    pub gap: Option<Gap>,
}

/// What to do for a feed that is not live.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum FeedStep {
    /// Nothing.
    Idle,
    /// Read messages whose offsets are greater than `after` and at most `up_to`, in ascending order and as many as there is room for. Each
    /// goes to [`Feed::paged`], and [`Feed::page_ended`] says that there are no others.
    Read {
        /// The offset before the page.
        after: u64,
        /// The last offset of the page.
        up_to: u64,
        /// Each message, or only the latest of each key.
        mode: Mode,
    },
    /// Send `gap`.
    Gap(Gap),
    /// Send `pos`, and with `is_live`, `live=1`.
    Position {
        /// The position.
        cursor: Cursor,
        /// The feed has caught up, and is live now.
        is_live: bool,
    },
}

impl Feed {
    /// Subscribes. `time_at` is the time of a message, as for [`History::gap_after`]. With `allows_history` unset, the server's
    /// rules do not let this subscriber see what was published before: whatever it missed is [`GapReason::Refused`].
    ///
    /// `history` is that of the mode: of a channel whose latest message of each key outlives the others, [`Mode::Latest`] can be recovered
    /// from earlier positions.
    pub fn start(
        start: Start,
        mode: Mode,
        allows_history: bool,
        history: &History,
        time_at: impl FnOnce(u64) -> Option<u64>,
    ) -> (Self, Opening) {
        let last = history.last;
        let (phase, cursor, gap) = match start {
            Start::Hold => (Phase::Hold, last, None),
            Start::Live => (Phase::Live, last, None),
            Start::Last(_) if !allows_history => (Phase::CatchingUp, last, None),
            Start::Last(count) => (Phase::CatchingUp, before_last(count, history, time_at), None),
            Start::State if !allows_history => (Phase::CatchingUp, last, Some(history.gap(GapReason::Refused, None))),
            Start::State => {
                let first = Cursor { offset: 0, time: 0, ..last };
                (Phase::State { until: last }, first, None)
            }
            Start::From(cursor) => match history.gap_after(cursor, time_at) {
                None if allows_history || cursor == last => (Phase::CatchingUp, cursor, None),
                None => {
                    let missed = Some(last.offset - cursor.offset);
                    (Phase::CatchingUp, last, Some(history.gap(GapReason::Refused, missed)))
                }
                gap => (Phase::CatchingUp, last, gap),
            },
        };
        let feed = Self { mode, phase, position: cursor, sent: cursor.offset, page: None };
        (feed, Opening { cursor, gap })
    }

    /// What to do next while the feed is not live. `history` is that of the mode, now.
    pub fn poll(&mut self, history: &History) -> FeedStep {
        if matches!(self.phase, Phase::Hold | Phase::Live) {
            return FeedStep::Idle;
        }
        if !history.reaches(self.position) {
            return self.skip(history.gap(GapReason::Rewritten, None));
        }
        if let Phase::State { until } = self.phase {
            if !history.reaches(until) {
                return self.skip(history.gap(GapReason::Rewritten, None));
            }
            if self.position.offset < until.offset {
                return self.read(until, Mode::Latest);
            }
            self.phase = Phase::CatchingUp;
        }
        if self.position.offset == history.last.offset {
            self.phase = Phase::Live;
            self.sent = self.position.offset;
            return FeedStep::Position { cursor: self.position, is_live: true };
        }
        if self.position.offset < history.trimmed {
            let gap = history.trimmed_since(self.sent);
            return self.skip(Gap { missed: gap.missed.filter(|_| self.mode == Mode::Each), ..gap });
        }
        if self.sent != self.position.offset {
            self.sent = self.position.offset;
            return FeedStep::Position { cursor: self.position, is_live: false };
        }
        self.read(history.last, self.mode)
    }

    /// A message was read for [`FeedStep::Read`]: the offset that its `msg` line names as the one before it. `None` if it is not to be sent:
    /// it is not of this page, the client has it, or the one before it is missing, for which the next [`poll`](Self::poll) finds the
    /// reason.
    pub fn paged(&mut self, cursor: Cursor) -> Option<u64> {
        let Page { end, mode } = self.page?;
        let is_in_page = cursor.epoch == end.epoch && cursor.offset <= end.offset;
        let is_next = match mode {
            Mode::Each => Some(cursor.offset) == self.position.offset.checked_add(1),
            Mode::Latest => cursor.offset > self.position.offset,
        };
        if !is_in_page || !is_next {
            return None;
        }
        self.position = cursor;
        Some(core::mem::replace(&mut self.sent, cursor.offset))
    }

    /// There is no other message in the range of the latest [`FeedStep::Read`].
    pub fn page_ended(&mut self) {
        if let Some(Page { end, mode: Mode::Latest }) = self.page.take() {
            self.position = end;
        }
    }

    /// A new message of the channel: whether to send it. One that does not follow the latest one makes the feed catch up from history.
    pub fn fan_out(&mut self, cursor: Cursor) -> Delivery {
        if self.phase != Phase::Live {
            return Delivery::Ignore;
        }
        let is_same_history = cursor.epoch == self.position.epoch;
        if is_same_history && cursor.offset <= self.position.offset {
            return Delivery::Ignore;
        }
        if !is_same_history || cursor.offset != self.position.offset + 1 {
            self.fell_behind();
            return Delivery::Ignore;
        }
        self.position = cursor;
        self.sent = cursor.offset;
        Delivery::Deliver
    }

    /// All new messages up to this one were sent, in the place of a [`fan_out`](Self::fan_out) of each.
    pub fn delivered(&mut self, cursor: Cursor) {
        if self.phase == Phase::Live && cursor.epoch == self.position.epoch && cursor.offset > self.position.offset {
            self.position = cursor;
            self.sent = cursor.offset;
        }
    }

    /// The connection does not keep up: what follows the messages that were sent is read from history.
    pub fn fell_behind(&mut self) {
        if self.phase == Phase::Live {
            self.phase = Phase::CatchingUp;
        }
    }

    /// Whether messages go to [`fan_out`](Self::fan_out) rather than being read.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// How far the feed has come.
    pub fn position(&self) -> Cursor {
        self.position
    }

    fn read(&mut self, up_to: Cursor, mode: Mode) -> FeedStep {
        self.page = Some(Page { end: up_to, mode });
        FeedStep::Read { after: self.position.offset, up_to: up_to.offset, mode }
    }

    /// Goes on after a gap.
    fn skip(&mut self, gap: Gap) -> FeedStep {
        self.phase = Phase::CatchingUp;
        self.position = gap.cursor;
        self.sent = gap.cursor.offset;
        self.page = None;
        FeedStep::Gap(gap)
    }
}

/// The position before the latest `count` messages, or before all that are kept.
fn before_last(count: u64, history: &History, time_at: impl FnOnce(u64) -> Option<u64>) -> Cursor {
    let offset = history.last.offset.saturating_sub(count).max(history.trimmed);
    if offset == history.last.offset {
        return history.last;
    }
    // A broker that does not know the time of a message may not have the next one either.
    let time = if offset == 0 { Some(0) } else { time_at(offset) };
    time.map_or(history.last, |time| Cursor { offset, time, ..history.last })
}

#[cfg(test)]
mod tests;

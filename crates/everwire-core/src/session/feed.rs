//! The delivery to one subscription of a server's connection.

use super::history::{Gap, History};
use crate::{
    connection::Delivery,
    protocol::{Cursor, GapReason, Mode, Start},
};

/// Decides what a subscription of a connection gets next: pages of the channel's history until it has caught up, then new messages from
/// the fan-out.
///
/// # The contract
/// [`start`](Self::start) says how to answer `sub`. Then, whenever the connection has room and the feed [is not live](Self::is_live), the
/// driver calls [`poll`](Self::poll) and carries the step out, until that is [`FeedStep::Idle`]. While the feed is live, each message of
/// the channel goes to [`fan_out`](Self::fan_out), and the driver calls [`fell_behind`](Self::fell_behind) when the connection has too much
/// queued: later messages are read from history once the queue has drained.
///
/// The driver polls under the lock under which the channel fans messages out, so that no message falls between the end of the history
/// and the fan-out. A feed that missed one all the same notices it by the next message, and catches up.
///
/// If a page is read from a later history than `poll` was given, the driver polls again with that history before it hands on the messages.
/// If it does not get [`FeedStep::Read`] again, messages were trimmed meanwhile, and it carries out the new step instead.
///
/// In the mode [`Mode::Latest`], a message is left out in favour of a later one of its key. If the connection breaks between the two, and
/// the broker comes back with an older copy of its data that has only the first, the subscriber gets neither.
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
    /// The position up to which the feed has handled the channel.
    position: Cursor,
    /// The client's position: the offset of the latest line that named one.
    sent: u64,
    page: Option<Page>,
}

/// The page that is being read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
struct Page {
    end: Cursor,
    mode: Mode,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
enum Phase {
    /// Nothing is delivered.
    Hold,
    /// The latest message of each key is read, up to this position.
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
    /// Subscribes. `time_at` is the time of a message, as for [`History::gap_after`]. With `allows_history` unset, the server's rules hide
    /// earlier messages from this subscriber: everything it missed is [`GapReason::Refused`].
    ///
    /// `history` is that of the mode: in a channel whose latest message of each key outlives the others, [`Mode::Latest`] can be recovered
    /// from earlier positions than [`Mode::Each`].
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

    /// Returns what to do next while the feed is not live. `history` is the current one of the mode.
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
        // The page left out messages after the last one sent. Without this line, the client would resume from before them, where they may
        // be trimmed by then, and get a gap although it missed nothing.
        if self.sent != self.position.offset {
            self.sent = self.position.offset;
            return FeedStep::Position { cursor: self.position, is_live: false };
        }
        self.read(history.last, self.mode)
    }

    /// Reports a message read for [`FeedStep::Read`]. Returns the offset before it, which its `msg` line names; `None` if the message is not
    /// to be sent: it is outside the page, the client has it, or the message before it is missing. For the latter, the next
    /// [`poll`](Self::poll) finds the reason.
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

    /// Reports that the range of the latest [`FeedStep::Read`] has no further message.
    pub fn page_ended(&mut self) {
        if let Some(Page { end, mode: Mode::Latest }) = self.page.take() {
            self.position = end;
        }
    }

    /// Reports a new message of the channel, and returns whether to send it. A message that does not follow the latest one makes the feed
    /// catch up from history.
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

    /// Reports that all new messages up to this one were sent, in place of a [`fan_out`](Self::fan_out) for each.
    pub fn delivered(&mut self, cursor: Cursor) {
        if self.phase == Phase::Live && cursor.epoch == self.position.epoch && cursor.offset > self.position.offset {
            self.position = cursor;
            self.sent = cursor.offset;
        }
    }

    /// Reports that the connection does not keep up: later messages are read from history.
    pub fn fell_behind(&mut self) {
        if self.phase == Phase::Live {
            self.phase = Phase::CatchingUp;
        }
    }

    /// Whether messages come from the fan-out rather than from history.
    pub fn is_live(&self) -> bool {
        self.phase == Phase::Live
    }

    /// The position up to which the feed has handled the channel.
    pub fn position(&self) -> Cursor {
        self.position
    }

    fn read(&mut self, up_to: Cursor, mode: Mode) -> FeedStep {
        self.page = Some(Page { end: up_to, mode });
        FeedStep::Read { after: self.position.offset, up_to: up_to.offset, mode }
    }

    /// Continues after a gap.
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
    // A broker that does not know the time of this message may have dropped the next one as well.
    let time = if offset == 0 { Some(0) } else { time_at(offset) };
    time.map_or(history.last, |time| Cursor { offset, time, ..history.last })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Cursor {
        Cursor { epoch: 0x9f, offset, time: if offset == 0 { 0 } else { offset.wrapping_add(1_000) } }
    }

    fn time_at(offset: u64) -> Option<u64> {
        Some(at(offset).time)
    }

    /// Messages after the first offset up to the second one are kept.
    fn history(trimmed: u64, last: u64) -> History {
        History { trimmed, last: at(last) }
    }

    fn start(start: Start, history: History) -> (Feed, Opening) {
        Feed::start(start, Mode::Each, true, &history, time_at)
    }

    fn plain(offset: u64) -> Opening {
        Opening { cursor: at(offset), gap: None }
    }

    fn each(after: u64, up_to: u64) -> FeedStep {
        FeedStep::Read { after, up_to, mode: Mode::Each }
    }

    fn latest(after: u64, up_to: u64) -> FeedStep {
        FeedStep::Read { after, up_to, mode: Mode::Latest }
    }

    fn live(offset: u64) -> FeedStep {
        FeedStep::Position { cursor: at(offset), is_live: true }
    }

    fn gap(reason: GapReason, offset: u64, missed: Option<u64>) -> FeedStep {
        FeedStep::Gap(Gap { reason, cursor: at(offset), missed })
    }

    /// A page with these offsets, read to its end.
    fn page(feed: &mut Feed, offsets: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
        let sent = offsets.into_iter().map(|offset| feed.paged(at(offset))).collect();
        feed.page_ended();
        sent
    }

    #[test]
    fn a_subscription_from_now_on_is_live_at_once() {
        let (mut feed, opening) = start(Start::Live, history(3, 9));
        assert_eq!((opening, feed.is_live()), (plain(9), true));
        assert_eq!(feed.poll(&history(3, 9)), FeedStep::Idle);
        assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
    }

    #[test]
    fn nothing_is_delivered_on_hold() {
        let (mut feed, opening) = start(Start::Hold, history(3, 9));
        assert_eq!((opening, feed.is_live()), (plain(9), false));
        assert_eq!(feed.fan_out(at(10)), Delivery::Ignore);
        feed.fell_behind();
        assert_eq!(feed.poll(&history(3, 10)), FeedStep::Idle);
    }

    #[test]
    fn the_last_messages_come_before_what_is_new() {
        let (mut feed, opening) = start(Start::Last(2), history(3, 9));
        assert_eq!(opening, plain(7));
        assert_eq!(feed.poll(&history(3, 9)), each(7, 9));
        assert_eq!(page(&mut feed, [8, 9]), [Some(7), Some(8)]);
        assert_eq!(feed.poll(&history(3, 9)), live(9));
        assert!(feed.is_live());
    }

    #[test]
    fn fewer_messages_come_where_fewer_are_kept() {
        for count in [6, 7, u64::MAX] {
            assert_eq!(start(Start::Last(count), history(3, 9)).1, plain(3));
        }
        assert_eq!(start(Start::Last(0), history(3, 9)).1, plain(9));
        assert_eq!(start(Start::Last(1), history(0, 0)).1, plain(0));
    }

    #[test]
    fn a_resumed_subscription_gets_everything_after_its_position() {
        let (mut feed, opening) = start(Start::From(at(5)), history(3, 9));
        assert_eq!(opening, plain(5));
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
        assert_eq!(page(&mut feed, [6]), [Some(5)]);
        assert_eq!(feed.poll(&history(3, 11)), each(6, 11));
        assert_eq!(page(&mut feed, 7..=11).len(), 5);
        assert_eq!(feed.poll(&history(3, 11)), live(11));
    }

    #[test]
    fn a_subscription_that_missed_nothing_is_live_after_one_line() {
        let (mut feed, opening) = start(Start::From(at(9)), history(9, 9));
        assert_eq!(opening, plain(9));
        assert_eq!(feed.poll(&history(9, 9)), live(9));
    }

    #[test]
    fn a_position_that_cannot_be_recovered_is_answered_by_the_present_one_and_a_gap() {
        let (mut feed, opening) = start(Start::From(at(1)), history(3, 9));
        let expected = Gap { reason: GapReason::Trimmed, cursor: at(9), missed: Some(8) };
        assert_eq!(opening, Opening { cursor: at(9), gap: Some(expected) });
        assert_eq!(feed.poll(&history(3, 9)), live(9));
    }

    #[test]
    fn messages_that_are_trimmed_while_it_catches_up_are_a_gap() {
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
        assert_eq!(page(&mut feed, [6]), [Some(5)]);
        assert_eq!(feed.poll(&history(7, 12)), gap(GapReason::Trimmed, 12, Some(6)));
        assert_eq!(feed.poll(&history(7, 12)), live(12));
    }

    #[test]
    fn a_page_from_which_messages_were_trimmed_meanwhile_is_not_sent_with_a_hole() {
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
        assert_eq!(page(&mut feed, [8, 9]), [None, None]);
        assert_eq!(feed.poll(&history(7, 9)), gap(GapReason::Trimmed, 9, Some(4)));
    }

    #[test]
    fn a_page_that_the_broker_could_not_read_is_read_again() {
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
        assert_eq!(page(&mut feed, []), []);
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    }

    #[test]
    fn a_message_of_another_page_is_not_sent() {
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        assert_eq!(feed.paged(at(6)), None);
        assert_eq!(feed.poll(&history(3, 6)), each(5, 6));
        assert_eq!(page(&mut feed, [5, 6, 7]), [None, Some(5), None]);
        assert_eq!(feed.paged(at(7)), None);
    }

    #[test]
    fn a_history_that_is_lost_while_it_catches_up_is_a_gap() {
        let other = |offset| Cursor { epoch: 0xa0, ..at(offset) };
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        let lost = History { trimmed: 0, last: other(7) };
        let expected = Gap { reason: GapReason::Rewritten, cursor: other(7), missed: None };
        assert_eq!(feed.poll(&lost), FeedStep::Gap(expected));
        assert_eq!(feed.poll(&lost), FeedStep::Position { cursor: other(7), is_live: true });
    }

    #[test]
    fn a_live_feed_ignores_repetitions() {
        let (mut feed, _) = start(Start::Live, history(3, 9));
        assert_eq!(feed.fan_out(at(9)), Delivery::Ignore);
        assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
        assert_eq!(feed.fan_out(at(10)), Delivery::Ignore);
        assert!(feed.is_live());
    }

    #[test]
    fn a_live_feed_that_missed_a_message_reads_it() {
        let (mut feed, _) = start(Start::Live, history(3, 9));
        assert_eq!((feed.fan_out(at(11)), feed.is_live()), (Delivery::Ignore, false));
        assert_eq!(feed.poll(&history(3, 11)), each(9, 11));
    }

    #[test]
    fn a_message_of_another_epoch_is_not_delivered_as_the_next_one() {
        let (mut feed, _) = start(Start::Live, history(3, 9));
        let other = |offset| Cursor { epoch: 0xa0, ..at(offset) };
        assert_eq!((feed.fan_out(other(10)), feed.is_live()), (Delivery::Ignore, false));
        let step = feed.poll(&History { trimmed: 0, last: other(10) });
        assert_eq!(step, FeedStep::Gap(Gap { reason: GapReason::Rewritten, cursor: other(10), missed: None }));
    }

    #[test]
    fn a_slow_reader_goes_on_from_history_where_it_fell_behind() {
        let (mut feed, _) = start(Start::Live, history(3, 9));
        assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
        feed.fell_behind();
        assert_eq!(feed.fan_out(at(11)), Delivery::Ignore);
        assert_eq!(feed.poll(&history(3, 12)), each(10, 12));
        assert_eq!(page(&mut feed, [11, 12]), [Some(10), Some(11)]);
        assert_eq!(feed.poll(&history(3, 12)), live(12));
    }

    #[test]
    fn a_feed_whose_messages_were_sent_in_a_batch_goes_on_after_the_last_of_them() {
        let (mut feed, _) = start(Start::Live, history(3, 9));
        feed.delivered(at(12));
        feed.delivered(at(11));
        assert_eq!(feed.fan_out(at(12)), Delivery::Ignore);
        feed.fell_behind();
        assert_eq!(feed.poll(&history(3, 14)), each(12, 14));
        assert_eq!(page(&mut feed, [13, 14]), [Some(12), Some(13)]);
    }

    #[test]
    fn a_batch_does_not_move_a_feed_that_is_behind_or_in_another_history() {
        let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
        feed.delivered(at(9));
        assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
        let (mut feed, _) = start(Start::Live, history(3, 9));
        feed.delivered(Cursor { epoch: 0xa0, ..at(12) });
        assert_eq!(feed.position(), at(9));
    }

    #[test]
    fn a_slow_reader_of_the_latest_values_gets_one_message_a_key() {
        let (mut feed, _) = Feed::start(Start::Live, Mode::Latest, true, &history(3, 9), time_at);
        feed.fell_behind();
        assert_eq!(feed.poll(&history(3, 20)), latest(9, 20));
        assert_eq!(page(&mut feed, [14, 20]), [Some(9), Some(14)]);
        assert_eq!(feed.poll(&history(3, 20)), live(20));
    }

    #[test]
    fn the_latest_values_that_were_dropped_are_a_gap_of_an_unknown_number() {
        let (mut feed, _) = Feed::start(Start::Live, Mode::Latest, true, &history(3, 9), time_at);
        feed.fell_behind();
        assert_eq!(feed.poll(&history(12, 20)), gap(GapReason::Trimmed, 20, None));
    }

    #[test]
    fn the_state_comes_first_then_what_was_published_meanwhile() {
        let (mut feed, opening) = start(Start::State, history(90, 104));
        assert_eq!(opening, Opening { cursor: Cursor { epoch: 0x9f, offset: 0, time: 0 }, gap: None });
        assert_eq!(feed.poll(&history(90, 104)), latest(0, 104));
        assert_eq!(feed.paged(at(93)), Some(0));
        assert_eq!(feed.poll(&history(91, 106)), latest(93, 104));
        assert_eq!(page(&mut feed, [99]), [Some(93)]);
        // The client is said to have 104, so that it can resume from there.
        assert_eq!(feed.poll(&history(91, 106)), FeedStep::Position { cursor: at(104), is_live: false });
        assert_eq!(feed.poll(&history(91, 106)), each(104, 106));
        assert_eq!(page(&mut feed, [105, 106]), [Some(104), Some(105)]);
        assert_eq!(feed.poll(&history(91, 106)), live(106));
    }

    #[test]
    fn the_state_of_a_channel_without_messages_is_complete_at_once() {
        let empty = History::empty(Cursor { epoch: 0x9f, offset: 0, time: 0 });
        let (mut feed, _) = start(Start::State, empty);
        assert_eq!(feed.poll(&empty), FeedStep::Position { cursor: empty.last, is_live: true });
    }

    #[test]
    fn a_position_is_sent_once() {
        let (mut feed, _) = Feed::start(Start::State, Mode::Latest, true, &history(0, 9), time_at);
        assert_eq!(feed.poll(&history(0, 9)), latest(0, 9));
        page(&mut feed, [7]);
        assert_eq!(feed.poll(&history(0, 9)), live(9));
        feed.fell_behind();
        assert_eq!(feed.poll(&history(0, 12)), latest(9, 12));
    }

    #[test]
    fn what_is_published_while_the_state_is_read_and_trimmed_is_a_gap() {
        let (mut feed, _) = start(Start::State, history(90, 104));
        assert_eq!(feed.poll(&history(90, 104)), latest(0, 104));
        page(&mut feed, [93, 104]);
        assert_eq!(feed.poll(&history(105, 110)), gap(GapReason::Trimmed, 110, Some(6)));
    }

    #[test]
    fn a_state_of_which_the_history_is_lost_is_a_gap() {
        let (mut feed, _) = start(Start::State, history(90, 104));
        assert_eq!(feed.poll(&history(3, 9)), gap(GapReason::Rewritten, 9, None));
    }

    /// Mercure authorises a replay with today's token; a subscriber whose rights were taken back between must not get what was published.
    #[test]
    fn a_subscriber_that_may_not_see_the_history_gets_none_of_it() {
        let refused = |start| Feed::start(start, Mode::Each, false, &history(3, 9), time_at).1;
        let expected = |missed| Some(Gap { reason: GapReason::Refused, cursor: at(9), missed });
        assert_eq!(refused(Start::From(at(5))), Opening { cursor: at(9), gap: expected(Some(4)) });
        assert_eq!(refused(Start::State), Opening { cursor: at(9), gap: expected(None) });
        assert_eq!(refused(Start::Last(2)), plain(9));
        assert_eq!(refused(Start::From(at(9))), plain(9));
        assert_eq!(refused(Start::Live), plain(9));
    }

    #[test]
    fn offsets_beyond_two_to_the_53_count_on() {
        let high = (1 << 53) - 2;
        let (mut feed, _) = start(Start::From(at(high)), history(high, high + 3));
        assert_eq!(feed.poll(&history(high, high + 3)), each(high, high + 3));
        assert_eq!(page(&mut feed, high + 1..=high + 3), [high, high + 1, high + 2].map(Some));
        let (mut feed, _) = start(Start::Live, history(u64::MAX - 1, u64::MAX));
        assert_eq!(feed.fan_out(at(u64::MAX)), Delivery::Ignore);
    }
}

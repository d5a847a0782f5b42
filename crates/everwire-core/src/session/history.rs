//! Whether a broker can continue from a subscriber's position.

use crate::protocol::{Cursor, GapReason};

/// The part of a channel that a broker has. The offsets of its messages count up by one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct History {
    /// The offset of the latest dropped message, or the one before the first: every later message is kept.
    pub trimmed: u64,
    /// The position of the latest message, even if it was dropped: a subscriber at it has missed nothing.
    pub last: Cursor,
}

/// Messages that a subscriber does not get.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Gap {
    /// Why.
    pub reason: GapReason,
    /// The position from which the subscription continues.
    pub cursor: Cursor,
    /// How many messages it does not get, if known.
    pub missed: Option<u64>,
}

impl History {
    /// The history of a channel without messages: `start` is its position, usually with offset 0.
    pub fn empty(start: Cursor) -> Self {
        Self { trimmed: start.offset, last: start }
    }

    /// The gap between a subscriber's position and the latest one; `None` if every message after the position is available.
    ///
    /// `time_at` is called at most once, for the time of a kept message, of the latest dropped one, or of the position before the first. If it
    /// returns `None`, the history counts as rewritten: after a broker has come back with an older copy of its data, a message at the same
    /// offset may have other content, and only its time shows that.
    ///
    /// ```
    /// use everwire_core::{protocol::{Cursor, GapReason}, session::History};
    ///
    /// let at = |offset| Cursor { epoch: 0x9f, offset, time: 1_000 + offset };
    /// let history = History { trimmed: 3, last: at(9) };
    /// let time_at = |offset| Some(1_000 + offset);
    /// assert_eq!(history.gap_after(at(5), time_at), None);
    /// let gap = history.gap_after(at(2), time_at).expect("message 3 is not kept");
    /// assert_eq!((gap.reason, gap.cursor, gap.missed), (GapReason::Trimmed, at(9), Some(7)));
    /// ```
    pub fn gap_after(&self, position: Cursor, time_at: impl FnOnce(u64) -> Option<u64>) -> Option<Gap> {
        if !self.reaches(position) {
            return Some(self.gap(GapReason::Rewritten, None));
        }
        if position.offset < self.trimmed {
            return Some(self.trimmed_since(position.offset));
        }
        let is_same = match position.offset {
            offset if offset == self.last.offset => position == self.last,
            // Before the first message.
            0 => position.time == 0,
            offset => time_at(offset) == Some(position.time),
        };
        if is_same { None } else { Some(self.gap(GapReason::Rewritten, None)) }
    }

    /// Whether the position lies in this history, by its epoch and offset.
    pub(super) fn reaches(&self, position: Cursor) -> bool {
        position.epoch == self.last.epoch && position.offset <= self.last.offset
    }

    pub(super) fn trimmed_since(&self, offset: u64) -> Gap {
        self.gap(GapReason::Trimmed, Some(self.last.offset.saturating_sub(offset)))
    }

    pub(super) fn gap(&self, reason: GapReason, missed: Option<u64>) -> Gap {
        Gap { reason, cursor: self.last, missed }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(offset: u64) -> Cursor {
        Cursor { epoch: 0x9f, offset, time: offset.wrapping_add(1_000) }
    }

    fn time_at(offset: u64) -> Option<u64> {
        Some(at(offset).time)
    }

    /// Messages 4 to 9 are kept.
    const HISTORY: fn() -> History = || History { trimmed: 3, last: at(9) };

    fn reason(position: Cursor) -> Option<GapReason> {
        HISTORY().gap_after(position, time_at).map(|gap| gap.reason)
    }

    #[test]
    fn every_message_after_a_kept_one_follows() {
        for offset in 3..=9 {
            assert_eq!(reason(at(offset)), None, "after {offset}");
        }
    }

    #[test]
    fn a_position_before_what_is_kept_is_a_gap_that_counts_what_is_missed() {
        let gap = Gap { reason: GapReason::Trimmed, cursor: at(9), missed: Some(7) };
        assert_eq!(HISTORY().gap_after(at(2), time_at), Some(gap));
    }

    /// centrifugal/centrifuge-go#159, #160: an offset of an earlier history was taken for one of the present history.
    #[test]
    fn a_position_of_another_epoch_is_never_resumed() {
        for offset in [0, 2, 3, 5, 9, 12] {
            for epoch in [0, 0x9e] {
                assert_eq!(reason(Cursor { epoch, ..at(offset) }), Some(GapReason::Rewritten), "after {offset}");
            }
        }
    }

    #[test]
    fn a_position_ahead_of_the_history_is_never_resumed() {
        assert_eq!(reason(at(10)), Some(GapReason::Rewritten));
        assert_eq!(reason(at(u64::MAX)), Some(GapReason::Rewritten));
    }

    /// A broker that came back with an older copy of its data numbers its messages as before.
    #[test]
    fn a_message_that_was_written_again_at_the_same_offset_is_noticed() {
        for offset in 3..=9 {
            let other = Cursor { time: 1_000 + offset + 60_000, ..at(offset) };
            assert_eq!(reason(other), Some(GapReason::Rewritten), "after {offset}");
        }
    }

    #[test]
    fn a_message_whose_time_is_not_known_is_not_trusted() {
        let gap = HISTORY().gap_after(at(5), |_| None);
        assert_eq!(gap.map(|gap| gap.reason), Some(GapReason::Rewritten));
    }

    #[test]
    fn a_subscriber_that_has_everything_does_not_read_the_messages() {
        assert_eq!(HISTORY().gap_after(at(9), |offset| panic!("reads {offset}")), None);
    }

    #[test]
    fn a_subscriber_that_has_everything_misses_nothing_when_everything_was_trimmed() {
        let history = History { trimmed: 9, last: at(9) };
        assert_eq!(history.gap_after(at(9), |_| None), None);
        let gap = history.gap_after(at(8), |_| None).expect("message 9 was trimmed");
        assert_eq!((gap.reason, gap.missed), (GapReason::Trimmed, Some(1)));
    }

    #[test]
    fn a_channel_without_messages_has_a_position() {
        let start = Cursor { epoch: 0x9f, offset: (1 << 53) - 2, time: 0 };
        let history = History::empty(start);
        assert_eq!(history.gap_after(start, |_| None), None);
        let first = Cursor { epoch: 0x9f, offset: 0, time: 0 };
        assert!(History::empty(start).gap_after(first, |_| None).is_some());
        assert_eq!(History::empty(first).gap_after(first, |_| None), None);
        let history = History { trimmed: 0, last: at(2) };
        assert_eq!(history.gap_after(first, |_| None), None);
        assert!(history.gap_after(Cursor { time: 7, ..first }, |_| Some(7)).is_some());
    }
}

use std::collections::VecDeque;

use everwire_companion_api::lab::Item;

use super::numbers::RunningUsage;

/// The messages whose latency is kept.
const KEPT: usize = 2_000;

/// The seconds that the chart shows.
pub(super) const SHOWN: usize = 30;

/// What is known of one transport that runs.
#[derive(Clone, Debug, Default)]
pub(super) struct Track {
    pub(super) messages: u64,
    /// Messages that the server no longer had, or that were skipped.
    pub(super) lost: u64,
    /// Requests that failed and connections that were lost.
    pub(super) troubles: u64,
    /// Latencies in milliseconds, the latest of them.
    pub(super) latencies: VecDeque<f64>,
    pub(super) bytes: RunningUsage,
    cursor: Option<u64>,
    seconds: VecDeque<Second>,
}

/// The latencies that were measured in a second of the page's clock.
#[derive(Clone, Copy, Debug)]
struct Second {
    number: u64,
    sum: f64,
    count: f64,
}

impl Track {
    /// Takes what the server said at a time of the page's clock, in milliseconds. `server_time` is the server's own at that
    /// moment, where it is known.
    pub(super) fn take(&mut self, item: &Item, now: f64, server_time: Option<f64>) {
        match *item {
            Item::Start { cursor, gap } => {
                self.lost += gap;
                self.cursor = Some(cursor);
            }
            Item::Message { seq, time } => {
                let skipped = self.cursor.and_then(|cursor| seq.checked_sub(cursor + 1));
                self.cursor = self.cursor.max(Some(seq));
                self.lost += skipped.unwrap_or_default();
                self.messages += 1;
                if let Some(server_time) = server_time {
                    // The offset of the clocks is known to a fraction of the round trip; what is within that is no time.
                    self.measured((server_time - time).max(0.0), now);
                }
            }
            Item::Call { .. } => {}
        }
    }

    /// Whether the server has said anything: before that its counts are not zero but unknown.
    pub(super) fn has_begun(&self) -> bool {
        self.cursor.is_some()
    }

    pub(super) fn latest(&self) -> Option<f64> {
        self.latencies.back().copied()
    }

    /// The mean latency of each of the last seconds, the oldest first; not a number where there was none.
    pub(super) fn seconds(&self, now: f64) -> Vec<f64> {
        let last = second(now);
        let first = (last + 1).saturating_sub(SHOWN as u64);
        let of = |number| self.seconds.iter().find(|second| second.number == number);
        (first..=last).map(|number| of(number).map_or(f64::NAN, |second| second.sum / second.count)).collect()
    }

    fn measured(&mut self, latency: f64, now: f64) {
        if self.latencies.len() == KEPT {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
        let number = second(now);
        match self.seconds.back_mut() {
            Some(second) if second.number == number => {
                second.sum += latency;
                second.count += 1.0;
            }
            _ => self.seconds.push_back(Second { number, sum: latency, count: 1.0 }),
        }
        if self.seconds.len() > SHOWN {
            self.seconds.pop_front();
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time since the page was opened")]
fn second(now: f64) -> u64 {
    (now / 1e3) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64) -> Item {
        Item::Message { seq, time: 1_000.0 }
    }

    #[test]
    fn what_is_skipped_or_told_to_be_missing_is_lost() {
        let mut track = Track::default();
        assert!(!track.has_begun());
        for item in [Item::Start { cursor: 5, gap: 0 }, message(6), message(9), Item::Start { cursor: 20, gap: 11 }] {
            track.take(&item, 0.0, None);
        }
        track.take(&message(21), 0.0, None);
        assert_eq!((track.messages, track.lost), (3, 2 + 11));
        assert!(track.has_begun());
    }

    #[test]
    fn a_latency_is_the_age_by_the_clock_of_the_server_and_never_less_than_nothing() {
        let mut track = Track::default();
        track.take(&message(1), 0.0, Some(1_012.5));
        track.take(&message(2), 0.0, Some(999.9));
        track.take(&message(3), 0.0, None);
        assert_eq!(track.latencies, [12.5, 0.0]);
    }

    #[test]
    fn hours_of_a_feed_take_no_more_memory_than_minutes() {
        let mut track = Track::default();
        for seq in 0..100_000_u32 {
            track.take(&message(seq.into()), f64::from(seq) * 50.0, Some(1_001.0));
        }
        assert_eq!((track.latencies.len(), track.seconds.len()), (KEPT, SHOWN));
        assert_eq!(track.seconds(100_000.0 * 50.0 - 1.0), [1.0; SHOWN]);
    }

    #[test]
    fn seconds_without_a_message_are_gaps() {
        let mut track = Track::default();
        track.take(&message(1), 10_500.0, Some(1_004.0));
        track.take(&message(2), 10_900.0, Some(1_008.0));
        let seconds = track.seconds(12_000.0);
        assert_eq!(seconds[SHOWN.min(13) - 3], 6.0);
        assert!(seconds.last().unwrap().is_nan());
    }
}

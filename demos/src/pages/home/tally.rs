//! What was published against what arrived, judged by the numbers that the messages carry.

use std::collections::BTreeSet;

/// The books on a feed whose messages are numbered from 1 by what publishes them.
///
/// Nothing here believes the library: a number that was skipped is lost until it arrives, one that arrives twice is repeated, and one
/// that was never published is counted as such.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    /// Numbers up to this one belong to what was before.
    before: u64,
    /// The latest number that was published.
    latest: u64,
    /// Whether what follows belongs to what is after.
    is_closed: bool,
    /// The greatest number that arrived.
    arrived: u64,
    delivered: u64,
    missing: BTreeSet<u64>,
    /// What the library reported as not published: these must not arrive.
    refused: BTreeSet<u64>,
    repeated: u64,
    foreign: u64,
    late: u64,
}

impl Tally {
    /// Of the messages after this number.
    pub(super) fn after(number: u64) -> Self {
        Self { before: number, latest: number, arrived: number, ..Self::default() }
    }

    /// The next number, which is published now.
    pub(super) fn publish(&mut self) -> u64 {
        self.latest += 1;
        self.latest
    }

    /// What is published from now on does not count.
    pub(super) fn close(&mut self) {
        self.is_closed = true;
    }

    /// The publish of this number was refused: it is not to arrive.
    pub(super) fn refuse(&mut self, number: u64) {
        if self.is_own(number) {
            self.missing.remove(&number);
            self.refused.insert(number);
        }
    }

    /// A message arrived.
    pub(super) fn deliver(&mut self, number: u64) {
        if number <= self.before || self.is_closed && number > self.latest {
            return;
        }
        if !self.is_own(number) || self.refused.contains(&number) {
            self.foreign += 1;
        } else if number > self.arrived {
            let skipped = (self.arrived + 1..number).filter(|number| !self.refused.contains(number));
            self.missing.extend(skipped);
            self.arrived = number;
            self.delivered += 1;
        } else if self.missing.remove(&number) {
            self.delivered += 1;
            self.late += 1;
        } else {
            self.repeated += 1;
        }
    }

    /// A message arrived that carries no number.
    pub(super) fn deliver_foreign(&mut self) {
        self.foreign += 1;
    }

    fn is_own(&self, number: u64) -> bool {
        number > self.before && number <= self.latest
    }

    pub(super) fn latest(&self) -> u64 {
        self.latest
    }

    pub(super) fn published(&self) -> u64 {
        self.latest - self.before - self.refused.len() as u64
    }

    pub(super) fn delivered(&self) -> u64 {
        self.delivered
    }

    pub(super) fn lost(&self) -> u64 {
        self.missing.len() as u64
    }

    pub(super) fn repeated(&self) -> u64 {
        self.repeated
    }

    /// Messages that arrived after a later one.
    pub(super) fn late(&self) -> u64 {
        self.late
    }

    /// Messages that were never published.
    pub(super) fn foreign(&self) -> u64 {
        self.foreign
    }

    /// Messages that wait for the connection or are on their way.
    pub(super) fn on_the_way(&self) -> u64 {
        self.published().saturating_sub(self.delivered + self.lost())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn published(count: u64) -> Tally {
        let mut tally = Tally::default();
        for _ in 0..count {
            tally.publish();
        }
        tally
    }

    fn figures(tally: &Tally) -> [u64; 6] {
        [tally.delivered(), tally.lost(), tally.repeated(), tally.late(), tally.foreign(), tally.on_the_way()]
    }

    #[test]
    fn an_honest_feed_loses_and_repeats_nothing() {
        let mut tally = published(5);
        (1..=3).for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [3, 0, 0, 0, 0, 2]);
        (4..=5).for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [5, 0, 0, 0, 0, 0]);
    }

    #[test]
    fn a_feed_that_skips_a_message_has_lost_it() {
        let mut tally = published(5);
        [1, 2, 5].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [3, 2, 0, 0, 0, 0]);
    }

    #[test]
    fn a_feed_that_sends_a_message_twice_has_repeated_it() {
        let mut tally = published(3);
        [1, 2, 2, 3, 1].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [3, 0, 2, 0, 0, 0]);
    }

    #[test]
    fn a_message_that_comes_after_a_later_one_is_late_and_not_lost() {
        let mut tally = published(3);
        [1, 3, 2].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [3, 0, 0, 1, 0, 0]);
        tally.deliver(2);
        assert_eq!(tally.repeated(), 1);
    }

    #[test]
    fn a_message_that_was_never_published_does_not_count_as_one_that_was() {
        let mut tally = published(2);
        [1, 9].into_iter().for_each(|number| tally.deliver(number));
        tally.deliver_foreign();
        assert_eq!(figures(&tally), [1, 0, 0, 0, 2, 1]);
    }

    #[test]
    fn a_publish_that_was_refused_is_neither_lost_nor_on_its_way() {
        let mut tally = published(3);
        tally.refuse(2);
        [1, 3].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!((tally.published(), figures(&tally)), (2, [2, 0, 0, 0, 0, 0]));
        tally.deliver(2);
        assert_eq!(tally.foreign(), 1, "the refusal was a lie");
    }

    #[test]
    fn a_tally_that_is_closed_takes_only_what_was_published_before() {
        let mut tally = published(2);
        tally.close();
        [1, 2, 3, 2].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!(figures(&tally), [2, 0, 1, 0, 0, 0]);
    }

    #[test]
    fn a_tally_that_begins_later_leaves_out_what_was_on_its_way() {
        let mut tally = Tally::after(7);
        tally.publish();
        [6, 7, 8].into_iter().for_each(|number| tally.deliver(number));
        assert_eq!((tally.published(), figures(&tally)), (1, [1, 0, 0, 0, 0, 0]));
    }
}

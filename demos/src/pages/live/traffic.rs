use std::cell::{Cell, RefCell};
use std::collections::VecDeque;

use super::panel::Panel;

/// The time that rates are averaged over, in milliseconds: the slowest channels have a message every few seconds.
const WINDOW: f64 = 10_000.0;

/// Messages and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Count {
    pub(super) messages: u64,
    pub(super) bytes: u64,
}

/// Messages and bytes a second.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Rate {
    pub(super) messages: f64,
    pub(super) bytes: f64,
}

/// What came since the page was opened, or since the client is another one.
#[derive(Debug, Default)]
pub(super) struct Traffic {
    channels: [Cell<Count>; Panel::COUNT],
    resumed: Cell<u64>,
    missed: Cell<u64>,
    samples: RefCell<Samples>,
}

/// The counts of the last seconds, oldest first.
#[derive(Debug, Default)]
struct Samples {
    kept: VecDeque<Sample>,
    /// What the connection had carried before the page was opened.
    before: Option<Count>,
}

#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at: f64,
    channels: [Count; Panel::COUNT],
    connection: Count,
}

/// A moment of the traffic, as the table shows it.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Figures {
    /// The payloads of each channel, in the order of the panels.
    pub(super) channels: [(Count, Rate); Panel::COUNT],
    /// Those of all channels together.
    pub(super) payloads: (Count, Rate),
    /// WebSocket messages, each a batch of lines, with everything in them: as the connection counts them.
    pub(super) connection: (Count, Rate),
    /// How often a channel went on after a lost connection without missing anything.
    pub(super) resumed: u64,
    /// Messages that did not come.
    pub(super) missed: u64,
}

impl Traffic {
    /// Counts a message of a channel.
    pub(super) fn count(&self, panel: Panel, bytes: usize) {
        let channel = &self.channels[panel as usize];
        let Count { messages, bytes: before } = channel.get();
        channel.set(Count { messages: messages + 1, bytes: before + bytes as u64 });
    }

    pub(super) fn count_resumed(&self) {
        self.resumed.set(self.resumed.get() + 1);
    }

    /// Counts messages that did not come; at least one where the number is unknown.
    pub(super) fn count_missed(&self, messages: Option<u64>) {
        self.missed.set(self.missed.get() + messages.unwrap_or(1));
    }

    /// Forgets everything: another client follows.
    pub(super) fn clear(&self) {
        self.channels.iter().for_each(|channel| channel.set(Count::default()));
        self.resumed.set(0);
        self.missed.set(0);
        self.samples.take();
    }

    /// Takes what the connection has carried by a time in milliseconds, and returns the figures of that time.
    pub(super) fn sample(&self, at: f64, connection: Count) -> Figures {
        let samples = &mut *self.samples.borrow_mut();
        let before = *samples.before.get_or_insert(connection);
        let connection = Count {
            messages: connection.messages.saturating_sub(before.messages),
            bytes: connection.bytes.saturating_sub(before.bytes),
        };
        let now = Sample { at, channels: self.channels.each_ref().map(Cell::get), connection };
        samples.kept.push_back(now);
        while samples.kept.get(1).is_some_and(|second| at - second.at >= WINDOW) {
            samples.kept.pop_front();
        }
        let first = samples.kept.front().copied().unwrap_or(now);
        let since = |before: Count, now: Count| (now, rate(before, now, at - first.at));
        let sum = |sample: &Sample| {
            sample.channels.iter().fold(Count::default(), |sum, channel| Count {
                messages: sum.messages + channel.messages,
                bytes: sum.bytes + channel.bytes,
            })
        };
        let mut channels = [(Count::default(), Rate::default()); Panel::COUNT];
        for (index, place) in channels.iter_mut().enumerate() {
            *place = since(first.channels[index], now.channels[index]);
        }
        Figures {
            channels,
            payloads: since(sum(&first), sum(&now)),
            connection: since(first.connection, now.connection),
            resumed: self.resumed.get(),
            missed: self.missed.get(),
        }
    }
}

fn rate(first: Count, now: Count, milliseconds: f64) -> Rate {
    if milliseconds <= 0.0 {
        return Rate::default();
    }
    #[expect(clippy::cast_precision_loss, reason = "shown with a few digits")]
    let per_second = |first: u64, now: u64| now.saturating_sub(first) as f64 / milliseconds * 1e3;
    Rate { messages: per_second(first.messages, now.messages), bytes: per_second(first.bytes, now.bytes) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(messages: u64, bytes: u64) -> Count {
        Count { messages, bytes }
    }

    #[test]
    fn rates_are_those_of_the_last_ten_seconds_and_counts_those_of_all() {
        let traffic = Traffic::default();
        for second in 0..60 {
            let figures = traffic.sample(f64::from(second) * 1e3, connection(0, 0));
            if second == 59 {
                let (count, rate) = figures.channels[Panel::Market as usize];
                assert_eq!(count, Count { messages: 4 * 59, bytes: 200 * 59 });
                assert_eq!((rate.messages, rate.bytes), (4.0, 200.0));
                assert_eq!(figures.channels[Panel::News as usize].0, Count::default());
            }
            (0..4).for_each(|_| traffic.count(Panel::Market, 50));
        }
        // After it was switched off, its rate falls to nothing.
        let mut last = 60.0;
        for second in 60..75 {
            last = traffic.sample(f64::from(second) * 1e3, connection(0, 0)).payloads.1.messages;
        }
        assert_eq!(last, 0.0);
    }

    #[test]
    fn what_the_connection_carried_for_other_pages_does_not_count() {
        let traffic = Traffic::default();
        traffic.sample(0.0, connection(1_000, 50_000));
        let figures = traffic.sample(2_000.0, connection(1_010, 51_000));
        assert_eq!(figures.connection, (connection(10, 1_000), Rate { messages: 5.0, bytes: 500.0 }));
    }

    #[test]
    fn another_client_counts_from_nothing() {
        let traffic = Traffic::default();
        traffic.sample(0.0, connection(1_000, 50_000));
        traffic.count(Panel::Log, 10);
        traffic.count_missed(Some(3));
        traffic.clear();
        let figures = traffic.sample(1_000.0, connection(2, 90));
        assert_eq!((figures.payloads.0, figures.connection.0, figures.missed), Default::default());
    }

    #[test]
    fn gaps_and_resumed_channels_are_counted() {
        let traffic = Traffic::default();
        traffic.count_resumed();
        traffic.count_missed(Some(17));
        traffic.count_missed(None);
        let figures = traffic.sample(0.0, connection(0, 0));
        assert_eq!((figures.resumed, figures.missed), (1, 18));
    }
}

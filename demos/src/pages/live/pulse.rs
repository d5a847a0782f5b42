use std::time::Duration;

use everwire::client::SubscribeOptions;
use everwire_companion_api::live::{Banner, MONITOR_KEPT, Phase, Sample};

use super::feed::{Arrival, Model};
use crate::components::Spark;

/// What the server does: the last minute of it.
#[derive(Debug, Default)]
pub(super) struct Pulse {
    pub(super) latest: Option<Sample>,
    pub(super) processor: Spark,
    pub(super) messages: Spark,
}

impl Model for Pulse {
    type Item = Sample;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().last(MONITOR_KEPT)
    }

    fn take(&mut self, arrival: Arrival<Sample>) {
        let sample = arrival.item;
        if let Some(machine) = sample.machine {
            self.processor.sample(machine.processor);
        }
        self.messages.sample(sample.messages_in + sample.messages_out);
        self.latest = Some(sample);
    }
}

/// The phase of the trading day.
#[derive(Debug, Default)]
pub(super) struct Day(Option<Banner>);

impl Model for Day {
    type Item = Banner;

    fn start() -> SubscribeOptions {
        SubscribeOptions::default().state().latest()
    }

    fn take(&mut self, arrival: Arrival<Banner>) {
        self.0 = Some(arrival.item);
    }
}

impl Day {
    /// The phase at a time of the server, unless it is over: an earlier one may be the latest that the channel has.
    pub(super) fn at(&self, now: f64) -> Option<&Banner> {
        // The next announcement is on its way for a moment.
        self.0.as_ref().filter(|banner| banner.until > now - 2_000.0)
    }
}

/// What follows a phase, and in which time: `Auction in 0:12`.
pub(super) fn countdown(banner: &Banner, now: f64) -> String {
    let next = match banner.phase.next() {
        Phase::Open => "Opens",
        Phase::Auction => "Auction",
        Phase::Closed => "Closes",
    };
    let seconds = Duration::from_secs_f64(((banner.until - now) / 1e3).max(0.0)).as_secs_f64().ceil();
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "whole and not negative")]
    let seconds = seconds as u64;
    format!("{next} in {}:{:02}", seconds / 60, seconds % 60)
}

/// The name of a phase.
pub(super) fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Open => "Open",
        Phase::Auction => "Auction",
        Phase::Closed => "Closed",
    }
}

#[cfg(test)]
mod tests {
    use everwire_companion_api::live::MachineSample;

    use super::*;

    fn banner(phase: Phase, until: f64) -> Banner {
        Banner { phase, text: String::new(), until }
    }

    #[test]
    fn the_countdown_ends_at_nothing() {
        let open = banner(Phase::Open, 45_000.0);
        assert_eq!(countdown(&open, 0.0), "Auction in 0:45");
        assert_eq!(countdown(&open, 44_100.0), "Auction in 0:01");
        assert_eq!(countdown(&open, 45_000.0), "Auction in 0:00");
        assert_eq!(countdown(&open, 99_000.0), "Auction in 0:00");
        assert_eq!(countdown(&banner(Phase::Closed, 90_000.0), 0.0), "Opens in 1:30");
    }

    #[test]
    fn a_phase_that_is_long_over_is_not_shown() {
        let mut day = Day::default();
        day.take(Arrival { item: banner(Phase::Open, 45_000.0), key: None, time: 0.0 });
        assert!(day.at(40_000.0).is_some() && day.at(46_000.0).is_some());
        assert!(day.at(60_000.0).is_none());
    }

    #[test]
    fn a_server_that_does_not_expose_its_machine_has_no_processor() {
        let mut pulse = Pulse::default();
        let mut take = |machine| {
            let item = Sample { machine, connections: 1, messages_in: 1.0, messages_out: 2.0 };
            pulse.take(Arrival { item, key: None, time: 0.0 });
        };
        take(None);
        take(Some(MachineSample { processor: 5.0, memory: 1, memory_size: 2 }));
        assert_eq!(pulse.messages.points().split_whitespace().count(), 2);
        assert_eq!(pulse.processor.points().split_whitespace().count(), 1);
    }
}

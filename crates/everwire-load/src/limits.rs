use core::time::Duration;

use clap::Args;

use crate::record::{Percentiles, Summary};
use crate::units;

/// What a result has to keep to.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits, which make the exit code 3 where they are not kept to")]
pub(crate) struct Limits {
    /// The longest that 99 % of the round trips may take, and of the deliveries.
    #[arg(long, value_name = "TIME", value_parser = units::some_duration)]
    max_p99: Option<Duration>,

    /// How many pings and deliveries may be lost: 0, or a share like 0.1%.
    #[arg(long, value_name = "COUNT", value_parser = loss)]
    max_lost: Option<Loss>,

    /// The share of the connections that have to be open when sending begins, like 100%.
    #[arg(long, value_name = "SHARE", value_parser = units::share)]
    min_open: Option<f64>,
}

/// How much may be lost.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Count(u64),
    Share(f64),
}

impl Limits {
    /// Which of them were not kept to, each in a sentence.
    pub(crate) fn missed(&self, summary: &Summary) -> Vec<String> {
        [self.open(summary), self.lost(summary), self.round_trip(summary), self.delivery(summary)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn open(&self, summary: &Summary) -> Option<String> {
        let share = self.min_open?;
        let wanted = summary.setting.connections + summary.setting.publishers;
        let opened = summary.opening.opened;
        let is_kept = opened as f64 >= f64::from(wanted) * share;
        (!is_kept).then(|| format!("{opened} of {wanted} connections were open: --min-open {}%", share * 100.0))
    }

    fn lost(&self, summary: &Summary) -> Option<String> {
        let limit = self.max_lost?;
        let (expected, lost) =
            summary.deliveries.as_ref().map_or((0, 0), |deliveries| (deliveries.expected, deliveries.lost));
        let (expected, lost) = (expected + summary.round_trips.sent, lost + summary.round_trips.lost);
        let is_kept = match limit {
            Loss::Count(count) => lost <= count,
            Loss::Share(share) => lost as f64 <= expected as f64 * share,
        };
        (!is_kept).then(|| format!("{lost} of {expected} messages were lost: --max-lost {limit}"))
    }

    fn round_trip(&self, summary: &Summary) -> Option<String> {
        let pings = &summary.round_trips;
        self.p99("round trips", pings.sent, pings.round_trip)
    }

    fn delivery(&self, summary: &Summary) -> Option<String> {
        let deliveries = summary.deliveries.as_ref()?;
        self.p99("deliveries", deliveries.expected, deliveries.one_way)
    }

    /// Where nothing arrived at all, nothing arrived in time.
    fn p99(&self, what: &str, expected: u64, times: Option<Percentiles>) -> Option<String> {
        let limit = self.max_p99.filter(|_| expected > 0)?;
        let shown = units::show(limit);
        match times {
            None => Some(format!("there were no {what} that took any time: --max-p99 {shown}")),
            Some(Percentiles { p99_ms, .. }) if p99_ms > limit.as_secs_f64() * 1e3 => {
                Some(format!("99 % of the {what} took up to {p99_ms:.2} ms: --max-p99 {shown}"))
            }
            Some(_) => None,
        }
    }
}

impl core::fmt::Display for Loss {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Share(share) => write!(formatter, "{}%", share * 100.0),
        }
    }
}

fn loss(text: &str) -> Result<Loss, String> {
    match text.parse() {
        Ok(count) => Ok(Loss::Count(count)),
        Err(_) if text.ends_with('%') => units::share(text).map(Loss::Share),
        Err(_) => {
            Err(format!("{text:?} is no number of messages: write it like 0 or 10, or a share of them like 0.1%"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::{Deliveries, Opening, RoundTrips, Setting};

    use super::*;

    fn summary() -> Summary {
        let times = Percentiles { p99_ms: 20.0, ..Percentiles::default() };
        Summary {
            setting: Setting { connections: 99, publishers: 1, ..Setting::default() },
            opening: Opening { opened: 90, ..Opening::default() },
            round_trips: RoundTrips { sent: 500, lost: 4, round_trip: Some(times), ..RoundTrips::default() },
            deliveries: Some(Deliveries { expected: 500, lost: 1, one_way: Some(times), ..Deliveries::default() }),
            ..Summary::default()
        }
    }

    #[test]
    fn a_result_that_keeps_to_all_limits_misses_none() {
        let max_p99 = Some(Duration::from_millis(20));
        for loss in [Loss::Count(5), Loss::Share(0.005)] {
            let limits = Limits { max_p99, max_lost: Some(loss), min_open: Some(0.9) };
            assert_eq!(limits.missed(&summary()), Vec::<String>::new());
        }
        assert!(Limits::default().missed(&summary()).is_empty());
    }

    #[test]
    fn each_limit_that_is_missed_is_told_with_what_was_measured() {
        let max_p99 = Some(Duration::from_millis(19));
        let limits = Limits { max_p99, max_lost: Some(Loss::Share(0.004)), min_open: Some(1.0) };
        assert_eq!(
            limits.missed(&summary()),
            [
                "90 of 100 connections were open: --min-open 100%",
                "5 of 1000 messages were lost: --max-lost 0.4%",
                "99 % of the round trips took up to 20.00 ms: --max-p99 19ms",
                "99 % of the deliveries took up to 20.00 ms: --max-p99 19ms",
            ]
        );
        let limits = Limits { max_lost: Some(Loss::Count(4)), ..Limits::default() };
        assert_eq!(limits.missed(&summary()).len(), 1);
    }

    #[test]
    fn a_server_that_answers_nothing_keeps_to_no_time() {
        let mut summary = Summary { deliveries: None, ..summary() };
        summary.round_trips.round_trip = None;
        let limits = Limits { max_p99: Some(Duration::from_secs(9)), ..Limits::default() };
        assert_eq!(limits.missed(&summary), ["there were no round trips that took any time: --max-p99 9s"]);
        summary.round_trips.sent = 0;
        assert!(limits.missed(&summary).is_empty());
    }

    #[test]
    fn a_loss_is_a_count_or_a_share() {
        assert_eq!((loss("3"), loss("0.1%")), (Ok(Loss::Count(3)), Ok(Loss::Share(0.001))));
        assert!(loss("0.5").unwrap_err().contains("like 0.1%"));
    }
}

use tokio::time::Instant;

use crate::units::Period;

/// When a connection sends: from a random time within the first period on, so that the connections do not send together.
///
/// The times are fixed beforehand and do not move when a server is slow, or when this program is: what is late goes out late and
/// its latency counts from the time that it was due. Else a server that stalls would be asked less, just when it is slow
/// ("coordinated omission").
#[derive(Clone, Debug)]
pub(crate) struct Schedule {
    period: Period,
    random: fastrand::Rng,
    next: Instant,
    end: Instant,
}

impl Schedule {
    /// From `start` until before `end`.
    pub(crate) fn new(period: Period, start: Instant, end: Instant, seed: u64) -> Self {
        let mut random = fastrand::Rng::with_seed(seed);
        let next = start + period.draw(&mut random).mul_f64(random.f64());
        Self { period, random, next, end }
    }

    /// When the next message is due; `None` after the last.
    pub(crate) fn due(&self) -> Option<Instant> {
        (self.next < self.end).then_some(self.next)
    }

    /// Goes on to the message after the one that is due.
    pub(crate) fn advance(&mut self) {
        self.next += self.period.draw(&mut self.random);
    }
}

#[cfg(test)]
mod tests {
    use core::time::Duration;

    use super::*;

    fn all(mut schedule: Schedule) -> Vec<Instant> {
        let due = || {
            let due = schedule.due()?;
            schedule.advance();
            Some(due)
        };
        std::iter::from_fn(due).collect()
    }

    #[test]
    fn a_fixed_period_is_kept_to_the_end_despite_late_timers() {
        let (start, period) = (Instant::now(), Duration::from_millis(2500));
        let due = all(Schedule::new(Period { from: period, to: period }, start, start + 10 * period, 7));
        assert_eq!(due.len(), 10);
        assert!(due[0] - start < period);
        assert!(due.windows(2).all(|pair| pair[1] - pair[0] == period));
    }

    #[test]
    fn a_range_is_drawn_from_evenly_and_not_left() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let due = all(Schedule::new(Period { from: second, to: 5 * second }, start, start + 30_000 * second, 7));
        let gaps: Vec<Duration> = due.windows(2).map(|pair| pair[1] - pair[0]).collect();
        assert!(gaps.iter().all(|gap| (second..=5 * second).contains(gap)));
        let mean = gaps.iter().sum::<Duration>() / gaps.len() as u32;
        assert!((2900..3100).contains(&mean.as_millis()), "{mean:?}");
    }

    #[test]
    fn connections_with_different_seeds_are_spread_over_the_first_period() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let first = |seed| Schedule::new(Period { from: second, to: second }, start, start + second, seed).due();
        let early = (0..1000).filter_map(first).filter(|due| *due < start + second / 2).count();
        assert!((400..600).contains(&early), "{early}");
    }
}

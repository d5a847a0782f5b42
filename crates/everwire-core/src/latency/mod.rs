//! Round trips, their distribution, and the offset to the server's clock.

mod histogram;

use core::time::Duration;

pub use histogram::Histogram;

use crate::time::Time;

/// How many samples are compared: the eight of NTP's clock filter (RFC 5905, section 10).
const CLOCK_SAMPLES: usize = 8;

/// Statistics of the link's latency, in constant memory.
///
/// They survive reconnects, because a user experiences the link and not the socket.
#[derive(Debug, Clone, Default)]
pub struct Latency {
    last: Option<Time>,
    /// Mean and sum of squared deviations in seconds, by Welford's method (Technometrics, 1962): it does not lose precision
    /// where the mean is large against the deviation.
    mean: f64,
    squares: f64,
    jitter: f64,
    smoothed: Option<Smoothed>,
    histogram: Histogram,
    lost: u64,
    clock: ClockOffset,
}

/// The smoothed round trip and its variation in seconds (RFC 6298, section 2).
#[derive(Debug, Clone, Copy)]
struct Smoothed {
    round_trip: f64,
    variation: f64,
}

impl Latency {
    /// Records an answered ping. `server_time`, in milliseconds since the Unix epoch, is the time that the answer carried.
    pub fn record(&mut self, sent_at: Duration, now: Duration, server_time: Option<f64>) {
        self.add_sample(sent_at.into(), now.into(), server_time);
    }

    /// [`Self::record`] with the core's own times.
    pub(crate) fn add_sample(&mut self, sent_at: Time, now: Time, server_time: Option<f64>) {
        let round_trip = now - sent_at;
        let seconds = round_trip.as_secs_f64();
        if let Some(last) = self.last {
            // RFC 3550, section 6.4.1: a running mean with gain 1/16 of the difference between neighbours.
            self.jitter += ((seconds - last.as_secs_f64()).abs() - self.jitter) / 16.0;
        }
        self.smoothed = Some(match self.smoothed {
            None => Smoothed { round_trip: seconds, variation: seconds / 2.0 },
            Some(Smoothed { round_trip, variation }) => Smoothed {
                round_trip: 0.875 * round_trip + 0.125 * seconds,
                variation: 0.75 * variation + 0.25 * (round_trip - seconds).abs(),
            },
        });
        self.last = Some(round_trip);
        self.histogram.add(round_trip);
        let deviation = seconds - self.mean;
        self.mean += deviation / self.histogram.count() as f64;
        self.squares += deviation * (seconds - self.mean);
        if let Some(server_time) = server_time {
            self.clock.record(sent_at, now, server_time);
        }
    }

    /// Records a ping that was never answered.
    pub fn record_lost(&mut self) {
        self.lost += 1;
    }

    /// The statistics as of now.
    pub fn summary(&self) -> LatencySummary {
        let duration = |time: Option<Time>| time.map(Duration::from);
        LatencySummary {
            count: self.histogram.count(),
            lost: self.lost,
            last: duration(self.last()),
            min: duration(self.histogram.min()),
            max: duration(self.histogram.max()),
            mean: duration(self.mean()),
            standard_deviation: duration(self.standard_deviation()),
            jitter: duration(self.jitter()),
            p50: duration(self.histogram.percentile(50.0)),
            p90: duration(self.histogram.percentile(90.0)),
            p99: duration(self.histogram.percentile(99.0)),
        }
    }

    /// How many pings were never answered.
    pub fn lost(&self) -> u64 {
        self.lost
    }

    /// The latest round trip.
    pub fn last(&self) -> Option<Time> {
        self.last
    }

    /// The arithmetic mean of the round trips.
    pub fn mean(&self) -> Option<Time> {
        (self.histogram.count() > 0).then(|| seconds(self.mean))
    }

    /// The sample standard deviation of the round trips.
    pub fn standard_deviation(&self) -> Option<Time> {
        let degrees = self.histogram.count().saturating_sub(1);
        (degrees > 0).then(|| seconds(histogram::sqrt(self.squares / degrees as f64)))
    }

    /// The mean difference between neighbouring round trips (RFC 3550, section 6.4.1).
    pub fn jitter(&self) -> Option<Time> {
        (self.histogram.count() > 1).then(|| seconds(self.jitter))
    }

    /// The distribution of the round trips.
    pub fn histogram(&self) -> &Histogram {
        &self.histogram
    }

    /// The estimate of the server's clock.
    pub fn clock(&self) -> &ClockOffset {
        &self.clock
    }

    /// The smoothed round trip (RFC 6298, section 2); `None` before the first answer.
    pub(crate) fn smoothed_round_trip(&self) -> Option<Time> {
        self.smoothed.map(|smoothed| Time::from_secs_f64(smoothed.round_trip))
    }

    /// How long an answer may take before it is overdue: smoothed round trip plus four times its variation (RFC 6298,
    /// section 2.3). `None` before the first answer.
    pub(crate) fn answer_expected_within(&self) -> Option<Time> {
        self.smoothed.map(|Smoothed { round_trip, variation }| Time::from_secs_f64(round_trip + 4.0 * variation))
    }
}

/// Statistics of the round trips so far; a value is `None` if there are too few samples.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[cfg_attr(feature = "serde", derive(serde::Serialize))]
#[non_exhaustive]
pub struct LatencySummary {
    /// How many pings were answered.
    pub count: u64,
    /// How many pings were never answered.
    pub lost: u64,
    /// The latest round trip.
    pub last: Option<Duration>,
    /// The shortest.
    pub min: Option<Duration>,
    /// The longest.
    pub max: Option<Duration>,
    /// The arithmetic mean.
    pub mean: Option<Duration>,
    /// The sample standard deviation.
    pub standard_deviation: Option<Duration>,
    /// The mean difference between neighbouring round trips (RFC 3550, section 6.4.1).
    pub jitter: Option<Duration>,
    /// The median, within 1 %.
    pub p50: Option<Duration>,
    /// What 90 % do not exceed, within 1 %.
    pub p90: Option<Duration>,
    /// What 99 % do not exceed, within 1 %.
    pub p99: Option<Duration>,
}

impl LatencySummary {
    /// The share of pings that were never answered, from 0 to 1; `None` before the first ping was settled.
    pub fn loss(&self) -> Option<f64> {
        let pings = self.count + self.lost;
        (pings > 0).then(|| self.lost as f64 / pings as f64)
    }
}

fn seconds(seconds: f64) -> Time {
    Time::from_secs_f64(seconds)
}

/// The offset between this connection's clock and the server's.
///
/// Each answer that carries the server's time gives an estimate by the NTP formula, with an error of at most half its round trip. Of the
/// latest eight, the one with the least round trip is trusted.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset {
    samples: [Option<ClockSample>; CLOCK_SAMPLES],
    /// How many were ever taken: the next one takes the place of the oldest.
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct ClockSample {
    /// The server's clock less ours, in milliseconds.
    offset: f64,
    round_trip: Time,
}

impl ClockOffset {
    fn record(&mut self, sent_at: Time, now: Time, server_time: f64) {
        if !server_time.is_finite() {
            return;
        }
        let offset = server_time - (millis(sent_at) + millis(now)) / 2.0;
        self.samples[self.taken % CLOCK_SAMPLES] = Some(ClockSample { offset, round_trip: now - sent_at });
        self.taken = self.taken.wrapping_add(1);
    }

    /// The server's time at `now`, in milliseconds since the Unix epoch; `None` before an answer carried it.
    pub fn server_time(&self, now: Time) -> Option<f64> {
        self.best().map(|sample| millis(now) + sample.offset)
    }

    /// How far [`Self::server_time`] may be off at most, if the server's clock runs as fast as ours: half the round trip of
    /// the sample that it rests on.
    pub fn error_bound(&self) -> Option<Duration> {
        self.best().map(|sample| Duration::from(sample.round_trip) / 2)
    }

    fn best(&self) -> Option<&ClockSample> {
        self.samples.iter().flatten().min_by_key(|sample| sample.round_trip)
    }
}

fn millis(time: Time) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    const fn at(millis: u64) -> Time {
        Time::from_millis(millis)
    }

    fn of(round_trips: &[u64]) -> Latency {
        let mut latency = Latency::default();
        for round_trip in round_trips {
            latency.record(ms(1_000), ms(1_000 + round_trip), None);
        }
        latency
    }

    #[test]
    fn mean_and_deviation_are_those_of_the_sample() {
        let summary = of(&[2, 4, 4, 4, 5, 5, 7, 9]).summary();
        assert_eq!((summary.count, summary.min, summary.max, summary.last), (8, Some(ms(2)), Some(ms(9)), Some(ms(9))));
        assert!((summary.mean.unwrap().as_secs_f64() - 0.005).abs() < 1e-9);
        assert!((summary.standard_deviation.unwrap().as_secs_f64() - (32.0_f64 / 7.0).sqrt() / 1e3).abs() < 1e-9);
    }

    #[test]
    fn jitter_is_zero_on_a_steady_link_and_grows_with_the_differences() {
        assert_eq!(of(&[20; 50]).summary().jitter, Some(Duration::ZERO));
        let swinging: Vec<u64> = (0..500).map(|n| if n % 2 == 0 { 20 } else { 30 }).collect();
        let jitter = of(&swinging).summary().jitter.unwrap().as_secs_f64();
        assert!((jitter - 0.010).abs() < 1e-4, "{jitter}");
    }

    #[test]
    fn statistics_are_empty_before_there_is_a_sample() {
        let summary = Latency::default().summary();
        assert_eq!(summary, LatencySummary::default());
        assert_eq!(summary.loss(), None);
    }

    #[test]
    fn loss_is_the_share_of_pings_without_an_answer() {
        let mut latency = of(&[10, 10, 10]);
        latency.record_lost();
        assert_eq!(latency.summary().loss(), Some(0.25));
    }

    #[test]
    fn an_answer_is_expected_later_on_a_link_that_varies() {
        let steady = of(&[50; 40]).answer_expected_within().unwrap();
        let varying: Vec<u64> = (0..40).map(|n| if n % 2 == 0 { 20 } else { 80 }).collect();
        let varying = of(&varying).answer_expected_within().unwrap();
        assert!(steady < ms(52).into(), "{steady:?}");
        assert!(varying > ms(120).into(), "{varying:?}");
    }

    #[test]
    fn the_sample_with_the_least_round_trip_decides() {
        let mut clock = ClockOffset::default();
        // The server is 1,000,000 ms ahead; the slow round trip is lopsided and therefore wrong by 90 ms.
        clock.record(at(0), at(200), 1_000_190.0);
        clock.record(at(300), at(310), 1_000_305.0);
        assert_eq!(clock.server_time(at(400)), Some(1_000_400.0));
        assert_eq!(clock.error_bound(), Some(ms(5)));
    }

    #[test]
    fn old_samples_are_replaced_so_that_a_drifting_clock_is_followed() {
        let mut clock = ClockOffset::default();
        clock.record(at(0), at(2), 501.0);
        for n in 0..CLOCK_SAMPLES as u64 {
            clock.record(at(n * 100), at(n * 100 + 20), (n * 100 + 10 + 700) as f64);
        }
        assert_eq!(clock.server_time(Time::ZERO), Some(700.0));
    }

    #[test]
    fn a_time_that_is_not_a_number_is_ignored() {
        let mut clock = ClockOffset::default();
        clock.record(at(0), at(2), f64::NAN);
        assert_eq!(clock.server_time(Time::ZERO), None);
    }
}

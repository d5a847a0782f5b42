use core::time::Duration;

use crate::time::Time;

/// How many samples are compared: the eight of NTP's clock filter (RFC 5905, section 10).
const SAMPLES: usize = 8;

/// The offset between this connection's clock and the server's.
///
/// Each answer that carries the server's time gives an estimate by the NTP formula, with an error of at most half its
/// round trip; of the latest eight the one with the least round trip is trusted.
#[derive(Debug, Clone, Default)]
pub struct ClockOffset {
    samples: [Option<Sample>; SAMPLES],
    /// How many were ever taken: the next one takes the place of the oldest.
    taken: usize,
}

#[derive(Debug, Clone, Copy)]
struct Sample {
    /// The server's clock less ours, in milliseconds.
    offset: f64,
    round_trip: Time,
}

impl ClockOffset {
    pub(super) fn record(&mut self, sent_at: Time, now: Time, server_time: f64) {
        if !server_time.is_finite() {
            return;
        }
        let offset = server_time - (millis(sent_at) + millis(now)) / 2.0;
        self.samples[self.taken % SAMPLES] = Some(Sample { offset, round_trip: now - sent_at });
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

    fn best(&self) -> Option<&Sample> {
        self.samples.iter().flatten().min_by_key(|sample| sample.round_trip)
    }
}

fn millis(time: Time) -> f64 {
    time.as_secs_f64() * 1e3
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Time {
        Time::from_millis(ms)
    }

    #[test]
    fn the_sample_with_the_least_round_trip_decides() {
        let mut clock = ClockOffset::default();
        // The server is 1,000,000 ms ahead; the slow round trip is lopsided and therefore wrong by 90 ms.
        clock.record(ms(0), ms(200), 1_000_190.0);
        clock.record(ms(300), ms(310), 1_000_305.0);
        assert_eq!(clock.server_time(ms(400)), Some(1_000_400.0));
        assert_eq!(clock.error_bound(), Some(Duration::from_millis(5)));
    }

    #[test]
    fn old_samples_are_replaced_so_that_a_drifting_clock_is_followed() {
        let mut clock = ClockOffset::default();
        clock.record(ms(0), ms(2), 501.0);
        for n in 0..SAMPLES as u64 {
            clock.record(ms(n * 100), ms(n * 100 + 20), (n * 100 + 10 + 700) as f64);
        }
        assert_eq!(clock.server_time(Time::ZERO), Some(700.0));
    }

    #[test]
    fn a_time_that_is_not_a_number_is_ignored() {
        let mut clock = ClockOffset::default();
        clock.record(ms(0), ms(2), f64::NAN);
        assert_eq!(clock.server_time(Time::ZERO), None);
    }
}

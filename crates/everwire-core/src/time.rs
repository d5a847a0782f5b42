//! Times and spans, and the generator that draws random ones.

use core::{
    fmt,
    ops::{Add, Sub},
    time::Duration,
};

const NANOS: u64 = 1_000_000_000;

/// A time since any fixed start, or a span, in nanoseconds, up to 292 years. Addition and subtraction saturate.
///
/// A [`Duration`] is two numbers, and every sum and comparison has to carry between them, which costs time on the path of each
/// message and bytes in a browser's download. Both operators stay out of line: dozens of copies took a kilobyte of the download.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time(u64);

impl Time {
    /// The start, or an empty span.
    pub const ZERO: Self = Self(0);
    /// The longest span: `Duration::MAX`.
    pub(crate) const FOREVER: Self = Self(u64::MAX / 2);
    /// Later than every planned time.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// Milliseconds; [`Duration::MAX`] beyond 292 years.
    pub const fn from_millis(millis: u64) -> Self {
        if millis >= Self::FOREVER.0 / 1_000_000 { Self::FOREVER } else { Self(millis * 1_000_000) }
    }

    /// Seconds; [`Duration::MAX`] beyond 292 years.
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds >= Self::FOREVER.0 / NANOS { Self::FOREVER } else { Self(seconds * NANOS) }
    }

    /// Milliseconds, to the nearest nanosecond; zero for negative numbers and NaN.
    #[inline(never)]
    pub fn from_millis_f64(millis: f64) -> Self {
        Self((millis * 1e6 + 0.5) as u64).min(Self::FOREVER)
    }

    /// The time in milliseconds.
    pub fn as_millis_f64(self) -> f64 {
        self.0 as f64 / 1e6
    }

    /// Zero for negative numbers and NaN.
    #[inline(never)]
    pub(crate) fn from_secs_f64(seconds: f64) -> Self {
        Self((seconds * NANOS as f64 + 0.5) as u64).min(Self::FOREVER)
    }

    pub(crate) fn as_secs_f64(self) -> f64 {
        self.0 as f64 / NANOS as f64
    }

    /// `None` for [`Self::NEVER`].
    pub(crate) fn planned(self) -> Option<Self> {
        (self != Self::NEVER).then_some(self)
    }
}

impl fmt::Debug for Time {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        Duration::from(*self).fmt(formatter)
    }
}

impl Add for Time {
    type Output = Self;

    #[inline(never)]
    fn add(self, other: Self) -> Self {
        Self(self.0 + other.0).min(Self::FOREVER)
    }
}

impl Sub for Time {
    type Output = Self;

    #[inline(never)]
    fn sub(self, earlier: Self) -> Self {
        Self(self.0.saturating_sub(earlier.0))
    }
}

impl From<Duration> for Time {
    fn from(duration: Duration) -> Self {
        // Not a multiplication that saturates, which takes 128 bits of a processor that has 64.
        if duration.as_secs() >= Self::FOREVER.0 / NANOS {
            return Self::FOREVER;
        }
        Self(duration.as_secs() * NANOS + u64::from(duration.subsec_nanos()))
    }
}

impl From<Time> for Duration {
    #[inline(never)]
    fn from(time: Time) -> Self {
        if time >= Time::FOREVER { Self::MAX } else { Self::from_nanos(time.0) }
    }
}

/// SplitMix64 (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", 2014): a stream of numbers that
/// follows from the seed alone, so that a simulation with the same seed is the same simulation.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(seed)
    }

    /// A time drawn evenly from `low..=high`; `low` where `high` is not above it.
    pub(crate) fn between(&mut self, low: Time, high: Time) -> Time {
        low + Time::from_secs_f64((high - low).as_secs_f64() * self.fraction())
    }

    /// A number drawn evenly from `0.0..1.0`, from the upper 53 bits: what an `f64` can hold exactly.
    fn fraction(&mut self) -> f64 {
        (self.next() >> 11) as f64 / (1_u64 << 53) as f64
    }

    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_up_to_centuries_come_back_to_the_nanosecond() {
        for duration in [Duration::ZERO, Duration::from_nanos(1), Duration::new(290 * 365 * 86_400, 123_456_789)] {
            assert_eq!(Duration::from(Time::from(duration)), duration);
        }
    }

    #[test]
    fn longer_durations_saturate() {
        for long in [Duration::MAX, Duration::from_secs(300 * 366 * 86_400)] {
            let time = Time::from(long);
            assert_eq!((time, time + time), (Time::FOREVER, Time::FOREVER));
            assert_eq!(Duration::from(time), Duration::MAX);
        }
        assert_eq!(Time::from_secs_f64(f64::INFINITY), Time::FOREVER);
        assert_eq!((Time::from_millis(u64::MAX), Time::from_secs(u64::MAX)), (Time::FOREVER, Time::FOREVER));
    }

    #[test]
    fn never_comes_after_every_planned_time() {
        assert!(Time::FOREVER < Time::NEVER);
        assert_eq!((Time::NEVER.planned(), Time::FOREVER.planned()), (None, Some(Time::FOREVER)));
    }

    #[test]
    fn negative_numbers_and_nan_are_zero() {
        for seconds in [-1.0, f64::NAN, f64::NEG_INFINITY] {
            assert_eq!(Time::from_secs_f64(seconds), Time::ZERO);
        }
        assert_eq!(Time::from_secs_f64(1.5), Time::from_millis(1_500));
    }

    #[test]
    fn the_first_numbers_of_seed_0_are_those_of_the_published_generator() {
        let mut random = Random::new(0);
        assert_eq!(random.next(), 0xe220_a839_7b1d_cdaf);
        assert_eq!(random.next(), 0x6e78_9e6a_a1b9_65f4);
    }

    #[test]
    fn draws_stay_within_their_bounds_and_use_the_whole_range() {
        let mut random = Random::new(7);
        let (low, high) = (Time::from_secs(1), Time::from_secs(3));
        let draws: Vec<_> = (0..10_000).map(|_| random.between(low, high)).collect();
        assert!(draws.iter().all(|draw| (low..=high).contains(draw)));
        assert!(draws.iter().min() < Some(&Time::from_millis(1_002)));
        assert!(draws.iter().max() > Some(&Time::from_millis(2_998)));
    }
}

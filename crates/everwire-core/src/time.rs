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
    /// The start, or no span at all.
    pub const ZERO: Self = Self(0);
    /// The longest span: `Duration::MAX`.
    pub(crate) const FOREVER: Self = Self(u64::MAX / 2);
    /// After every time that is planned.
    pub(crate) const NEVER: Self = Self(u64::MAX);

    /// So many milliseconds; [`Duration::MAX`] beyond 292 years.
    pub const fn from_millis(millis: u64) -> Self {
        if millis >= Self::FOREVER.0 / 1_000_000 { Self::FOREVER } else { Self(millis * 1_000_000) }
    }

    /// So many seconds; [`Duration::MAX`] beyond 292 years.
    pub const fn from_secs(seconds: u64) -> Self {
        if seconds >= Self::FOREVER.0 / NANOS { Self::FOREVER } else { Self(seconds * NANOS) }
    }

    /// So many milliseconds, to the nearest nanosecond; zero for negative numbers and NaN.
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
}

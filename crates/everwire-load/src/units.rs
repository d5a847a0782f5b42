//! Times, rates, shares and sizes as the command line writes them. Errors show the expected form.

use core::time::Duration;

use bytesize::ByteSize;
use serde::{Deserialize, Serialize};

/// The longest time that a flag accepts: a week.
const MAX_DURATION: Duration = Duration::from_secs(7 * 24 * 3600);

/// The lowest rate, one per hour: the start of the last of ten million connections is still a valid `Duration`.
pub(crate) const MIN_RATE: f64 = 1.0 / 3600.0;

/// The time between two messages of a connection: uniformly random between two bounds, which may be equal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Period {
    pub(crate) from: Duration,
    /// Inclusive.
    pub(crate) to: Duration,
}

impl Period {
    pub(crate) fn mean(self) -> Duration {
        (self.from + self.to) / 2
    }

    /// A random time between the bounds.
    pub(crate) fn sample(self, random: &mut fastrand::Rng) -> Duration {
        self.from + (self.to - self.from).mul_f64(random.f64())
    }
}

impl core::fmt::Display for Period {
    fn fmt(&self, formatter: &mut core::fmt::Formatter<'_>) -> core::fmt::Result {
        formatter.write_str(&format_duration(self.from))?;
        if self.from != self.to {
            write!(formatter, "..{}", format_duration(self.to))?;
        }
        Ok(())
    }
}

/// `2.5s`, `200ms`, `5m`; `0` without a unit.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let invalid = || format!("{text:?} is not a time: write a number and ms, s, m or h, like 200ms, 2.5s or 5m");
    let text = text.trim();
    let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let number: f64 = number.parse().map_err(|_| invalid())?;
    let seconds = match unit.trim() {
        "ms" => number / 1e3,
        "s" => number,
        "m" | "min" => number * 60.0,
        "h" => number * 3600.0,
        "" if number == 0.0 => 0.0,
        _ => return Err(invalid()),
    };
    match Duration::try_from_secs_f64(seconds) {
        Ok(duration) if duration <= MAX_DURATION => Ok(duration),
        _ => Err(format!("{text} is too long: at most a week, 168h")),
    }
}

/// A duration longer than zero.
pub(crate) fn nonzero_duration(text: &str) -> Result<Duration, String> {
    match duration(text)? {
        Duration::ZERO => Err("has to be longer than 0".to_owned()),
        duration => Ok(duration),
    }
}

/// `2.5s`, or `1s..5s` for a random time in between.
pub(crate) fn period(text: &str) -> Result<Period, String> {
    let (from, to) = match text.split_once("..") {
        Some((from, to)) => (duration(from)?, duration(to.trim_start_matches('='))?),
        None => (duration(text)?, duration(text)?),
    };
    if from > to {
        return Err(format!("{text}: the shorter time comes first, like 1s..5s"));
    }
    if from < Duration::from_millis(1) {
        return Err(format!("{text}: a connection sends at most every 1ms; for more load use more connections"));
    }
    Ok(Period { from, to })
}

/// `500/s`, `500` or `3000/min`, as a number per second.
pub(crate) fn rate(text: &str) -> Result<f64, String> {
    let invalid =
        || format!("{text:?} is not a rate: write a number above 0 per second or minute, like 500/s or 3000/min");
    let (number, per) = text.split_once('/').unwrap_or((text, "s"));
    let number: f64 = number.trim().parse().map_err(|_| invalid())?;
    let rate = match per.trim() {
        "s" => number,
        "m" | "min" => number / 60.0,
        _ => return Err(invalid()),
    };
    match rate {
        rate if !rate.is_finite() || rate <= 0.0 => Err(invalid()),
        rate if rate < MIN_RATE => Err(format!("{text} is too slow: at least one per hour, 0.017/min")),
        rate => Ok(rate),
    }
}

/// `0.3` or `30%`, from 0 to 1.
pub(crate) fn share(text: &str) -> Result<f64, String> {
    let invalid = || format!("{text:?} is not a share: write a number from 0 to 1 or a percentage, like 0.3 or 30%");
    let share: f64 = match text.strip_suffix('%') {
        Some(percent) => percent.trim().parse::<f64>().map_err(|_| invalid())? / 100.0,
        None => text.parse().map_err(|_| invalid())?,
    };
    if (0.0..=1.0).contains(&share) { Ok(share) } else { Err(invalid()) }
}

/// `64`, `4KiB`, `1MB`, in bytes.
pub(crate) fn size(text: &str) -> Result<usize, String> {
    let size: Option<ByteSize> = text.parse().ok();
    size.and_then(|size| usize::try_from(size.as_u64()).ok()).ok_or_else(|| {
        format!("{text:?} is not a size: write a number and B, kB, KiB, MB or MiB, like 64, 4KiB or 1MiB")
    })
}

/// A duration as the command line writes it.
pub(crate) fn format_duration(duration: Duration) -> String {
    match duration.as_secs_f64() {
        seconds if seconds < 1.0 => format!("{}ms", seconds * 1e3),
        seconds => format!("{seconds}s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_numbers_with_a_unit() {
        assert_eq!(duration("2.5s"), Ok(Duration::from_millis(2500)));
        assert_eq!(duration("200ms"), Ok(Duration::from_millis(200)));
        assert_eq!(duration("1.5 m"), Ok(Duration::from_secs(90)));
        assert_eq!(duration("0"), Ok(Duration::ZERO));
        assert_eq!(format_duration(Duration::from_millis(2500)), "2.5s");
        assert_eq!(format_duration(Duration::from_millis(200)), "200ms");
    }

    #[test]
    fn a_period_is_fixed_or_a_range() {
        let second = Duration::from_secs(1);
        assert_eq!(period("1s"), Ok(Period { from: second, to: second }));
        assert_eq!(period("1s..5s"), Ok(Period { from: second, to: 5 * second }));
    }

    #[test]
    fn rates_shares_and_sizes_are_parsed_in_each_of_their_forms() {
        assert_eq!((rate("500/s"), rate("500"), rate("3000/min")), (Ok(500.0), Ok(500.0), Ok(50.0)));
        assert_eq!((share("0.3"), share("30%")), (Ok(0.3), Ok(0.3)));
        assert_eq!((size("64"), size("4KiB"), size("1MiB"), size("4kB")), (Ok(64), Ok(4096), Ok(1 << 20), Ok(4000)));
    }

    #[test]
    fn invalid_values_are_rejected_with_an_example() {
        for (result, advice) in [
            (duration("5").map(drop), "like 200ms"),
            (duration("-1s").map(drop), "like 200ms"),
            (duration("1e9h").map(drop), "like 200ms"),
            (duration("9999999h").map(drop), "at most a week"),
            (nonzero_duration("0s").map(drop), "longer than 0"),
            (period("5s..1s").map(drop), "the shorter time comes first"),
            (period("0s").map(drop), "more connections"),
            (rate("fast").map(drop), "like 500/s"),
            (rate("0").map(drop), "above 0"),
            (rate("inf").map(drop), "above 0"),
            (rate("1e-300").map(drop), "at least one per hour"),
            (rate("0.01/min").map(drop), "at least one per hour"),
            (share("1.1").map(drop), "from 0 to 1"),
            (share("NaN").map(drop), "from 0 to 1"),
            (size("4 pages").map(drop), "like 64, 4KiB"),
            (size("-1").map(drop), "like 64, 4KiB"),
        ] {
            let problem = result.unwrap_err();
            assert!(problem.contains(advice), "{problem}");
        }
    }
}

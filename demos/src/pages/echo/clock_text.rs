/// The time of day, to the millisecond. `behind_utc` is how many minutes the visitor's clock is behind UTC, as browsers
/// tell it.
pub(super) fn clock_text(unix_ms: f64, behind_utc: f64) -> String {
    const DAY_MS: f64 = 86_400_000.0;
    let of_day = (unix_ms - behind_utc * 60_000.0).rem_euclid(DAY_MS) as u32;
    let (seconds, ms) = (of_day / 1_000, of_day % 1_000);
    format!("{:02}:{:02}:{:02}.{ms:03}", seconds / 3_600, seconds / 60 % 60, seconds % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_is_that_of_the_visitors_clock() {
        // 2023-11-14 22:13:20.123 UTC
        let time = 1_700_000_000_123.9;
        assert_eq!(clock_text(time, 0.0), "22:13:20.123");
        assert_eq!(clock_text(time, -120.0), "00:13:20.123");
        assert_eq!(clock_text(time, 480.0), "14:13:20.123");
        assert_eq!(clock_text(time, -330.0), "03:43:20.123");
    }
}

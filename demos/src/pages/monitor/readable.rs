//! Numbers as people read them.

/// A rate: small ones with a digit behind the point.
pub(super) fn rate(per_second: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    match per_second {
        0.0 => "0".to_owned(),
        rate if rate < 9.95 => format!("{rate:.1}"),
        rate => crate::format::count(rate.round() as u64),
    }
}

/// A rate of bytes.
pub(super) fn byte_rate(per_second: f64) -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "never negative")]
    let bytes = per_second.round() as u64;
    format!("{}/s", crate::format::bytes(bytes))
}

/// The time that a process has computed, as `top` has it: minutes, seconds and hundredths.
pub(super) fn computed(ms: u64) -> String {
    format!("{}:{:02}.{:02}", ms / 60_000, ms / 1_000 % 60, ms / 10 % 100)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_rates_keep_a_digit() {
        assert_eq!([0.0, 0.96, 9.94, 9.96, 12_345.6].map(rate), ["0", "1.0", "9.9", "10", "12,346"]);
        assert_eq!(byte_rate(1_234.4), "1.2 kB/s");
    }

    #[test]
    fn the_time_is_written_as_top_does() {
        assert_eq!([0, 59_999, 60_000, 7_265_430].map(computed), ["0:00.00", "0:59.99", "1:00.00", "121:05.43"]);
    }
}

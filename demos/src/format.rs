//! Numbers, sizes and times as people read them.

use std::time::Duration;

use bytesize::ByteSize;

/// A whole number in groups of three: `20,000`.
pub(crate) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::with_capacity(digits.len() + digits.len() / 3);
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// A span of time with as many digits as mean something: `0.4 ms`, `38 ms`, `1.2 s`, `3 min`.
pub(crate) fn duration(span: Duration) -> String {
    milliseconds(span.as_secs_f64() * 1e3)
}

/// A span of time in milliseconds, also a negative one.
pub(crate) fn milliseconds(ms: f64) -> String {
    match ms.abs() {
        size if size < 9.95 => format!("{ms:.1} ms"),
        size if size < 999.5 => format!("{ms:.0} ms"),
        size if size < 59_950.0 => format!("{:.1} s", ms / 1e3),
        _ => format!("{:.0} min", ms / 60e3),
    }
}

/// A number of bytes in powers of 1,000: `512 B`, `1.5 kB`, `1.0 MB`.
pub(crate) fn bytes(size: u64) -> String {
    format!("{:.1}", ByteSize(size).display().si())
}

/// A number of bytes in powers of 1,024, as is usual for memory: `512 B`, `1.5 KiB`, `23.5 GiB`.
pub(crate) fn memory(size: u64) -> String {
    format!("{:.1}", ByteSize(size).display().iec())
}

/// A change with its sign, where minus is the minus sign and not a hyphen: `+0.25`, `−1.10`, `0.00`.
pub(crate) fn signed(change: f64, decimals: usize) -> String {
    let size = format!("{:.decimals$}", change.abs());
    let is_zero = size.chars().all(|char| matches!(char, '0' | '.'));
    match change {
        _ if is_zero => size,
        change if change < 0.0 => format!("\u{2212}{size}"),
        _ => format!("+{size}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_come_in_groups_of_three() {
        assert_eq!([0, 999, 1_000, 20_000, 1_234_567].map(count), ["0", "999", "1,000", "20,000", "1,234,567"]);
    }

    #[test]
    fn spans_of_time_never_show_digits_that_mean_nothing() {
        assert_eq!(
            [0.04, 9.94, 9.96, 999.4, 999.6, 59_000.0, 60_000.0].map(milliseconds),
            ["0.0 ms", "9.9 ms", "10 ms", "999 ms", "1.0 s", "59.0 s", "1 min"]
        );
        assert_eq!(duration(Duration::from_micros(1_250)), "1.2 ms");
    }

    #[test]
    fn sizes_are_in_powers_of_a_thousand_and_memory_in_powers_of_two() {
        assert_eq!([999, 1_500, 1_048_576].map(bytes), ["999 B", "1.5 kB", "1.0 MB"]);
        assert_eq!(
            [0, 1_023, 1_536, 104_857_600, 25_276_502_016].map(memory),
            ["0 B", "1023 B", "1.5 KiB", "100.0 MiB", "23.5 GiB"]
        );
    }

    #[test]
    fn a_change_that_rounds_to_nothing_has_no_sign() {
        assert_eq!(
            [0.254, -1.1, -0.001, 0.001, 0.0].map(|change| signed(change, 2)),
            ["+0.25", "\u{2212}1.10", "0.00", "0.00", "0.00"]
        );
    }
}

//! Numbers and lists in words.

/// With a comma for each thousand.
pub(super) fn count(number: u64) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

/// Milliseconds, with as many digits as mean something.
pub(super) fn millis(time: f64) -> String {
    match time {
        time if time < 10.0 => format!("{time:.2} ms"),
        time if time < 100.0 => format!("{time:.1} ms"),
        time => format!("{} ms", count(time.round() as u64)),
    }
}

/// A time as `everwire-load` writes it, with a space before the unit.
pub(super) fn time(text: &str) -> String {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    format!("{number} {unit}")
}

pub(super) fn percent(percent: f64) -> String {
    if percent < 10.0 { format!("{percent:.1} %") } else { format!("{percent:.0} %") }
}

pub(super) fn kilobytes(bytes: f64) -> String {
    format!("{:.1} kB", bytes / 1e3)
}

pub(super) fn mebibytes(bytes: u64) -> String {
    format!("{:.0} MiB", bytes as f64 / f64::from(1 << 20))
}

pub(super) fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { format!("{factor:.0}") }
}

/// `a, b and c`.
pub(super) fn list(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_as_many_digits_as_mean_something() {
        assert_eq!(count(25_000), "25,000");
        assert_eq!(
            (millis(0.123), millis(45.67), millis(1234.5)),
            ("0.12 ms".into(), "45.7 ms".into(), "1,235 ms".into())
        );
        assert_eq!((percent(3.13), percent(97.6)), ("3.1 %".into(), "98 %".into()));
        assert_eq!((time("2.5s"), time("100ms")), ("2.5 s".into(), "100 ms".into()));
        assert_eq!((times(1.04), times(23.4)), ("1.0".into(), "23".into()));
    }

    #[test]
    fn a_list_ends_with_and() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((list(&items), list(&items[..1]), list(&[])), ("a, b and c".into(), "a".into(), "none".into()));
    }
}

/// Milliseconds with as many digits as mean something: `0.42`, `3.1`, `250`.
pub(super) fn ms(ms: f64) -> String {
    match ms {
        ms if !ms.is_finite() => "–".to_owned(),
        ms if ms < 9.995 => format!("{ms:.2}"),
        ms if ms < 99.95 => format!("{ms:.1}"),
        _ => format!("{ms:.0}"),
    }
}

/// Bytes of overhead: a fraction where there are few.
pub(super) fn overhead(bytes: f64) -> String {
    match bytes {
        bytes if bytes < 99.95 => format!("{bytes:.1}"),
        _ => format!("{bytes:.0}"),
    }
}

/// Megabits a second.
pub(super) fn megabits(size: f64) -> String {
    match size {
        size if size < 9.9995 => format!("{size:.3}"),
        size if size < 99.95 => format!("{size:.1}"),
        _ => format!("{size:.0}"),
    }
}

/// What is not known yet.
pub(super) fn or_dash(text: Option<String>) -> String {
    text.unwrap_or_else(|| "–".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_numbers_keep_their_digits() {
        assert_eq!([0.123, 12.34, 249.6].map(ms), ["0.12", "12.3", "250"]);
        assert_eq!([2.0, 871.4].map(overhead), ["2.0", "871"]);
        assert_eq!([0.01526, 66.45, 664.5].map(megabits), ["0.015", "66.5", "664"]);
        assert_eq!(ms(f64::NAN), "–");
    }
}

//! Numbers and lists in words.

/// Formats a figure, without its unit.
pub(crate) type Digits = fn(f64) -> String;

/// With commas between thousands.
pub(crate) fn count(number: u64) -> String {
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

/// Milliseconds with the significant digits, without the unit.
pub(crate) fn milliseconds(time: f64) -> String {
    match time {
        time if time < 10.0 => format!("{time:.2}"),
        time if time < 100.0 => format!("{time:.1}"),
        time => count(time.round() as u64),
    }
}

/// A time as `everwire-load` writes it, with a space before the unit.
pub(crate) fn time(text: &str) -> String {
    let digits = text.find(|c: char| c.is_ascii_alphabetic()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    format!("{number} {unit}")
}

/// Without the per cent sign.
pub(crate) fn percent(percent: f64) -> String {
    if percent < 10.0 { format!("{percent:.1}") } else { format!("{percent:.0}") }
}

/// Without the unit.
pub(crate) fn mebibytes(bytes: f64) -> String {
    count((bytes / f64::from(1 << 20)).round() as u64)
}

pub(crate) fn times(factor: f64) -> String {
    if factor < 10.0 { format!("{factor:.1}") } else { format!("{factor:.0}") }
}

/// `a, b and c`.
pub(crate) fn list(items: &[String]) -> String {
    match items {
        [] => "none".to_owned(),
        [one] => one.clone(),
        [first @ .., last] => format!("{} and {last}", first.join(", ")),
    }
}

/// The output of a program without line breaks, colours and other control sequences.
pub(crate) fn one_line(output: &str) -> String {
    // A control sequence is an escape and a bracket, and ends with a letter.
    let (first, rest) = output.split_once('\u{1b}').unwrap_or((output, ""));
    let rest = rest.split('\u{1b}').map(|part| match part.strip_prefix('[') {
        Some(command) => command.trim_start_matches(|c: char| !c.is_ascii_alphabetic()).get(1..).unwrap_or_default(),
        None => part,
    });
    let words = std::iter::once(first).chain(rest).collect::<String>();
    let words: Vec<&str> =
        words.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty()).collect();
    words.join(" ")
}

/// The same, escaped for Markdown, also within a table.
pub(crate) fn in_markdown(output: &str) -> String {
    let mut escaped = String::new();
    for c in one_line(output).chars() {
        if r"\`*_[]<>|".contains(c) {
            escaped.push('\\');
        }
        escaped.push(c);
    }
    escaped
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_the_significant_digits() {
        assert_eq!(count(25_000), "25,000");
        assert_eq!(
            (milliseconds(0.123), milliseconds(45.67), milliseconds(1234.5)),
            ("0.12".into(), "45.7".into(), "1,235".into())
        );
        assert_eq!((percent(3.13), percent(97.6)), ("3.1".into(), "98".into()));
        assert_eq!(mebibytes(1.5e9), "1,431");
        assert_eq!((time("2.5s"), time("100ms")), ("2.5 s".into(), "100 ms".into()));
        assert_eq!((times(1.04), times(23.4)), ("1.0".into(), "23".into()));
    }

    #[test]
    fn the_output_of_a_program_stays_on_its_line_and_in_its_cell() {
        assert_eq!(one_line("\u{1b}[1;31merror\u{1b}[0m: a\r\n\tb\u{7} \u{1b}"), "error: a b");
        assert_eq!(in_markdown("1 | 2 <b>\n`a_b`"), r"1 \| 2 \<b\> \`a\_b\`");
    }

    #[test]
    fn a_list_ends_with_and() {
        let items = ["a", "b", "c"].map(str::to_owned);
        assert_eq!((list(&items), list(&items[..1]), list(&[])), ("a, b and c".into(), "a".into(), "none".into()));
    }
}

use crate::format;

/// Bytes a second: `86.3 MB/s`.
pub(super) fn speed(bytes_per_second: f64) -> String {
    format!("{}/s", format::bytes(bytes_per_second.max(0.0) as u64))
}

/// A span as somebody who waits wants to know it, no more exact than it is: `8 s`, `5 min`, `2 h`.
pub(super) fn wait(milliseconds: f64) -> String {
    match (milliseconds / 1e3).ceil() {
        seconds if seconds < 60.0 => format!("{} s", seconds.max(1.0)),
        seconds if seconds < 3_600.0 => format!("{} min", (seconds / 60.0).round().max(1.0)),
        seconds => format!("{} h", (seconds / 3_600.0).round()),
    }
}

/// How long ago something was.
pub(super) fn age(milliseconds: f64) -> String {
    if milliseconds < 10_000.0 { "just now".to_owned() } else { format!("{} ago", wait(milliseconds)) }
}

/// A share in whole percent, which is 100 only for all of it.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 100 } else { (u128::from(part) * 100 / u128::from(whole)) as u64 }
}

/// A name in two parts, of which the first may be cut where there is no room: what a file is stands at its end.
pub(super) fn name_parts(name: &str) -> (&str, &str) {
    const TAIL: usize = 8;
    let start = name.char_indices().rev().nth(TAIL - 1).map_or(0, |(index, _)| index);
    name.split_at(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_are_no_more_exact_than_they_are() {
        assert_eq!(
            [0.0, 400.0, 59_000.0, 61_000.0, 3_500_000.0, 3_700_000.0].map(wait),
            ["1 s", "1 s", "59 s", "1 min", "58 min", "1 h"]
        );
        assert_eq!([-50.0, 9_000.0, 120_000.0].map(age), ["just now", "just now", "2 min ago"]);
    }

    #[test]
    fn hundred_percent_is_all_of_it() {
        assert_eq!(percent(999_999, 1_000_000), 99);
        assert_eq!((percent(5, 5), percent(0, 0), percent(u64::MAX, u64::MAX)), (100, 100, 100));
    }

    #[test]
    fn speeds_are_sizes_a_second() {
        assert_eq!(speed(86_340_000.0), "86.3 MB/s");
        assert_eq!(speed(-1.0), "0 B/s");
    }

    #[test]
    fn the_end_of_a_name_is_kept_whole() {
        assert_eq!(name_parts("holiday-pictures.tar.gz"), ("holiday-picture", "s.tar.gz"));
        assert_eq!(name_parts("a.txt"), ("", "a.txt"));
        assert_eq!(name_parts("übergrößenträger"), ("übergröß", "enträger"));
    }
}

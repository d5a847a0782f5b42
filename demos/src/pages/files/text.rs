//! Numbers, times and file names as the page shows them.

use everwire_companion_api::files::Limits;

use super::transfer::{Stage, Transfer};
use crate::format;

/// The figures of a transfer, the most important first.
pub(super) fn figures(transfer: &Transfer, limits: Option<Limits>, is_interrupted: bool, now: f64) -> Vec<String> {
    let (acked, size) = (transfer.flow.acked(), transfer.flow.size());
    match &transfer.stage {
        Stage::Done(file) => {
            vec![format::bytes(size), format!("SHA-256 {}… matches", file.sha256.get(..12).unwrap_or(&file.sha256))]
        }
        Stage::Failed(_) | Stage::Queued => vec![format::bytes(size)],
        Stage::Rereading(position) => {
            vec![format!("{} of {} reread for the checksum", format::bytes(*position), format::bytes(acked))]
        }
        _ => {
            let mut figures = vec![
                format!("{} %", percent(acked, size)),
                format!("{} of {}", format::bytes(acked), format::bytes(size)),
            ];
            if matches!(transfer.stage, Stage::Sending | Stage::Verifying) && !is_interrupted {
                figures.extend(transfer.meter.speed(now).map(speed));
                let left = transfer.meter.time_left(now, size - acked);
                figures.extend(left.map(|left| format!("{} left", span(left))));
                figures.push(format!("{} in flight", format::bytes(transfer.flow.in_flight())));
            }
            if transfer.stage == Stage::Paused && acked > 0 {
                let kept = limits.map(|limits| span(limits.unfinished));
                figures.extend(kept.map(|kept| format!("the server keeps it for {kept}")));
            }
            figures
        }
    }
}

/// Bytes per second: `86.3 MB/s`.
fn speed(bytes_per_second: f64) -> String {
    format!("{}/s", format::bytes(bytes_per_second.max(0.0) as u64))
}

/// A span of time, rounded to what an estimate is worth: `8 s`, `5 min`, `2 h`.
pub(super) fn span(milliseconds: f64) -> String {
    match (milliseconds / 1e3).ceil() {
        seconds if seconds < 60.0 => format!("{} s", seconds.max(1.0)),
        seconds if seconds < 3_600.0 => format!("{} min", (seconds / 60.0).round().max(1.0)),
        seconds => format!("{} h", (seconds / 3_600.0).round()),
    }
}

/// How long ago something was.
pub(super) fn age(milliseconds: f64) -> String {
    if milliseconds < 10_000.0 { "just now".to_owned() } else { format!("{} ago", span(milliseconds)) }
}

/// A share in whole percent, rounded down, so that only all of it is 100 %.
pub(super) fn percent(part: u64, whole: u64) -> u64 {
    if whole == 0 { 100 } else { (u128::from(part) * 100 / u128::from(whole)) as u64 }
}

/// Splits a name so that only the first part is cut where space is short: the end has the extension.
pub(super) fn name_parts(name: &str) -> (&str, &str) {
    const TAIL: usize = 8;
    let start = name.char_indices().rev().nth(TAIL - 1).map_or(0, |(index, _)| index);
    name.split_at(start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_rounded() {
        assert_eq!(
            [0.0, 400.0, 59_000.0, 61_000.0, 3_500_000.0, 3_700_000.0].map(span),
            ["1 s", "1 s", "59 s", "1 min", "58 min", "1 h"]
        );
        assert_eq!([-50.0, 9_000.0, 120_000.0].map(age), ["just now", "just now", "2 min ago"]);
    }

    #[test]
    fn only_all_of_it_is_a_hundred_percent() {
        assert_eq!(percent(999_999, 1_000_000), 99);
        assert_eq!((percent(5, 5), percent(0, 0), percent(u64::MAX, u64::MAX)), (100, 100, 100));
    }

    #[test]
    fn speeds_are_bytes_per_second() {
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

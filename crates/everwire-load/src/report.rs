//! What the command line makes of a summary: the table for people, and the limits that a result has to keep to.

use core::fmt::{self, Write};
use core::time::Duration;

use bytesize::ByteSize;
use clap::Args;

use crate::record::{Percentiles, Summary};
use crate::units;

/// The width of the first column.
const NAME_WIDTH: usize = 13;

/// The whole table, with a line break at its end.
pub(crate) fn table(summary: &Summary) -> String {
    let mut table = Table(String::new());
    table.problems(summary);
    table.connections(summary);
    table.messages(summary);
    table.times(summary);
    table.processes(summary);
    table.0
}

struct Table(String);

impl Table {
    fn problems(&mut self, summary: &Summary) {
        if summary.interrupted {
            self.row("Interrupted", "The result up to then follows.".to_owned());
        }
        if let Some(problem) = &summary.problem {
            self.row("Incomplete", problem.clone());
        }
    }

    fn connections(&mut self, summary: &Summary) {
        let Summary { setting, opening, .. } = summary;
        let wanted = u64::from(setting.connections + setting.publishers);
        self.row(
            "Connections",
            format!("{} of {} open after {:.1} s", number(opening.opened), number(wanted), opening.seconds),
        );
        let failures = [
            (summary.disconnects, "lost"),
            (summary.reconnects, "opened again"),
            (summary.failed_dials, "attempts failed"),
        ];
        if failures.iter().any(|(count, _)| *count > 0) {
            self.row("", failures.map(|(count, what)| format!("{} {what}", number(count))).join(", "));
            for (reason, times) in &summary.reasons {
                self.row("", format!("  {} x {reason}", number(*times)));
            }
        }
    }

    fn messages(&mut self, summary: &Summary) {
        let pings = &summary.round_trips;
        if pings.sent > 0 {
            let mut line = format!(
                "{} sent, {} answered, {} lost",
                number(pings.sent),
                number(pings.answered),
                number(pings.lost)
            );
            if pings.unsent > 0 {
                let _ = write!(line, " ({} of them never sent)", number(pings.unsent));
            }
            self.row("Pings", with_count(line, pings.duplicates, "answered twice"));
        }
        if pings.overflowed > 0 {
            let overflowed = number(pings.overflowed);
            self.row(
                "",
                format!("{overflowed} messages were not sent: the server read too slowly, and the outbox was full"),
            );
        }
        if let Some(deliveries) = &summary.deliveries {
            self.row(
                "Published",
                format!(
                    "{} for {} subscribers",
                    number(deliveries.published),
                    number(summary.setting.subscribers.into())
                ),
            );
            let (delivered, expected) = (number(deliveries.delivered), number(deliveries.expected));
            let line = format!("{delivered} of {expected}, {} lost", number(deliveries.lost));
            self.row("Delivered", with_count(line, deliveries.duplicates, "delivered twice"));
        }
        if summary.unexpected > 0 {
            self.row(
                "Other",
                format!("{} messages that were not an answer: is this an echo endpoint?", number(summary.unexpected)),
            );
        }
        let rate = number(summary.messages_per_second.round() as u64);
        let warm_up = match summary.setting.warm_up_s {
            0.0 => String::new(),
            seconds => format!(", after {seconds:.1} s of warm-up"),
        };
        self.row("Throughput", format!("{rate} messages per second, for {:.1} s{warm_up}", summary.load_s));
    }

    fn times(&mut self, summary: &Summary) {
        let heads = ["p50", "p90", "p99", "p99.9", "max"].map(|head| format!("{head:>9}")).concat();
        self.row("", String::new());
        self.row("ms", heads);
        let rows = [
            ("Round trip", summary.round_trips.round_trip),
            ("One way", summary.deliveries.as_ref().and_then(|deliveries| deliveries.one_way)),
            ("Sent late by", summary.round_trips.lag),
            ("Handshake", summary.opening.handshake),
        ];
        for (name, times) in rows {
            let Some(Percentiles { p50_ms, p90_ms, p99_ms, p999_ms, max_ms, .. }) = times else { continue };
            self.row(name, [p50_ms, p90_ms, p99_ms, p999_ms, max_ms].map(|time| format!("{time:>9.2}")).concat());
        }
        self.row("", String::new());
    }

    fn processes(&mut self, summary: &Summary) {
        if let Some(server) = &summary.server {
            let per_message = server.cpu_us_per_message.map(|cost| format!(", {cost:.1} µs per message"));
            let (mean, max) = (server.cpu_percent, server.cpu_percent_max);
            self.row("Server", format!("{mean:.1} % of a core, at most {max:.1} %{}", per_message.unwrap_or_default()));
            let [before, open, max] =
                [server.memory_before_bytes, server.memory_open_bytes, server.memory_max_bytes].map(memory);
            self.row("", format!("{before} before, {open} with all connections open, at most {max}"));
        }
        let (cpu, memory) = (summary.load.cpu_percent, memory(summary.load.memory_max_bytes));
        self.row("This program", format!("{cpu:.0} % of a core, {memory}"));
        if summary.load.cpu_percent > 90.0 * (summary.setting.processes * summary.setting.threads) as f64 {
            self.row("", "It was at its CPU limit, so part of the latency is its own. Add --processes.".to_owned());
        }
    }

    fn row(&mut self, name: &str, text: String) {
        let line = format!("{name:<NAME_WIDTH$} {text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

fn with_count(line: String, count: u64, what: &str) -> String {
    if count == 0 { line } else { format!("{line}, {} {what}", number(count)) }
}

/// With thousands separators.
fn number(number: u64) -> String {
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

fn memory(bytes: u64) -> String {
    format!("{:.1}", ByteSize(bytes).display().iec())
}

/// Limits of a result. A result that misses one makes the exit code 3.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Limits (a missed one makes the exit code 3)")]
pub(crate) struct Limits {
    /// The highest 99th percentile of the round trips, and of the deliveries.
    #[arg(long, value_name = "TIME", value_parser = units::nonzero_duration)]
    max_p99: Option<Duration>,

    /// How many pings and deliveries may be lost: 0, or a share like 0.1%.
    #[arg(long, value_name = "COUNT", value_parser = loss)]
    max_lost: Option<Loss>,

    /// The share of the connections that must be open when sending begins, like 100%.
    #[arg(long, value_name = "SHARE", value_parser = units::share)]
    min_open: Option<f64>,
}

/// The value of `--max-lost`.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Loss {
    Count(u64),
    Share(f64),
}

impl Limits {
    /// The limits that the result misses, one sentence each.
    pub(crate) fn missed(&self, summary: &Summary) -> Vec<String> {
        [self.open(summary), self.lost(summary), self.round_trip(summary), self.delivery(summary)]
            .into_iter()
            .flatten()
            .collect()
    }

    fn open(&self, summary: &Summary) -> Option<String> {
        let share = self.min_open?;
        let wanted = summary.setting.connections + summary.setting.publishers;
        let opened = summary.opening.opened;
        let is_met = opened as f64 >= f64::from(wanted) * share;
        (!is_met).then(|| format!("{opened} of {wanted} connections were open: --min-open {}%", share * 100.0))
    }

    fn lost(&self, summary: &Summary) -> Option<String> {
        let limit = self.max_lost?;
        let (expected, lost) =
            summary.deliveries.as_ref().map_or((0, 0), |deliveries| (deliveries.expected, deliveries.lost));
        let (expected, lost) = (expected + summary.round_trips.sent, lost + summary.round_trips.lost);
        let is_met = match limit {
            Loss::Count(count) => lost <= count,
            Loss::Share(share) => lost as f64 <= expected as f64 * share,
        };
        (!is_met).then(|| format!("{lost} of {expected} messages were lost: --max-lost {limit}"))
    }

    fn round_trip(&self, summary: &Summary) -> Option<String> {
        let pings = &summary.round_trips;
        self.p99("round trips", pings.sent, pings.round_trip)
    }

    fn delivery(&self, summary: &Summary) -> Option<String> {
        let deliveries = summary.deliveries.as_ref()?;
        self.p99("deliveries", deliveries.expected, deliveries.one_way)
    }

    /// If messages were expected and none arrived, the limit is missed.
    fn p99(&self, what: &str, expected: u64, times: Option<Percentiles>) -> Option<String> {
        let limit = self.max_p99.filter(|_| expected > 0)?;
        let shown = units::format_duration(limit);
        match times {
            None => Some(format!("there were no {what}: --max-p99 {shown}")),
            Some(Percentiles { p99_ms, .. }) if p99_ms > limit.as_secs_f64() * 1e3 => {
                Some(format!("99 % of the {what} took up to {p99_ms:.2} ms: --max-p99 {shown}"))
            }
            Some(_) => None,
        }
    }
}

impl fmt::Display for Loss {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Count(count) => write!(formatter, "{count}"),
            Self::Share(share) => write!(formatter, "{}%", share * 100.0),
        }
    }
}

fn loss(text: &str) -> Result<Loss, String> {
    match text.parse() {
        Ok(count) => Ok(Loss::Count(count)),
        Err(_) if text.ends_with('%') => units::share(text).map(Loss::Share),
        Err(_) => {
            Err(format!("{text:?} is not a number of messages: write it like 0 or 10, or a share of them like 0.1%"))
        }
    }
}

#[cfg(test)]
mod tests {
    use crate::record::{Deliveries, LoadUse, Opening, RoundTrips, Setting};

    use super::*;

    #[test]
    fn the_program_is_at_its_limit_if_all_its_threads_are_busy() {
        let is_busy = |processes, threads| {
            let load = LoadUse { cpu_percent: 185.0, ..LoadUse::default() };
            table(&Summary {
                setting: Setting { processes, threads, ..Setting::default() },
                load,
                ..Summary::default()
            })
            .contains("It was at its CPU limit")
        };
        assert_eq!(
            [(1, 2), (2, 1), (2, 2), (1, 4)].map(|(processes, threads)| is_busy(processes, threads)),
            [true, true, false, false]
        );
    }

    #[test]
    fn numbers_have_commas() {
        assert_eq!(number(7), "7");
        assert_eq!(number(25_000), "25,000");
        assert_eq!(number(1_234_567), "1,234,567");
    }

    fn summary() -> Summary {
        let times = Percentiles { p99_ms: 20.0, ..Percentiles::default() };
        Summary {
            setting: Setting { connections: 99, publishers: 1, ..Setting::default() },
            opening: Opening { opened: 90, ..Opening::default() },
            round_trips: RoundTrips { sent: 500, lost: 4, round_trip: Some(times), ..RoundTrips::default() },
            deliveries: Some(Deliveries { expected: 500, lost: 1, one_way: Some(times), ..Deliveries::default() }),
            ..Summary::default()
        }
    }

    #[test]
    fn a_result_within_all_limits_misses_none() {
        let max_p99 = Some(Duration::from_millis(20));
        for loss in [Loss::Count(5), Loss::Share(0.005)] {
            let limits = Limits { max_p99, max_lost: Some(loss), min_open: Some(0.9) };
            assert_eq!(limits.missed(&summary()), Vec::<String>::new());
        }
        assert!(Limits::default().missed(&summary()).is_empty());
    }

    #[test]
    fn each_missed_limit_is_reported_with_the_measured_value() {
        let max_p99 = Some(Duration::from_millis(19));
        let limits = Limits { max_p99, max_lost: Some(Loss::Share(0.004)), min_open: Some(1.0) };
        assert_eq!(
            limits.missed(&summary()),
            [
                "90 of 100 connections were open: --min-open 100%",
                "5 of 1000 messages were lost: --max-lost 0.4%",
                "99 % of the round trips took up to 20.00 ms: --max-p99 19ms",
                "99 % of the deliveries took up to 20.00 ms: --max-p99 19ms",
            ]
        );
        let limits = Limits { max_lost: Some(Loss::Count(4)), ..Limits::default() };
        assert_eq!(limits.missed(&summary()).len(), 1);
    }

    #[test]
    fn a_server_that_answers_nothing_misses_every_time_limit() {
        let mut summary = Summary { deliveries: None, ..summary() };
        summary.round_trips.round_trip = None;
        let limits = Limits { max_p99: Some(Duration::from_secs(9)), ..Limits::default() };
        assert_eq!(limits.missed(&summary), ["there were no round trips: --max-p99 9s"]);
        summary.round_trips.sent = 0;
        assert!(limits.missed(&summary).is_empty());
    }

    #[test]
    fn a_loss_is_a_count_or_a_share() {
        assert_eq!((loss("3"), loss("0.1%")), (Ok(Loss::Count(3)), Ok(Loss::Share(0.001))));
        assert!(loss("0.5").unwrap_err().contains("like 0.1%"));
    }
}

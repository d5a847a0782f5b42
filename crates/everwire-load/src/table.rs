//! The result as a table for people.

use core::fmt::Write;

use bytesize::ByteSize;

use crate::record::{Percentiles, Summary};

/// How wide the names in front are.
const NAMES: usize = 13;

/// The whole table, with a line break at its end.
pub(crate) fn of(summary: &Summary) -> String {
    let mut table = Table(String::new());
    table.shortcomings(summary);
    table.connections(summary);
    table.messages(summary);
    table.times(summary);
    table.processes(summary);
    table.0
}

struct Table(String);

impl Table {
    fn shortcomings(&mut self, summary: &Summary) {
        if summary.interrupted {
            self.row("Interrupted", "What follows is what was known by then.".to_owned());
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
        let troubles = [
            (summary.disconnects, "lost"),
            (summary.reconnects, "opened again"),
            (summary.failed_dials, "attempts failed"),
        ];
        if troubles.iter().any(|(count, _)| *count > 0) {
            self.row("", troubles.map(|(count, what)| format!("{} {what}", number(count))).join(", "));
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
                format!("{overflowed} messages were not sent: the server took too little, and there was no room"),
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
            self.row("Other", format!("{} messages that were no answer: is this an echo?", number(summary.unexpected)));
        }
        let rate = number(summary.messages_per_second.round() as u64);
        let warm_up = match summary.setting.warm_up_s {
            0.0 => String::new(),
            seconds => format!(", after {seconds:.1} s to warm up"),
        };
        self.row("Throughput", format!("{rate} messages a second, for {:.1} s{warm_up}", summary.load_s));
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
            let per_message = server.cpu_us_per_message.map(|cost| format!(", {cost:.1} µs a message"));
            let (mean, max) = (server.cpu_percent, server.cpu_percent_max);
            self.row("Server", format!("{mean:.1} % of a core, at most {max:.1} %{}", per_message.unwrap_or_default()));
            let [before, open, max] =
                [server.memory_before_bytes, server.memory_open_bytes, server.memory_max_bytes].map(memory);
            self.row("", format!("{before} before, {open} with all connections open, at most {max}"));
        }
        let (cpu, memory) = (summary.load.cpu_percent, memory(summary.load.memory_max_bytes));
        self.row("This program", format!("{cpu:.0} % of a core, {memory}"));
        if summary.load.cpu_percent > 90.0 * (summary.setting.processes * summary.setting.threads) as f64 {
            self.row("", "It was as busy as it can be: part of the latency is its own. Add --processes.".to_owned());
        }
    }

    fn row(&mut self, name: &str, text: String) {
        let line = format!("{name:<NAMES$} {text}");
        self.0.push_str(line.trim_end());
        self.0.push('\n');
    }
}

fn with_count(line: String, count: u64, what: &str) -> String {
    if count == 0 { line } else { format!("{line}, {} {what}", number(count)) }
}

/// With a comma for each thousand.
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

#[cfg(test)]
mod tests {
    use crate::record::{LoadUse, Setting};

    use super::*;

    #[test]
    fn the_program_is_as_busy_as_it_can_be_where_all_its_threads_are() {
        let is_busy = |processes, threads| {
            let load = LoadUse { cpu_percent: 185.0, ..LoadUse::default() };
            of(&Summary { setting: Setting { processes, threads, ..Setting::default() }, load, ..Summary::default() })
                .contains("It was as busy as it can be")
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
}

use core::time::Duration;
use std::io::{IsTerminal, Write, stderr};

use indicatif::{ProgressBar, ProgressStyle};

use crate::record::Second;

/// What a person sees on stderr while a run goes on: a bar on a terminal, a line for each phase elsewhere.
pub(crate) enum Progress {
    Bar(ProgressBar),
    Lines,
    Nothing,
}

impl Progress {
    pub(crate) fn new(is_quiet: bool) -> Self {
        match (is_quiet, stderr().is_terminal()) {
            (true, _) => Self::Nothing,
            (false, true) => Self::Bar(ProgressBar::no_length()),
            (false, false) => Self::Lines,
        }
    }

    pub(crate) fn opening(&self, connections: u32) {
        self.phase("Opening", u64::from(connections), "{pos} of {len} connections");
        self.line(|| format!("opening {connections} connections"));
    }

    pub(crate) fn opened(&self, connected: u64) {
        if let Self::Bar(bar) = self {
            bar.set_position(connected);
        }
    }

    pub(crate) fn warming_up(&self, warm_up: Duration) {
        self.phase("Warming", warm_up.as_millis() as u64, "up, not counted");
        self.line(|| format!("warming up for {} s", warm_up.as_secs_f64()));
    }

    pub(crate) fn loading(&self, duration: Duration) {
        self.phase("Sending", duration.as_millis() as u64, "{msg}");
        self.line(|| format!("sending for {} s", duration.as_secs_f64()));
    }

    pub(crate) fn loaded(&self, since: Duration, second: &Second) {
        if let Self::Bar(bar) = self {
            bar.set_position(since.as_millis() as u64);
            let arrived = (second.answered + second.delivered) as f64 / second.lasted_s.max(1e-3);
            let latency = second.round_trip.or(second.delivery);
            let latency = latency.map(|times| format!(", p99 {:.1} ms", times.p99_ms)).unwrap_or_default();
            bar.set_message(format!("{arrived:.0} messages/s{latency}"));
        }
    }

    pub(crate) fn waiting(&self, grace: Duration) {
        self.line(|| format!("waiting for what has not arrived, at most {} s", grace.as_secs_f64()));
    }

    pub(crate) fn done(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    fn phase(&self, name: &'static str, length: u64, what: &str) {
        if let Self::Bar(bar) = self {
            let template = format!("{{prefix:>9}} {{bar:32}} {what}");
            let style = ProgressStyle::with_template(&template).expect("the template is well formed");
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            bar.set_prefix(name);
            bar.set_length(length);
            bar.set_position(0);
        }
    }

    fn line(&self, line: impl FnOnce() -> String) {
        if let Self::Lines = self {
            // The run continues if its progress cannot be written.
            let _ = writeln!(stderr(), "{}", line());
        }
    }
}

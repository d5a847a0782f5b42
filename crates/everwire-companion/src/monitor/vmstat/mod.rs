//! The counters that `vmstat` of procps shows, computed by its rules. Linux only.

mod counters;
mod page_size;
mod row;

use std::fs;
use std::time::Instant;

use counters::Counters;
use everwire_companion_api::monitor as api;

/// The last reading of the counters.
pub(super) struct Vmstat {
    before: Option<(Instant, Counters)>,
    page_size: u64,
}

impl Vmstat {
    /// Takes the first reading.
    pub(super) fn start() -> Self {
        Self { before: read(), page_size: page_size::page_size() }
    }

    /// Rates since the reading before. `None` on a system without these counters.
    pub(super) fn read(&mut self) -> Option<api::Vmstat> {
        let (now, after) = read()?;
        let (then, before) = self.before.replace((now, after.clone()))?;
        Some(row::between(&before, &after, (now - then).as_secs_f64(), self.page_size))
    }
}

fn read() -> Option<(Instant, Counters)> {
    let file = |name: &str| fs::read_to_string(format!("/proc/{name}")).ok();
    let counters = Counters::parse(&file("stat")?, &file("vmstat")?, &file("meminfo")?)?;
    Some((Instant::now(), counters))
}

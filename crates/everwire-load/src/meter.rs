use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::interval::{Counts, Gauges, Interval};

/// What the clients of a process count together.
#[derive(Debug, Default)]
pub(crate) struct Meter(Mutex<Interval>);

impl Meter {
    pub(crate) fn note(&self, note: impl FnOnce(&mut Gauges, &mut Counts)) {
        let mut interval = self.lock();
        let Interval { now, counts } = &mut *interval;
        note(now, counts);
    }

    /// What has been counted since the last time, and how things stand.
    pub(crate) fn take(&self) -> Interval {
        let mut interval = self.lock();
        let taken = Interval { now: interval.now, counts: core::mem::take(&mut interval.counts) };
        drop(interval);
        taken
    }

    fn lock(&self) -> MutexGuard<'_, Interval> {
        // A count that a panic has kept from being made is the only harm there can be.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

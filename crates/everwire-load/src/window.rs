use core::time::Duration;

use serde::{Deserialize, Serialize};

/// When messages are sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Window<T> {
    /// From when on.
    pub(crate) start: T,
    /// From when on they count; those that are due before warm the server up.
    pub(crate) counted_from: T,
    /// Until when.
    pub(crate) end: T,
}

impl<T: Copy + core::ops::Add<Duration, Output = T>> Window<T> {
    pub(crate) fn new(start: T, warm_up: Duration, duration: Duration) -> Self {
        let counted_from = start + warm_up;
        Self { start, counted_from, end: counted_from + duration }
    }
}

impl<T> Window<T> {
    /// The same window on another clock.
    pub(crate) fn map<U>(self, mut convert: impl FnMut(T) -> U) -> Window<U> {
        let Self { start, counted_from, end } = self;
        Window { start: convert(start), counted_from: convert(counted_from), end: convert(end) }
    }
}

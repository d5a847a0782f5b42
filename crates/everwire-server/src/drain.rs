use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The drain of a server that stops: connections close one after another, so that their clients do not all reconnect to the
/// next server at the same moment.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    started: CancellationToken,
    /// When the drain started, and over which period connections close.
    period: OnceLock<(Instant, Duration)>,
    tracker: TaskTracker,
    /// The greatest time limit of any endpoint for closing a connection, in milliseconds.
    close_time_limit: AtomicU64,
}

impl Drain {
    /// Starts the drain. Returns when it started and the period over which connections close, which are those of the first call.
    pub(crate) fn start(&self, period: Duration) -> (Instant, Duration) {
        let period = *self.period.get_or_init(|| (Instant::now(), period));
        self.started.cancel();
        self.tracker.close();
        period
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Raises the time limit for closing a connection.
    pub(crate) fn allow_to_close(&self, time_limit: Duration) {
        let time_limit = u64::try_from(time_limit.as_millis()).unwrap_or(u64::MAX);
        self.close_time_limit.fetch_max(time_limit, Ordering::Relaxed);
    }

    /// The greatest time limit for closing a connection.
    pub(crate) fn close_time_limit(&self) -> Duration {
        Duration::from_millis(self.close_time_limit.load(Ordering::Relaxed))
    }

    /// Cancelled when the drain starts.
    pub(crate) fn token(&self) -> CancellationToken {
        self.started.clone()
    }

    /// Completes when the drain starts.
    pub(crate) async fn started(&self) {
        self.started.cancelled().await;
    }

    /// Returns a token that [`finished`](Self::finished) waits for until it is dropped.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Completes when the drain has started and every token has been dropped.
    pub(crate) async fn finished(&self) {
        self.tracker.wait().await;
    }
}

/// When the connection with this number closes, as a fraction of the drain period. Multiples of the golden ratio fill the period
/// evenly, whichever range of numbers is still connected (Weyl's equidistribution).
pub(crate) fn close_time(number: u64) -> f64 {
    (number as f64 * 0.618_033_988_749_894_9).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_close_evenly_over_the_period() {
        let mut tenths = [0; 10];
        for number in 5_000..6_000 {
            tenths[(close_time(number) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }
}

use std::sync::OnceLock;
use std::time::Duration;

use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tokio_util::task::task_tracker::TaskTrackerToken;

/// The stop of a server: closes its connections one after another, so that their clients do not all return to the
/// next server in the same instant.
#[derive(Debug, Default)]
pub(crate) struct Drain {
    started: CancellationToken,
    period: OnceLock<Duration>,
    tracker: TaskTracker,
}

impl Drain {
    /// Starts, and returns the period over which the connections close: that of the first call.
    pub(crate) fn start(&self, period: Duration) -> Duration {
        let period = *self.period.get_or_init(|| period);
        self.started.cancel();
        self.tracker.close();
        period
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Completes when the drain starts.
    pub(crate) async fn started(&self) {
        self.started.cancelled().await;
    }

    /// Makes [`finished`](Self::finished) wait for the holder of the token.
    pub(crate) fn hold(&self) -> TaskTrackerToken {
        self.tracker.token()
    }

    /// Completes when the drain has started and every holder is gone.
    pub(crate) async fn finished(&self) {
        self.tracker.wait().await;
    }
}

/// Where in the period the turn of the connection with this number is, from 0 to 1. Multiples of the golden ratio fill the period evenly
/// whichever run of numbers is still connected (Weyl's equidistribution).
pub(crate) fn place(number: u64) -> f64 {
    (number as f64 * 0.618_033_988_749_894_9).fract()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_spread_evenly_over_the_period() {
        let mut tenths = [0; 10];
        for number in 5_000..6_000 {
            tenths[(place(number) * 10.0) as usize] += 1;
        }
        assert!(tenths.iter().all(|count| (95..=105).contains(count)), "{tenths:?}");
    }
}

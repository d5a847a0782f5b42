use std::sync::OnceLock;
use std::time::Duration;

use tokio::time::sleep;
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
    /// Starts; the connections close spread over `period`. Only the first call counts.
    pub(crate) fn start(&self, period: Duration) {
        let _ = self.period.set(period);
        self.started.cancel();
        self.tracker.close();
    }

    pub(crate) fn has_started(&self) -> bool {
        self.started.is_cancelled()
    }

    /// Completes when the drain starts.
    pub(crate) async fn started(&self) {
        self.started.cancelled().await;
    }

    /// Completes when it is the turn of the connection with this number to close.
    pub(crate) async fn turn(&self, number: u64) {
        self.started.cancelled().await;
        let period = self.period.get().copied().unwrap_or_default();
        sleep(period.mul_f64(place(number))).await;
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

/// Where in the period a connection's turn is, from 0 to 1. Multiples of the golden ratio fill the period evenly
/// whichever run of numbers is still connected (Weyl's equidistribution).
fn place(number: u64) -> f64 {
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

    #[tokio::test(start_paused = true)]
    async fn a_turn_comes_only_after_the_start() {
        let drain = Drain::default();
        let before = tokio::time::timeout(Duration::from_secs(3600), drain.turn(1)).await;
        assert!(before.is_err());
        drain.start(Duration::from_secs(10));
        let begin = tokio::time::Instant::now();
        drain.turn(1).await;
        assert_eq!(begin.elapsed().as_secs(), 6);
    }
}

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::log::{Item, Log};
use crate::fault::Path;

/// What one client reads of a log, each message when the network lets it through.
///
/// What is ready but not yet let through waits here: never more than the log keeps and what is added to it while the
/// network holds a message back.
pub(super) struct Outflow {
    log: Arc<Log>,
    news: watch::Receiver<u64>,
    read: u64,
    path: Path,
    under_way: VecDeque<(Instant, Item)>,
}

impl Outflow {
    pub(super) fn new(log: Arc<Log>, after: u64, path: Path) -> Self {
        let news = log.news();
        let mut outflow = Self { log, news, read: after, path, under_way: VecDeque::new() };
        outflow.take_in();
        outflow
    }

    /// The next message; it may take for ever. Nothing is lost when the future is dropped.
    pub(super) async fn next(&mut self) -> Item {
        loop {
            if let Some(item) = self.ready() {
                return item;
            }
            let due = self.under_way.front().map(|(due, _)| *due);
            tokio::select! {
                () = at(due) => {}
                // It never ends: the log is here.
                _ = self.news.changed() => self.take_in(),
            }
        }
    }

    /// Completes when there is something to read.
    pub(super) async fn news(&mut self) {
        while self.under_way.is_empty() {
            // It never ends: the log is here.
            let _ = self.news.changed().await;
            self.take_in();
        }
    }

    /// The next message if its time has come.
    pub(super) fn ready(&mut self) -> Option<Item> {
        let now = Instant::now();
        self.under_way.pop_front_if(|(due, _)| *due <= now).map(|(_, item)| item)
    }

    fn take_in(&mut self) {
        self.news.borrow_and_update();
        let now = Instant::now();
        for item in self.log.read(self.read) {
            self.read = item.seq;
            self.under_way.push_back((self.path.arrival(now), item));
        }
    }
}

async fn at(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => pending().await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::Faults;

    #[tokio::test(start_paused = true)]
    async fn a_slow_network_holds_each_message_from_when_it_was_sent_and_not_from_when_the_one_before_came() {
        let log = Arc::new(Log::after(0));
        let network = Faults::parse("delay:200").unwrap().network_alone().unwrap();
        let mut outflow = Outflow::new(Arc::clone(&log), 0, network.path());
        let start = Instant::now();
        tokio::spawn(async move {
            for _ in 0..4 {
                log.push(|seq| seq.to_string());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        let mut arrivals = Vec::new();
        for _ in 0..4 {
            let item = outflow.next().await;
            arrivals.push((item.seq, start.elapsed().as_millis()));
        }
        assert_eq!(arrivals, [(1, 200), (2, 250), (3, 300), (4, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_ready_at_once_and_in_order() {
        let log = Arc::new(Log::after(0));
        (0..5).for_each(|_| log.push(|seq| seq.to_string()));
        let mut outflow = Outflow::new(log, 2, Faults::default().network_alone().unwrap().path());
        let ready: Vec<u64> = std::iter::from_fn(|| outflow.ready()).map(|item| item.seq).collect();
        assert_eq!(ready, [3, 4, 5]);
    }
}

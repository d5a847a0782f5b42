use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::log::{Beginning, Item, Log};
use crate::fault::Path;

/// The messages of a log for one client, each at its arrival time in the network.
///
/// Messages in transit wait here: never more than the log keeps, and those that are added while the network delays one.
pub(super) struct Outflow {
    log: Arc<Log>,
    news: watch::Receiver<u64>,
    read: Option<u64>,
    path: Path,
    under_way: VecDeque<(Instant, Delivery)>,
}

/// An item for the client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Delivery {
    /// Where it starts to read, at first or behind a gap.
    Beginning(Beginning),
    Message(Item),
}

impl Outflow {
    pub(super) fn new(log: Arc<Log>, after: Option<u64>, path: Path) -> Self {
        let news = log.news();
        let mut outflow = Self { log, news, read: after, path, under_way: VecDeque::new() };
        outflow.take_in();
        outflow
    }

    /// Waits for the next item. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.ready() {
                return delivery;
            }
            let due = self.under_way.front().map(|(due, _)| *due);
            tokio::select! {
                () = at(due) => {}
                // The sender is not dropped, since this holds the log.
                _ = self.news.changed() => self.take_in(),
            }
        }
    }

    /// Completes when there is an item.
    pub(super) async fn news(&mut self) {
        while self.under_way.is_empty() {
            // The sender is not dropped, since this holds the log.
            let _ = self.news.changed().await;
            self.take_in();
        }
    }

    /// The next item, if it has arrived.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        let now = Instant::now();
        self.under_way.pop_front_if(|(due, _)| *due <= now).map(|(_, delivery)| delivery)
    }

    fn take_in(&mut self) {
        self.news.borrow_and_update();
        let now = Instant::now();
        let (beginning, items) = self.log.read(self.read);
        if let Some(beginning) = beginning {
            self.read = Some(beginning.cursor);
            self.under_way.push_back((self.path.arrival(now), Delivery::Beginning(beginning)));
        }
        for item in items {
            self.read = Some(item.seq);
            self.under_way.push_back((self.path.arrival(now), Delivery::Message(item)));
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

    fn outflow(log: &Arc<Log>, after: u64, fault: Option<&str>) -> Outflow {
        let faults = fault.map_or_else(Faults::default, |fault| Faults::parse(fault).unwrap());
        Outflow::new(Arc::clone(log), Some(after), faults.network_alone().unwrap().path())
    }

    fn number(delivery: &Delivery) -> u64 {
        match delivery {
            Delivery::Message(item) => item.seq,
            Delivery::Beginning(beginning) => panic!("{beginning:?} is no message"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_network_holds_each_message_from_when_it_was_sent_and_not_from_when_the_one_before_came() {
        let log = Arc::new(Log::after(0));
        let mut outflow = outflow(&log, 0, Some("delay:200"));
        let start = Instant::now();
        tokio::spawn(async move {
            for _ in 0..4 {
                log.push(|seq| seq.to_string());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        let mut arrivals = Vec::new();
        for _ in 0..4 {
            let delivery = outflow.next().await;
            arrivals.push((number(&delivery), start.elapsed().as_millis()));
        }
        assert_eq!(arrivals, [(1, 200), (2, 250), (3, 300), (4, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn what_is_kept_is_ready_at_once_and_in_order() {
        let log = Arc::new(Log::after(0));
        (0..5).for_each(|_| log.push(|seq| seq.to_string()));
        let mut outflow = outflow(&log, 2, None);
        let ready: Vec<u64> = std::iter::from_fn(|| outflow.ready()).map(|delivery| number(&delivery)).collect();
        assert_eq!(ready, [3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_too_slow_for_what_is_kept_is_told_what_it_missed() {
        let log = Arc::new(Log::after(0));
        let mut outflow = outflow(&log, 0, None);
        (0..700).for_each(|_| log.push(|seq| seq.to_string()));
        let first = outflow.next().await;
        assert_eq!(first, Delivery::Beginning(Beginning { cursor: 100, gap: 100 }));
        assert_eq!(number(&outflow.next().await), 101);
    }
}

use std::collections::VecDeque;
use std::future::pending;
use std::sync::Arc;

use tokio::sync::watch;
use tokio::time::{Instant, sleep_until};

use super::log::{Item, Log, StartPosition};
use crate::fault::Path;

/// The messages of a log for one client, each at its arrival time in the network.
///
/// Messages in transit wait here: never more than the log keeps, and those that are added while the network delays one.
pub(super) struct LogReader {
    log: Arc<Log>,
    news: watch::Receiver<u64>,
    read: Option<u64>,
    path: Path,
    in_transit: VecDeque<(Instant, Delivery)>,
}

/// An item for the client.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Delivery {
    /// The position where it starts to read, at first or after a gap.
    Start(StartPosition),
    Message(Item),
}

impl LogReader {
    pub(super) fn new(log: Arc<Log>, after: Option<u64>, path: Path) -> Self {
        let news = log.news();
        let mut reader = Self { log, news, read: after, path, in_transit: VecDeque::new() };
        reader.read_log();
        reader
    }

    /// Waits for the next item. Dropping the future loses nothing.
    pub(super) async fn next(&mut self) -> Delivery {
        loop {
            if let Some(delivery) = self.ready() {
                return delivery;
            }
            let due = self.in_transit.front().map(|(due, _)| *due);
            tokio::select! {
                () = at(due) => {}
                // The sender is not dropped, since this holds the log.
                _ = self.news.changed() => self.read_log(),
            }
        }
    }

    /// Completes when there is an item.
    pub(super) async fn news(&mut self) {
        while self.in_transit.is_empty() {
            // The sender is not dropped, since this holds the log.
            let _ = self.news.changed().await;
            self.read_log();
        }
    }

    /// The next item, if it has arrived.
    pub(super) fn ready(&mut self) -> Option<Delivery> {
        let now = Instant::now();
        self.in_transit.pop_front_if(|(due, _)| *due <= now).map(|(_, delivery)| delivery)
    }

    fn read_log(&mut self) {
        self.news.borrow_and_update();
        let now = Instant::now();
        let (start, items) = self.log.read(self.read);
        if let Some(start) = start {
            self.read = Some(start.cursor);
            self.in_transit.push_back((self.path.arrival(now), Delivery::Start(start)));
        }
        for item in items {
            self.read = Some(item.seq);
            self.in_transit.push_back((self.path.arrival(now), Delivery::Message(item)));
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

    fn reader(log: &Arc<Log>, after: u64, fault: Option<&str>) -> LogReader {
        let faults = fault.map_or_else(Faults::default, |fault| Faults::parse(fault).unwrap());
        LogReader::new(Arc::clone(log), Some(after), faults.network_alone().unwrap().path())
    }

    fn number(delivery: &Delivery) -> u64 {
        match delivery {
            Delivery::Message(item) => item.seq,
            Delivery::Start(start) => panic!("{start:?} is no message"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_network_delays_each_message_from_its_own_send_time() {
        let log = Arc::new(Log::after(0));
        let mut reader = reader(&log, 0, Some("delay:200"));
        let start = Instant::now();
        tokio::spawn(async move {
            for _ in 0..4 {
                log.push(|seq| seq.to_string());
                tokio::time::sleep(std::time::Duration::from_millis(50)).await;
            }
        });
        let mut arrivals = Vec::new();
        for _ in 0..4 {
            let delivery = reader.next().await;
            arrivals.push((number(&delivery), start.elapsed().as_millis()));
        }
        assert_eq!(arrivals, [(1, 200), (2, 250), (3, 300), (4, 350)]);
    }

    #[tokio::test(start_paused = true)]
    async fn kept_messages_are_ready_at_once_and_in_order() {
        let log = Arc::new(Log::after(0));
        (0..5).for_each(|_| log.push(|seq| seq.to_string()));
        let mut reader = reader(&log, 2, None);
        let ready: Vec<u64> = std::iter::from_fn(|| reader.ready()).map(|delivery| number(&delivery)).collect();
        assert_eq!(ready, [3, 4, 5]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_reader_that_falls_behind_the_log_gets_the_number_of_missed_messages() {
        let log = Arc::new(Log::after(0));
        let mut reader = reader(&log, 0, None);
        (0..700).for_each(|_| log.push(|seq| seq.to_string()));
        let first = reader.next().await;
        assert_eq!(first, Delivery::Start(StartPosition { cursor: 100, gap: 100 }));
        assert_eq!(number(&reader.next().await), 101);
    }
}

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use everwire_companion_api::lab::padded_message;
use everwire_server::{Clock, HandshakeError, network_of};
use tokio::time::{Instant, sleep_until};

use super::log::Log;
use crate::companion::Companion;
use crate::protocol::{Parameters, STREAMS_FULL};

/// The number of feeds that may run at once.
const MAX_FEEDS: usize = 60;

/// The number of feeds that one address may have started: as many as the page offers selections.
const MAX_FEEDS_PER_ADDRESS: usize = 20;

/// How long a feed runs without readers: the next poll may be a minute away.
const LINGER: Duration = Duration::from_secs(90);

/// The feed that a client selects.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Selection {
    /// Messages a second.
    rate: u32,
    /// Bytes of each.
    size: usize,
}

/// The feeds that run, one for each selection. All transports read the same log.
#[derive(Debug, Default)]
pub(super) struct Feeds {
    running: Arc<Mutex<HashMap<Selection, Running>>>,
}

#[derive(Debug)]
struct Running {
    log: Arc<Log>,
    used: Instant,
    /// The address that started it.
    address: Option<IpAddr>,
}

impl Selection {
    pub(super) fn from_query(query: &Parameters) -> Result<Self, HandshakeError> {
        Ok(Self { rate: query.number("rate", 1..=20, 10)?, size: query.number("size", 64..=1024, 128)? })
    }

    fn period(self) -> Duration {
        Duration::from_secs(1) / self.rate
    }
}

impl Feeds {
    /// The log of a feed, which is started if it does not run yet.
    pub(super) fn log(
        &self,
        companion: &Companion,
        selection: Selection,
        address: Option<IpAddr>,
    ) -> Result<Arc<Log>, HandshakeError> {
        let address = address.map(network_of);
        let mut running = lock(&self.running);
        let full = running.len() >= MAX_FEEDS;
        let started = running.values().filter(|feed| address.is_some() && feed.address == address).count();
        if let Some(feed) = running.get_mut(&selection) {
            feed.used = Instant::now();
            return Ok(Arc::clone(&feed.log));
        }
        if full {
            let sentence =
                format!("All {MAX_FEEDS} feeds of the lab are taken; choose a rate and a size that others use.");
            return Err(HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, STREAMS_FULL, sentence));
        }
        if started >= MAX_FEEDS_PER_ADDRESS {
            let sentence = format!(
                "Your address has {MAX_FEEDS_PER_ADDRESS} feeds of the lab, as many as it may; choose a rate and a size that run already."
            );
            return Err(HandshakeError::new(StatusCode::TOO_MANY_REQUESTS, STREAMS_FULL, sentence));
        }
        let clock = companion.config().clock.clone();
        let log = Arc::new(Log::after(first_number(&clock, selection)));
        running.insert(selection, Running { log: Arc::clone(&log), used: Instant::now(), address });
        drop(running);
        let (others, played, everwire) = (Arc::clone(&self.running), Arc::clone(&log), companion.everwire().clone());
        tokio::spawn(async move {
            tokio::select! {
                () = play(&played, selection, &clock, || is_over(&others, selection)) => {}
                () = everwire.draining() => {}
            }
        });
        Ok(log)
    }
}

/// The first number follows from the time of day. A feed that is restarted, also by another server, is therefore ahead of every number
/// that a client has from before, and gaps are detected.
fn first_number(clock: &Clock, selection: Selection) -> u64 {
    (clock.now_ms() / 1e3 * f64::from(selection.rate)) as u64
}

/// Adds a message at each step until it may end.
async fn play(log: &Log, selection: Selection, clock: &Clock, is_over: impl Fn() -> bool) {
    let mut step = Instant::now();
    loop {
        step += selection.period();
        sleep_until(step).await;
        log.push(|seq| padded_message(seq, clock.now_ms(), selection.size));
        if is_over() {
            return;
        }
    }
}

/// Removes a feed that has not been used for a while and is held by no more than the map and its task.
fn is_over(running: &Mutex<HashMap<Selection, Running>>, selection: Selection) -> bool {
    let mut running = lock(running);
    let unused =
        running.get(&selection).is_none_or(|feed| Arc::strong_count(&feed.log) <= 2 && feed.used.elapsed() >= LINGER);
    if unused {
        running.remove(&selection);
    }
    unused
}

fn lock(running: &Mutex<HashMap<Selection, Running>>) -> MutexGuard<'_, HashMap<Selection, Running>> {
    running.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Config;

    fn selection(query: &str) -> Selection {
        Selection::from_query(&Parameters::of(&format!("/?{query}").parse().unwrap())).unwrap()
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_keeps_its_rate_and_its_numbers_have_no_gap() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        let log = feeds.log(&companion, selection("rate=20"), None).unwrap();
        let start = log.read(None).0.unwrap().cursor;
        tokio::time::sleep(Duration::from_millis(10_025)).await;
        let numbers: Vec<u64> = log.read(Some(start)).1.iter().map(|item| item.seq - start).collect();
        assert_eq!(numbers, (1..=200).collect::<Vec<_>>());
    }

    #[tokio::test(start_paused = true)]
    async fn a_feed_without_readers_ends_and_one_that_is_held_does_not() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        drop(feeds.log(&companion, selection("rate=1"), None).unwrap());
        let held = feeds.log(&companion, selection("rate=2"), None).unwrap();
        tokio::time::sleep(LINGER + Duration::from_secs(2)).await;
        assert_eq!(lock(&feeds.running).keys().collect::<Vec<_>>(), [&selection("rate=2")]);
        drop(held);
    }

    #[tokio::test]
    async fn no_more_feeds_run_than_the_limit() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        for size in 0..MAX_FEEDS {
            feeds.log(&companion, selection(&format!("size={}", 64 + size)), None).unwrap();
        }
        let error = feeds.log(&companion, selection("size=1000"), None).unwrap_err();
        assert_eq!(error.status(), StatusCode::SERVICE_UNAVAILABLE);
        assert!(feeds.log(&companion, selection("size=64"), None).is_ok());
    }

    #[tokio::test]
    async fn one_address_cannot_start_every_feed() {
        let companion = Companion::new(Config::default()).unwrap();
        let feeds = Feeds::default();
        let log = |size: usize, address: &str| {
            feeds.log(&companion, selection(&format!("size={size}")), Some(address.parse().unwrap()))
        };
        for size in 0..MAX_FEEDS_PER_ADDRESS {
            log(64 + size, "10.0.0.1").unwrap();
        }
        assert_eq!(log(1000, "10.0.0.1").unwrap_err().status(), StatusCode::TOO_MANY_REQUESTS);
        assert!(log(64, "10.0.0.1").is_ok() && log(1000, "10.0.0.2").is_ok() && log(1000, "10.0.0.1").is_ok());
    }
}

//! The feed: transports that run side by side, and the statistics of each.

use std::cell::{Ref, RefCell};
use std::collections::VecDeque;
use std::rc::Rc;

use everwire::SocketHandle;
use everwire_companion_api::lab::{Accounts, Item};
use gloo_timers::future::TimeoutFuture;
use web_sys::window;

use super::reader::{Reader, ReaderEvent, ReaderOptions, get_text};
use super::settings::{Selection, Settings, Transport};
use super::statistics::RunningUsage;
use crate::job::Job;

/// The milliseconds between two requests for the byte counts of the server.
const ACCOUNTS_INTERVAL: u32 = 1_000;

/// Runs the selected transports side by side. Dropping it stops them.
#[derive(Default)]
pub(super) struct FeedRunner {
    statistics: RefCell<[FeedStatistics; 5]>,
    running: RefCell<Option<Readers>>,
    /// The handle of the page's connection, whose pings measure the server's time.
    clock: RefCell<Option<SocketHandle>>,
}

struct Readers {
    _readers: Vec<Reader>,
    _accounting: Job,
}

impl FeedRunner {
    /// Starts the transports with empty statistics.
    pub(super) fn start(self: &Rc<Self>, base: &str, settings: &Settings, selection: Selection) {
        self.stop();
        *self.statistics.borrow_mut() = Default::default();
        let name = random_name();
        let account = |transport: Transport| format!("{name}-{}", transport.key());
        let open = |transport: Transport| {
            let options = ReaderOptions {
                transport,
                base: base.to_owned(),
                query: settings.feed(),
                account: account(transport),
                period: settings.period,
            };
            let runner = Rc::downgrade(self);
            let on_event = move |event| {
                if let Some(runner) = runner.upgrade() {
                    runner.on_event(transport, &event);
                }
            };
            Reader::open(options, Rc::new(on_event))
        };
        let transports = selection.transports();
        let readers = transports.iter().copied().map(open).collect();
        let accounts: Vec<_> = transports.iter().map(|transport| (*transport, account(*transport))).collect();
        let (runner, base) = (Rc::downgrade(self), base.to_owned());
        let accounting = Job::start(async move {
            loop {
                TimeoutFuture::new(ACCOUNTS_INTERVAL).await;
                let usages = fetch_accounts(&base, accounts.iter().map(|(_, account)| account.as_str())).await;
                let Some(runner) = runner.upgrade() else { return };
                for (transport, account) in &accounts {
                    if let Some(usage) = usages.get(account) {
                        runner.statistics.borrow_mut()[*transport as usize].usage.update(*usage);
                    }
                }
            }
        });
        *self.running.borrow_mut() = Some(Readers { _readers: readers, _accounting: accounting });
    }

    /// Stops the transports. The statistics stay.
    pub(super) fn stop(&self) {
        // Taken out first, since a reader may report while it is dropped.
        let stopped = self.running.borrow_mut().take();
        drop(stopped);
    }

    pub(super) fn set_clock(&self, handle: Option<SocketHandle>) {
        *self.clock.borrow_mut() = handle;
    }

    pub(super) fn statistics(&self, transport: Transport) -> Ref<'_, FeedStatistics> {
        Ref::map(self.statistics.borrow(), |statistics| &statistics[transport as usize])
    }

    fn on_event(&self, transport: Transport, event: &ReaderEvent) {
        let server_time = self.clock.borrow().as_ref().and_then(SocketHandle::server_time);
        let statistics = &mut self.statistics.borrow_mut()[transport as usize];
        match event {
            ReaderEvent::Open => {}
            ReaderEvent::Item(item) => statistics.record(item, now(), server_time),
            ReaderEvent::Failed => statistics.failures += 1,
        }
    }
}

/// The byte counts of these accounts; empty if the server cannot be reached.
pub(super) async fn fetch_accounts<'a>(base: &str, accounts: impl Iterator<Item = &'a str>) -> Accounts {
    let base = base.replacen("ws", "http", 1);
    let names: Vec<&str> = accounts.collect();
    let text = get_text(&format!("{base}/lab/accounts?names={}", names.join(","))).await;
    text.ok().and_then(|text| serde_json::from_str(&text).ok()).unwrap_or_default()
}

/// A random name, which no other run has.
pub(super) fn random_name() -> String {
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "52 random bits")]
    let random = (js_sys::Math::random() * 2_f64.powi(52)) as u64;
    format!("{random:x}")
}

/// Milliseconds since the page was opened, by a clock that never goes back.
pub(super) fn now() -> f64 {
    window().and_then(|window| window.performance()).map_or(0.0, |performance| performance.now())
}

/// The number of latencies that are kept.
const MAX_LATENCIES: usize = 2_000;

/// The seconds that the chart shows.
pub(super) const CHART_SECONDS: usize = 30;

/// The statistics of one transport.
#[derive(Clone, Debug, Default)]
pub(super) struct FeedStatistics {
    pub(super) messages: u64,
    /// Messages that were skipped, or that the server no longer had.
    pub(super) lost: u64,
    /// Failed requests and lost connections.
    pub(super) failures: u64,
    /// The latest latencies, in milliseconds.
    pub(super) latencies: VecDeque<f64>,
    pub(super) usage: RunningUsage,
    cursor: Option<u64>,
    seconds: VecDeque<Second>,
}

/// The sum of the latencies that were measured in one second of the page's clock.
#[derive(Clone, Copy, Debug)]
struct Second {
    number: u64,
    sum: f64,
    count: f64,
}

impl FeedStatistics {
    /// Records an item that arrived at `now` by the page's clock and at `server_time` by the server's, if that is known; both in
    /// milliseconds.
    pub(super) fn record(&mut self, item: &Item, now: f64, server_time: Option<f64>) {
        match *item {
            Item::Start { cursor, gap } => {
                self.lost += gap;
                self.cursor = Some(cursor);
            }
            Item::Message { seq, time } => {
                let skipped = self.cursor.and_then(|cursor| seq.checked_sub(cursor + 1));
                self.cursor = self.cursor.max(Some(seq));
                self.lost += skipped.unwrap_or_default();
                self.messages += 1;
                if let Some(server_time) = server_time {
                    // The clock offset is an estimate with an error of a part of the round trip, so that a latency may come out negative.
                    self.record_latency((server_time - time).max(0.0), now);
                }
            }
            Item::Call { .. } => {}
        }
    }

    /// Whether the server has sent anything. Before that the counts are not zero but unknown.
    pub(super) fn has_begun(&self) -> bool {
        self.cursor.is_some()
    }

    pub(super) fn latest(&self) -> Option<f64> {
        self.latencies.back().copied()
    }

    /// The mean latency of each of the last seconds, the oldest first; NaN where nothing arrived.
    pub(super) fn seconds(&self, now: f64) -> Vec<f64> {
        let last = second(now);
        let first = (last + 1).saturating_sub(CHART_SECONDS as u64);
        let find = |number| self.seconds.iter().find(|second| second.number == number);
        (first..=last).map(|number| find(number).map_or(f64::NAN, |second| second.sum / second.count)).collect()
    }

    fn record_latency(&mut self, latency: f64, now: f64) {
        if self.latencies.len() == MAX_LATENCIES {
            self.latencies.pop_front();
        }
        self.latencies.push_back(latency);
        let number = second(now);
        match self.seconds.back_mut() {
            Some(second) if second.number == number => {
                second.sum += latency;
                second.count += 1.0;
            }
            _ => self.seconds.push_back(Second { number, sum: latency, count: 1.0 }),
        }
        if self.seconds.len() > CHART_SECONDS {
            self.seconds.pop_front();
        }
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "a time since the page was opened")]
fn second(now: f64) -> u64 {
    (now / 1e3) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(seq: u64) -> Item {
        Item::Message { seq, time: 1_000.0 }
    }

    #[test]
    fn skipped_messages_and_reported_gaps_count_as_lost() {
        let mut statistics = FeedStatistics::default();
        assert!(!statistics.has_begun());
        for item in [Item::Start { cursor: 5, gap: 0 }, message(6), message(9), Item::Start { cursor: 20, gap: 11 }] {
            statistics.record(&item, 0.0, None);
        }
        statistics.record(&message(21), 0.0, None);
        assert_eq!((statistics.messages, statistics.lost), (3, 2 + 11));
        assert!(statistics.has_begun());
    }

    #[test]
    fn a_latency_is_measured_by_the_clock_of_the_server_and_never_negative() {
        let mut statistics = FeedStatistics::default();
        statistics.record(&message(1), 0.0, Some(1_012.5));
        statistics.record(&message(2), 0.0, Some(999.9));
        statistics.record(&message(3), 0.0, None);
        assert_eq!(statistics.latencies, [12.5, 0.0]);
    }

    #[test]
    fn memory_is_bounded_however_long_the_feed_runs() {
        let mut statistics = FeedStatistics::default();
        for seq in 0..100_000_u32 {
            statistics.record(&message(seq.into()), f64::from(seq) * 50.0, Some(1_001.0));
        }
        assert_eq!((statistics.latencies.len(), statistics.seconds.len()), (MAX_LATENCIES, CHART_SECONDS));
        assert_eq!(statistics.seconds(100_000.0 * 50.0 - 1.0), [1.0; CHART_SECONDS]);
    }

    #[test]
    fn seconds_without_a_message_are_nan() {
        let mut statistics = FeedStatistics::default();
        statistics.record(&message(1), 10_500.0, Some(1_004.0));
        statistics.record(&message(2), 10_900.0, Some(1_008.0));
        let seconds = statistics.seconds(12_000.0);
        assert_eq!(seconds[CHART_SECONDS.min(13) - 3], 6.0);
        assert!(seconds.last().unwrap().is_nan());
    }
}

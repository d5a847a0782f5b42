//! The channels of a trading floor, `live/…`, each with its own kind and rate.
//!
//! # Layout
//! - this module: what the channels keep, and the publishers that run while a channel has subscribers: the banner and the headlines, by the
//!   server's clock, and what the server does
//! - `prices`: stocks and currencies by a random walk
//! - `log`: the server's own log

mod log;
mod prices;

pub use log::LogTap;
pub(super) use log::session_changed;

use std::time::Duration;

use everwire_companion_api::live::{
    BANNER, BANNER_KEY, Banner, CURRENCY, Headline, LOG, LOG_KEPT, MARKET, MONITOR, MONITOR_KEPT, MachineSample, NEWS,
    NEWS_KEPT, Phase, Sample,
};
use everwire_server::broker::ChannelName;
use everwire_server::channels::ChannelOptions;
use everwire_server::{Builder, Channel};
use fastrand::Rng;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio::task::spawn_blocking;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep};

use super::without_subscribers;
use crate::companion::Companion;
use crate::monitor::{MachineSampler, TrafficCounters, TrafficMeter, tenths};
use crate::ticker::FeedSource;
use prices::{CurrencyPublisher, MarketPublisher};

const MINUTE_MS: f64 = 60_000.0;

/// When the phases of a minute begin, in milliseconds.
const AUCTION_AT: f64 = 45_000.0;
const CLOSED_AT: f64 = 55_000.0;

/// All headlines, one per line.
const HEADLINES: &str = include_str!("../../../assets/headlines.txt");

/// The time between two headlines.
const HEADLINE_PERIOD_MS: f64 = 7_000.0;

/// The headlines of a channel that has none yet, so that its first reader has something to read.
const FIRST_HEADLINES: u64 = 6;

/// The time between two samples.
const SAMPLE_PERIOD: Duration = Duration::from_secs(1);

/// Sets the retention of the channels.
pub(super) fn configure(builder: Builder) -> Builder {
    let keep = |count| move |options: &mut ChannelOptions| options.retention = options.retention.with_count(count);
    builder
        // A page that was away for a minute resumes over every change.
        .channel(&MARKET, keep(500))
        .channel(&CURRENCY, keep(500))
        .channel(&BANNER, keep(8))
        .channel(&LOG, keep(LOG_KEPT))
        .channel(&MONITOR, keep(MONITOR_KEPT))
        .channel(&NEWS, keep(NEWS_KEPT))
}

/// Starts the publishers.
pub(super) fn start(companion: &Companion) {
    let config = companion.config();
    let seed = match &config.feed {
        FeedSource::Walk { seed } => *seed,
        FeedSource::Replay { .. } => 1,
    };
    spawn_while_subscribed(companion, MarketPublisher::new(&config.feed));
    spawn_while_subscribed(companion, CurrencyPublisher::new(seed));
    spawn_while_subscribed(companion, BannerPublisher);
    spawn_while_subscribed(companion, MonitorPublisher);
    let publishing = companion.clone();
    companion.spawn(async move { publish_news(&publishing).await });
    log::start(companion);
}

/// A task that publishes to one channel.
trait Publisher: Send + 'static {
    type Item;

    const CHANNEL: Channel<Self::Item>;

    /// Publishes until the future is dropped, and continues from there when it is called again.
    fn run(&mut self, companion: &Companion) -> impl Future<Output = ()> + Send;
}

/// Runs a publisher while its channel has subscribers, until the server has stopped.
fn spawn_while_subscribed<P: Publisher>(companion: &Companion, publisher: P) {
    let Ok(subscribers) = companion.everwire().watch_subscribers(&P::CHANNEL) else { return };
    let running = companion.clone();
    companion.spawn(async move {
        // It ends with the server.
        let _ = run_while_subscribed(&running, publisher, subscribers).await;
    });
}

async fn run_while_subscribed<P: Publisher>(
    companion: &Companion,
    mut publisher: P,
    mut subscribers: watch::Receiver<usize>,
) -> Result<(), RecvError> {
    let channel = P::CHANNEL;
    let channel = channel.name();
    loop {
        subscribers.wait_for(|count| *count > 0).await?;
        tracing::info!(channel, "publishing, since there are subscribers");
        tokio::select! {
            () = publisher.run(companion) => {}
            ended = without_subscribers(&mut subscribers) => ended?,
        }
        tracing::info!(channel, "paused, without subscribers");
    }
}

/// An interval whose first tick is due at once. Ticks that a suspended machine missed are skipped.
fn ticks(period: Duration) -> Interval {
    let mut ticks = interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// Announces the phases of the trading day, which lasts a minute.
#[derive(Debug)]
struct BannerPublisher;

impl Publisher for BannerPublisher {
    type Item = Banner;

    const CHANNEL: Channel<Banner> = BANNER;

    async fn run(&mut self, companion: &Companion) {
        let clock = &companion.config().clock;
        loop {
            let banner = banner_at(clock.now_ms());
            // The next phase is announced whether or not this one was stored.
            let _ = companion.everwire().set(&BANNER, BANNER_KEY, &banner).await;
            let remaining = (banner.until - clock.now_ms()).max(1.0);
            sleep(Duration::from_secs_f64(remaining / 1e3)).await;
        }
    }
}

/// The banner at a time.
fn banner_at(now: f64) -> Banner {
    let minute = (now / MINUTE_MS).floor() * MINUTE_MS;
    let second = now - minute;
    if second < AUCTION_AT {
        let text = format!("{}. The market is open.", greeting(minute));
        Banner { phase: Phase::Open, text, until: minute + AUCTION_AT }
    } else if second < CLOSED_AT {
        let text = "Closing auction. Last orders.".to_owned();
        Banner { phase: Phase::Auction, text, until: minute + CLOSED_AT }
    } else {
        let text = "The market is closed.".to_owned();
        Banner { phase: Phase::Closed, text, until: minute + MINUTE_MS }
    }
}

/// The greeting at a time of the day, in UTC.
fn greeting(now: f64) -> &'static str {
    match now % 86_400_000.0 / 3_600_000.0 {
        5.0..12.0 => "Good morning",
        12.0..18.0 => "Good afternoon",
        _ => "Good evening",
    }
}

/// Publishes a headline at each step of the server's clock, also without subscribers.
async fn publish_news(companion: &Companion) {
    let clock = &companion.config().clock;
    let mut number = headline_number_at(clock.now_ms());
    if has_no_headlines(companion).await {
        for earlier in number.saturating_sub(FIRST_HEADLINES)..number {
            publish_headline(companion, earlier).await;
        }
    }
    loop {
        number += 1;
        let due = number as f64 * HEADLINE_PERIOD_MS - clock.now_ms();
        sleep(Duration::from_secs_f64(due.max(0.0) / 1e3)).await;
        // A machine that has slept is ahead of the number.
        number = number.max(headline_number_at(clock.now_ms()));
        publish_headline(companion, number).await;
    }
}

async fn publish_headline(companion: &Companion, number: u64) {
    // The broker reports what it does not store, and the next headline comes soon.
    let _ = companion.everwire().publish(&NEWS, &Headline { text: headline(number).to_owned() }).await;
}

/// Whether nothing was published yet.
async fn has_no_headlines(companion: &Companion) -> bool {
    let Ok(channel) = ChannelName::try_from(NEWS.name()) else { return false };
    let history = companion.everwire().broker().history(&channel, 0).await;
    history.is_ok_and(|history| history.last.offset == 0)
}

/// Counts the headlines since 1970, so that a server that is started again does not begin with the same ones.
fn headline_number_at(now: f64) -> u64 {
    (now / HEADLINE_PERIOD_MS) as u64
}

/// The headline of a number. No headline repeats before all have appeared, each time in another order.
fn headline(number: u64) -> &'static str {
    let mut all: Vec<&str> = HEADLINES.lines().collect();
    let count = all.len() as u64;
    Rng::with_seed(number / count).shuffle(&mut all);
    all[(number % count) as usize]
}

/// Publishes what the server does, and with `--monitor` also what its machine does.
#[derive(Debug)]
struct MonitorPublisher;

impl Publisher for MonitorPublisher {
    type Item = Sample;

    const CHANNEL: Channel<Sample> = MONITOR;

    async fn run(&mut self, companion: &Companion) {
        let everwire = companion.everwire();
        // Reading hundreds of small files takes milliseconds, which would block a worker.
        let mut machine =
            if companion.config().monitor { spawn_blocking(MachineSampler::open).await.ok() } else { None };
        let mut traffic = TrafficMeter::start(TrafficCounters::read(everwire), Instant::now());
        let mut ticks = ticks(SAMPLE_PERIOD);
        ticks.reset();
        loop {
            ticks.tick().await;
            let mut sample = Sample { machine: None, connections: 0, messages_in: 0.0, messages_out: 0.0 };
            if let Some(opened) = machine.take()
                && let Ok((opened, read)) = spawn_blocking(move || read_machine(opened)).await
            {
                (machine, sample.machine) = (Some(opened), Some(read));
            }
            for endpoint in traffic.read(TrafficCounters::read(everwire), Instant::now()).endpoints {
                sample.connections += endpoint.connections;
                sample.messages_in += endpoint.messages_in;
                sample.messages_out += endpoint.messages_out;
            }
            // The broker reports what it does not store, and the next sample comes soon.
            let _ = everwire.publish(&MONITOR, &sample).await;
        }
    }
}

fn read_machine(mut machine: MachineSampler) -> (MachineSampler, MachineSample) {
    let reading = machine.read(false);
    let cores = reading.cores.len().max(1) as f64;
    let sample = MachineSample {
        processor: tenths(reading.cores.iter().sum::<f64>() / cores),
        memory: reading.memory,
        memory_size: machine.about().memory,
    };
    (machine, sample)
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use everwire_companion_api::live::PAIRS;
    use everwire_server::Clock;
    use everwire_server::channels::{LocalDelivery, LocalSubscription};
    use serde::de::DeserializeOwned;
    use tokio::time::timeout_at;

    use super::*;
    use crate::Config;

    fn companion() -> Companion {
        let start_of_test = Instant::now();
        let clock = Clock::from_fn(move || 1_795_219_200_000.0 + start_of_test.elapsed().as_secs_f64() * 1e3);
        let companion = Companion::new(Config { clock, ..Config::default() }).unwrap();
        start(&companion);
        companion
    }

    async fn subscribe<T>(companion: &Companion, channel: &Channel<T>) -> LocalSubscription<T> {
        companion.everwire().subscribe(channel).await.unwrap()
    }

    /// The messages of the next `seconds`, with their keys.
    async fn during<T: DeserializeOwned>(seconds: u64, messages: &mut LocalSubscription<T>) -> Vec<(String, T)> {
        let end = Instant::now() + Duration::from_secs(seconds);
        let mut taken = Vec::new();
        while let Ok(Some(delivery)) = timeout_at(end, messages.next()).await {
            let LocalDelivery::Message { message: Some(message), key, .. } = delivery else { panic!("no message") };
            taken.push((key.map(|key| key.as_str().to_owned()).unwrap_or_default(), message));
        }
        taken
    }

    /// How many messages a channel has had.
    async fn count<T>(companion: &Companion, channel: &Channel<T>) -> u64 {
        let name = ChannelName::try_from(channel.name()).unwrap();
        companion.everwire().broker().history(&name, 0).await.unwrap().last.offset
    }

    #[tokio::test(start_paused = true)]
    async fn prices_come_a_few_times_per_second() {
        let companion = companion();
        let mut market = subscribe(&companion, &MARKET).await;
        let prices = during(60, &mut market).await;
        assert!((240..=400).contains(&prices.len()), "{}", prices.len());
        assert_eq!(prices.iter().map(|(symbol, _)| symbol).collect::<HashSet<_>>().len(), 10);
    }

    #[tokio::test(start_paused = true)]
    async fn currencies_tick_every_quarter_of_a_second() {
        let companion = companion();
        let mut exchange = subscribe(&companion, &CURRENCY).await;
        let rates = during(60, &mut exchange).await;
        assert!((360..=520).contains(&rates.len()), "{}", rates.len());
        assert_eq!(rates.iter().map(|(pair, _)| pair).collect::<HashSet<_>>().len(), PAIRS.len());
    }

    #[tokio::test(start_paused = true)]
    async fn the_banner_changes_three_times_per_minute() {
        let companion = companion();
        let mut banner = subscribe(&companion, &BANNER).await;
        let phases = during(119, &mut banner).await;
        // The first announcement is that of the phase in which the subscriber came.
        assert_eq!(phases.len(), 6);
        assert!(phases.windows(2).all(|pair| pair[1].1.phase == pair[0].1.phase.next()), "{phases:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_server_that_does_not_expose_its_machine_publishes_only_its_traffic_once_a_second() {
        let companion = companion();
        let mut monitor = subscribe(&companion, &MONITOR).await;
        let samples = during(60, &mut monitor).await;
        assert!((59..=60).contains(&samples.len()), "{}", samples.len());
        assert!(samples.iter().all(|(_, sample)| sample.machine.is_none() && sample.connections == 0));
    }

    #[tokio::test(start_paused = true)]
    async fn news_come_without_readers_and_the_first_reader_finds_some() {
        let companion = companion();
        sleep(Duration::from_millis(1)).await;
        assert_eq!(count(&companion, &NEWS).await, 6);
        sleep(Duration::from_secs(70)).await;
        assert_eq!(count(&companion, &NEWS).await, 16);
    }

    #[tokio::test(start_paused = true)]
    async fn what_has_no_subscriber_is_not_published_and_goes_on_with_the_next_one() {
        let companion = companion();
        sleep(Duration::from_secs(60)).await;
        for channel in ["live/market", "live/currency", "live/banner", "live/monitor"] {
            assert_eq!(count(&companion, &Channel::<()>::new(channel)).await, 0, "{channel}");
        }
        let mut market = subscribe(&companion, &MARKET).await;
        assert!(!during(10, &mut market).await.is_empty());
        drop(market);
        // Publishing continues for some seconds, in case the page only reloads.
        sleep(Duration::from_secs(10)).await;
        let before = count(&companion, &MARKET).await;
        sleep(Duration::from_secs(60)).await;
        assert_eq!(count(&companion, &MARKET).await, before);
        let mut market = subscribe(&companion, &MARKET).await;
        assert!(!during(10, &mut market).await.is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn publishing_ends_with_the_server() {
        let companion = companion();
        let mut market = subscribe(&companion, &MARKET).await;
        during(10, &mut market).await;
        companion.everwire().drain(Duration::ZERO).await;
        sleep(Duration::from_secs(1)).await;
        let counts = (count(&companion, &MARKET).await, count(&companion, &NEWS).await);
        sleep(Duration::from_secs(60)).await;
        assert_eq!((count(&companion, &MARKET).await, count(&companion, &NEWS).await), counts);
    }

    const MIDNIGHT: f64 = 1_795_219_200_000.0;

    #[test]
    fn each_phase_lasts_until_the_next_begins() {
        let mut now = MIDNIGHT;
        let mut phases = Vec::new();
        while now < MIDNIGHT + 2.0 * MINUTE_MS {
            let banner = banner_at(now);
            assert_eq!(banner_at(banner.until - 1.0), banner, "it does not change meanwhile");
            assert_eq!(banner_at(banner.until).phase, banner.phase.next());
            phases.push((banner.phase, banner.until - now));
            now = banner.until;
        }
        let day = [(Phase::Open, 45_000.0), (Phase::Auction, 10_000.0), (Phase::Closed, 5_000.0)];
        assert_eq!(phases, [day, day].concat());
    }

    #[test]
    fn the_greeting_follows_the_servers_clock() {
        let hours = [0.0, 6.0, 12.0, 17.9, 18.0, 23.9];

        assert_eq!(
            hours.map(|hour| greeting(MIDNIGHT + hour * 3_600_000.0)),
            ["Good evening", "Good morning", "Good afternoon", "Good afternoon", "Good evening", "Good evening"]
        );
    }

    #[test]
    fn there_are_more_than_a_hundred_headlines_and_each_is_one_sentence() {
        let lines: Vec<&str> = HEADLINES.lines().collect();
        assert!(lines.len() > 100, "{}", lines.len());
        assert_eq!(lines.iter().collect::<HashSet<_>>().len(), lines.len(), "each once");
        for line in lines {
            assert!(line.trim() == line && (12..=90).contains(&line.chars().count()), "{line:?}");
        }
    }

    #[test]
    fn no_headline_repeats_before_all_have_appeared() {
        let count = HEADLINES.lines().count();
        let round: Vec<&str> = (0..count as u64).map(headline).collect();
        let next: Vec<&str> = (count as u64..2 * count as u64).map(headline).collect();
        assert_eq!(round.iter().collect::<HashSet<_>>().len(), count);
        assert_ne!(round, next);
    }
}

//! What each channel delivers, in virtual time.

use std::collections::HashSet;
use std::time::Duration;

use everwire_companion_api::live::PAIRS;
use everwire_server::broker::ChannelName;
use everwire_server::channels::{LocalDelivery, LocalSubscription};
use everwire_server::{Channel, Clock};
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep, timeout_at};

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

/// The messages of so many seconds, with their keys.
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
async fn prices_come_a_few_times_a_second() {
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
async fn the_banner_changes_three_times_a_minute() {
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
    // It goes on for some seconds, in case that the page only reloads.
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

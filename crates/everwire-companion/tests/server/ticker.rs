//! Stock prices: the endpoint `/ticker`, recordings, and the channels of the ticker.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use everwire::client::SubscribeOptions;
use everwire::{Delivery, Subscription};
use everwire_companion::{FeedSource, Recording};
use everwire_companion_api::ticker::{Companies, Quote, ServerMessage, channel};
use everwire_test_client::{Client, TIMEOUT};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::{Harness, next_message};

/// The next updates, whichever message they come in.
async fn updates(client: &mut Client, count: usize) -> Vec<Value> {
    let mut updates = Vec::new();
    while updates.len() < count {
        let message = client.json().await;
        assert_eq!(message["type"], "updates");
        updates.extend(message["updates"].as_array().unwrap().iter().cloned());
    }
    updates
}

fn seq(value: &Value) -> u64 {
    value["seq"].as_u64().unwrap()
}

#[tokio::test]
async fn a_snapshot_comes_first_and_the_updates_follow_it_without_a_gap() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/ticker?rate=1000").await;
    let snapshot = client.json().await;
    assert_eq!(snapshot["type"], "snapshot");
    assert_eq!(snapshot["rate"], 1000.0);
    assert_eq!(snapshot["stocks"].as_array().unwrap().len(), 9);
    let updates = updates(&mut client, 300).await;
    for (update, expected) in updates.iter().zip(seq(&snapshot) + 1..) {
        assert_eq!(seq(update), expected);
    }
}

#[tokio::test]
async fn updates_are_written_by_hand_as_their_type_is_serialized() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/ticker?rate=1000&symbols=*").await;
    client.text().await;
    for _ in 0..5 {
        let text = client.text().await;
        let updates: ServerMessage = serde_json::from_str(&text).unwrap();
        assert!(matches!(updates, ServerMessage::Updates(_)));
        assert_eq!(serde_json::to_string(&updates).unwrap(), text);
    }
}

#[tokio::test]
async fn a_snapshot_holds_the_quotes_after_all_earlier_updates() {
    let harness = Harness::start(|_| {}).await;
    let path = "/ticker?rate=5000&symbols=NVDA";
    let mut client = harness.client(path).await;
    let first = client.json().await;
    let heard = updates(&mut client, 500).await;
    let mut late = harness.client(path).await;
    let snapshot = late.json().await;
    let mut heard = heard;
    while seq(heard.last().unwrap()) < seq(&snapshot) {
        heard.extend(updates(&mut client, 1).await);
    }
    let open = first["stocks"][0]["open"].as_f64().unwrap();
    let before = heard.iter().filter(|update| seq(update) <= seq(&snapshot));
    let prices: Vec<f64> = before.map(|update| update["price"].as_f64().unwrap()).collect();
    let stock = &snapshot["stocks"][0];
    assert_eq!(stock["open"], open);
    assert_eq!(stock["price"], *prices.last().unwrap());
    assert_eq!(stock["low"], prices.iter().copied().fold(open, f64::min));
    assert_eq!(stock["high"], prices.iter().copied().fold(open, f64::max));
}

#[tokio::test]
async fn the_symbols_select_the_content_of_the_stream() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/ticker?rate=1000&symbols=NVDA,xom").await;
    let snapshot = client.json().await;
    let symbols: Vec<&Value> = snapshot["stocks"].as_array().unwrap().iter().map(|stock| &stock["symbol"]).collect();
    assert_eq!(symbols, ["NVDA", "XOM"]);
    for update in updates(&mut client, 50).await {
        assert!(["NVDA", "XOM"].contains(&update["symbol"].as_str().unwrap()));
    }
    let mut all = harness.client("/ticker?symbols=*").await;
    assert_eq!(all.json().await["stocks"].as_array().unwrap().len(), 509);
    assert_eq!(harness.refusal("/ticker?symbols=NOPE").await.0, 400);
    assert_eq!(harness.refusal("/ticker?rate=100001").await.0, 400);
}

#[tokio::test]
async fn subscribers_of_one_stream_receive_the_same_updates() {
    let harness = Harness::start(|_| {}).await;
    let mut ann = harness.client("/ticker?rate=1000").await;
    let mut bob = harness.client("/ticker?rate=1000").await;
    assert_eq!(ann.json().await["epoch"], bob.json().await["epoch"]);
    let (heard_by_ann, heard_by_bob) = (updates(&mut ann, 200).await, updates(&mut bob, 100).await);
    assert!(
        heard_by_bob
            .iter()
            .take(50)
            .all(|update| heard_by_ann.contains(update) || seq(update) > seq(heard_by_ann.last().unwrap()))
    );
}

#[tokio::test]
async fn the_same_seed_gives_the_same_prices_on_two_servers() {
    let mut heard = Vec::new();
    for seed in [5, 5, 6] {
        let harness = Harness::start(|config| config.feed = FeedSource::Walk { seed }).await;
        let mut client = harness.client("/ticker?rate=2000").await;
        // The first few may have been before the snapshot.
        let before = seq(&client.json().await);
        assert!(before <= 400, "{before}");
        let mut updates = updates(&mut client, 500).await;
        updates.retain(|update| (401..=500).contains(&seq(update)));
        heard.push(updates.iter().map(|update| update["price"].clone()).collect::<Vec<Value>>());
    }
    assert_eq!(heard[0].len(), 100);
    assert_eq!(heard[0], heard[1]);
    assert_ne!(heard[0], heard[2]);
}

#[tokio::test]
async fn updates_come_at_the_rate_and_many_share_a_message() {
    let harness = Harness::start(|_| {}).await;
    let start = Instant::now();
    let mut client = harness.client("/ticker?rate=10000").await;
    client.json().await;
    let mut messages = 0;
    let mut last = 0;
    while last < 5_000 {
        last = seq(client.json().await["updates"].as_array().unwrap().last().unwrap());
        messages += 1;
    }
    let took = start.elapsed();
    assert!(took >= Duration::from_millis(400), "5,000 updates at 10,000 per second took only {took:?}");
    assert!(messages <= 150, "{messages} messages for half a second");
}

#[tokio::test]
async fn a_client_that_returns_soon_resumes_its_stream_and_knows_what_it_missed() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/ticker?rate=1000").await;
    let before = client.json().await;
    let last = updates(&mut client, 10).await.last().map(seq).unwrap();
    drop(client);
    let open = r#"everwire_connections{endpoint="/ticker"}"#;
    let gone = async { while harness.metric(open).await != 0 {} };
    timeout(TIMEOUT, gone).await.expect("the first connection must end");
    let mut client = harness.client("/ticker?rate=1000").await;
    let after = client.json().await;
    assert_eq!(after["epoch"], before["epoch"]);
    assert!(seq(&after) >= last);
}

#[tokio::test]
async fn a_stream_without_subscribers_ends_and_a_new_one_has_another_epoch() {
    let harness = Harness::start(|config| {
        config.ticker.linger = Duration::ZERO;
        config.ticker.streams = 1;
    })
    .await;
    let mut client = harness.client("/ticker?rate=1000").await;
    let epoch = client.json().await["epoch"].clone();
    let (status, sentence) = harness.refusal("/ticker?rate=1").await;
    assert_eq!((status, sentence.contains("streams")), (503, true), "{sentence}");
    drop(client);
    // The second stream finds room as soon as the first has ended.
    let connect = async {
        loop {
            if let Ok(client) = Client::try_connect(harness.address(), "/ticker?rate=1", &[]).await {
                return client;
            }
        }
    };
    let mut other = timeout(TIMEOUT, connect).await.expect("the first stream must end");
    let snapshot = other.json().await;
    assert_ne!(snapshot["epoch"], epoch);
    assert_eq!(seq(&snapshot), 0);
}

#[tokio::test]
async fn one_address_is_refused_with_429_before_it_has_every_stream() {
    let harness = Harness::start(|_| {}).await;
    let mut clients = Vec::new();
    for rate in 1..=16 {
        clients.push(harness.client(&format!("/ticker?rate={rate}")).await);
    }
    let (status, sentence) = harness.refusal("/ticker?rate=17").await;
    assert_eq!((status, sentence.contains("Your address")), (429, true), "{sentence}");
    assert_eq!(harness.drops("/ticker", "streams_full").await, 1);
    clients.push(harness.client("/ticker?rate=16").await);
}

const CSV: &str = "time,symbol,price\n0,NVDA,17.5\n0.4,ZZZZ,3\n0.8,NVDA,18\n";
/// The same, over a minute.
const SLOW_CSV: &str = "time,symbol,price\n0,NVDA,17.5\n30,ZZZZ,3\n60,NVDA,18\n";

async fn replay_harness(csv: &str, speed: f64) -> Harness {
    let recording = Arc::new(Recording::parse(csv).unwrap());
    Harness::start(|config| config.feed = FeedSource::Replay { recording, speed }).await
}

/// Asserts that a recording is played in its order, and says how long three updates took.
async fn play(csv: &str, speed: f64) -> Duration {
    let harness = replay_harness(csv, speed).await;
    let start = Instant::now();
    let mut client = harness.client("/ticker").await;
    let snapshot = client.json().await;
    let names: Vec<&str> =
        snapshot["stocks"].as_array().unwrap().iter().map(|stock| stock["company"].as_str().unwrap()).collect();
    assert_eq!(names, ["NVIDIA Corporation", "ZZZZ"]);
    let mut played = Vec::new();
    while played.len() < 3 {
        for update in client.json().await["updates"].as_array().unwrap() {
            played.push((update["symbol"].as_str().unwrap().to_owned(), update["price"].as_f64().unwrap()));
        }
    }
    let recorded = [("NVDA".to_owned(), 17.5), ("ZZZZ".to_owned(), 3.0), ("NVDA".to_owned(), 18.0)];
    // The first is in the snapshot already where that came a little later.
    let from = usize::try_from(snapshot["seq"].as_u64().unwrap()).unwrap();
    let expected: Vec<_> = recorded.into_iter().cycle().skip(from).take(played.len()).collect();
    assert_eq!(played, expected);
    start.elapsed()
}

#[tokio::test]
async fn a_recording_plays_in_its_order_at_its_speed() {
    let took = play(CSV, 1.0).await;
    assert!(took >= Duration::from_millis(790), "{took:?}");
}

#[tokio::test]
async fn a_higher_replay_speed_plays_faster() {
    let took = play(SLOW_CSV, 600.0).await;
    assert!(took < Duration::from_secs(30), "{took:?}");
}

#[tokio::test]
async fn only_recorded_symbols_can_be_chosen() {
    let harness = replay_harness(CSV, 1.0).await;
    assert_eq!(harness.refusal("/ticker?symbols=XOM").await.0, 400);
    let mut client = harness.client("/ticker?symbols=ZZZZ").await;
    assert_eq!(client.json().await["stocks"].as_array().unwrap().len(), 1);
    assert_eq!(client.json().await["updates"][0]["symbol"], "ZZZZ");
}

/// The quote of each of the nine companies after at least `messages` messages.
async fn quotes(subscription: &mut Subscription<Quote>, messages: usize) -> HashMap<String, Quote> {
    let (mut quotes, mut count) = (HashMap::new(), 0);
    while quotes.len() < 9 || count < messages {
        let message = next_message(subscription).await;
        quotes.insert(message.key.unwrap(), message.value);
        count += 1;
    }
    quotes
}

#[tokio::test]
async fn a_newcomer_gets_the_quote_of_each_company_and_then_those_that_change() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(1_000, Companies::Nine));
    let early = quotes(&mut subscription, 50).await;
    assert_eq!(early["NVDA"].company, "NVIDIA Corporation");
    let newcomer = harness.channels();
    let late = quotes(&mut newcomer.subscribe(&channel(1_000, Companies::Nine)), 9).await;
    assert!(early.iter().all(|(symbol, quote)| late[symbol].seq >= quote.seq));
    for quote in late.values() {
        assert!(quote.low <= quote.price.min(quote.open) && quote.high >= quote.price.max(quote.open), "{quote:?}");
    }
}

/// A key that has no trade for a while would keep the old price.
#[tokio::test]
async fn a_page_that_returns_to_a_server_without_its_history_gets_the_quote_of_each_company() {
    let nine = channel(1, Companies::Nine);
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut before = client.subscribe(&nine);
    quotes(&mut before, 9).await;
    let returning = SubscribeOptions::default().latest().from(before.cursor().unwrap());
    let restarted = Harness::start(|_| {}).await;
    quotes(&mut restarted.channels().subscribe(&nine), 9).await;
    let client = restarted.channels();
    let mut after = client.subscribe_with(&nine, &returning);
    let (mut gaps, mut symbols) = (0, HashSet::new());
    loop {
        match timeout(TIMEOUT, after.next()).await.expect("a delivery in time").expect("an open subscription") {
            Delivery::Gap(_) => gaps += 1,
            Delivery::Message(message) => symbols.extend(message.key),
            Delivery::CaughtUp => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!((gaps, symbols.len()), (1, 9));
}

#[tokio::test]
async fn trades_that_follow_each_other_quickly_share_a_message_and_all_of_them_count() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(20_000, Companies::Nine));
    let quotes = quotes(&mut subscription, 50).await;
    let trades: u64 = quotes.values().map(|quote| quote.seq).sum();
    assert!(trades > 500, "{trades} trades in 50 messages");
}

#[tokio::test]
async fn channels_and_streams_of_the_same_companies_have_the_same_prices() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&channel(10, Companies::Nine));
    let known = quotes(&mut subscription, 12).await;
    let snapshot = harness.client("/ticker?rate=1").await.json().await;
    for stock in snapshot["stocks"].as_array().unwrap() {
        let price = stock["price"].as_f64().unwrap();
        let quote = &known[stock["symbol"].as_str().unwrap()];
        assert!((price / quote.price - 1.0).abs() < 0.1, "{stock} differs from {quote:?}");
    }
}

#[tokio::test]
async fn over_a_restart_with_a_journal_prices_go_on_from_where_they_were() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Harness::start(|config| config.journal = Some(folder.path().join("journal")));
    let nine = channel(20_000, Companies::Nine);
    let harness = start().await;
    let client = harness.channels();
    let before = quotes(&mut client.subscribe(&nine), 200).await;
    drop(client);
    harness.server.stop().await;

    let harness = start().await;
    let client = harness.channels();
    let mut subscription = client.subscribe(&nine);
    let restored = quotes(&mut subscription, 9).await;
    for (symbol, quote) in &before {
        let now = &restored[symbol];
        assert!(now.seq >= quote.seq && now.low <= quote.low && now.high >= quote.high, "{now:?} after {quote:?}");
        assert!((now.open - quote.open).abs() < f64::EPSILON);
    }
    let later = quotes(&mut subscription, 50).await;
    assert!(later.iter().all(|(symbol, quote)| quote.seq > restored[symbol].seq));
    assert!(later.iter().all(|(symbol, quote)| (quote.price / restored[symbol].price - 1.0).abs() < 0.2), "no jump");
}

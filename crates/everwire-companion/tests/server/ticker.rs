use std::time::{Duration, Instant};

use everwire_companion::FeedSource;
use everwire_companion_api::ticker::ServerMessage;
use everwire_test_client::{Client, TIMEOUT};
use serde_json::Value;
use tokio::time::timeout;

use crate::harness::Harness;

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
    assert!(took >= Duration::from_millis(400), "5,000 updates at 10,000 a second took only {took:?}");
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

use std::sync::Arc;
use std::time::{Duration, Instant};

use everwire_companion::{FeedSource, Recording};

use crate::harness::Harness;

const CSV: &str = "time,symbol,price\n0,NVDA,17.5\n0.4,ZZZZ,3\n0.8,NVDA,18\n";
/// The same, over a minute.
const SLOW_CSV: &str = "time,symbol,price\n0,NVDA,17.5\n30,ZZZZ,3\n60,NVDA,18\n";

async fn harness(csv: &str, speed: f64) -> Harness {
    let recording = Arc::new(Recording::parse(csv).unwrap());
    Harness::start(|config| config.feed = FeedSource::Replay { recording, speed }).await
}

/// Asserts that a recording is played in its order, and says how long three updates took.
async fn play(csv: &str, speed: f64) -> Duration {
    let harness = harness(csv, speed).await;
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
    let harness = harness(CSV, 1.0).await;
    assert_eq!(harness.refusal("/ticker?symbols=XOM").await.0, 400);
    let mut client = harness.client("/ticker?symbols=ZZZZ").await;
    assert_eq!(client.json().await["stocks"].as_array().unwrap().len(), 1);
    assert_eq!(client.json().await["updates"][0]["symbol"], "ZZZZ");
}

use std::sync::Arc;
use std::time::{Duration, Instant};

use everwire_server::{FeedSource, Recording};

use crate::harness::Harness;

const CSV: &str = "time,symbol,price\n0,NVDA,17.5\n0.4,ZZZZ,3\n0.8,NVDA,18\n";

async fn harness(speed: f64) -> Harness {
    let recording = Arc::new(Recording::parse(CSV).unwrap());
    Harness::start(|config| config.feed = FeedSource::Replay { recording, speed }).await
}

/// The first three updates, and how long they took.
async fn play(speed: f64) -> (Vec<(String, f64)>, Duration) {
    let harness = harness(speed).await;
    let mut client = harness.client("/ticker").await;
    let start = Instant::now();
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
    (played, start.elapsed())
}

#[tokio::test]
async fn a_recording_plays_in_its_order_at_its_speed() {
    let (played, took) = play(1.0).await;
    assert_eq!(played, [("NVDA".to_owned(), 17.5), ("ZZZZ".to_owned(), 3.0), ("NVDA".to_owned(), 18.0)]);
    assert!(took >= Duration::from_millis(790), "{took:?}");
}

#[tokio::test]
async fn a_higher_replay_speed_plays_faster() {
    let (played, took) = play(8.0).await;
    assert_eq!(played[..2], [("NVDA".to_owned(), 17.5), ("ZZZZ".to_owned(), 3.0)]);
    assert!(took < Duration::from_millis(790), "{took:?}");
}

#[tokio::test]
async fn only_recorded_symbols_can_be_chosen() {
    let harness = harness(1.0).await;
    assert_eq!(harness.refusal("/ticker?symbols=XOM").await.0, 400);
    let mut client = harness.client("/ticker?symbols=ZZZZ").await;
    assert_eq!(client.json().await["stocks"].as_array().unwrap().len(), 1);
    assert_eq!(client.json().await["updates"][0]["symbol"], "ZZZZ");
}

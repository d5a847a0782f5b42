use everwire_server::Clock;
use serde_json::json;

use crate::client::Client;
use crate::harness::Harness;

const HERE: &str = r#"{"type":"position","lat":48.5,"lon":-9.25,"accuracy":10}"#;

async fn harness() -> Harness {
    Harness::start(|config| config.clock = Clock::from_fn(|| 1000.5)).await
}

/// A participant, its number, and the positions that it was welcomed with.
async fn join(harness: &Harness) -> (Client, u64, serde_json::Value) {
    let mut client = harness.client("/tracker").await;
    let welcome = client.json().await;
    assert_eq!(welcome["type"], "welcome");
    let positions = client.json().await;
    assert_eq!(positions["type"], "positions");
    (client, welcome["id"].as_u64().unwrap(), positions["positions"].clone())
}

#[tokio::test]
async fn a_position_reaches_everyone_and_whoever_comes_later() {
    let harness = harness().await;
    let (mut ann, ann_id, positions) = join(&harness).await;
    assert_eq!(positions, json!([]));
    let (mut bob, bob_id, _) = join(&harness).await;
    assert_ne!(ann_id, bob_id);
    ann.send(HERE).await;
    let position = json!({"id": ann_id, "lat": 48.5, "lon": -9.25, "accuracy": 10.0, "time": 1000.5});
    let mut news = position.clone();
    news["type"] = json!("position");
    assert_eq!(ann.json().await, news);
    assert_eq!(bob.json().await, news);
    let (_late, _, positions) = join(&harness).await;
    assert_eq!(positions, json!([position]));
}

#[tokio::test]
async fn who_stops_sharing_is_forgotten_and_goes_on_watching() {
    let harness = harness().await;
    let (mut ann, ann_id, _) = join(&harness).await;
    let (mut bob, bob_id, _) = join(&harness).await;
    ann.send(HERE).await;
    bob.json().await;
    ann.send(r#"{"type":"leave"}"#).await;
    assert_eq!(bob.json().await, json!({"type": "left", "id": ann_id}));
    let (_late, _, positions) = join(&harness).await;
    assert_eq!(positions, json!([]));
    bob.send(HERE).await;
    while ann.json().await["id"] != bob_id {}
}

#[tokio::test]
async fn who_disconnects_is_forgotten() {
    let harness = harness().await;
    let (mut ann, ann_id, _) = join(&harness).await;
    let (mut bob, _, _) = join(&harness).await;
    ann.send(HERE).await;
    bob.json().await;
    drop(ann);
    assert_eq!(bob.json().await, json!({"type": "left", "id": ann_id}));
}

#[tokio::test]
async fn who_only_watched_leaves_without_a_word() {
    let harness = harness().await;
    let (mut ann, _, _) = join(&harness).await;
    let (mut bob, bob_id, _) = join(&harness).await;
    ann.send(r#"{"type":"leave"}"#).await;
    ann.ask(r#"{"ping":1}"#).await;
    bob.send(HERE).await;
    assert_eq!(bob.json().await["id"], bob_id);
}

#[tokio::test]
async fn places_that_are_not_on_earth_are_mistakes() {
    let harness = harness().await;
    let (mut ann, _, _) = join(&harness).await;
    for wrong in [
        r#"{"type":"position","lat":90.1,"lon":0,"accuracy":1}"#,
        r#"{"type":"position","lat":0,"lon":-180.1,"accuracy":1}"#,
        r#"{"type":"position","lat":0,"lon":0,"accuracy":-1}"#,
        r#"{"type":"position","lat":0,"lon":0}"#,
        r#"{"type":"position","lat":"0","lon":0,"accuracy":1}"#,
        r#"{"type":"teleport"}"#,
        "here",
    ] {
        assert!(ann.mistake(wrong).await.contains("lat"), "{wrong}");
    }
}

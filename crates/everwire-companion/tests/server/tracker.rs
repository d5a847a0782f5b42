use everwire_server::Clock;
use everwire_test_client::Client;
use serde_json::json;

use crate::harness::Harness;

const HERE: &str = r#"{"type":"position","lat":48.5,"lon":-9.25,"accuracy":10}"#;

async fn harness() -> Harness {
    Harness::start(|config| config.clock = Clock::from_fn(|| 1000.5)).await
}

/// A participant, its number, and the positions of its welcome.
async fn join(harness: &Harness) -> (Client, u64, serde_json::Value) {
    let mut client = harness.client("/tracker").await;
    let welcome = client.json().await;
    assert_eq!(welcome["type"], "welcome");
    let positions = client.json().await;
    assert_eq!(positions["type"], "positions");
    (client, welcome["id"].as_u64().unwrap(), positions["positions"].clone())
}

#[tokio::test]
async fn a_position_is_sent_to_all_clients_and_to_later_ones() {
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
async fn a_participant_that_stops_sharing_is_removed_and_keeps_watching() {
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

/// A secret, and the id that follows from it: 2⁵² and the first 52 bits of its SHA-256.
const SECRET: &str = "5a1f1e0c33d8477fb0a4d2c96e7b8a10";
const ID: u64 = 4_504_841_007_236_231;

fn here_with(secret: &str) -> String {
    HERE.replace('}', &format!(r#","secret":"{secret}"}}"#))
}

#[tokio::test]
async fn a_participant_keeps_its_id_over_a_reconnect_and_a_restart() {
    let mut ids = Vec::new();
    for _ in 0..2 {
        let harness = harness().await;
        let (mut watcher, _, _) = join(&harness).await;
        for _ in 0..2 {
            let (mut ann, _, _) = join(&harness).await;
            ann.send(&here_with(SECRET)).await;
            ids.push(watcher.json().await["id"].as_u64().unwrap());
            drop(ann);
            assert_eq!(watcher.json().await, json!({"type": "left", "id": ids[0]}));
        }
    }
    assert_eq!(ids, [ID; 4]);
}

#[tokio::test]
async fn a_client_receives_its_id_before_its_position() {
    let harness = harness().await;
    let (mut ann, number, _) = join(&harness).await;
    assert_ne!(number, ID);
    ann.send(&here_with(SECRET)).await;
    assert_eq!(ann.json().await, json!({"type": "welcome", "id": ID}));
    assert_eq!(ann.json().await["id"], ID);
    // A secret holds until there is another.
    ann.send(HERE).await;
    assert_eq!(ann.json().await["id"], ID);
}

#[tokio::test]
async fn a_participant_that_stops_on_a_new_connection_is_removed_although_the_old_one_is_open() {
    let harness = harness().await;
    let (mut watcher, _, _) = join(&harness).await;
    let (mut lost, _, _) = join(&harness).await;
    lost.send(&here_with(SECRET)).await;
    assert_eq!(watcher.json().await["id"], ID);
    let (mut replacement, _, _) = join(&harness).await;
    replacement.send(&format!(r#"{{"type":"leave","secret":"{SECRET}"}}"#)).await;
    assert_eq!(watcher.json().await, json!({"type": "left", "id": ID}));
}

#[tokio::test]
async fn only_its_secret_moves_a_participant() {
    let harness = harness().await;
    let (mut ann, _, _) = join(&harness).await;
    ann.send(&here_with(SECRET)).await;
    ann.json().await;
    ann.json().await;
    let (mut mallory, mallory_id, _) = join(&harness).await;
    let claim = format!(r#""id":{ID}}}"#);
    mallory.send(&HERE.replace('}', &format!(",{claim}"))).await;
    assert_eq!(ann.json().await["id"], mallory_id);
    mallory.send(&format!(r#"{{"type":"leave",{claim}"#)).await;
    assert_eq!(ann.json().await, json!({"type": "left", "id": mallory_id}));
    mallory.send(&here_with(&format!("{ID:016}"))).await;
    assert_ne!(ann.json().await["id"], ID);
    let (_late, _, positions) = join(&harness).await;
    assert!(positions.as_array().unwrap().iter().any(|position| position["id"] == ID));
}

#[tokio::test]
async fn a_connection_has_one_participant_however_many_secrets_it_sends() {
    let harness = harness().await;
    let (mut ann, _, _) = join(&harness).await;
    for number in 0..100 {
        ann.send(&here_with(&format!("{SECRET}{number}"))).await;
    }
    ann.send(r#"{"ping":1}"#).await;
    while ann.json().await["pong"].is_null() {}
    let (_late, _, positions) = join(&harness).await;
    assert_eq!(positions.as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_watcher_leaves_without_a_message() {
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
        r#"{"type":"position","lat":0,"lon":0,"accuracy":1,"secret":"too short"}"#,
        r#"{"type":"leave","secret":7}"#,
        "here",
    ] {
        assert!(ann.mistake(wrong).await.contains("lat"), "{wrong}");
    }
}

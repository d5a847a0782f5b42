//! The tracker: the endpoint `/tracker`, and the channel with its requests.

use everwire::client::{GapReason, RequestError, SubscribeOptions};
use everwire::{Delivery, Subscription};
use everwire_companion_api::tracker::{ClientMessage, POSITIONS, Position, REPORT, Secret};
use everwire_server::Clock;
use everwire_server::broker::{ChannelName, PageLimits};
use everwire_test_client::{Client, TIMEOUT};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::timeout;

use crate::harness::{Harness, next_message};

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
    let mut moved = position.clone();
    moved["type"] = json!("position");
    assert_eq!(ann.json().await, moved);
    assert_eq!(bob.json().await, moved);
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

fn secret() -> Option<Secret> {
    Some(Secret::try_from(SECRET.to_owned()).unwrap())
}

fn at(lat: f64) -> ClientMessage {
    ClientMessage::Position { lat, lon: -9.25, accuracy: 10.0, secret: secret() }
}

async fn report(client: &everwire::Client, message: &ClientMessage) -> Result<(), RequestError> {
    timeout(TIMEOUT, client.request(REPORT, message)).await.expect("an answer in time")
}

async fn removed(positions: &mut Subscription<Position>) -> String {
    let removed = async {
        loop {
            if let Delivery::Removed(removed) = positions.next().await.expect("an open subscription") {
                return removed.key;
            }
        }
    };
    timeout(TIMEOUT, removed).await.expect("a removal in time")
}

#[tokio::test]
async fn the_endpoint_and_the_channel_show_the_same_participants() {
    let harness = Harness::start(|_| {}).await;
    let mut raw = harness.client("/tracker").await;
    let number = raw.json().await["id"].as_u64().unwrap();
    raw.json().await;
    let client = harness.channels();
    let mut positions = client.subscribe(&POSITIONS);

    report(&client, &at(48.5)).await.unwrap();
    let seen = raw.json().await;
    assert_eq!((&seen["id"], &seen["lat"]), (&ID.into(), &48.5.into()));
    let message = next_message(&mut positions).await;
    assert_eq!((message.key, message.value.id, message.value.lat), (Some(ID.to_string()), ID, 48.5));

    raw.send(r#"{"type":"position","lat":1,"lon":2,"accuracy":3}"#).await;
    assert_eq!(next_message(&mut positions).await.value.id, number);
    drop(raw);
    assert_eq!(removed(&mut positions).await, number.to_string());
}

#[tokio::test]
async fn a_report_without_a_secret_or_off_the_earth_is_refused() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let anonymous = ClientMessage::Position { lat: 1.0, lon: 2.0, accuracy: 3.0, secret: None };
    for (message, text) in [(anonymous, "secret"), (at(90.1), "not a place on Earth")] {
        let error = report(&client, &message).await.unwrap_err().to_string();
        assert!(error.contains(text), "{error}");
    }
    let mut raw = harness.client("/tracker").await;
    raw.json().await;
    assert_eq!(raw.json().await["positions"], json!([]));
}

#[tokio::test]
async fn clients_cannot_publish_positions_of_others() {
    let harness = Harness::start(|config| config.faults = true).await;
    let client = harness.channels();
    let position = Position { id: ID, lat: 1.0, lon: 2.0, accuracy: 3.0, time: 0.0 };
    let error = client.publish(&POSITIONS, &position).await.unwrap_err();
    assert!(error.to_string().contains("denied"), "{error}");
}

#[tokio::test]
async fn a_participant_leaves_with_its_session() {
    let harness = Harness::start(|_| {}).await;
    let (ann, bob) = (harness.channels(), harness.channels());
    let mut positions = bob.subscribe(&POSITIONS);
    report(&ann, &at(48.5)).await.unwrap();
    next_message(&mut positions).await;
    ann.close();
    assert_eq!(removed(&mut positions).await, ID.to_string());
}

#[tokio::test]
async fn the_server_keeps_the_latest_position_of_a_participant_and_none_of_one_that_left() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut positions = client.subscribe(&POSITIONS);
    for lat in [48.5, 48.6] {
        report(&client, &at(lat)).await.unwrap();
        assert_eq!(next_message(&mut positions).await.value.lat, lat);
    }
    let channel = ChannelName::try_from(POSITIONS.name()).unwrap();
    let broker = harness.server.companion().everwire().broker();
    let kept = async || broker.read(&channel, 0, PageLimits::default()).await.unwrap().messages;
    assert_eq!(kept().await.len(), 0, "where it was before");
    assert_eq!(broker.read_state(&channel, 0, PageLimits::default()).await.unwrap().messages.len(), 1);

    report(&client, &ClientMessage::Leave { secret: secret() }).await.unwrap();
    removed(&mut positions).await;
    assert_eq!(kept().await.len(), 0);
    assert_eq!(broker.read_state(&channel, 0, PageLimits::default()).await.unwrap().messages.len(), 0);
}

/// The history of the channel is empty, so that whatever a page has missed was trimmed; and another server has another epoch.
#[tokio::test]
async fn a_page_that_missed_something_gets_everyone_again_and_no_error() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    let mut watched = client.subscribe(&POSITIONS);
    report(&client, &at(48.5)).await.unwrap();
    next_message(&mut watched).await;
    let returning = SubscribeOptions::default().from(watched.cursor().unwrap());
    for lat in [48.6, 48.7] {
        report(&client, &at(lat)).await.unwrap();
        assert_eq!(next_message(&mut watched).await.value.lat, lat);
    }
    let restarted = Harness::start(|_| {}).await;
    let other = restarted.channels();
    report(&other, &at(48.7)).await.unwrap();
    for (harness, reason) in [(harness, GapReason::Trimmed), (restarted, GapReason::Rewritten)] {
        let client = harness.channels();
        let mut positions = client.subscribe_with(&POSITIONS, &returning);
        let first = timeout(TIMEOUT, positions.next()).await.expect("a delivery in time");
        assert!(matches!(first, Some(Delivery::Gap(gap)) if gap.reason == reason), "{first:?}");
        assert_eq!(next_message(&mut positions).await.value.lat, 48.7);
        report(&client, &at(48.8)).await.unwrap();
        assert_eq!(next_message(&mut positions).await.value.lat, 48.8);
    }
}

#[tokio::test]
async fn a_session_has_one_participant_however_many_secrets_it_sends() {
    let harness = Harness::start(|_| {}).await;
    let client = harness.channels();
    for number in 0..20 {
        let secret = Secret::try_from(format!("{SECRET}{number}")).ok();
        let message = ClientMessage::Position { lat: 1.0, lon: 2.0, accuracy: 3.0, secret };
        report(&client, &message).await.unwrap();
    }
    let mut raw = harness.client("/tracker").await;
    raw.json().await;
    assert_eq!(raw.json().await["positions"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn over_a_restart_with_a_journal_participants_stay_and_report_as_the_same() {
    let folder = tempfile::tempdir().unwrap();
    let start = || Harness::start(|config| config.journal = Some(folder.path().join("journal")));
    let harness = start().await;
    let client = harness.channels();
    let mut positions = client.subscribe(&POSITIONS);
    report(&client, &at(48.5)).await.unwrap();
    next_message(&mut positions).await;
    drop(positions);
    harness.server.stop().await;

    let harness = start().await;
    let watcher = harness.channels();
    let mut positions = watcher.subscribe(&POSITIONS);
    assert_eq!(next_message(&mut positions).await.value.lat, 48.5);
    let mut raw = harness.client("/tracker").await;
    raw.json().await;
    // It is there as soon as the server has read the journal.
    let lat = loop {
        let message = raw.json().await;
        let lat = if message["type"] == "positions" { &message["positions"][0]["lat"] } else { &message["lat"] };
        if !lat.is_null() {
            break lat.clone();
        }
    };
    assert_eq!(lat, 48.5);
    let again = harness.channels();
    report(&again, &at(48.6)).await.unwrap();
    let moved = next_message(&mut positions).await.value;
    assert_eq!((moved.id, moved.lat), (ID, 48.6));
}

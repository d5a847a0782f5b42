//! The channels of the monitor, beside its endpoint.

use everwire::Delivery;
use everwire::client::{SubscribeOptions, SubscriptionError};
use everwire_companion_api::monitor::{KEPT, LATEST, POINTS, Point, STATUS};
use everwire_server::broker::ChannelName;
use futures_util::StreamExt;

use crate::harness::{Harness, next_message};
use crate::monitor::{sample_with, watched};

/// The last five minutes, then what follows.
fn past_and_present() -> SubscribeOptions {
    SubscribeOptions::default().last(KEPT.into())
}

#[tokio::test]
async fn a_page_that_comes_late_sees_what_the_channel_has_kept() {
    let harness = watched().await;
    let early = harness.channels();
    let mut points = early.subscribe_with(&POINTS, &past_and_present());
    let seen = [next_message(&mut points).await, next_message(&mut points).await];

    let late = harness.channels();
    let mut points = late.subscribe_with(&POINTS, &past_and_present());
    let history: Vec<Point> = {
        let mut history = Vec::new();
        loop {
            match points.next().await.unwrap() {
                Delivery::Message(message) => history.push(message.value),
                Delivery::CaughtUp => break history,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(&history[..2], &seen.map(|message| message.value));
}

#[tokio::test]
async fn tables_are_published_only_while_a_page_reads_them() {
    let harness = watched().await;
    let client = harness.channels();
    let mut points = client.subscribe(&POINTS);
    next_message(&mut points).await;
    next_message(&mut points).await;
    let name = ChannelName::try_from(STATUS.name()).unwrap();
    let history = harness.server.companion().everwire().broker().history(&name, 0).await.unwrap();
    assert_eq!(history.last.offset, 0);

    let mut status = client.subscribe(&STATUS);
    let status = next_message(&mut status).await;
    assert_eq!(status.key.as_deref(), Some(LATEST));
    assert!(status.value.detail.endpoints.iter().any(|endpoint| endpoint.path == "/everwire"));
    assert_eq!(status.value.detail.processes.is_some(), cfg!(target_os = "linux"));
}

#[tokio::test]
async fn the_endpoint_and_the_channel_have_the_same_points() {
    let harness = watched().await;
    let mut watcher = harness.client("/monitor").await;
    let client = harness.channels();
    let mut points = client.subscribe(&POINTS);
    let point = next_message(&mut points).await.value;
    let sample = sample_with(&mut watcher, "the time of the channel", |sample| sample["point"]["time"] == point.time);
    assert_eq!(sample.await["point"], serde_json::to_value(&point).unwrap());
}

#[tokio::test]
async fn without_the_flag_no_channel_of_the_monitor_can_be_read() {
    let harness = Harness::start(|config| config.faults = true).await;
    let client = harness.channels();
    let (mut points, mut status) = (client.subscribe(&POINTS), client.subscribe(&STATUS));
    let refusals = [points.next().await.map(refusal), status.next().await.map(refusal)];
    assert_eq!(refusals, [const { Some(true) }; 2]);
}

/// Whether the subscription was refused by the rules.
fn refusal<T>(delivery: Delivery<T>) -> bool {
    matches!(delivery, Delivery::Ended(SubscriptionError::Refused { code, .. }) if code.to_string() == "denied")
}

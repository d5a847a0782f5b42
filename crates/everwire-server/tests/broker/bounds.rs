//! What is trimmed, and what is known of it.

use std::time::Duration;

use everwire_server::broker::{Publication, Retention};

use crate::support::{START, brokers, channel, text};

/// What a text of four bytes counts for.
const SIZE: u64 = 68;

fn short(name: &str, number: u64, retention: Retention) -> Publication {
    text(name, &format!("{number:04}")).with_retention(retention)
}

#[tokio::test]
async fn a_channel_keeps_at_most_its_count() {
    for fixture in brokers(|_| ()) {
        for number in 1..=10 {
            fixture.publish(short("chat", number, Retention::stream().with_count(3))).await;
        }
        assert_eq!(fixture.texts("chat", 0).await, ["0008", "0009", "0010"]);
        let history = fixture.history("chat").await;
        assert_eq!((history.trimmed.offset, history.state_trimmed, history.len()), (7, 7, 3));
        assert_eq!((history.trimmed.time, history.trimmed.epoch), (START, history.epoch()));
        assert_eq!(fixture.found("chat", 7).await, Some(history.trimmed));
        assert_eq!(fixture.found("chat", 6).await, None);
    }
}

#[tokio::test]
async fn a_channel_keeps_at_most_its_bytes() {
    for fixture in brokers(|_| ()) {
        let retention = Retention::stream().with_bytes(SIZE * 3 + 1);
        for number in 1..=10 {
            fixture.publish(short("chat", number, retention)).await;
        }
        assert_eq!(fixture.texts("chat", 0).await, ["0008", "0009", "0010"]);
        fixture.publish(text("chat", &"x".repeat(100)).with_retention(retention)).await;
        assert_eq!(fixture.history("chat").await.len(), 1);
    }
}

#[tokio::test]
async fn messages_above_the_greatest_age_are_not_served() {
    for fixture in brokers(|_| ()) {
        let retention = Retention::stream().with_age(Duration::from_secs(60));
        fixture.publish(short("chat", 1, retention)).await;
        fixture.advance(59_999);
        fixture.publish(short("chat", 2, retention)).await;
        assert_eq!(fixture.texts("chat", 0).await, ["0001", "0002"]);
        fixture.advance(1);
        assert_eq!(fixture.texts("chat", 0).await, ["0002"]);
        assert_eq!(fixture.history("chat").await.trimmed.offset, 1);
    }
}

/// A quiet channel whose last message aged out: nothing was missed, and the position shows it.
#[tokio::test]
async fn the_position_stays_when_everything_was_trimmed() {
    for fixture in brokers(|_| ()) {
        let retention = Retention::stream().with_age(Duration::from_secs(60));
        let mut last = fixture.publish(short("chat", 1, retention)).await;
        for number in 2..=4 {
            last = fixture.publish(short("chat", number, retention)).await;
        }
        fixture.advance(60_000);
        let history = fixture.history("chat").await;
        assert_eq!((history.last, history.trimmed, history.is_empty()), (last, last, true));
        assert_eq!(fixture.found("chat", 4).await, Some(last));
        assert_eq!(fixture.publish(short("chat", 5, retention)).await.offset, 5);
        assert_eq!(fixture.history("chat").await.epoch(), last.epoch);
    }
}

#[tokio::test]
async fn a_channel_with_a_count_of_zero_reports_its_messages_and_keeps_none() {
    for fixture in brokers(|_| ()) {
        let recorder = fixture.listen();
        let last = fixture.publish(short("chat", 1, Retention::stream().with_count(0))).await;
        assert_eq!(recorder.take().len(), 1);
        let history = fixture.history("chat").await;
        assert_eq!((history.last, history.trimmed), (last, last));
        assert_eq!(fixture.texts("chat", 0).await, [""; 0]);
    }
}

#[tokio::test]
async fn a_lower_limit_holds_from_the_next_publish_on() {
    for fixture in brokers(|_| ()) {
        fixture.publish_all("chat", 1..=10).await;
        fixture.publish(text("chat", "11").with_retention(Retention::stream().with_count(2))).await;
        assert_eq!(fixture.texts("chat", 0).await, ["10", "11"]);
    }
}

#[tokio::test]
async fn the_history_that_was_published_to_longest_ago_is_trimmed_first() {
    for fixture in brokers(|config| config.bytes = SIZE * 10) {
        for (name, number) in [("old", 1), ("old", 2), ("old", 3), ("new", 4), ("new", 5), ("new", 6)] {
            fixture.publish(short(name, number, Retention::default())).await;
        }
        for number in 7..=12 {
            fixture.publish(short("newest", number, Retention::default())).await;
        }
        assert_eq!(fixture.texts("old", 0).await, ["0003"]);
        assert_eq!(fixture.texts("new", 0).await, ["0004", "0005", "0006"]);
        // A publish makes a history the newest.
        fixture.publish(short("old", 13, Retention::default())).await;
        assert_eq!(fixture.texts("old", 0).await, ["0003", "0013"]);
        assert_eq!(fixture.texts("new", 0).await, ["0005", "0006"]);
        let history = fixture.history("new").await;
        assert_eq!((history.last.offset, history.trimmed.offset), (3, 1));
    }
}

#[tokio::test]
async fn a_message_larger_than_the_broker_is_reported_and_not_kept() {
    for fixture in brokers(|config| config.bytes = 100) {
        let last = fixture.publish(text("chat", &"x".repeat(1_000))).await;
        assert_eq!((last.offset, fixture.history("chat").await.trimmed), (1, last));
    }
}

/// Otherwise a cursor of the forgotten history would look valid in the new one.
#[tokio::test]
async fn a_channel_that_was_forgotten_gets_another_epoch() {
    for fixture in brokers(|config| config.channels = 2) {
        let first = fixture.publish(text("first", "1")).await;
        let second = fixture.publish(text("second", "1")).await;
        fixture.publish(text("third", "1")).await;
        let again = fixture.history("first").await;
        assert_ne!(again.epoch(), first.epoch);
        assert_eq!(again.last.offset, 0);
        assert_eq!(fixture.history("second").await.last, second);
        assert_eq!(fixture.texts("first", 0).await, [""; 0]);
        assert_eq!(fixture.publish(text("first", "2")).await.epoch, again.epoch());
    }
}

#[tokio::test]
async fn reading_does_not_create_channels() {
    for fixture in brokers(|config| config.channels = 2) {
        let known = fixture.publish(text("known", "1")).await;
        for number in 0..10 {
            let name = channel(&format!("guess-{number}"));
            assert!(fixture.broker.history(&name, 0).await.unwrap().is_empty());
        }
        assert_eq!(fixture.history("known").await.last, known);
    }
}

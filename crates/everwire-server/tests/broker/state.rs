//! State channels: the latest message of each key.

use everwire_server::broker::{PageLimits, Publication, Retention};

use crate::support::{brokers, channel, key, text};

fn set(name: &str, value: &str, retention: Retention) -> Publication {
    text("prices", value).with_key(key(name)).with_retention(retention)
}

fn remove(name: &str, retention: Retention) -> Publication {
    Publication::without_payload(channel("prices")).with_key(key(name)).removed().with_retention(retention)
}

#[tokio::test]
async fn the_state_is_the_latest_message_of_each_key_by_offset() {
    for fixture in brokers(|_| ()) {
        for (name, value) in [("a", "1"), ("b", "1"), ("a", "2"), ("c", "1"), ("b", "2")] {
            fixture.publish(set(name, value, Retention::state())).await;
        }
        assert_eq!(fixture.state("prices", 0).await, ["a=2@3", "c=1@4", "b=2@5"]);
        assert_eq!(fixture.state("prices", 4).await, ["b=2@5"]);
    }
}

#[tokio::test]
async fn a_subscriber_that_resumes_reads_each_message_of_a_state_channel() {
    for fixture in brokers(|_| ()) {
        for value in ["1", "2", "3"] {
            fixture.publish(set("a", value, Retention::state())).await;
        }
        assert_eq!(fixture.texts("prices", 1).await, ["2", "3"]);
    }
}

#[tokio::test]
async fn a_removed_key_has_no_value_and_its_removal_is_read_by_those_who_had_one() {
    for fixture in brokers(|_| ()) {
        for name in ["a", "b"] {
            fixture.publish(set(name, "1", Retention::state())).await;
        }
        fixture.publish(remove("a", Retention::state())).await;
        assert_eq!(fixture.state("prices", 0).await, ["b=1@2"]);
        assert_eq!(fixture.state("prices", 2).await, ["-a@3"]);
        fixture.publish(set("a", "2", Retention::state())).await;
        assert_eq!(fixture.state("prices", 0).await, ["b=1@2", "a=2@4"]);
    }
}

#[tokio::test]
async fn values_stay_when_their_messages_are_beyond_the_count() {
    for fixture in brokers(|_| ()) {
        let retention = Retention::state().with_count(2);
        for (name, value) in [("a", "1"), ("b", "1"), ("c", "1"), ("c", "2"), ("c", "3")] {
            fixture.publish(set(name, value, retention)).await;
        }
        assert_eq!(fixture.state("prices", 0).await, ["a=1@1", "b=1@2", "c=3@5"]);
        assert_eq!(fixture.texts("prices", 0).await, ["2", "3"]);
        let history = fixture.history("prices").await;
        assert_eq!((history.trimmed.offset, history.state_trimmed), (3, 0));
        fixture.publish(set("a", "2", retention)).await;
        assert_eq!(fixture.state("prices", 0).await, ["b=1@2", "c=3@5", "a=2@6"]);
    }
}

/// Then a subscriber that pages through the state could keep a value that is gone.
#[tokio::test]
async fn a_removal_that_was_trimmed_is_reported_in_the_history() {
    for fixture in brokers(|_| ()) {
        let retention = Retention::state().with_count(1);
        fixture.publish(set("a", "1", retention)).await;
        fixture.publish(remove("a", retention)).await;
        assert_eq!(fixture.history("prices").await.state_trimmed, 0);
        fixture.publish(set("b", "1", retention)).await;
        let history = fixture.history("prices").await;
        assert_eq!((history.trimmed.offset, history.state_trimmed), (2, 2));
        assert_eq!(fixture.state("prices", 1).await, ["b=1@3"]);
    }
}

#[tokio::test]
async fn the_oldest_values_go_when_the_bytes_are_exceeded() {
    for fixture in brokers(|_| ()) {
        // Each counts for 71 bytes.
        let retention = Retention::state().with_count(1).with_bytes(3 * 71);
        for number in 10..15 {
            fixture.publish(set(&format!("k{number}"), "0001", retention)).await;
        }
        assert_eq!(fixture.state("prices", 0).await, ["k12=0001@3", "k13=0001@4", "k14=0001@5"]);
        let history = fixture.history("prices").await;
        assert_eq!((history.trimmed.offset, history.state_trimmed), (5, 2));
    }
}

#[tokio::test]
async fn a_message_without_key_is_read_in_order_and_is_no_value() {
    for fixture in brokers(|_| ()) {
        fixture.publish(text("prices", "note").with_retention(Retention::state())).await;
        fixture.publish(set("a", "1", Retention::state())).await;
        assert_eq!(fixture.state("prices", 0).await, ["a=1@2"]);
        assert_eq!(fixture.texts("prices", 0).await, ["note", "1"]);
    }
}

#[tokio::test]
async fn pages_of_the_state_join_to_the_whole() {
    for fixture in brokers(|_| ()) {
        for number in 0..20 {
            fixture.publish(set(&format!("k{}", number % 10), &number.to_string(), Retention::state())).await;
        }
        let (mut after, mut keys) = (0, Vec::new());
        loop {
            let limits = PageLimits { count: 3, bytes: usize::MAX };
            let page = fixture.broker.read_state(&channel("prices"), after, limits).await.unwrap();
            keys.extend(page.messages.iter().map(|message| message.key.as_ref().unwrap().to_string()));
            if page.is_last {
                break;
            }
            after = page.messages.last().unwrap().cursor.offset;
        }
        assert_eq!(keys, (0..10).map(|number| format!("k{number}")).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_stream_that_becomes_a_state_channel_has_the_values_of_its_history() {
    for fixture in brokers(|_| ()) {
        for (name, value) in [("a", "1"), ("b", "1"), ("a", "2")] {
            fixture.publish(set(name, value, Retention::stream())).await;
        }
        fixture.publish(set("c", "1", Retention::state())).await;
        assert_eq!(fixture.state("prices", 0).await, ["b=1@2", "a=2@3", "c=1@4"]);
    }
}

#[tokio::test]
async fn a_state_channel_that_becomes_a_stream_keeps_no_values_besides_its_history() {
    for fixture in brokers(|_| ()) {
        for name in ["a", "b", "c"] {
            fixture.publish(set(name, "1", Retention::state().with_count(1))).await;
        }
        fixture.publish(set("d", "1", Retention::stream().with_count(2))).await;
        let page = fixture.broker.read_state(&channel("prices"), 0, PageLimits::default()).await.unwrap();
        let offsets: Vec<_> = page.messages.iter().map(|message| message.cursor.offset).collect();
        assert_eq!((offsets, page.history.state_trimmed), (vec![3, 4], 2));
        // No value that was given up comes back.
        fixture.publish(set("e", "1", Retention::state().with_count(2))).await;
        assert_eq!(fixture.state("prices", 0).await, ["c=1@3", "d=1@4", "e=1@5"]);
    }
}

#[tokio::test]
async fn the_history_of_a_state_channel_is_within_the_limit_of_all() {
    for fixture in brokers(|config| config.bytes = 68 * 4) {
        for name in ["a", "b", "c"] {
            fixture.publish(set(name, "001", Retention::state().with_count(1))).await;
        }
        for number in 0..3 {
            fixture.publish(text("chat", &format!("{number:04}"))).await;
        }
        assert_eq!(fixture.state("prices", 0).await, ["c=001@3"]);
        assert_eq!(fixture.history("prices").await.state_trimmed, 2);
    }
}

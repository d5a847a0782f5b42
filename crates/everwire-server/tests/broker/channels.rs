//! Channels: positions, order and pages, what is trimmed, and the latest message of each key.

use std::time::Duration;

use everwire_core::protocol::Cursor;
use everwire_server::Message;
use everwire_server::broker::{PageLimits, Publication, Retention};

use crate::{START, brokers, channel, everything, key, session, text, texts};

#[tokio::test]
async fn messages_are_read_in_the_order_of_the_publishes_with_offsets_that_ascend_by_one() {
    for fixture in brokers(|_| ()) {
        let before = fixture.history("chat").await.last;
        fixture.publish_all("chat", 1..=5).await;
        let page = fixture.broker.read(&channel("chat"), 0, everything()).await.unwrap();
        assert_eq!(texts(&page.messages), ["1", "2", "3", "4", "5"]);
        let offsets: Vec<_> = page.messages.iter().map(|message| (message.previous, message.cursor.offset)).collect();
        assert_eq!(offsets, [(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        assert!(page.messages.iter().all(|message| message.cursor.epoch == before.epoch));
        assert_eq!(fixture.texts("chat", 3).await, ["4", "5"]);
    }
}

#[tokio::test]
async fn publishes_that_wait_together_are_stored_in_the_order_of_the_calls() {
    for fixture in brokers(|_| ()) {
        let waiting: Vec<_> =
            (0..2_000).map(|number| fixture.broker.publish(text("chat", &number.to_string()))).collect();
        for (number, publish) in waiting.into_iter().enumerate() {
            assert_eq!(publish.await.unwrap().offset, number as u64 + 1);
        }
        let first = fixture.broker.read(&channel("chat"), 1_500, everything()).await.unwrap();
        assert_eq!(texts(&first.messages)[0], "1500");
    }
}

#[tokio::test]
async fn a_publish_whose_future_is_dropped_is_stored() {
    for fixture in brokers(|_| ()) {
        drop(fixture.broker.publish(text("chat", "dropped")));
        assert_eq!(fixture.publish(text("chat", "awaited")).await.offset, 2);
        assert_eq!(fixture.texts("chat", 0).await, ["dropped", "awaited"]);
    }
}

#[tokio::test]
async fn everything_of_a_message_is_kept() {
    for fixture in brokers(|_| ()) {
        let bytes = Message::binary(vec![0, 1, 254, 255]);
        let full = Publication::new(channel("map"), bytes.clone()).with_key(key("bus-7")).by(session("q3Zt"), 9);
        let cursor = fixture.publish(full).await;
        fixture.publish(Publication::without_payload(channel("map")).with_key(key("bus-7")).removed()).await;
        fixture.publish(text("map", "")).await;
        let page = fixture.broker.read(&channel("map"), 0, everything()).await.unwrap();
        let [full, removed, empty] = &page.messages[..] else { panic!("{page:?}") };
        assert_eq!((full.channel.as_str(), full.cursor, full.is_removed), ("map", cursor, false));
        assert_eq!((full.payload.as_ref(), full.key.as_ref()), (Some(&bytes), Some(&key("bus-7"))));
        let by = full.by.as_ref().unwrap();
        assert_eq!((by.session.as_str(), by.seq), ("q3Zt", 9));
        assert_eq!((removed.payload.as_ref(), removed.is_removed, removed.by.as_ref()), (None, true, None));
        assert_eq!(empty.payload, Some(Message::text("")));
    }
}

/// centrifuge-go#159, #160: an empty epoch skipped the check of the cursor.
#[tokio::test]
async fn a_channel_without_messages_has_the_epoch_that_its_first_message_gets() {
    for fixture in brokers(|_| ()) {
        let empty = fixture.history("chat").await;
        assert_ne!(empty.epoch(), 0);
        assert_eq!((empty.last.offset, empty.last.time, empty.len()), (0, 0, 0));
        assert_eq!(fixture.found("chat", 0).await, Some(empty.last));
        assert_eq!(fixture.publish(text("chat", "first")).await.epoch, empty.epoch());
    }
}

#[tokio::test]
async fn two_brokers_do_not_have_the_same_epoch() {
    let [first, second] = [brokers(|_| ()), brokers(|_| ())];
    for (first, second) in first.iter().zip(&second) {
        assert_ne!(first.history("chat").await.epoch(), second.history("chat").await.epoch());
    }
}

/// gofastr#382: offsets went through a JavaScript number.
#[tokio::test]
async fn offsets_above_2_to_the_53_are_exact() {
    let first = (1 << 53) - 2;
    for fixture in brokers(|config| config.first_offset = first) {
        assert_eq!(fixture.history("chat").await.last.offset, first);
        fixture.publish_all("chat", 1..=4).await;
        let history = fixture.history("chat").await;
        assert_eq!((history.last.offset, history.len()), (9_007_199_254_740_994, 4));
        assert_eq!(fixture.texts("chat", 9_007_199_254_740_992).await, ["3", "4"]);
        assert_eq!(fixture.found("chat", 9_007_199_254_740_993).await.unwrap().offset, 9_007_199_254_740_993);
    }
}

#[tokio::test]
async fn a_channel_whose_offsets_are_used_up_begins_another_epoch() {
    for fixture in brokers(|config| config.first_offset = u64::MAX - 1) {
        let last = fixture.publish(text("chat", "last")).await;
        let next = fixture.publish(text("chat", "next")).await;
        assert_ne!(next.epoch, last.epoch);
        assert_eq!((last.offset, next.offset), (u64::MAX, u64::MAX));
        assert_eq!(fixture.texts("chat", 0).await, ["next"]);
    }
}

#[tokio::test]
async fn the_time_at_an_offset_is_found() {
    for fixture in brokers(|_| ()) {
        for _ in 0..3 {
            fixture.publish(text("chat", "tick")).await;
            fixture.advance(10);
        }
        let epoch = fixture.history("chat").await.epoch();
        let second = Cursor { epoch, offset: 2, time: START + 10 };
        assert_eq!(fixture.found("chat", 2).await, Some(second));
        assert_eq!(fixture.found("chat", 4).await, None);
    }
}

#[tokio::test]
async fn a_clock_that_is_set_back_does_not_make_a_later_message_older() {
    for fixture in brokers(|_| ()) {
        let first = fixture.publish(text("chat", "first")).await;
        fixture.set_back(60_000);
        assert_eq!(fixture.publish(text("chat", "second")).await.time, first.time);
    }
}

#[tokio::test]
async fn pages_add_up_to_the_whole_history() {
    for fixture in brokers(|_| ()) {
        fixture.publish_all("chat", 1..=100).await;
        for limits in [PageLimits { count: 7, bytes: usize::MAX }, PageLimits { count: usize::MAX, bytes: 500 }] {
            let (mut after, mut read, mut pages) = (0, Vec::new(), 0);
            loop {
                let page = fixture.broker.read(&channel("chat"), after, limits).await.unwrap();
                assert!(page.messages.len() <= limits.count);
                assert!(page.messages.iter().map(|message| message.size()).sum::<usize>() <= limits.bytes);
                read.extend(texts(&page.messages));
                pages += 1;
                if page.is_last {
                    break;
                }
                after = page.messages.last().unwrap().cursor.offset;
            }
            assert_eq!(read, (1..=100).map(|number| number.to_string()).collect::<Vec<_>>());
            assert!(pages > 10, "{pages} pages");
        }
    }
}

#[tokio::test]
async fn a_page_has_one_message_although_that_is_larger_than_the_page() {
    for fixture in brokers(|_| ()) {
        fixture.publish(text("chat", &"x".repeat(1_000))).await;
        fixture.publish(text("chat", "small")).await;
        let page = fixture.broker.read(&channel("chat"), 0, PageLimits { count: 10, bytes: 100 }).await.unwrap();
        assert_eq!((page.messages.len(), page.is_last), (1, false));
    }
}

#[tokio::test]
async fn a_read_after_the_end_is_empty() {
    for fixture in brokers(|_| ()) {
        fixture.publish_all("chat", 1..=3).await;
        for after in [3, 4, u64::MAX] {
            assert_eq!(fixture.texts("chat", after).await, [""; 0]);
        }
    }
}

#[tokio::test]
async fn listeners_have_received_each_message_in_order_before_its_publish_resolves() {
    for fixture in brokers(|_| ()) {
        let recorder = fixture.listen();
        fixture.publish(text("chat", "1")).await;
        assert_eq!(texts(&recorder.take()), ["1"]);
        let waiting: Vec<_> =
            (2..500).map(|number| fixture.broker.publish(text("chat", &number.to_string()))).collect();
        for publish in waiting {
            publish.await.unwrap();
        }
        assert_eq!(texts(&recorder.take()), (2..500).map(|number| number.to_string()).collect::<Vec<_>>());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn listeners_receive_the_order_of_the_offsets_from_concurrent_publishers() {
    for fixture in brokers(|_| ()) {
        let recorder = fixture.listen();
        let publishers = (0..8).map(|_| {
            let broker = fixture.broker.clone();
            tokio::spawn(async move {
                for _ in 0..100 {
                    broker.publish(text("chat", "message")).await.unwrap();
                }
            })
        });
        for publisher in publishers.collect::<Vec<_>>() {
            publisher.await.unwrap();
        }
        let offsets: Vec<_> = recorder.take().iter().map(|message| message.cursor.offset).collect();
        assert_eq!(offsets, (1..=800).collect::<Vec<_>>());
    }
}

#[tokio::test]
async fn a_history_is_read_in_pages_from_its_end() {
    for fixture in brokers(|_| ()) {
        let (room, kept) = (channel("chat"), Retention::stream().with_count(700));
        let publication = |number: u32| text("chat", &number.to_string()).with_retention(kept);
        for stored in (1..=1_000).map(|number| fixture.broker.publish(publication(number))).collect::<Vec<_>>() {
            stored.await.unwrap();
        }
        let (mut before, mut numbers, mut sizes) = (u64::MAX, Vec::new(), Vec::new());
        loop {
            let limits = PageLimits { count: 300, bytes: usize::MAX };
            let page = fixture.broker.read_before(&room, before, limits).await.unwrap();
            before = page.messages[0].cursor.offset;
            sizes.push(page.messages.len());
            numbers.splice(0..0, texts(&page.messages));
            if page.is_first {
                break;
            }
        }
        assert_eq!(sizes, [300, 300, 100]);
        assert!(numbers.into_iter().eq((301..=1_000).map(|number| number.to_string())));
        let none = fixture.broker.read_before(&room, before, PageLimits::default()).await.unwrap();
        assert!(none.messages.is_empty() && none.is_first);
        let unused = fixture.broker.read_before(&channel("unused"), u64::MAX, PageLimits::default()).await.unwrap();
        assert!(unused.messages.is_empty() && unused.is_first);
    }
}

#[tokio::test]
async fn earlier_messages_over_the_limit_in_bytes_are_left_for_the_next_page() {
    for fixture in brokers(|_| ()) {
        let size = 1_000;
        for letter in ["a", "b", "c", "d"] {
            fixture.publish(text("chat", &letter.repeat(size))).await;
        }
        let page = async |before, bytes| {
            let limits = PageLimits { count: 10, bytes };
            let page = fixture.broker.read_before(&channel("chat"), before, limits).await.unwrap();
            page.messages.iter().map(|message| message.cursor.offset).collect::<Vec<_>>()
        };
        assert_eq!(page(u64::MAX, 2_500).await, [3, 4]);
        assert_eq!(page(3, 1).await, [2]);
        assert_eq!(page(2, 0).await, [1]);
    }
}

/// What a text of four bytes counts towards the limits.
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
        // A publish makes a channel the most recently published one.
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
async fn pages_of_the_state_add_up_to_the_whole() {
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
        // No value that was dropped comes back.
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

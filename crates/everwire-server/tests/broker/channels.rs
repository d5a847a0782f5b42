//! Positions, order, pages and listeners.

use everwire_core::protocol::Cursor;
use everwire_server::Message;
use everwire_server::broker::{PageLimits, Publication, Retention};

use crate::support::{START, brokers, channel, everything, key, session, text, texts};

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
async fn pages_join_to_the_whole_history() {
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
async fn of_earlier_messages_that_are_too_large_together_the_oldest_are_left_for_the_next_page() {
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

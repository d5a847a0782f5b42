//! What a subscription yields.

use everwire::{
    Channel, Delivery,
    client::{Cursor, ErrorCode, GapReason, SubscribeOptions, SubscriptionError},
};
use futures_util::StreamExt;

use super::{
    CHAT, message, next,
    script::{Script, at, resumed},
};
use crate::tools::within;

#[tokio::test]
async fn messages_come_with_their_position_and_whose_they_are() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    assert_eq!(chat.cursor(), None);
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    let live = format!("pos chat {} live=1", at(16));
    peer.send([&format!("subscribed chat {}", at(16)), &live]).await;
    assert_eq!(next(&mut chat).await, Delivery::CaughtUp);
    let (own, other) = (format!("msg chat {} by=q3Zt:1\n\"mine\"", at(17)), format!("msg chat {}\n\"other\"", at(18)));
    peer.send([&own, &other]).await;
    let own = message(&mut chat).await;
    assert_eq!((own.value.as_str(), own.offset(), own.is_own, own.by.as_deref()), ("mine", 17, true, Some("q3Zt")));
    // Committed is what was taken, not what has arrived.
    assert_eq!(chat.cursor(), Some(own.cursor));
    let other = message(&mut chat).await;
    assert_eq!((other.value.as_str(), other.offset(), other.is_own, other.by), ("other", 18, false, None));
}

#[tokio::test]
async fn after_a_cut_a_subscription_goes_on_where_it_was() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send([&format!("subscribed chat {}", at(16)), &format!("msg chat {}\n\"17\"", at(17))]).await;
    assert_eq!(message(&mut chat).await.value, "17");
    peer.cut();
    let mut peer = server.accept().await;
    let hello = "hello attempt=1 session=q3Zt secret=Jm4x closed=1006".to_owned();
    assert_eq!(peer.message().await, [hello, format!("sub chat from:{}", at(17))]);
    let again = format!("subscribed chat {}", at(17));
    peer.send([&resumed(0), &again, &format!("msg chat {}\n\"18\"", at(18)), &format!("pos chat {} live=1", at(18))])
        .await;
    assert_eq!(message(&mut chat).await.value, "18");
    assert_eq!((next(&mut chat).await, next(&mut chat).await), (Delivery::Resumed, Delivery::CaughtUp));
}

/// ably-js#1559: loss as a flag is overlooked.
#[tokio::test]
async fn a_gap_is_an_item_at_its_place_and_the_subscription_goes_on_behind_it() {
    let server = Script::start().await;
    let client = server.client();
    let old = at(3).parse().unwrap();
    let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().from(old));
    let mut peer = server.welcome().await;
    peer.expect(&format!("sub chat from:{}", at(3))).await;
    let gap = format!("gap chat trimmed {} missed=7", at(10));
    peer.send([&format!("subscribed chat {}", at(10)), &gap, &format!("msg chat {}\n\"11\"", at(11))]).await;
    let Delivery::Gap(gap) = next(&mut chat).await else { panic!("no gap") };
    assert_eq!((gap.reason, gap.missed, gap.cursor.to_string()), (GapReason::Trimmed, Some(7), at(10)));
    assert_eq!(chat.cursor(), Some(gap.cursor));
    assert_eq!(message(&mut chat).await.value, "11");
}

/// wse-client and socket.io drop what a slow reader does not take.
#[tokio::test]
async fn a_slow_reader_has_the_server_wait_and_loses_nothing() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().max_waiting(2));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    let lines: Vec<String> = (1..=4).map(|offset| format!("msg chat {}\n\"{offset}\"", at(offset))).collect();
    peer.send(["subscribed chat 9f.0.0", &lines[0], &lines[1], &lines[2], &lines[3]]).await;
    peer.expect("unsub chat").await;
    for offset in 1..=2 {
        assert_eq!(message(&mut chat).await.offset(), offset);
    }
    peer.expect(&format!("sub chat from:{}", at(2))).await;
    peer.send([&format!("subscribed chat {}", at(2)), &lines[2]]).await;
    assert_eq!(message(&mut chat).await.offset(), 3);
}

#[tokio::test]
async fn a_refused_subscription_ends_with_the_reason() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    let mut peer = server.welcome().await;
    peer.send(["unsub chat denied\nmembers only"]).await;
    let (code, reason) = (ErrorCode::Denied, "members only".to_owned());
    assert_eq!(next(&mut chat).await, Delivery::Ended(SubscriptionError::Refused { code, reason }));
    assert_eq!(within("the stream ended", chat.next()).await, None);
    // The name is free again.
    peer.expect("sub chat live").await;
    let _again = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
}

#[tokio::test]
async fn a_state_channel_starts_with_the_latest_values_and_reports_removed_keys() {
    const PRICES: Channel<f64> = Channel::state("prices");
    let server = Script::start().await;
    let client = server.client();
    let mut prices = client.subscribe_with(&PRICES, &SubscribeOptions::default().latest());
    let mut peer = server.welcome().await;
    peer.expect("sub prices state mode=latest").await;
    let value = format!("msg prices {} key=AAPL after=0\n187.2", at(5));
    let removal = format!("msg prices {} key=MSFT after=5", at(9));
    let other = format!("msg prices {}\nnot a number", at(10));
    peer.send(["subscribed prices 9f.0.0", &value, &removal, &other]).await;
    let price = message(&mut prices).await;
    assert_eq!((price.value, price.key.as_deref()), (187.2, Some("AAPL")));
    let Delivery::Removed(removed) = next(&mut prices).await else { panic!("not removed") };
    assert_eq!((removed.key.as_str(), removed.cursor.to_string()), ("MSFT", at(9)));
    let Delivery::Undecodable(undecodable) = next(&mut prices).await else { panic!("decoded") };
    assert_eq!(undecodable.message, "not a number".into());
}

/// A key that has changed in the gap would keep its old value until it changes again.
#[tokio::test]
async fn after_a_gap_a_state_channel_starts_again_with_the_latest_values() {
    const PRICES: Channel<f64> = Channel::state("prices");
    let resumed = SubscribeOptions::default().from(at(3).parse().unwrap());
    for options in [SubscribeOptions::default(), resumed] {
        let server = Script::start().await;
        let client = server.client();
        let mut prices = client.subscribe_with(&PRICES, &options);
        let mut peer = server.welcome().await;
        peer.line().await;
        let (value, gap) =
            (format!("msg prices {} key=AAPL after=0\n1", at(5)), format!("gap prices trimmed {}", at(9)));
        let behind = format!("msg prices {} key=MSFT\n2", at(10));
        if options == SubscribeOptions::default() {
            peer.send(["subscribed prices 9f.0.0", &value, &gap, &behind]).await;
            assert_eq!(message(&mut prices).await.value, 1.0);
        } else {
            peer.send([&format!("subscribed prices {}", at(9)), &gap, &behind]).await;
        }
        assert!(matches!(next(&mut prices).await, Delivery::Gap(_)));
        peer.expect("sub prices state").await;
        let state =
            [format!("msg prices {} key=AAPL after=0\n3", at(8)), format!("msg prices {} key=MSFT after=8\n2", at(10))];
        let live = format!("pos prices {} live=1", at(10));
        peer.send(["subscribed prices 9f.0.0", &state[0], &state[1], &live]).await;
        assert_eq!((message(&mut prices).await.value, message(&mut prices).await.value), (3.0, 2.0));
        assert_eq!(next(&mut prices).await, Delivery::CaughtUp);
    }
}

/// Otherwise it would be refused again and again.
#[tokio::test]
async fn a_state_that_the_server_refuses_is_not_requested_again() {
    const PRICES: Channel<f64> = Channel::state("prices");
    let server = Script::start().await;
    let client = server.client();
    let mut prices = client.subscribe(&PRICES);
    let mut peer = server.welcome().await;
    peer.expect("sub prices state").await;
    let (subscribed, gap) = (format!("subscribed prices {}", at(9)), format!("gap prices refused {}", at(9)));
    peer.send([&subscribed, &gap, &format!("msg prices {}\n4", at(10))]).await;
    assert!(matches!(next(&mut prices).await, Delivery::Gap(_)));
    assert_eq!(message(&mut prices).await.value, 4.0);
}

/// Centrifugo's `getState`: what is published while the data is loaded is in neither, if the position is read afterwards.
#[tokio::test]
async fn a_snapshot_is_loaded_for_a_position_and_continued_from_it() {
    let server = Script::start().await;
    let client = server.client();
    let load = |position: Cursor| async move { format!("all up to {}", position.offset) };
    let mut chat = client.subscribe_with_snapshot(&CHAT, &SubscribeOptions::default(), load);
    let mut peer = server.welcome().await;
    peer.expect("sub chat hold").await;
    peer.send([&format!("subscribed chat {}", at(16))]).await;
    assert_eq!(next(&mut chat).await, Delivery::Snapshot("all up to 16".to_owned()));
    peer.expect(&format!("sub chat from:{}", at(16))).await;
    let subscribed = format!("subscribed chat {}", at(20));
    peer.send([&subscribed, &format!("gap chat trimmed {}", at(20)), &format!("msg chat {}\n\"21\"", at(21))]).await;
    assert!(matches!(next(&mut chat).await, Delivery::Gap(_)));
    // The data is loaded again, and what was delivered behind the gap is in it.
    peer.expect("sub chat hold").await;
    peer.send([&format!("subscribed chat {}", at(21))]).await;
    assert_eq!(next(&mut chat).await, Delivery::Snapshot("all up to 21".to_owned()));
    peer.expect(&format!("sub chat from:{}", at(21))).await;
    peer.send([&format!("subscribed chat {}", at(21)), &format!("msg chat {}\n\"22\"", at(22))]).await;
    assert_eq!(message(&mut chat).await.value, "22");
}

#[tokio::test]
async fn the_position_of_a_quiet_channel_moves_on_without_messages() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    let mut peer = server.welcome().await;
    peer.send([&format!("subscribed chat {}", at(1)), &format!("pos chat {} live=1", at(9))]).await;
    assert_eq!(next(&mut chat).await, Delivery::CaughtUp);
    assert_eq!(chat.cursor().map(|cursor| cursor.to_string()), Some(at(9)));
}

//! Subscriptions: what one yields, and how several of one channel share that of the session.

use everwire::{
    Channel, Client, Delivery, Subscription,
    client::{Cursor, ErrorCode, GapReason, SubscribeOptions, SubscriptionError},
};
use futures_util::{FutureExt, StreamExt};

use super::{CHAT, Peer, Script, at, message, next, resumed};
use crate::support::within;

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

fn last(messages: u64) -> SubscribeOptions {
    SubscribeOptions::default().last(messages)
}

/// A `msg` with its offset as the value.
fn msg(offset: u64) -> String {
    format!("msg chat {}\n\"{offset}\"", at(offset))
}

fn subscribed(offset: u64) -> String {
    format!("subscribed chat {}", at(offset))
}

fn live(offset: u64) -> String {
    format!("pos chat {} live=1", at(offset))
}

async fn offsets<const N: usize>(subscription: &mut Subscription<String>) -> [u64; N] {
    let mut offsets = [0; N];
    for offset in &mut offsets {
        *offset = message(subscription).await.offset();
    }
    offsets
}

/// A subscription that is live behind this offset.
async fn first(client: &Client, peer: &mut Peer, offset: u64) -> Subscription<String> {
    let mut first = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    peer.send([&subscribed(offset), &live(offset)]).await;
    assert_eq!(next(&mut first).await, Delivery::CaughtUp);
    first
}

/// Two components of a page that show the same channel.
#[tokio::test]
async fn two_subscriptions_with_the_same_start_share_one_and_get_the_same() {
    let server = Script::start().await;
    let client = server.client();
    let (mut one, mut other) = (client.subscribe_with(&CHAT, &last(2)), client.subscribe_with(&CHAT, &last(2)));
    let mut peer = server.accept().await;
    assert_eq!(peer.message().await, ["hello attempt=0", "sub chat last:2"]);
    peer.send([super::WELCOME, &subscribed(7), &msg(8), &msg(9), &live(9), &msg(10)]).await;
    for subscription in [&mut one, &mut other] {
        assert_eq!(offsets(subscription).await, [8, 9]);
        assert_eq!(next(subscription).await, Delivery::CaughtUp);
        assert_eq!(offsets(subscription).await, [10]);
    }
    drop(one);
    peer.send([&msg(11)]).await;
    assert_eq!(offsets(&mut other).await, [11]);
    drop(other);
    peer.expect("unsub chat").await;
}

#[tokio::test]
async fn a_later_subscription_gets_the_history_that_it_asks_for_and_the_first_nothing_twice() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 9).await;
    let mut other = client.subscribe_with(&CHAT, &last(3));
    peer.expect("sub chat last:3").await;
    // The tenth was stored meanwhile.
    peer.send([&msg(10), &subscribed(7), &msg(8), &msg(9), &msg(10), &live(10), &msg(11)]).await;
    assert_eq!(offsets(&mut other).await, [8, 9, 10]);
    assert_eq!(next(&mut other).await, Delivery::CaughtUp);
    assert_eq!((offsets(&mut other).await, offsets(&mut one).await), ([11], [10, 11]));
    assert_eq!((one.cursor(), other.cursor()), (at(11).parse().ok(), at(11).parse().ok()));
}

#[tokio::test]
async fn a_later_subscription_that_starts_ahead_of_the_first_does_not_take_it_along() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 5).await;
    let mut other = client.subscribe_with(&CHAT, &last(0));
    peer.expect("sub chat last:0").await;
    peer.send([&msg(6), &subscribed(7)]).await;
    peer.expect(&format!("sub chat from:{}", at(5))).await;
    peer.send([&subscribed(5), &msg(6), &msg(7), &msg(8), &live(8)]).await;
    assert_eq!((offsets(&mut one).await, offsets(&mut other).await), ([6, 7, 8], [8]));
}

/// It could miss what is published right after the call, if the server had to say first where it is.
#[tokio::test]
async fn a_later_subscription_that_starts_with_the_next_message_joins_at_once() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 5).await;
    let mut other = client.subscribe(&CHAT);
    let _publish = client.publish(&CHAT, &"6".to_owned());
    peer.expect("pub chat 1\n\"6\"").await;
    peer.send([&msg(6)]).await;
    assert_eq!((offsets(&mut one).await, offsets(&mut other).await), ([6], [6]));
}

#[tokio::test]
async fn a_slow_subscription_delays_no_other_and_loses_nothing() {
    let server = Script::start().await;
    let client = server.client();
    let mut fast = client.subscribe(&CHAT);
    let mut slow = client.subscribe_with(&CHAT, &SubscribeOptions::default().max_waiting(2));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send([&subscribed(0), &msg(1), &msg(2), &msg(3), &msg(4)]).await;
    assert_eq!(offsets(&mut fast).await, [1, 2, 3, 4]);
    assert_eq!(offsets(&mut slow).await, [1]);
    peer.expect(&format!("sub chat from:{}", at(2))).await;
    peer.send([&subscribed(2), &msg(3)]).await;
    assert_eq!(offsets(&mut slow).await, [2, 3]);
    peer.send([&msg(4), &live(4), &msg(5)]).await;
    assert_eq!((offsets(&mut fast).await, offsets(&mut slow).await), ([5], [4]));
    assert_eq!((next(&mut slow).await, message(&mut slow).await.offset()), (Delivery::CaughtUp, 5));
}

/// The one that is ahead would wait until the slow one has read everything.
#[tokio::test]
async fn the_server_goes_on_with_the_fast_one_when_the_slow_one_is_full_again() {
    let server = Script::start().await;
    let client = server.client();
    let mut fast = client.subscribe(&CHAT);
    let mut slow = client.subscribe_with(&CHAT, &SubscribeOptions::default().max_waiting(2));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send([&subscribed(0), &msg(1), &msg(2), &msg(3), &msg(4), &msg(5)]).await;
    assert_eq!(offsets(&mut fast).await, [1, 2, 3, 4, 5]);
    assert_eq!(offsets(&mut slow).await, [1]);
    peer.expect(&format!("sub chat from:{}", at(2))).await;
    peer.send([&subscribed(2), &msg(3)]).await;
    // It has the second and the third, and the server is not to send the rest.
    peer.expect(&format!("sub chat from:{}", at(5))).await;
    peer.send([&subscribed(5), &live(5), &msg(6)]).await;
    assert_eq!((offsets(&mut fast).await, offsets(&mut slow).await), ([6], [2]));
}

#[tokio::test]
async fn a_gap_is_reported_to_the_subscription_that_misses_something_and_to_no_other() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 20).await;
    let old = SubscribeOptions::default().from(at(3).parse().unwrap());
    let mut other = client.subscribe_with(&CHAT, &old);
    peer.expect(&format!("sub chat from:{}", at(3))).await;
    peer.send([&subscribed(21), &format!("gap chat trimmed {} missed=18", at(21))]).await;
    let Delivery::Gap(gap) = next(&mut other).await else { panic!("no gap") };
    assert_eq!((gap.reason, gap.missed), (GapReason::Trimmed, Some(18)));
    peer.expect(&format!("sub chat from:{}", at(20))).await;
    peer.send([&subscribed(20), &msg(21), &msg(22)]).await;
    assert_eq!((offsets(&mut one).await, offsets(&mut other).await), ([21, 22], [22]));
}

/// The messages of a state leave out what was replaced, which the other subscription has to get.
#[tokio::test]
async fn a_subscription_that_starts_with_the_state_does_not_make_another_one_miss_a_message() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 5).await;
    let mut other = client.subscribe_with(&CHAT, &SubscribeOptions::default().state());
    peer.expect("sub chat state").await;
    let value = |offset, key, after| format!("msg chat {} key={key} after={after}\n\"{offset}\"", at(offset));
    let state = [value(2, "a", 0), value(7, "b", 2)];
    peer.send(["subscribed chat 9f.0.0", &state[0], &state[1], &live(7)]).await;
    assert_eq!(offsets(&mut other).await, [2, 7]);
    assert_eq!(next(&mut other).await, Delivery::CaughtUp);
    peer.expect(&format!("sub chat from:{}", at(5))).await;
    peer.send([&subscribed(5), &msg(6), &msg(7), &msg(8)]).await;
    assert_eq!((offsets(&mut one).await, offsets(&mut other).await), ([6, 7, 8], [8]));
}

#[tokio::test]
async fn the_rest_of_a_state_that_was_interrupted_is_the_latest_of_each_key_too() {
    const PRICES: Channel<String> = Channel::state("chat");
    let server = Script::start().await;
    let client = server.client();
    let mut prices = client.subscribe_with(&PRICES, &SubscribeOptions::default().max_waiting(1));
    let mut peer = server.welcome().await;
    peer.expect("sub chat state").await;
    peer.send(["subscribed chat 9f.0.0", &format!("msg chat {} key=a after=0\n\"2\"", at(2))]).await;
    peer.expect("unsub chat").await;
    assert_eq!(offsets(&mut prices).await, [2]);
    // With each message since, it would be a gap: the server keeps the latest of each key only.
    peer.expect(&format!("sub chat from:{} mode=latest", at(2))).await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.expect(&format!("sub chat from:{} mode=latest", at(2))).await;
    peer.send([&resumed(0), &subscribed(2), &live(2)]).await;
    assert_eq!((next(&mut prices).await, next(&mut prices).await), (Delivery::Resumed, Delivery::CaughtUp));
    peer.expect(&format!("sub chat from:{}", at(2))).await;
}

#[tokio::test]
async fn each_message_is_sent_where_one_of_the_subscriptions_wants_each() {
    let server = Script::start().await;
    let client = server.client();
    let latest = client.subscribe_with(&CHAT, &SubscribeOptions::default().live().latest());
    let mut peer = server.welcome().await;
    peer.expect("sub chat live mode=latest").await;
    peer.send([&subscribed(4), &live(4)]).await;
    let from = SubscribeOptions::default().from(at(4).parse().unwrap());
    let each = client.subscribe_with(&CHAT, &from);
    peer.expect(&format!("sub chat from:{}", at(4))).await;
    peer.send([&subscribed(4), &live(4)]).await;
    drop(each);
    peer.expect(&format!("sub chat from:{} mode=latest", at(4))).await;
    drop(latest);
    peer.send([&subscribed(4)]).await;
    peer.expect("unsub chat").await;
}

#[tokio::test]
async fn a_snapshot_is_loaded_while_another_subscription_goes_on() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 16).await;
    let load = |position: Cursor| async move { position.offset };
    let mut other = client.subscribe_with_snapshot(&CHAT, &SubscribeOptions::default(), load);
    peer.expect("sub chat hold").await;
    peer.send([&subscribed(17)]).await;
    peer.expect(&format!("sub chat from:{}", at(16))).await;
    peer.send([&subscribed(16), &msg(17), &msg(18), &live(18)]).await;
    assert_eq!(offsets(&mut one).await, [17, 18]);
    assert_eq!(next(&mut other).await, Delivery::Snapshot(17));
    peer.expect(&format!("sub chat from:{}", at(17))).await;
    peer.send([&subscribed(17), &msg(18), &msg(19)]).await;
    assert_eq!((message(&mut other).await.offset(), message(&mut other).await.offset()), (18, 19));
    assert_eq!(offsets(&mut one).await, [19]);
}

#[tokio::test]
async fn each_subscription_reports_once_that_it_was_resumed() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let mut one = first(&client, &mut peer, 5).await;
    let mut other = client.subscribe(&CHAT);
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.expect(&format!("sub chat from:{}", at(5))).await;
    peer.send([&resumed(0), &subscribed(5), &msg(6), &live(6)]).await;
    for subscription in [&mut one, &mut other] {
        assert_eq!(offsets(subscription).await, [6]);
        assert_eq!((next(subscription).await, next(subscription).await), (Delivery::Resumed, Delivery::CaughtUp));
        assert!(subscription.next().now_or_never().is_none());
    }
}

/// Reading slowly is no reason to leave: `unsub` would end the membership.
#[tokio::test]
async fn a_member_whose_subscription_is_full_stays_a_member() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe_with(&CHAT, &SubscribeOptions::default().max_waiting(1));
    let mut room = client.presence(&CHAT);
    let mut peer = server.accept().await;
    assert_eq!(peer.message().await, ["hello attempt=0", "sub chat live presence=1"]);
    let members = ["presence chat 1", "join chat q3Zt"];
    peer.send([super::WELCOME, &subscribed(0), members[0], members[1], &msg(1)]).await;
    assert_eq!(within("the members came", room.next()).await.map(|members| members.len()), Some(1));
    peer.expect("sub chat hold presence=1").await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.expect("sub chat hold presence=1").await;
    peer.send([&resumed(0), &subscribed(3)]).await;
    assert_eq!(offsets(&mut chat).await, [1]);
    peer.expect(&format!("sub chat from:{} presence=1", at(1))).await;
}

/// Of a slow subscription's messages, those that were replaced are left out; another one may be at the position of one of these.
#[tokio::test]
async fn a_subscription_that_is_passed_by_another_ones_messages_is_gone_back_to() {
    let server = Script::start().await;
    let client = server.client();
    let latest = SubscribeOptions::default().live().latest();
    let (mut fast, mut slow) =
        (client.subscribe_with(&CHAT, &latest), client.subscribe_with(&CHAT, &latest.max_waiting(4)));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live mode=latest").await;
    peer.send([&subscribed(1), &msg(2), &msg(3), &msg(4), &msg(5), &msg(6)]).await;
    assert_eq!((offsets(&mut fast).await, offsets(&mut slow).await), ([2, 3, 4, 5, 6], [2, 3]));
    peer.expect(&format!("sub chat from:{} mode=latest", at(5))).await;
    peer.send([&subscribed(5), &format!("msg chat {} after=5\n\"8\"", at(8))]).await;
    peer.expect(&format!("sub chat from:{} mode=latest", at(6))).await;
    peer.send([&subscribed(6), &msg(7), &msg(8), &live(8)]).await;
    assert_eq!((offsets(&mut fast).await, offsets(&mut slow).await), ([7, 8], [4, 5, 8]));
}

/// The history of the slow one may be valid where that of the other is not.
#[tokio::test]
async fn a_store_that_came_back_older_is_a_gap_for_the_subscription_that_is_ahead_of_it() {
    let server = Script::start().await;
    let client = server.client();
    let (mut fast, mut slow) = (client.subscribe(&CHAT), client.subscribe_with(&CHAT, &last(0).max_waiting(2)));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send([&subscribed(0)]).await;
    peer.expect("sub chat last:0").await;
    peer.send([&subscribed(0), &msg(1), &msg(2), &msg(3)]).await;
    assert_eq!(offsets(&mut fast).await, [1, 2, 3]);
    assert_eq!(offsets(&mut slow).await, [1]);
    peer.expect(&format!("sub chat from:{}", at(2))).await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.expect(&format!("sub chat from:{}", at(2))).await;
    peer.send([&resumed(0), &subscribed(2), &live(2)]).await;
    peer.expect(&format!("sub chat from:{}", at(3))).await;
    peer.send([&subscribed(2), &format!("gap chat rewritten {}", at(2))]).await;
    let Delivery::Gap(gap) = next(&mut fast).await else { panic!("no gap") };
    assert_eq!((gap.reason, gap.cursor.offset), (GapReason::Rewritten, 2));
    assert_eq!(offsets(&mut slow).await, [2]);
    assert_eq!((next(&mut slow).await, next(&mut slow).await), (Delivery::Resumed, Delivery::CaughtUp));
}

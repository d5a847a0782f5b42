//! What a subscription yields.

use everwire::Delivery;

use super::{
    CHAT, message, next,
    script::{Script, at, resumed},
};

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

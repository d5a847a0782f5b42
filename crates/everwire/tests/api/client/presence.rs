//! Who is present in a channel.

use everwire::client::{Member, Presence};
use futures_util::{FutureExt, StreamExt};

use super::{
    CHAT, message,
    script::{Script, at, resumed},
};
use crate::tools::within;

async fn sessions(presence: &mut Presence) -> Vec<String> {
    let members = within("the members changed", presence.next()).await.expect("the stream ended");
    members.iter().map(|member| member.session().to_owned()).collect()
}

#[tokio::test]
async fn members_join_and_leave_and_the_list_is_complete_each_time() {
    let server = Script::start().await;
    let client = server.client();
    let mut room = client.presence(&CHAT);
    let mut peer = server.welcome().await;
    peer.expect("sub chat hold presence=1").await;
    peer.send(["subscribed chat 9f.0.0", "presence chat 2", "join chat q3Zt", "join chat a1\n{\"name\":\"Ada\"}"])
        .await;
    let members: Vec<Member> = within("the members came", room.next()).await.unwrap();
    assert_eq!(members.iter().map(Member::session).collect::<Vec<_>>(), ["a1", "q3Zt"]);
    assert_eq!(members[0].info(), Some(&"{\"name\":\"Ada\"}".into()));
    peer.send(["join chat b2"]).await;
    assert_eq!(sessions(&mut room).await, ["a1", "b2", "q3Zt"]);
    peer.send(["leave chat a1"]).await;
    assert_eq!(sessions(&mut room).await, ["b2", "q3Zt"]);
}

/// phoenix#2306: members flap while connections do.
#[tokio::test]
async fn a_reconnect_that_finds_the_same_members_reports_nothing() {
    let server = Script::start().await;
    let client = server.client();
    let mut room = client.presence(&CHAT);
    let mut peer = server.welcome().await;
    peer.expect("sub chat hold presence=1").await;
    let list = ["subscribed chat 9f.0.0", "presence chat 2", "join chat a1", "join chat q3Zt"];
    peer.send(list).await;
    assert_eq!(sessions(&mut room).await, ["a1", "q3Zt"]);
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.expect("sub chat hold presence=1").await;
    peer.send([&resumed(0)]).await;
    peer.send(list).await;
    let publishing = client.publish(&CHAT, &"after the list".to_owned());
    peer.expect("pub chat 1\n\"after the list\"").await;
    peer.send([&format!("ack 1 {}", at(1))]).await;
    assert!(within("it was stored", publishing).await.is_ok());
    assert!(room.next().now_or_never().is_none());
    peer.send(["leave chat a1"]).await;
    assert_eq!(sessions(&mut room).await, ["q3Zt"]);
}

#[tokio::test]
async fn messages_and_members_of_a_channel_share_its_subscription() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send([&format!("subscribed chat {}", at(4)), &format!("msg chat {}\n\"5\"", at(5))]).await;
    assert_eq!(message(&mut chat).await.value, "5");
    let mut room = client.presence(&CHAT);
    peer.expect(&format!("sub chat from:{} presence=1", at(5))).await;
    peer.send([&format!("subscribed chat {}", at(5)), "presence chat 1", "join chat q3Zt"]).await;
    assert_eq!(sessions(&mut room).await, ["q3Zt"]);
    peer.send([&format!("msg chat {}\n\"6\"", at(6))]).await;
    assert_eq!(message(&mut chat).await.value, "6");
    drop(room);
    peer.expect(&format!("sub chat from:{}", at(6))).await;
}

/// A component that is removed leaves first with the one and then with the other.
#[tokio::test]
async fn a_channel_that_is_left_with_its_members_can_be_subscribed_to_at_once() {
    let server = Script::start().await;
    let client = server.client();
    let (chat, mut room) = (client.subscribe(&CHAT), client.presence(&CHAT));
    let mut peer = server.welcome().await;
    peer.expect("sub chat live presence=1").await;
    peer.send([&format!("subscribed chat {}", at(4)), "presence chat 1", "join chat q3Zt"]).await;
    assert_eq!(sessions(&mut room).await, ["q3Zt"]);
    drop(chat);
    drop(room);
    let _chat = client.subscribe(&CHAT);
    let _publish = client.publish(&CHAT, &"5".to_owned());
    for line in ["unsub chat", "sub chat live", "pub chat 1\n\"5\""] {
        peer.expect(line).await;
    }
}

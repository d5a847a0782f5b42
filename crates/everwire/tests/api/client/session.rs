//! The session of a client: connecting, its events and its end, and who is present in a channel.

use core::{
    sync::atomic::{AtomicU32, Ordering},
    time::Duration,
};
use std::time::Instant;

use everwire::{
    Delivery,
    client::{Attachment, ClientError, ClientEvent, ClientState, ErrorCode, Member, Presence, SubscriptionError},
};
use futures_util::{FutureExt, StreamExt};

use super::{CHAT, Script, WELCOME, at, closed, message, next, resumed};
use crate::support::within;

#[tokio::test]
async fn hello_and_the_subscriptions_go_out_in_one_message() {
    let server = Script::start().await;
    let client = server.client();
    let _chat = client.subscribe(&CHAT);
    let mut peer = server.accept().await;
    assert_eq!(peer.message().await, ["hello attempt=0", "sub chat live"]);
    assert_eq!((client.state(), client.session()), (ClientState::Connecting, None));
}

#[tokio::test]
async fn a_server_that_does_not_speak_everwire_is_a_final_error_and_not_a_retry_loop() {
    let server = Script::start_plain().await;
    let client = server.client();
    let (error, _peer) = tokio::join!(closed(&client), server.accept());
    assert_eq!(error, ClientError::NotEverwire);
    assert!(error.to_string().contains("does not speak everwire.v1"), "{error}");
    assert_eq!(client.state(), ClientState::Closed);
}

#[tokio::test]
async fn a_client_that_is_closed_says_bye() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    // The client is attached when it answers what follows the welcome.
    let _chat = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    drop(_chat);
    client.close();
    peer.send(["subscribed chat 9f.0.0"]).await;
    peer.expect("bye").await;
    assert_eq!(peer.closed().await, 1000);
    assert_eq!(closed(&client).await, ClientError::Closed);
}

#[tokio::test]
async fn a_client_that_is_dropped_says_bye_and_its_subscriptions_end() {
    let server = Script::start().await;
    let client = server.client();
    let mut chat = client.subscribe(&CHAT);
    let mut peer = server.welcome().await;
    peer.expect("sub chat live").await;
    peer.send(["subscribed chat 9f.0.0", "pos chat 9f.0.0 live=1"]).await;
    next(&mut chat).await;
    drop(client);
    peer.expect("bye").await;
    assert_eq!(peer.closed().await, 1000);
    assert_eq!(next(&mut chat).await, Delivery::Ended(SubscriptionError::Over(ClientError::Closed)));
}

#[tokio::test]
async fn a_session_that_the_server_ended_is_not_started_again() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    peer.send(["bye gone\nmaintenance"]).await;
    let reason = "maintenance".to_owned();
    assert_eq!(closed(&client).await, ClientError::Refused { code: ErrorCode::Gone, reason });
    assert_eq!(peer.closed().await, 1000);
}

#[tokio::test]
async fn a_line_that_is_not_allowed_closes_with_its_code_and_the_client_connects_again() {
    let server = Script::start().await;
    let _client = server.client();
    let mut peer = server.welcome().await;
    peer.send([WELCOME]).await;
    peer.expect("error unexpected line=welcome").await;
    assert_eq!(peer.closed().await, 4502);
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=4502").await;
}

#[tokio::test]
async fn credentials_are_those_of_the_attempt_and_never_of_an_earlier_one_and_an_empty_text_is_none() {
    let server = Script::start().await;
    let attempts = AtomicU32::new(0);
    let _client = server
        .builder()
        .credentials_provider(move |_| {
            let number = attempts.fetch_add(1, Ordering::Relaxed) + 1;
            async move { Ok::<_, String>(if number < 3 { format!("token {number}") } else { String::new() }) }
        })
        .connect()
        .unwrap();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=0\ntoken 1").await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 closed=1006\ntoken 2").await;
    peer.cut();
    server.accept().await.expect("hello attempt=2 closed=1006").await;
}

#[tokio::test]
async fn a_server_that_drains_is_left_and_the_session_goes_on_elsewhere() {
    let server = Script::start().await;
    let _client = server.client();
    let mut peer = server.welcome().await;
    peer.send(["drain deadline=30000 spread=0"]).await;
    server.accept().await.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
}

#[tokio::test]
async fn the_heartbeat_is_the_servers_and_its_answer_sets_the_clock_and_reports_the_round_trip() {
    let server = Script::start().await;
    let client = server.client();
    let mut events = client.events();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=0").await;
    peer.send([&WELCOME.replace("heartbeat=25000", "heartbeat=1000")]).await;
    let welcomed_at = Instant::now();
    let ping = peer.line().await;
    // By itself a socket pings after seven seconds of silence.
    assert!(welcomed_at.elapsed() < Duration::from_secs(5));
    let number = ping.strip_prefix("ping ").unwrap_or_else(|| panic!("not a ping: {ping}"));
    let _chat = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    peer.send([&format!("pong {number} 1795219200500"), "unsub chat denied"]).await;
    drop(_chat);
    let mut other = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    peer.send(["subscribed chat 9f.0.0", "pos chat 9f.0.0 live=1"]).await;
    next(&mut other).await;
    assert_eq!(within("an event", events.next()).await, Some(ClientEvent::Attached(Attachment::New)));
    assert!(matches!(within("an event", events.next()).await, Some(ClientEvent::Latency(_))));
    assert!(client.server_time().is_some_and(|time| time >= 1_795_219_200_500.0), "{:?}", client.server_time());
}

#[tokio::test]
async fn events_report_how_the_client_is_attached_and_lost() {
    let server = Script::start().await;
    let (reports, mut events) = tokio::sync::mpsc::unbounded_channel();
    let _client = server.builder().on_event(move |event| drop(reports.send(event.clone()))).connect().unwrap();
    let peer = server.welcome().await;
    let mut event = async || within("an event", events.recv()).await.unwrap();
    assert_eq!(event().await, ClientEvent::Attached(Attachment::New));
    peer.cut();
    assert!(matches!(event().await, ClientEvent::Dropped(_)));
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.send([&WELCOME.replace("q3Zt", "x8Lw")]).await;
    assert_eq!(event().await, ClientEvent::Attached(Attachment::Replaced));
}

#[tokio::test]
async fn a_stream_of_events_begins_when_it_is_made_and_ends_with_the_client() {
    let server = Script::start().await;
    let client = server.client();
    let mut events = client.events();
    let mut event = async || within("an event", events.next()).await;
    let peer = server.welcome().await;
    assert_eq!(event().await, Some(ClientEvent::Attached(Attachment::New)));
    peer.cut();
    assert!(matches!(event().await, Some(ClientEvent::Dropped(_))));
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    let mut later = client.events();
    peer.send([&resumed(0)]).await;
    let attached = Some(ClientEvent::Attached(Attachment::Resumed));
    assert_eq!((event().await, within("an event", later.next()).await), (attached.clone(), attached));
    client.close();
    let closed = Some(ClientEvent::Closed(ClientError::Closed));
    assert_eq!((event().await, event().await), (closed.clone(), None));
    let mut too_late = client.events();
    assert_eq!((within("an event", too_late.next()).await, too_late.next().await), (closed, None));
}

#[tokio::test]
async fn a_client_can_be_waited_for() {
    let server = Script::start().await;
    let client = server.client();
    let (attached, mut peer) = tokio::join!(within("it was attached", client.attached()), server.welcome());
    assert_eq!((attached, client.state()), (Ok(()), ClientState::Attached));
    peer.send(["bye gone"]).await;
    closed(&client).await;
    let over = ClientError::Refused { code: ErrorCode::Gone, reason: String::new() };
    assert_eq!(client.attached().await, Err(over));
    let other = server.client();
    let never = tokio::join!(within("it was over", other.attached()), async { other.close() }).0;
    assert_eq!(never, Err(ClientError::Closed));
}

#[test]
fn clients_and_what_they_yield_can_move_between_threads() {
    fn movable<T: Send + Sync>() {}
    movable::<everwire::Client>();
    movable::<everwire::Subscription<core::cell::Cell<u8>>>();
    movable::<everwire::client::Presence>();
    movable::<everwire::client::ClientEvents>();
    movable::<everwire::client::Publishing>();
    movable::<everwire::client::Answers<core::cell::Cell<u8>>>();
}

#[tokio::test]
async fn an_application_may_ping_more_often_than_the_server_asks() {
    let server = Script::start().await;
    let _client = server.builder().ping_every(Duration::from_secs(1)).connect().unwrap();
    let mut peer = server.welcome().await;
    let welcomed_at = Instant::now();
    assert!(peer.line().await.starts_with("ping "));
    assert!(welcomed_at.elapsed() < Duration::from_secs(5));
}

/// Mercure's clients come back at once, all together, when a server sheds them.
#[tokio::test]
async fn an_attempt_waits_for_the_retry_after_of_the_server() {
    let server = Script::start().await;
    let (reports, mut events) = tokio::sync::mpsc::unbounded_channel();
    let client = server.builder().on_event(move |event| drop(reports.send(event.clone()))).connect().unwrap();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=0").await;
    peer.send(["error unavailable fatal=1 retry=60000\nthe broker does not answer"]).await;
    peer.close(1013).await;
    let event = within("an event", events.recv()).await.unwrap();
    let ClientEvent::Dropped(dropped) = event else { panic!("{event:?}") };
    assert!(dropped.retry_in >= Some(Duration::from_secs(59)), "{dropped:?}");
    assert!(matches!(client.state(), ClientState::Waiting { .. }));
}

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

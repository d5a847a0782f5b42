//! From an address to an attached client, and to its end.

use everwire::client::{Attachment, ClientError, ClientEvent, ClientState, ErrorCode};

use super::{
    CHAT, closed,
    script::{Script, WELCOME},
};

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
async fn credentials_are_those_of_the_attempt_and_never_of_an_earlier_one() {
    let server = Script::start().await;
    let attempts = core::sync::atomic::AtomicU32::new(0);
    let _client = server
        .builder()
        .credentials_provider(move |_| {
            let number = attempts.fetch_add(1, core::sync::atomic::Ordering::Relaxed) + 1;
            async move { Ok::<_, String>(format!("token {number}")) }
        })
        .connect()
        .unwrap();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=0\ntoken 1").await;
    peer.cut();
    server.accept().await.expect("hello attempt=1 closed=1006\ntoken 2").await;
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
async fn the_heartbeat_is_the_servers_and_its_answer_sets_the_clock() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=0").await;
    peer.send([&WELCOME.replace("heartbeat=25000", "heartbeat=1000")]).await;
    let ping = peer.line().await;
    let number = ping.strip_prefix("ping ").unwrap_or_else(|| panic!("not a ping: {ping}"));
    let _chat = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    peer.send([&format!("pong {number} 1795219200500"), "unsub chat denied"]).await;
    drop(_chat);
    let mut other = client.subscribe(&CHAT);
    peer.expect("sub chat live").await;
    peer.send(["subscribed chat 9f.0.0", "pos chat 9f.0.0 live=1"]).await;
    super::next(&mut other).await;
    assert!(client.server_time().is_some_and(|time| time >= 1_795_219_200_500.0), "{:?}", client.server_time());
}

#[tokio::test]
async fn events_report_how_the_client_is_attached_and_lost() {
    let server = Script::start().await;
    let (reports, mut events) = tokio::sync::mpsc::unbounded_channel();
    let _client = server.builder().on_event(move |event| drop(reports.send(event.clone()))).connect().unwrap();
    let peer = server.welcome().await;
    let mut next = async || crate::tools::within("an event", events.recv()).await.unwrap();
    assert_eq!(next().await, ClientEvent::Attached(Attachment::New));
    peer.cut();
    assert!(matches!(next().await, ClientEvent::Dropped(_)));
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.send([&WELCOME.replace("q3Zt", "x8Lw")]).await;
    assert_eq!(next().await, ClientEvent::Attached(Attachment::Replaced));
}

#[test]
fn clients_and_what_they_yield_can_move_between_threads() {
    fn movable<T: Send + Sync>() {}
    movable::<everwire::Client>();
    movable::<everwire::Subscription<core::cell::Cell<u8>>>();
    movable::<everwire::client::Presence>();
    movable::<everwire::client::Publishing>();
    movable::<everwire::client::Answers<core::cell::Cell<u8>>>();
}

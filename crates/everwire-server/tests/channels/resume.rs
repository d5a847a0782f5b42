//! What survives a connection.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::Duration;

use everwire_server::Channel;
use everwire_test_client as test_client;
use tokio::sync::mpsc;
use tokio::task::yield_now;

use crate::support::{Client, TestServer, cursor, message, option, pass};

const CHAT: Channel<String> = Channel::new("chat");

/// socket.io-redis-streams-adapter#26: a reconnect that came too soon failed.
#[tokio::test]
async fn nothing_is_lost_or_repeated_by_a_client_that_resumes_at_once_or_two_minutes_later() {
    for time in [Duration::from_millis(1), Duration::from_secs(119)] {
        let server = TestServer::start(|builder| builder).await;
        let (mut client, session) = server.subscribed("sub chat live").await;
        server.wire.publish(&CHAT, &"1".to_owned()).await.unwrap();
        let position = cursor(&client.line().await);
        drop(client);
        for number in 2..=3 {
            server.wire.publish(&CHAT, &number.to_string()).await.unwrap();
        }
        pass(time).await;
        let (mut client, welcome) = server.resume(&session, &format!(" ␞ sub chat from:{position}")).await;
        assert_eq!((option(&welcome, "generation"), option(&welcome, "secret")), (Some("2".to_owned()), None));
        client.expect(&format!("subscribed chat {position}")).await;
        for number in 2..=3 {
            assert_eq!(message(&client.line().await), (number, format!("\"{number}\"")));
        }
        client.expect("pos chat ").await;
        assert_eq!(client.settled().await, [""; 0]);
    }
}

/// socketio/socket.io#5538: a client that had received no event before could not recover.
#[tokio::test]
async fn a_client_that_has_received_nothing_resumes_without_a_loss() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    let position = cursor(&client.ask("sub chat live", "subscribed chat ").await);
    drop(client);
    server.wire.publish(&CHAT, &"1".to_owned()).await.unwrap();
    let (mut client, _) = server.resume(&session, &format!(" ␞ sub chat from:{position}")).await;
    client.expect(&format!("subscribed chat {position}")).await;
    assert_eq!(message(&client.line().await).0, 1);
}

#[tokio::test]
async fn a_publish_that_was_not_answered_is_stored_once_and_answered_after_the_resume() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    let ack = client.ask("pub chat 1\nhello", "ack 1 ").await;
    drop(client);
    let (mut client, welcome) = server.resume(&session, "").await;
    assert_eq!(option(&welcome, "acked").as_deref(), Some("1"));
    assert_eq!(client.line().await, ack);
    assert_eq!(client.ask("pub chat 1\nhello", "ack 1 ").await, ack);
    assert_eq!(client.ask("pub chat 2\nhello", "ack 2 ").await.split('.').nth(1), Some("2"));
}

/// socketio/socket.io#4880: the late end of an old connection ended the session that had moved on.
#[tokio::test]
async fn the_old_connection_that_dies_after_a_takeover_does_not_touch_the_session() {
    let server = TestServer::start(|builder| builder).await;
    let (mut old, session) = server.subscribed("sub chat live").await;
    let (mut new, _) = server.resume(&session, " ␞ sub chat live").await;
    new.expect("subscribed").await;
    assert_eq!(old.closed_after("error taken-over fatal=1").await, 4409);
    drop(old);
    pass(Duration::from_secs(500)).await;
    new.ask("pub chat 1\nhello", "ack 1 ").await;
    new.expect("msg chat ").await;
}

/// A `hello` that was under way for long comes from a client that has another connection by now.
#[tokio::test]
async fn a_late_hello_does_not_take_the_session_from_a_later_connection() {
    let server = TestServer::start(|builder| builder).await;
    let (first, session) = server.attach().await;
    drop(first);
    let mut late = server.connect().await;
    let (mut client, _) = server.resume(&session, "").await;
    late.send(&session.hello()).await;
    assert_eq!(late.closed_after("error taken-over fatal=1").await, 4409);
    client.ask("pub chat 1\nhello", "ack 1 ").await;
}

#[tokio::test]
async fn a_session_that_has_expired_is_replaced_by_a_new_one() {
    let server = TestServer::start(|builder| builder).await;
    let (client, session) = server.attach().await;
    server.detached(client).await;
    pass(Duration::from_secs(121)).await;
    let (_client, welcome) = server.resume(&session, "").await;
    assert!(option(&welcome, "secret").is_some(), "{welcome}");
}

#[tokio::test]
async fn another_client_does_not_resume_a_session_without_its_secret() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    let stranger = server.connect().await;
    let mut stranger = stranger;
    stranger.send(&format!("hello attempt=0 session={} secret=guessed", session.id)).await;
    let welcome = stranger.expect("welcome ").await;
    assert!(option(&welcome, "secret").is_some());
    client.ask("ping 1", "pong 1 ").await;
}

/// A burst of connections of one client, of which the last one stays.
#[tokio::test]
async fn a_hundred_takeovers_leave_one_connection_with_the_session() {
    let server = TestServer::start(|builder| builder).await;
    let (_first, session) = server.attach().await;
    let mut clients = Vec::new();
    for _ in 0..100 {
        let mut client = Client::over(test_client::connect(server.address), server.address).await;
        client.send(&format!("{} ␞ sub chat live", session.hello())).await;
        clients.push(client);
    }
    let mut last = clients.pop().unwrap();
    let welcome = last.expect("welcome ").await;
    assert_eq!(option(&welcome, "generation").as_deref(), Some("101"));
    last.expect("subscribed").await;
    server.wire.publish(&CHAT, &"1".to_owned()).await.unwrap();
    last.expect("msg chat ").await;
    for client in &mut clients {
        while client.client.closed().await.0 != 4409 {}
    }
}

/// While 10,000 clients came back together, a quarter of the messages of another channel took more than 20 ms.
#[tokio::test]
async fn clients_that_say_hello_together_leave_others_their_turns() {
    let turn = Arc::new(AtomicUsize::new(0));
    let (started, mut turns) = mpsc::unbounded_channel();
    let current = Arc::clone(&turn);
    let server = TestServer::start(|builder| {
        builder.on_session(move |_| started.send(current.load(Relaxed)).unwrap_or_default())
    })
    .await;
    let mut clients = Vec::new();
    for _ in 0..200 {
        clients.push(server.connect().await);
    }
    for client in &mut clients {
        client.send("hello attempt=0").await;
    }
    let mut started_in_turn = HashMap::<usize, usize>::new();
    while started_in_turn.values().sum::<usize>() < clients.len() {
        turn.fetch_add(1, Relaxed);
        yield_now().await;
        while let Ok(turn) = turns.try_recv() {
            *started_in_turn.entry(turn).or_default() += 1;
        }
    }
    let most = started_in_turn.values().max();
    assert!(most < Some(&40), "{most:?} sessions between two turns");
}

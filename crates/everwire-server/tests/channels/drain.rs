//! A server that stops while clients are attached.

use std::time::Duration;

use everwire_test_client::{Client as Socket, TIMEOUT};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::support::{PROTOCOL, TestServer, cursor, option};

const HOUR: Duration = Duration::from_secs(3_600);
const MEMBER: &str = "sub room live presence=1";

/// Starts a drain that takes an hour, unless the clients leave before.
fn start_drain(server: &TestServer) -> JoinHandle<()> {
    let wire = server.wire.clone();
    tokio::spawn(async move { wire.drain(HOUR).await })
}

/// chattocorp/chatto#109: clients came back to a server that was about to stop, and lost the connection again.
#[tokio::test]
async fn clients_are_asked_to_leave_are_served_until_they_do_and_cannot_come_back() {
    let server = TestServer::start(|builder| builder).await;
    let (mut first, _) = server.subscribed("sub chat live").await;
    let (mut second, _) = server.subscribed("sub chat live").await;
    let drain = start_drain(&server);
    for client in [&mut first, &mut second] {
        let line = client.expect("drain ").await;
        let millis = |name| option(&line, name).unwrap().parse::<u64>().unwrap();
        // The rest of the time is for what travels late.
        assert!((3_590_000..=3_600_000).contains(&millis("deadline")), "{line}");
        assert!((3_231_000..=3_240_000).contains(&millis("spread")), "{line}");
    }
    let ack = first.ask("pub chat 1\nstill here", "ack 1 ").await;
    for client in [&mut first, &mut second] {
        assert_eq!(cursor(&client.expect("msg chat ").await), cursor(&ack));
    }
    let refused = Socket::try_connect(server.address, "/everwire", &[PROTOCOL]).await.err();
    assert_eq!(refused.map(|(status, _)| status), Some(503));
    drop((first, second));
    timeout(TIMEOUT, drain).await.expect("no client is left to wait for").unwrap();
}

#[tokio::test]
async fn a_client_that_does_not_leave_is_closed_at_the_deadline() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.attach().await;
    let ((), closed) = tokio::join!(server.wire.drain(Duration::ZERO), client.closed_after("drain "));
    assert_eq!(closed, 1001);
}

/// phoenixframework/phoenix#2306: a deploy made members flap.
#[tokio::test]
async fn a_member_that_leaves_a_server_that_drains_is_not_reported_as_gone() {
    let server = TestServer::start(|builder| builder).await;
    let (mut watcher, _) = server.subscribed(MEMBER).await;
    watcher.lines(2).await;
    let (mut member, session) = server.subscribed(MEMBER).await;
    watcher.expect(&format!("join room {}", session.id)).await;
    let drain = start_drain(&server);
    member.lines(3).await;
    member.expect("drain ").await;
    server.detached(member).await;
    watcher.expect("drain ").await;
    assert_eq!(watcher.settled().await, [""; 0]);
    drain.abort();
}

#[tokio::test]
async fn a_connection_that_has_not_said_hello_is_closed_in_its_turn() {
    let server = TestServer::start(|builder| builder).await;
    // Number 0 has the first turn, at once.
    let mut silent = server.connect().await;
    silent.ask("ping 1", "pong 1 ").await;
    let (mut client, _) = server.attach().await;
    let drain = start_drain(&server);
    assert_eq!(silent.client.closed().await.0, 1001);
    client.expect("drain ").await;
    client.ask("ping 1", "pong 1 ").await;
    drain.abort();
}

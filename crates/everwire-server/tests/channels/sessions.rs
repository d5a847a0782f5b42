//! Sessions: what survives a connection and a restart of the server, and which lines each state allows.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;
use std::sync::atomic::Ordering::Relaxed;
use std::time::Duration;

use everwire_server::Channel;
use everwire_test_client as test_client;
use everwire_test_client::{Client as Socket, TIMEOUT};
use tokio::sync::mpsc;
use tokio::task::{JoinHandle, yield_now};
use tokio::time::timeout;

use crate::{Client, PROTOCOL, TestServer, cursor, message, option, pass};

const CHAT: Channel<String> = Channel::new("chat");

/// socket.io-redis-streams-adapter#26: a reconnect that came too soon failed.
#[tokio::test]
async fn nothing_is_lost_or_repeated_by_a_client_that_resumes_at_once_or_two_minutes_later() {
    for time in [Duration::from_millis(1), Duration::from_secs(119)] {
        let server = TestServer::start(|builder| builder).await;
        let (mut client, session) = server.subscribed("sub chat live").await;
        server.everwire.publish(&CHAT, &"1".to_owned()).await.unwrap();
        let position = cursor(&client.line().await);
        drop(client);
        for number in 2..=3 {
            server.everwire.publish(&CHAT, &number.to_string()).await.unwrap();
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
    server.everwire.publish(&CHAT, &"1".to_owned()).await.unwrap();
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

/// A `hello` that was delayed on its way comes from a client that has a later connection by now.
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
    server.everwire.publish(&CHAT, &"1".to_owned()).await.unwrap();
    last.expect("msg chat ").await;
    for client in &mut clients {
        while client.client.closed().await.0 != 4409 {}
    }
}

/// While 10,000 clients came back together, a quarter of the messages of another channel took more than 20 ms.
#[tokio::test]
async fn a_burst_of_hellos_does_not_starve_other_tasks() {
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

const HOUR: Duration = Duration::from_secs(3_600);
const MEMBER: &str = "sub room live presence=1";

/// Starts a drain that takes an hour, unless the clients leave before.
fn start_drain(server: &TestServer) -> JoinHandle<()> {
    let everwire = server.everwire.clone();
    tokio::spawn(async move { everwire.drain(HOUR).await })
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
        // The rest of the time is for clients that receive it late.
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
    let ((), closed) = tokio::join!(server.everwire.drain(Duration::ZERO), client.closed_after("drain "));
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
    // Connection 0 closes first, at once.
    let mut silent = server.connect().await;
    silent.ask("ping 1", "pong 1 ").await;
    let (mut client, _) = server.attach().await;
    let drain = start_drain(&server);
    assert_eq!(silent.client.closed().await.0, 1001);
    client.expect("drain ").await;
    client.ask("ping 1", "pong 1 ").await;
    drain.abort();
}

const SPECIFICATION: &str = include_str!("../../../../docs/protocol.md");

/// A line of each row, with what it is answered where it is handled.
fn sample(row: &str) -> (&'static str, Option<&'static str>) {
    match row {
        "hello" => ("hello attempt=0", Some("welcome ")),
        "sub" => ("sub chat live", Some("subscribed chat ")),
        "unsub" => ("unsub chat", None),
        "pub" => ("pub chat 1\nhello", Some("ack 1 ")),
        "req" => ("req nothing 1", Some("nack 1 no-handler of=req")),
        "cancel" => ("cancel 1", None),
        "ping" => ("ping 7", Some("pong 7 ")),
        "bye" => ("bye", None),
        "error" => ("error malformed line=res", None),
        "a type of no client" => ("hug", None),
        "malformed" => ("sub", None),
        other => panic!("the row {other} has no sample"),
    }
}

/// The rows of the table: a line, and what the server does with it in each state.
fn rows() -> Vec<(String, [String; 3])> {
    let (_, table) = SPECIFICATION.split_once("| received by the server | new | attached | closing |\n").unwrap();
    let rows = table.lines().skip(1).take_while(|line| line.starts_with('|'));
    rows.map(|row| {
        let mut cells = row.trim_matches('|').split('|').map(|cell| cell.trim().to_owned());
        (cells.next().unwrap(), [(); 3].map(|()| cells.next().unwrap()))
    })
    .collect()
}

async fn check(mut client: Client, row: &str, cell: &str) {
    let (line, answer) = sample(row);
    client.send(line).await;
    match cell {
        "attach" | "handle" => {
            if let Some(answer) = answer {
                client.expect(answer).await;
            }
            assert_eq!(client.settled().await, [""; 0], "{row}");
        }
        "close" => assert_eq!(client.client.closed().await.0, 1000),
        "unknown-line" => {
            assert_eq!(client.settled().await, [format!("error unknown-line line={line}")]);
        }
        "unexpected" | "malformed" => {
            let error = format!("error {cell} fatal=1 line={}", line.split(' ').next().unwrap());
            let code = if cell == "unexpected" { 4502 } else { 4501 };
            assert_eq!(client.closed_after(&error).await, code);
        }
        "ignore" => {
            client.expect("error unexpected fatal=1 line=hello").await;
            assert_eq!(client.client.close_frame().await.0, 4502, "{row}");
        }
        other => panic!("{row}: {other} is not known"),
    }
}

#[tokio::test]
async fn every_line_is_treated_in_every_state_as_the_specification_says() {
    let rows = rows();
    assert_eq!(rows.len(), 11);
    for (row, [new, attached, closing]) in rows {
        let server = TestServer::start(|builder| builder).await;
        check(server.connect().await, &row, &new).await;
        check(server.attach().await.0, &row, &attached).await;
        // A line after one that ends the connection.
        let mut client = server.attach().await.0;
        client.send(&format!("hello attempt=0 ␞ {}", sample(&row).0)).await;
        assert_eq!(closing, "ignore");
        client.expect("error unexpected fatal=1 line=hello").await;
        assert_eq!(client.client.close_frame().await.0, 4502, "{row}");
    }
}

#[tokio::test]
async fn lines_after_an_unknown_one_count_and_lines_after_a_malformed_one_do_not() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.attach().await;
    client.send("hug ␞ sub chat live").await;
    client.expect("error unknown-line line=hug").await;
    client.expect("subscribed chat ").await;
    client.send("sub chat ␞ pub chat 1\nlost").await;
    assert_eq!(client.closed_after("error malformed fatal=1 line=sub").await, 4501);
    assert!(server.everwire.subscribe(&everwire_server::Channel::<String>::new("chat")).await.is_ok());
}

#[tokio::test]
async fn lines_that_come_with_hello_are_handled_after_the_welcome() {
    let server = TestServer::start(|builder| builder).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0 ␞ sub chat live ␞ ping 1").await;
    client.send("sub other hold").await;
    for start in ["welcome ", "subscribed chat ", "pong 1 ", "subscribed other "] {
        client.expect(start).await;
    }
}

/// A number must not be skipped: the publishes between would be lost.
#[tokio::test]
async fn a_publish_after_a_missing_one_ends_the_connection_and_not_the_session() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.send("pub chat 2\nhello").await;
    assert_eq!(client.closed_after("error sequence fatal=1 line=pub").await, 4504);
    let (mut client, welcome) = server.resume(&session, "").await;
    assert!(welcome.contains("acked=0") && !welcome.contains("secret="), "{welcome}");
    client.ask("pub chat 1\nhello", "ack 1 ").await;
    client.ask("pub chat 4 after=1\nhello", "ack 4 ").await;
}

#[tokio::test]
async fn a_message_over_the_limit_of_the_welcome_ends_the_connection_with_1009() {
    let server = TestServer::start(|builder| builder.connection_limits(|limits| limits.message_bytes = 1_000)).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0").await;
    let welcome = client.expect("welcome ").await;
    assert!(welcome.contains(" message=1000 "), "{welcome}");
    client.send(&format!("pub chat 1\n{}", "x".repeat(1_000))).await;
    assert_eq!(client.client.closed().await.0, 1009);
}

/// A server that is started again on its journal.
#[cfg(feature = "journal")]
mod restart {
    use std::path::Path;
    use std::thread;
    use std::time::Instant;

    use everwire_server::broker::{Journal, JournalError};
    use everwire_test_client::TIMEOUT;

    use super::CHAT;
    use crate::{Session, TestServer, cursor, message, option};

    /// Runs a server on the journal, and ends it without notifying its clients.
    fn run<R>(directory: &Path, test: impl AsyncFnOnce(TestServer) -> R) -> R {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(async {
            let journal = open(directory);
            test(TestServer::start(|builder| builder.broker(journal)).await).await
        })
    }

    /// Opens the journal. The thread that writes it may still be in the listener of the server that was dropped, and holds it for so long.
    fn open(directory: &Path) -> Journal {
        let start = Instant::now();
        loop {
            match Journal::open(directory) {
                Err(JournalError::InUse { .. }) if start.elapsed() < TIMEOUT => thread::yield_now(),
                opened => return opened.unwrap(),
            }
        }
    }

    #[test]
    fn nothing_is_lost_or_repeated_by_a_client_whose_server_is_started_again() {
        let directory = tempfile::tempdir().unwrap();
        let (session, position, ack) = run(directory.path(), async |server| {
            let (mut client, session) = server.subscribed("sub chat live").await;
            client.ask("pub chat 1\nfirst", "ack 1 ").await;
            let position = cursor(&client.expect("msg chat ").await);
            // The client misses both answers, and the message.
            let (mut other, _) = server.subscribed("sub chat live").await;
            client.send("pub chat 2\nsecond").await;
            let second = cursor(&other.expect("msg chat ").await);
            (Session { acked: 1, ..session }, position, second)
        });
        run(directory.path(), async |server| {
            let (mut client, welcome) = server.resume(&session, &format!(" ␞ sub chat from:{position}")).await;
            assert_eq!((option(&welcome, "secret"), option(&welcome, "acked").as_deref()), (None, Some("2")));
            assert_eq!(client.line().await, format!("ack 2 {ack}"));
            client.expect(&format!("subscribed chat {position}")).await;
            let own = client.line().await;
            assert_eq!(
                (message(&own), option(&own, "by")),
                ((2, "second".to_owned()), Some(format!("{}:2", session.id)))
            );
            client.expect(&format!("pos chat {ack} live=1")).await;
            assert_eq!(client.ask("pub chat 2\nsecond", "ack 2 ").await, format!("ack 2 {ack}"));
            client.ask("pub chat 3\nthird", "ack 3 ").await;
            assert_eq!(message(&client.line().await).0, 3);
            let next = server.everwire.publish(&CHAT, &"fourth".to_owned()).await.unwrap();
            assert_eq!(next.offset(), 4);
        });
    }

    /// Earlier requests no longer run, and the client must not treat them as if they did.
    #[test]
    fn a_restarted_server_does_not_claim_to_have_kept_requests() {
        let directory = tempfile::tempdir().unwrap();
        let session = run(directory.path(), async |server| server.attach().await.1);
        run(directory.path(), async |server| {
            let (_, welcome) = server.resume(&session, "").await;
            assert_eq!((option(&welcome, "generation").as_deref(), option(&welcome, "requests")), (Some("2"), None));
            let (_, welcome) = server.resume(&Session { secret: "guessed".to_owned(), ..session }, "").await;
            assert!(option(&welcome, "secret").is_some(), "{welcome}");
        });
    }
}

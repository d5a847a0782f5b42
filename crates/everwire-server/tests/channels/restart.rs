//! A server that is started again on its journal.

use std::path::Path;
use std::thread;
use std::time::Instant;

use everwire_server::Channel;
use everwire_server::broker::{Journal, JournalError};
use everwire_test_client::TIMEOUT;

use crate::support::{Session, TestServer, cursor, message, option};

const CHAT: Channel<String> = Channel::new("chat");

/// Runs a server on the journal, and ends it without a word to its clients.
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
        assert_eq!((message(&own), option(&own, "by")), ((2, "second".to_owned()), Some(format!("{}:2", session.id))));
        client.expect(&format!("pos chat {ack} live=1")).await;
        assert_eq!(client.ask("pub chat 2\nsecond", "ack 2 ").await, format!("ack 2 {ack}"));
        client.ask("pub chat 3\nthird", "ack 3 ").await;
        assert_eq!(message(&client.line().await).0, 3);
        let next = server.wire.publish(&CHAT, &"fourth".to_owned()).await.unwrap();
        assert_eq!(next.offset(), 4);
    });
}

/// The requests of before run no more, and the client must not send them again as if they did.
#[test]
fn requests_are_not_said_to_be_kept_by_a_server_that_was_started_again() {
    let directory = tempfile::tempdir().unwrap();
    let session = run(directory.path(), async |server| server.attach().await.1);
    run(directory.path(), async |server| {
        let (_, welcome) = server.resume(&session, "").await;
        assert_eq!((option(&welcome, "generation").as_deref(), option(&welcome, "requests")), (Some("2"), None));
        let (_, welcome) = server.resume(&Session { secret: "guessed".to_owned(), ..session }, "").await;
        assert!(option(&welcome, "secret").is_some(), "{welcome}");
    });
}

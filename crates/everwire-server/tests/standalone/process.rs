//! The process: how it starts, stops and is killed.

use crate::support::{Process, option, word};

#[tokio::test]
async fn a_server_that_is_killed_and_started_again_has_its_history_and_its_sessions() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--allow-all", "--journal", directory.path().to_str().unwrap()];
    let process = Process::start(&flags);
    let (mut client, welcome) = process.attach().await;
    client.ask("sub chat live", "subscribed chat ").await;
    let ack = client.ask("pub chat 1\nfirst", "ack 1 ").await;
    drop(process);

    let process = Process::start(&flags);
    let mut client = process.connect().await;
    let (session, secret) = (word(&welcome, 1), option(&welcome, "secret").unwrap());
    let hello = format!("hello attempt=1 session={session} secret={secret} acked=0 ␞ sub chat last:9");
    let welcome = client.ask(&hello, "welcome ").await;
    assert_eq!((word(&welcome, 1), option(&welcome, "secret")), (session, None));
    assert_eq!(client.line().await, ack);
    client.expect("subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

#[tokio::test]
async fn clients_learn_the_heartbeat_of_the_flag() {
    let (_, welcome) = Process::start(&["--allow-all", "--heartbeat", "1.5"]).attach().await;
    assert_eq!(option(&welcome, "heartbeat"), Some("1500"));
}

#[cfg(unix)]
#[tokio::test]
async fn sigterm_closes_the_sockets_with_1001_and_stores_what_was_published() {
    let directory = tempfile::tempdir().unwrap();
    let journal = ["--journal", directory.path().to_str().unwrap(), "--fsync", "interval", "--fsync-interval", "3600"];
    let flags = [&["--allow-all", "--drain", "0.2"][..], &journal].concat();
    let mut process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("pub chat 1\nfirst", "ack 1 ").await;
    process.signal("-TERM");
    assert_eq!(client.client.closed().await.0, 1001);
    drop(client);
    assert!(process.end().await.success());

    let process = Process::start(&flags);
    let (mut client, _) = process.attach().await;
    client.ask("sub chat last:9", "subscribed chat ").await;
    assert!(client.expect("msg chat ").await.ends_with("\nfirst"));
}

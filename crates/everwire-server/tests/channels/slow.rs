//! Subscribers that read more slowly than the channel is published to.

use everwire_server::Channel;
use everwire_server::broker::{Broker, Memory, Retention};
use everwire_test_client as test_client;

use crate::support::{Client, TestServer, cursor, message, option};

const LOG: Channel<String> = Channel::new("log");
const PRICES: Channel<String> = Channel::state("prices");

/// A server whose channels keep this much.
async fn server(retention: Retention) -> TestServer {
    server_with(retention, Memory::default()).await
}

async fn server_with(retention: Retention, broker: impl Broker) -> TestServer {
    TestServer::start(|builder| {
        let builder = builder.broker(broker);
        let builder = builder.channel(&LOG, |options| options.retention = retention.with_count(100_000));
        builder.channel(&PRICES, |options| options.retention = Retention::state().with_bytes(64 << 20))
    })
    .await
}

/// A client that holds little on the way to it, and reads nothing by itself.
async fn slow(server: &TestServer, sub: &str) -> Client {
    let stream = test_client::connect_with_small_buffers(server.address).await;
    let mut client = Client::over(stream, server.address).await;
    client.send(&format!("hello attempt=0 ␞ {sub}")).await;
    client.expect("welcome ").await;
    client.expect("subscribed ").await;
    client
}

const MESSAGES: u64 = 400;

fn text(number: u64) -> String {
    format!("{number} {}", "x".repeat(16 << 10))
}

#[tokio::test]
async fn a_slow_subscriber_gets_every_message_and_delays_no_other() {
    let server = server(Retention::stream().with_bytes(64 << 20)).await;
    gets_every_message(&server).await;
}

/// The journal delivers from its own thread, where no runtime is.
#[cfg(feature = "journal")]
#[tokio::test]
async fn a_slow_subscriber_of_a_journal_gets_every_message_and_delays_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let journal = everwire_server::broker::Journal::open(directory.path()).unwrap();
    let server = server_with(Retention::stream().with_bytes(64 << 20), journal).await;
    gets_every_message(&server).await;
}

async fn gets_every_message(server: &TestServer) {
    let mut slow = slow(server, "sub log live").await;
    let (mut fast, _) = server.subscribed("sub log live").await;
    for number in 1..=MESSAGES {
        server.wire.publish(&LOG, &text(number)).await.unwrap();
        // It has each while the slow one has read nothing.
        assert_eq!(message(&fast.line().await).0, number);
    }
    let mut next = 1;
    while next <= MESSAGES {
        let line = slow.line().await;
        if line.starts_with("pos ") {
            continue;
        }
        let (offset, payload) = message(&line);
        assert_eq!((offset, option(&line, "after")), (next, None));
        assert_eq!(payload.len(), text(next).len() + 2);
        next += 1;
    }
    slow.expect("pos log ").await;
}

#[tokio::test]
async fn a_slow_subscriber_that_wants_the_latest_gets_the_latest_of_each_key() {
    let server = server(Retention::stream()).await;
    let mut slow = slow(&server, "sub prices live mode=latest").await;
    let keys = ["a", "b", "c"];
    for number in 1..=MESSAGES {
        let key = keys[number as usize % 3];
        server.wire.set(&PRICES, key, &text(number)).await.unwrap();
    }
    let mut position = 0;
    let mut latest = std::collections::BTreeMap::new();
    let mut received = 0;
    while position < MESSAGES {
        let line = slow.line().await;
        if line.starts_with("pos ") {
            position = cursor(&line).offset;
            continue;
        }
        let (offset, payload) = message(&line);
        let after = option(&line, "after").map_or(offset - 1, |after| after.parse().unwrap());
        assert_eq!(after, position, "{}", &line[..60]);
        position = offset;
        received += 1;
        latest.insert(option(&line, "key").unwrap(), payload.split(' ').next().unwrap().to_owned());
    }
    assert!(received < MESSAGES / 2, "{received} messages");
    let expected = [("b", "\"400"), ("c", "\"398"), ("a", "\"399")];
    assert_eq!(latest, expected.map(|(key, number)| (key.to_owned(), number.to_owned())).into());
}

#[tokio::test]
async fn what_was_trimmed_before_a_slow_subscriber_could_read_it_is_a_gap_and_not_silence() {
    let server = server(Retention::stream().with_bytes(100 << 10)).await;
    let mut slow = slow(&server, "sub log live").await;
    for number in 1..=MESSAGES {
        server.wire.publish(&LOG, &text(number)).await.unwrap();
    }
    let mut position = 0;
    let mut missed = 0;
    while position < MESSAGES {
        let line = slow.line().await;
        if line.starts_with("gap ") {
            assert!(line.starts_with("gap log trimmed "), "{line}");
            let gap = cursor(&line).offset;
            assert_eq!(option(&line, "missed").unwrap().parse::<u64>().unwrap(), gap - position);
            (missed, position) = (missed + gap - position, gap);
        } else if line.starts_with("msg ") {
            assert_eq!(message(&line).0, position + 1);
            position += 1;
        }
    }
    assert!(missed > 0);
    server.wire.publish(&LOG, &text(0)).await.unwrap();
    while !slow.line().await.starts_with("msg log ") {}
}

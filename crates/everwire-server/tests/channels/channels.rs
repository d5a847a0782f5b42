use std::sync::{Arc, Mutex};

use everwire_server::Channel;
use everwire_server::broker::{Broker, Listener, Memory, Publication, Stored};
use everwire_test_client::TIMEOUT;
use tokio::time::timeout;

use crate::support::{Client, Session, TestServer, cursor, message, option};

const CHAT: Channel<String> = Channel::new("chat");

#[tokio::test]
async fn a_message_reaches_all_subscribers_and_its_publisher_is_answered_first() {
    let server = TestServer::start(|builder| builder).await;
    let (mut ann, session) = server.subscribed("sub chat live").await;
    let (mut bob, _) = server.subscribed("sub chat live").await;
    ann.send("pub chat 1\nhello").await;
    let ack = ann.expect("ack 1 ").await;
    let own = ann.expect("msg chat ").await;
    assert_eq!(own, format!("msg chat {} by={}:1\nhello", cursor(&ack), session.id));
    assert_eq!(bob.line().await, own);
}

#[tokio::test]
async fn what_the_server_publishes_is_json_without_a_producer() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.subscribed("sub chat live").await;
    let ack = server.wire.publish(&CHAT, &"hello".to_owned()).await.unwrap();
    assert_eq!(client.line().await, format!("msg chat {}\n\"hello\"", ack.cursor));
}

#[tokio::test]
async fn messages_that_are_ready_together_travel_in_one_websocket_message() {
    let server = TestServer::start(|builder| builder).await;
    let (mut ann, _) = server.subscribed("sub chat live").await;
    let (mut bob, _) = server.subscribed("sub chat live").await;
    let (ann_before, bob_before) = (ann.messages, bob.messages);
    let lines: Vec<_> = (1..=50).map(|seq| format!("pub chat {seq}\n{seq}")).collect();
    ann.send(&lines.join(" ␞ ")).await;
    for number in 1..=50 {
        assert_eq!(message(&bob.line().await), (number, number.to_string()));
    }
    assert_eq!(bob.messages - bob_before, 1);
    ann.lines(100).await;
    assert!(ann.messages - ann_before <= 2, "{}", ann.messages - ann_before);
}

/// How many messages a broker has reported with each call.
#[derive(Clone, Debug, Default)]
struct Reports(Arc<Mutex<Vec<usize>>>);

impl Listener for Reports {
    fn stored(&self, messages: &[Arc<Stored>]) {
        self.0.lock().unwrap().push(messages.len());
    }
}

#[tokio::test]
async fn publishes_of_one_websocket_message_are_stored_together() {
    let (broker, reports) = (Memory::default(), Reports::default());
    broker.listen(Arc::new(reports.clone()));
    let server = TestServer::start(|builder| builder.broker(broker)).await;
    let (mut client, _) = server.attach().await;
    let lines: Vec<_> = (1..=64).map(|seq| format!("pub chat-{} {seq}\n{seq}", seq % 3)).collect();
    client.send(&lines.join(" ␞ ")).await;
    for seq in 1..=64 {
        client.expect(&format!("ack {seq} ")).await;
    }
    assert_eq!(*reports.0.lock().unwrap(), [64]);
    assert_eq!(client.messages, 2, "the welcome, and all acks in one message");
}

#[tokio::test]
async fn a_line_takes_effect_after_the_publishes_before_it() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, _) = server.attach().await;
    client.send("pub chat 1\na ␞ pub chat 2\nb ␞ sub chat live ␞ pub chat 3\nc").await;
    client.expect("ack 1 ").await;
    client.expect("ack 2 ").await;
    assert_eq!(cursor(&client.expect("subscribed chat ").await).offset, 2);
    client.expect("ack 3 ").await;
    assert_eq!(message(&client.line().await), (3, "c".to_owned()));
}

#[tokio::test]
async fn publishes_before_a_line_that_ends_the_connection_are_stored_and_answered() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.send("pub chat 1\na ␞ pub chat 2\nb ␞ pub chat 9\nc").await;
    client.expect("ack 1 ").await;
    client.expect("ack 2 ").await;
    assert_eq!(client.closed_after("error sequence fatal=1 line=pub").await, 4504);
    let (_, welcome) = server.resume(&session, "").await;
    assert_eq!(option(&welcome, "acked").as_deref(), Some("2"));
}

/// Publishes rounds of publishes in messages of every shape, and checks its own copies and their acks.
async fn publish_rounds(mut client: Client, session: Session, seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let (mut sent, mut acked, mut copied) = (0, 0, 0);
    for _ in 0..150 {
        for _ in 0..random.usize(1..4) {
            let lines: Vec<_> = (0..random.usize(1..16))
                .map(|_| {
                    sent += 1;
                    format!("pub chat {sent}\n{}", "x".repeat(random.usize(0..200)))
                })
                .collect();
            client.send(&lines.join(" ␞ ")).await;
        }
        while copied < sent {
            let line = client.line().await;
            let own = option(&line, "by").filter(|by| by.starts_with(&session.id));
            if line.starts_with("ack ") {
                acked += 1;
                assert!(line.starts_with(&format!("ack {acked} ")), "{line}");
            } else if let Some(by) = own {
                copied += 1;
                assert_eq!(by, format!("{}:{copied}", session.id));
                assert!(copied <= acked, "the copy of {copied} came before its ack");
            }
        }
    }
}

async fn check_acks_and_copies(server: &TestServer) {
    let mut publishers = tokio::task::JoinSet::new();
    for seed in 0..4 {
        let (client, session) = server.subscribed("sub chat live").await;
        publishers.spawn(publish_rounds(client, session, seed));
    }
    publishers.join_all().await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_precedes_the_own_copy_in_every_interleaving_of_publishers() {
    check_acks_and_copies(&TestServer::start(|builder| builder).await).await;
}

#[cfg(feature = "journal")]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_ack_precedes_the_own_copy_also_where_a_journal_commits_in_its_own_thread() {
    use everwire_server::broker::{Fsync, Journal, JournalConfig};

    let directory = tempfile::tempdir().unwrap();
    let mut config = JournalConfig::default();
    config.fsync = Fsync::Interval(std::time::Duration::from_secs(60));
    let journal = Journal::open_with(directory.path(), config).unwrap();
    check_acks_and_copies(&TestServer::start(|builder| builder.broker(journal)).await).await;
}

#[tokio::test]
async fn a_client_without_the_subprotocol_is_refused_with_its_name() {
    let server = TestServer::start(|builder| builder).await;
    let refused = everwire_test_client::Client::try_connect(server.address, "/everwire", &[]).await.unwrap_err();
    assert_eq!(refused, (400, "connect with the subprotocol everwire.v1".to_owned()));
}

#[tokio::test]
async fn the_server_lists_its_channels_with_their_subscribers_and_its_sessions() {
    let server = TestServer::start(|builder| builder).await;
    let (ann, session) = server.subscribed("sub chat live").await;
    let (mut bob, _) = server.subscribed("sub chat live").await;
    let local = server.wire.subscribe(&CHAT).await.unwrap();
    let channels = || {
        let channels = server.wire.open_channels().into_iter();
        channels.map(|channel| (channel.name.to_string(), channel.subscribers)).collect::<Vec<_>>()
    };
    assert_eq!(channels(), [("chat".to_owned(), 3)]);
    let attached = || {
        let sessions = server.wire.sessions().into_iter();
        let (attached, detached): (Vec<_>, Vec<_>) = sessions.partition(|session| session.is_attached);
        (attached.len(), detached.into_iter().map(|session| session.session.to_string()).collect::<Vec<_>>())
    };
    assert_eq!(attached(), (2, vec![]));
    server.detached(ann).await;
    assert_eq!((channels(), attached()), (vec![("chat".to_owned(), 2)], (1, vec![session.id])));
    drop(local);
    bob.send("unsub chat").await;
    bob.settled().await;
    while !channels().is_empty() {
        tokio::task::yield_now().await;
    }
}

/// A back end that publishes several messages needs their order, and not to wait for each.
#[tokio::test]
async fn prepared_publications_take_effect_in_the_order_of_the_calls_also_if_they_are_dropped() {
    let server = TestServer::start(|builder| builder.channel(&CHAT, |options| options.retention.count = 2)).await;
    let (mut client, _) = server.subscribed("sub chat live").await;
    let publish = |text: &str| server.wire.publish_prepared(Publication::new("chat".try_into().unwrap(), text));
    drop(publish("first"));
    let (second, third) = (publish("second"), publish("third"));
    assert_eq!((third.await.unwrap().offset(), second.await.unwrap().offset()), (3, 2));
    let received = client.lines(3).await;
    assert_eq!(received.iter().map(|line| message(line).1).collect::<Vec<_>>(), ["first", "second", "third"]);
    let history = server.wire.broker().history(&"chat".try_into().unwrap(), 0).await.unwrap();
    assert_eq!(history.len(), 2, "the retention is that of the channel");
}

#[tokio::test]
async fn an_application_sees_how_many_subscribe_to_a_channel() {
    let server = TestServer::start(|builder| builder).await;
    let mut subscribers = server.wire.watch_subscribers(&CHAT).unwrap();
    assert_eq!(*subscribers.borrow_and_update(), 0);
    let (first, _) = server.subscribed("sub chat live").await;
    assert_eq!(*subscribers.borrow_and_update(), 1);
    let (mut second, _) = server.subscribed("sub chat live").await;
    let local = server.wire.subscribe(&CHAT).await.unwrap();
    assert_eq!(*subscribers.borrow_and_update(), 3);
    second.send("unsub chat").await;
    second.settled().await;
    assert_eq!(*subscribers.wait_for(|subscribers| *subscribers == 2).await.unwrap(), 2);
    drop((first, local));
    let none = timeout(TIMEOUT, subscribers.wait_for(|subscribers| *subscribers == 0)).await;
    none.expect("subscriptions end with their connections").unwrap();
    assert_eq!(*server.wire.watch_subscribers(&CHAT).unwrap().borrow(), 0);
    assert!(server.wire.watch_subscribers(&Channel::<()>::new("not allowed")).is_err());
}

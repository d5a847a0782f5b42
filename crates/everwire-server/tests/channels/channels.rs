//! Publish and subscribe: order, where a subscription begins, state channels, and subscribers that are slower than the publishers.

use std::sync::{Arc, Mutex};

use everwire_server::Channel;
use everwire_server::broker::{Broker, ChannelName, Key, Listener, Memory, Publication, Retention, Stored};
use everwire_server::channels::ChannelOptions;
use everwire_test_client as test_client;
use everwire_test_client::TIMEOUT;
use tokio::time::timeout;

use crate::{Client, Session, TestServer, cursor, message, option};

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
    let ack = server.everwire.publish(&CHAT, &"hello".to_owned()).await.unwrap();
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
    let local = server.everwire.subscribe(&CHAT).await.unwrap();
    let channels = || {
        let channels = server.everwire.open_channels().into_iter();
        channels.map(|channel| (channel.name.to_string(), channel.subscribers)).collect::<Vec<_>>()
    };
    assert_eq!(channels(), [("chat".to_owned(), 3)]);
    let attached = || {
        let sessions = server.everwire.sessions().into_iter();
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
    let publish = |text: &str| server.everwire.publish_prepared(Publication::new("chat".try_into().unwrap(), text));
    drop(publish("first"));
    let (second, third) = (publish("second"), publish("third"));
    assert_eq!((third.await.unwrap().offset(), second.await.unwrap().offset()), (3, 2));
    let received = client.lines(3).await;
    assert_eq!(received.iter().map(|line| message(line).1).collect::<Vec<_>>(), ["first", "second", "third"]);
    let history = server.everwire.broker().history(&"chat".try_into().unwrap(), 0).await.unwrap();
    assert_eq!(history.len(), 2, "the retention is that of the channel");
}

#[tokio::test]
async fn an_application_sees_how_many_subscribe_to_a_channel() {
    let server = TestServer::start(|builder| builder).await;
    let mut subscribers = server.everwire.watch_subscribers(&CHAT).unwrap();
    assert_eq!(*subscribers.borrow_and_update(), 0);
    let (first, _) = server.subscribed("sub chat live").await;
    assert_eq!(*subscribers.borrow_and_update(), 1);
    let (mut second, _) = server.subscribed("sub chat live").await;
    let local = server.everwire.subscribe(&CHAT).await.unwrap();
    assert_eq!(*subscribers.borrow_and_update(), 3);
    second.send("unsub chat").await;
    second.settled().await;
    assert_eq!(*subscribers.wait_for(|subscribers| *subscribers == 2).await.unwrap(), 2);
    drop((first, local));
    let none = timeout(TIMEOUT, subscribers.wait_for(|subscribers| *subscribers == 0)).await;
    none.expect("subscriptions end with their connections").unwrap();
    assert_eq!(*server.everwire.watch_subscribers(&CHAT).unwrap().borrow(), 0);
    assert!(server.everwire.watch_subscribers(&Channel::<()>::new("not allowed")).is_err());
}

const NUMBERS: Channel<u32> = Channel::new("chat");
const PRICES: Channel<u32> = Channel::state("prices");

async fn server_with_short_histories() -> TestServer {
    TestServer::start(|builder| {
        let builder = builder.channel(&NUMBERS, |options| options.retention = options.retention.with_count(5));
        let builder = builder.channel(&PRICES, |options| options.retention = options.retention.with_count(2));
        builder.channels(|name| match name {
            "private" => {
                let mut options = ChannelOptions::default();
                options.has_history = false;
                options
            }
            _ => ChannelOptions::default(),
        })
    })
    .await
}

/// The lines up to `pos live=1`, without their cursors' epochs and times.
async fn until_live(client: &mut Client) -> Vec<String> {
    let mut lines = Vec::new();
    loop {
        let line = client.line().await;
        let mut words: Vec<_> = line.split('\n').next().unwrap().split(' ').map(str::to_owned).collect();
        for word in &mut words {
            if word.split('.').count() == 3 {
                *word = word.split('.').nth(1).unwrap().to_owned();
            }
        }
        let payload = line.split_once('\n').map(|(_, payload)| format!(" {payload}")).unwrap_or_default();
        lines.push(words.join(" ") + &payload);
        if line.contains(" live=1") {
            return lines;
        }
    }
}

#[tokio::test]
async fn the_last_messages_come_first_as_many_as_are_kept() {
    let server = server_with_short_histories().await;
    for number in 1..=8 {
        server.everwire.publish(&NUMBERS, &number).await.unwrap();
    }
    let (mut client, _) = server.attach().await;
    client.send("sub chat last:2").await;
    let expected = ["subscribed chat 6", "msg chat 7 7", "msg chat 8 8", "pos chat 8 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
    client.send("sub chat last:100").await;
    let lines = until_live(&mut client).await;
    assert_eq!((lines[0].as_str(), lines.len()), ("subscribed chat 3", 7));
    client.send("sub chat last:0").await;
    assert_eq!(until_live(&mut client).await, ["subscribed chat 8", "pos chat 8 live=1"]);
    server.everwire.publish(&NUMBERS, &9).await.unwrap();
    assert_eq!(message(&client.line().await), (9, "9".to_owned()));
}

#[tokio::test]
async fn the_state_is_the_latest_message_of_each_key_and_then_what_is_new() {
    let server = server_with_short_histories().await;
    for (key, price) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("c", 5), ("a", 6)] {
        server.everwire.set(&PRICES, key, &price).await.unwrap();
    }
    server.everwire.remove(&PRICES, "c").await.unwrap();
    let (mut client, _) = server.attach().await;
    client.send("sub prices state mode=latest").await;
    let expected =
        ["subscribed prices 0", "msg prices 2 key=b after=0 2", "msg prices 6 key=a after=2 6", "pos prices 7 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
    server.everwire.remove(&PRICES, "a").await.unwrap();
    let removed = client.line().await;
    assert_eq!((cursor(&removed).offset, option(&removed, "key").as_deref()), (8, Some("a")));
    assert!(!removed.contains('\n'), "{removed}");
}

#[tokio::test]
async fn what_is_published_together_has_the_options_of_its_channels_and_an_answer_each() {
    let server = server_with_short_histories().await;
    let publication = |channel: &str| Publication::new(ChannelName::try_from(channel).unwrap(), "7");
    let price = publication("prices").with_key(Key::try_from("a").unwrap());
    let stored = server.everwire.publish_all(vec![publication("chat"); 9].into_iter().chain([price]).collect()).await;
    let offsets: Vec<_> = stored.into_iter().map(|stored| stored.unwrap().offset()).collect();
    assert_eq!(offsets, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
    let (mut client, _) = server.attach().await;
    client.send("sub chat last:100").await;
    assert_eq!(until_live(&mut client).await.len(), 1 + 5 + 1, "as many as are kept");
}

#[tokio::test]
async fn a_client_sets_and_removes_keys() {
    let server = server_with_short_histories().await;
    let (mut client, _) = server.subscribed("sub prices live").await;
    client.ask("pub prices 1 key=a\n7", "ack 1 ").await;
    assert_eq!(message(&client.line().await), (1, "7".to_owned()));
    client.ask("pub prices 2 key=a", "ack 2 ").await;
    client.line().await;
    client.send("sub prices state").await;
    assert_eq!(until_live(&mut client).await, ["subscribed prices 0", "pos prices 2 live=1"]);
}

#[tokio::test]
async fn on_hold_only_the_position_is_sent() {
    let server = server_with_short_histories().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    server.everwire.publish(&NUMBERS, &1).await.unwrap();
    assert_eq!(client.settled().await, [""; 0]);
    client.send(&format!("sub chat from:{position}")).await;
    assert_eq!(until_live(&mut client).await, ["subscribed chat 0", "msg chat 1 1", "pos chat 1 live=1"]);
}

#[tokio::test]
async fn a_position_that_was_trimmed_is_a_gap_that_counts_what_is_missed() {
    let server = server_with_short_histories().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    for number in 1..=8 {
        server.everwire.publish(&NUMBERS, &number).await.unwrap();
    }
    client.send(&format!("sub chat from:{position}")).await;
    let expected = ["subscribed chat 8", "gap chat trimmed 8 missed=8", "pos chat 8 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
}

/// A cursor from the future, or of a lost history, must not be accepted as a current one.
#[tokio::test]
async fn a_position_of_another_history_is_a_gap() {
    let server = server_with_short_histories().await;
    server.everwire.publish(&NUMBERS, &1).await.unwrap();
    let (mut client, _) = server.attach().await;
    let present = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    let mut others = [present; 3];
    others[0].epoch ^= 1;
    others[1].offset += 1;
    others[2].time += 1;
    for other in others {
        client.send(&format!("sub chat from:{other}")).await;
        let expected = ["subscribed chat 1", "gap chat rewritten 1", "pos chat 1 live=1"];
        assert_eq!(until_live(&mut client).await, expected);
    }
}

#[tokio::test]
async fn a_channel_without_history_for_its_subscribers_refuses_what_they_missed() {
    let server = server_with_short_histories().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub private hold", "subscribed private ").await);
    server.everwire.publish_raw("private", "1").await.unwrap();
    client.send(&format!("sub private from:{position}")).await;
    let expected = ["subscribed private 1", "gap private refused 1 missed=1", "pos private 1 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
}

/// Messages of the earlier subscription would be taken for those of the new one.
#[tokio::test]
async fn a_second_sub_replaces_the_first_and_each_is_answered_once() {
    let server = server_with_short_histories().await;
    server.everwire.publish(&NUMBERS, &1).await.unwrap();
    let (mut client, _) = server.attach().await;
    client.send("sub chat live ␞ sub chat last:1 ␞ unsub chat ␞ sub chat live").await;
    let lines = client.settled().await;
    let answers = lines.iter().filter(|line| line.starts_with("subscribed chat ")).count();
    assert_eq!(answers, 3, "{lines:?}");
    server.everwire.publish(&NUMBERS, &2).await.unwrap();
    assert_eq!(message(&client.line().await).0, 2);
    assert_eq!(client.settled().await, [""; 0]);
}

#[tokio::test]
async fn a_long_history_arrives_whole_while_it_is_published_to() {
    let retention = Retention::stream().with_count(100_000).with_bytes(64 << 20);
    let server = TestServer::start(|builder| builder.channel(&NUMBERS, |options| options.retention = retention)).await;
    for number in 1..=3_000 {
        server.everwire.publish(&NUMBERS, &number).await.unwrap();
    }
    let (mut client, _) = server.attach().await;
    client.send("sub chat last:3000").await;
    client.expect("subscribed chat ").await;
    let mut next = 1;
    while next <= 3_500 {
        let line = client.line().await;
        if line.starts_with("pos ") {
            continue;
        }
        assert_eq!(message(&line), (next, next.to_string()));
        next += 1;
        if next % 6 == 0 {
            server.everwire.publish(&NUMBERS, &(3_000 + next as u32 / 6)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn bytes_and_texts_with_a_separator_arrive_as_they_were_published() {
    let server = server_with_short_histories().await;
    let (mut client, _) = server.subscribed("sub raw live").await;
    server.everwire.publish_raw("raw", vec![0, 1, 0xfe, 0xff]).await.unwrap();
    server.everwire.publish_raw("raw", "a\u{1e}b").await.unwrap();
    server.everwire.publish_raw("raw", "plain").await.unwrap();
    assert_eq!(message(&client.line().await).1, "bytes [0, 1, 254, 255]");
    assert_eq!(message(&client.line().await).1, "a\u{1e}b");
    assert_eq!(message(&client.line().await).1, "plain");
}

const LOG: Channel<String> = Channel::new("log");
const QUOTES: Channel<String> = Channel::state("prices");

/// A server whose channels keep this much.
async fn server_with_retention(retention: Retention) -> TestServer {
    server_with_broker(retention, Memory::default()).await
}

async fn server_with_broker(retention: Retention, broker: impl Broker) -> TestServer {
    TestServer::start(|builder| {
        let builder = builder.broker(broker);
        let builder = builder.channel(&LOG, |options| options.retention = retention.with_count(100_000));
        builder.channel(&QUOTES, |options| options.retention = Retention::state().with_bytes(64 << 20))
    })
    .await
}

/// A client with small socket buffers that reads nothing by itself.
async fn slow(server: &TestServer, sub: &str) -> Client {
    let stream = test_client::connect_with_small_buffers(server.address).await;
    let mut client = Client::over(stream, server.address).await;
    client.send(&format!("hello attempt=0 ␞ {sub}")).await;
    client.expect("welcome ").await;
    client.expect("subscribed ").await;
    client
}

const SLOW_MESSAGES: u64 = 400;

fn text(number: u64) -> String {
    format!("{number} {}", "x".repeat(16 << 10))
}

#[tokio::test]
async fn a_slow_subscriber_gets_every_message_and_delays_no_other() {
    let server = server_with_retention(Retention::stream().with_bytes(64 << 20)).await;
    check_every_message_arrives(&server).await;
}

/// The journal delivers from its own thread, where no runtime is.
#[cfg(feature = "journal")]
#[tokio::test]
async fn a_slow_subscriber_of_a_journal_gets_every_message_and_delays_no_other() {
    let directory = tempfile::tempdir().unwrap();
    let journal = everwire_server::broker::Journal::open(directory.path()).unwrap();
    let server = server_with_broker(Retention::stream().with_bytes(64 << 20), journal).await;
    check_every_message_arrives(&server).await;
}

async fn check_every_message_arrives(server: &TestServer) {
    let mut slow = slow(server, "sub log live").await;
    let (mut fast, _) = server.subscribed("sub log live").await;
    for number in 1..=SLOW_MESSAGES {
        server.everwire.publish(&LOG, &text(number)).await.unwrap();
        // It receives each while the slow one has read nothing.
        assert_eq!(message(&fast.line().await).0, number);
    }
    let mut next = 1;
    while next <= SLOW_MESSAGES {
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
    let server = server_with_retention(Retention::stream()).await;
    let mut slow = slow(&server, "sub prices live mode=latest").await;
    let keys = ["a", "b", "c"];
    for number in 1..=SLOW_MESSAGES {
        let key = keys[number as usize % 3];
        server.everwire.set(&QUOTES, key, &text(number)).await.unwrap();
    }
    let mut position = 0;
    let mut latest = std::collections::BTreeMap::new();
    let mut received = 0;
    while position < SLOW_MESSAGES {
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
    assert!(received < SLOW_MESSAGES / 2, "{received} messages");
    let expected = [("b", "\"400"), ("c", "\"398"), ("a", "\"399")];
    assert_eq!(latest, expected.map(|(key, number)| (key.to_owned(), number.to_owned())).into());
}

#[tokio::test]
async fn messages_that_were_trimmed_before_a_slow_subscriber_read_them_are_a_gap() {
    let server = server_with_retention(Retention::stream().with_bytes(100 << 10)).await;
    let mut slow = slow(&server, "sub log live").await;
    for number in 1..=SLOW_MESSAGES {
        server.everwire.publish(&LOG, &text(number)).await.unwrap();
    }
    let mut position = 0;
    let mut missed = 0;
    while position < SLOW_MESSAGES {
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
    server.everwire.publish(&LOG, &text(0)).await.unwrap();
    while !slow.line().await.starts_with("msg log ") {}
}

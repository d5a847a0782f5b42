//! Where a subscription begins, and channels that keep the latest value of each key.

use everwire_server::Channel;
use everwire_server::broker::{ChannelName, Key, Publication, Retention};
use everwire_server::channels::ChannelOptions;

use crate::support::{Client, TestServer, cursor, message, option};

const CHAT: Channel<u32> = Channel::new("chat");
const PRICES: Channel<u32> = Channel::state("prices");

async fn server() -> TestServer {
    TestServer::start(|builder| {
        let builder = builder.channel(&CHAT, |options| options.retention = options.retention.with_count(5));
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
    let server = server().await;
    for number in 1..=8 {
        server.wire.publish(&CHAT, &number).await.unwrap();
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
    server.wire.publish(&CHAT, &9).await.unwrap();
    assert_eq!(message(&client.line().await), (9, "9".to_owned()));
}

#[tokio::test]
async fn the_state_is_the_latest_message_of_each_key_and_then_what_is_new() {
    let server = server().await;
    for (key, price) in [("a", 1), ("b", 2), ("c", 3), ("a", 4), ("c", 5), ("a", 6)] {
        server.wire.set(&PRICES, key, &price).await.unwrap();
    }
    server.wire.remove(&PRICES, "c").await.unwrap();
    let (mut client, _) = server.attach().await;
    client.send("sub prices state mode=latest").await;
    let expected =
        ["subscribed prices 0", "msg prices 2 key=b after=0 2", "msg prices 6 key=a after=2 6", "pos prices 7 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
    server.wire.remove(&PRICES, "a").await.unwrap();
    let removed = client.line().await;
    assert_eq!((cursor(&removed).offset, option(&removed, "key").as_deref()), (8, Some("a")));
    assert!(!removed.contains('\n'), "{removed}");
}

#[tokio::test]
async fn what_is_published_together_has_the_options_of_its_channels_and_an_answer_each() {
    let server = server().await;
    let publication = |channel: &str| Publication::new(ChannelName::try_from(channel).unwrap(), "7");
    let price = publication("prices").with_key(Key::try_from("a").unwrap());
    let stored = server.wire.publish_all(vec![publication("chat"); 9].into_iter().chain([price]).collect()).await;
    let offsets: Vec<_> = stored.into_iter().map(|stored| stored.unwrap().offset()).collect();
    assert_eq!(offsets, [1, 2, 3, 4, 5, 6, 7, 8, 9, 1]);
    let (mut client, _) = server.attach().await;
    client.send("sub chat last:100").await;
    assert_eq!(until_live(&mut client).await.len(), 1 + 5 + 1, "as many as are kept");
}

#[tokio::test]
async fn a_client_sets_and_removes_keys() {
    let server = server().await;
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
    let server = server().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    server.wire.publish(&CHAT, &1).await.unwrap();
    assert_eq!(client.settled().await, [""; 0]);
    client.send(&format!("sub chat from:{position}")).await;
    assert_eq!(until_live(&mut client).await, ["subscribed chat 0", "msg chat 1 1", "pos chat 1 live=1"]);
}

#[tokio::test]
async fn a_position_that_was_trimmed_is_a_gap_that_counts_what_is_missed() {
    let server = server().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub chat hold", "subscribed chat ").await);
    for number in 1..=8 {
        server.wire.publish(&CHAT, &number).await.unwrap();
    }
    client.send(&format!("sub chat from:{position}")).await;
    let expected = ["subscribed chat 8", "gap chat trimmed 8 missed=8", "pos chat 8 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
}

/// A cursor from the future, or of a history that was lost, must not pass for one of the present.
#[tokio::test]
async fn a_position_of_another_history_is_a_gap() {
    let server = server().await;
    server.wire.publish(&CHAT, &1).await.unwrap();
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
    let server = server().await;
    let (mut client, _) = server.attach().await;
    let position = cursor(&client.ask("sub private hold", "subscribed private ").await);
    server.wire.publish_raw("private", "1").await.unwrap();
    client.send(&format!("sub private from:{position}")).await;
    let expected = ["subscribed private 1", "gap private refused 1 missed=1", "pos private 1 live=1"];
    assert_eq!(until_live(&mut client).await, expected);
}

/// What still arrives of the earlier subscription would be taken for one of the new one.
#[tokio::test]
async fn a_second_sub_replaces_the_first_and_each_is_answered_once() {
    let server = server().await;
    server.wire.publish(&CHAT, &1).await.unwrap();
    let (mut client, _) = server.attach().await;
    client.send("sub chat live ␞ sub chat last:1 ␞ unsub chat ␞ sub chat live").await;
    let lines = client.settled().await;
    let answers = lines.iter().filter(|line| line.starts_with("subscribed chat ")).count();
    assert_eq!(answers, 3, "{lines:?}");
    server.wire.publish(&CHAT, &2).await.unwrap();
    assert_eq!(message(&client.line().await).0, 2);
    assert_eq!(client.settled().await, [""; 0]);
}

#[tokio::test]
async fn a_long_history_arrives_whole_while_it_is_published_to() {
    let retention = Retention::stream().with_count(100_000).with_bytes(64 << 20);
    let server = TestServer::start(|builder| builder.channel(&CHAT, |options| options.retention = retention)).await;
    for number in 1..=3_000 {
        server.wire.publish(&CHAT, &number).await.unwrap();
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
            server.wire.publish(&CHAT, &(3_000 + next as u32 / 6)).await.unwrap();
        }
    }
}

#[tokio::test]
async fn bytes_and_texts_with_a_separator_arrive_as_they_were_published() {
    let server = server().await;
    let (mut client, _) = server.subscribed("sub raw live").await;
    server.wire.publish_raw("raw", vec![0, 1, 0xfe, 0xff]).await.unwrap();
    server.wire.publish_raw("raw", "a\u{1e}b").await.unwrap();
    server.wire.publish_raw("raw", "plain").await.unwrap();
    assert_eq!(message(&client.line().await).1, "bytes [0, 1, 254, 255]");
    assert_eq!(message(&client.line().await).1, "a\u{1e}b");
    assert_eq!(message(&client.line().await).1, "plain");
}

use everwire_server::Channel;
use everwire_server::broker::Publication;

use crate::support::{TestServer, cursor, message};

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

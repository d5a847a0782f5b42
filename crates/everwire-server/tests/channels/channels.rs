use everwire_server::Channel;

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

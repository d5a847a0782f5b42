//! The fate of a publish.

use super::{
    CHAT,
    script::{Script, at, resumed},
};
use crate::tools::within;

#[tokio::test]
async fn a_publish_resolves_when_the_server_has_stored_it() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let publishing = client.publish(&CHAT, &"hello".to_owned());
    peer.expect("pub chat 1\n\"hello\"").await;
    peer.send([&format!("ack 1 {}", at(7))]).await;
    let published = within("the publish was acknowledged", publishing).await.unwrap();
    assert_eq!((published.offset(), published.cursor.to_string()), (7, at(7)));
}

#[tokio::test]
async fn a_publish_is_accepted_offline_and_sent_when_the_client_is_attached() {
    let server = Script::start().await;
    let client = server.client();
    let publishing = client.publish(&CHAT, &"early".to_owned());
    assert_eq!(client.pending().0, 1);
    let mut peer = server.welcome().await;
    peer.expect("pub chat 1\n\"early\"").await;
    peer.send([&format!("ack 1 {}", at(1))]).await;
    assert!(within("the publish was acknowledged", publishing).await.is_ok());
}

/// Nothing is repeated: the server says what it has.
#[tokio::test]
async fn after_a_cut_only_what_the_server_does_not_have_is_sent_again() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let (first, second) = (client.publish(&CHAT, &"1".to_owned()), client.publish(&CHAT, &"2".to_owned()));
    peer.expect("pub chat 1\n\"1\"").await;
    peer.expect("pub chat 2\n\"2\"").await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.send([&resumed(1), &format!("ack 1 {}", at(1))]).await;
    peer.expect("pub chat 2\n\"2\"").await;
    peer.send([&format!("ack 2 {}", at(2))]).await;
    let (first, second) = within("both were acknowledged", async { tokio::join!(first, second) }).await;
    assert_eq!((first.unwrap().offset(), second.unwrap().offset()), (1, 2));
}

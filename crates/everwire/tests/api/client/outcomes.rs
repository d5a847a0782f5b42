//! The outcomes of publishes, and the answers to requests.

use core::time::Duration;

use everwire::{
    Channel, Client, Message,
    client::{Answers, ErrorCode, PublishError, PublishOptions, Published, Publishing, RequestError, RequestOptions},
};
use futures_util::StreamExt;

use super::{CHAT, Peer, Script, WELCOME, at, resumed};
use crate::support::within;

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

#[tokio::test]
async fn a_refusal_says_why() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let publishing = client.publish(&CHAT, &"hello".to_owned());
    peer.expect("pub chat 1\n\"hello\"").await;
    peer.send(["nack 1 denied\nread only"]).await;
    let Err(PublishError::Refused { code, reason }) = fate(publishing).await else { panic!("not refused") };
    assert_eq!((code, reason.as_str()), (ErrorCode::Denied, "read only"));
}

#[tokio::test]
async fn a_publish_that_expired_offline_is_not_sent_later() {
    let server = Script::start().await;
    let client = server.client();
    let brief = PublishOptions::default().time_to_live(Duration::from_millis(1));
    let expired = client.publish_with(&CHAT, &"late".to_owned(), brief);
    assert!(matches!(fate(expired).await, Err(PublishError::Expired)));
    let _next = client.publish(&CHAT, &"next".to_owned());
    server.welcome().await.expect("pub chat 1\n\"next\"").await;
}

/// Sent again in the new session, it could be stored twice.
#[tokio::test]
async fn a_publish_of_a_session_that_was_lost_has_an_unknown_fate_and_is_not_repeated() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let publishing = client.publish(&CHAT, &"once".to_owned());
    peer.expect("pub chat 1\n\"once\"").await;
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.send([&WELCOME.replace("q3Zt", "x8Lw")]).await;
    assert!(matches!(fate(publishing).await, Err(PublishError::Unknown)));
    let _next = client.publish(&CHAT, &"next".to_owned());
    peer.expect("pub chat 1\n\"next\"").await;
}

/// A middle box or the server would cut the connection (liveblocks#434).
#[tokio::test]
async fn what_is_larger_than_the_server_takes_is_refused_with_the_limit() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    acknowledge(&client, &mut peer, 1).await;
    let large = client.publish(&CHAT, &"x".repeat(5_000));
    assert!(matches!(fate(large).await, Err(PublishError::TooLarge { limit: 4_096 })));
}

#[tokio::test]
async fn a_full_queue_and_a_closed_client_accept_nothing() {
    let server = Script::start().await;
    let client = server.builder().max_pending(1).connect().unwrap();
    let first = client.publish(&CHAT, &"1".to_owned());
    assert!(matches!(fate(client.publish(&CHAT, &"2".to_owned())).await, Err(PublishError::Full)));
    client.close();
    assert!(matches!(fate(first).await, Err(PublishError::Closed)));
    assert!(matches!(fate(client.publish(&CHAT, &"3".to_owned())).await, Err(PublishError::Closed)));
}

#[tokio::test]
async fn a_name_that_no_line_can_carry_is_an_error_and_not_a_line() {
    let server = Script::start().await;
    let client = server.client();
    let channel = Channel::<String>::named("two words".to_owned());
    assert!(matches!(fate(client.publish(&channel, &String::new())).await, Err(PublishError::InvalidName)));
    let key = PublishOptions::default().key("");
    let keyed = client.publish_with(&CHAT, &String::new(), key);
    assert!(matches!(fate(keyed).await, Err(PublishError::InvalidName)));
    assert_eq!(client.pending(), (0, 0));
}

#[tokio::test]
async fn a_value_without_a_json_form_is_an_error_and_not_a_line() {
    type Pairs = std::collections::BTreeMap<(u8, u8), u8>;
    const PAIRS: Channel<Pairs> = Channel::new("pairs");
    let server = Script::start().await;
    let client = server.client();
    let error = fate(client.publish(&PAIRS, &Pairs::from([((1, 2), 3)]))).await.unwrap_err();
    assert!(matches!(error, PublishError::Encode(_)), "{error}");
    assert_eq!(client.pending(), (0, 0));
}

#[tokio::test]
async fn keys_bytes_and_removals_are_published_as_they_are() {
    const MAP: Channel<Message> = Channel::state("map");
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let options = PublishOptions::default().key("bus-7");
    let _bytes = client.publish_raw(&MAP, vec![0, 1, 0xfe], options);
    peer.expect(r"+b3 pub map 1 key=bus-7\n\x00\x01\xfe").await;
    let _removal = client.remove(&MAP, "bus-7");
    peer.expect("pub map 2 key=bus-7").await;
}

#[tokio::test]
async fn an_outcome_that_is_not_awaited_withdraws_nothing() {
    let server = Script::start().await;
    let client = server.client();
    drop(client.publish(&CHAT, &"hello".to_owned()));
    let mut peer = server.welcome().await;
    peer.expect("pub chat 1\n\"hello\"").await;
    peer.send([&format!("ack 1 {}", at(1))]).await;
    acknowledge(&client, &mut peer, 2).await;
    assert_eq!(client.pending(), (0, 0));
}

async fn fate(publishing: Publishing) -> Result<Published, PublishError> {
    within("the fate of a publish was known", publishing).await
}

/// A publish that is stored: after it, the client is attached and has handled what came before.
async fn acknowledge(client: &Client, peer: &mut Peer, seq: u64) {
    let publishing = client.publish(&CHAT, &"first".to_owned());
    peer.expect(&format!("pub chat {seq}\n\"first\"")).await;
    peer.send([&format!("ack {seq} {}", at(seq))]).await;
    assert!(fate(publishing).await.is_ok());
}

async fn part(answers: &mut Answers<String>) -> Option<Result<String, RequestError>> {
    within("a part arrived", answers.next()).await
}

#[tokio::test]
async fn a_request_resolves_to_its_answer() {
    let server = Script::start().await;
    let client = server.client();
    let asking = client.request::<u32, Vec<String>>("history", &50);
    let mut peer = server.welcome().await;
    peer.expect("req history 1\n50").await;
    peer.send(["res 1 0\n[\"hello\"]"]).await;
    assert_eq!(within("the answer came", asking).await.unwrap(), ["hello"]);
}

/// socket.io cannot resume an answer (vercel/ai#6502).
#[tokio::test]
async fn an_answer_in_parts_goes_on_with_the_next_part_after_a_cut() {
    let server = Script::start().await;
    let client = server.client();
    let mut answers = client.request_stream::<_, String>("count", &3, &RequestOptions::default());
    let mut peer = server.welcome().await;
    peer.expect("req count 1\n3").await;
    peer.send(["res 1 0 more=1\n\"one\""]).await;
    assert_eq!(part(&mut answers).await.unwrap().unwrap(), "one");
    peer.cut();
    let mut peer = server.accept().await;
    peer.expect("hello attempt=1 session=q3Zt secret=Jm4x closed=1006").await;
    peer.send([&resumed(0)]).await;
    peer.expect("req count 1 part=1\n3").await;
    peer.send(["res 1 1 more=1\n\"two\"", "res 1 2"]).await;
    assert_eq!(part(&mut answers).await.unwrap().unwrap(), "two");
    assert!(part(&mut answers).await.is_none());
}

#[tokio::test]
async fn a_failure_says_why() {
    let server = Script::start().await;
    let client = server.client();
    let asking = client.request::<_, u8>("divide", &(1, 0));
    let mut peer = server.welcome().await;
    peer.expect("req divide 1\n[1,0]").await;
    peer.send(["nack 1 failed of=req\ncannot divide by zero"]).await;
    let Err(RequestError::Refused { code, reason }) = within("it failed", asking).await else { panic!("answered") };
    assert_eq!((code, reason.as_str()), (ErrorCode::Failed, "cannot divide by zero"));
}

/// Stop is not disconnect: a request that is not wanted any more is cancelled by its number.
#[tokio::test]
async fn a_request_that_is_dropped_is_cancelled_and_one_that_is_detached_is_not() {
    let server = Script::start().await;
    let client = server.client();
    let mut peer = server.welcome().await;
    let (detached, dropped) = (client.request::<_, u8>("slow", &1), client.request::<_, u8>("slow", &2));
    peer.expect("req slow 1\n1").await;
    peer.expect("req slow 2\n2").await;
    detached.detach();
    drop(dropped);
    peer.expect("cancel 2").await;
    let cancelled = client.request::<_, u8>("slow", &3);
    peer.expect("req slow 3\n3").await;
    cancelled.cancel();
    peer.expect("cancel 3").await;
    assert!(matches!(within("it failed", cancelled).await, Err(RequestError::Cancelled)));
}

#[tokio::test]
async fn a_timeout_holds_offline_too() {
    let server = Script::start().await;
    let client = server.client();
    let brief = RequestOptions::default().timeout(Duration::from_millis(1));
    let asking = client.request_with::<_, u8>("slow", &1, &brief);
    assert!(matches!(within("it expired", asking).await, Err(RequestError::Expired)));
}

#[tokio::test]
async fn an_answer_of_several_parts_is_not_taken_for_one() {
    let server = Script::start().await;
    let client = server.client();
    let (several, one) = (client.request::<_, u8>("count", &2), client.request::<_, u8>("count", &1));
    let mut peer = server.welcome().await;
    peer.expect("req count 1\n2").await;
    peer.send(["res 1 0 more=1\n1", "res 1 1 more=1\n2", "res 1 2", "res 2 0 more=1\n1", "res 2 1"]).await;
    assert!(matches!(within("it failed", several).await, Err(RequestError::SeveralParts)));
    assert_eq!(within("the answer came", one).await.unwrap(), 1);
}

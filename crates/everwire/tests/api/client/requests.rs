//! The answers to requests.

use core::time::Duration;

use everwire::client::{Answers, ErrorCode, RequestError, RequestOptions};
use futures_util::StreamExt;

use super::script::{Script, resumed};
use crate::tools::within;

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

//! A publish that is sent again.

use serde_json::json;

use crate::support::Process;

const KEYED: &str = "Idempotency-Key: order-17\r\n";

/// A back end sends a publish again whose answer it has not got, also because the server was killed.
#[tokio::test]
async fn a_publish_that_is_sent_again_with_its_idempotency_key_is_stored_once_also_by_a_server_that_was_killed() {
    let directory = tempfile::tempdir().unwrap();
    let flags = ["--allow-all", "--journal", directory.path().to_str().unwrap()];
    let process = Process::start(&flags);
    let first = process.api("POST", "/channels/chat/messages", KEYED, b"hi").await.json();
    drop(process);
    let process = Process::start(&flags);
    let mut again = process.api("POST", "/channels/chat/messages", KEYED, b"hi").await.json();
    assert_eq!(again.as_object_mut().unwrap().remove("repeated"), Some(json!(true)));
    assert_eq!(first, again);
    assert_eq!(process.ok("POST", "/channels/chat/messages", "next").await["offset"], 2);
}

#[tokio::test]
async fn repetitions_that_arrive_together_are_stored_once() {
    let process = Process::open();
    let publish = || process.api("POST", "/channels/chat/messages", KEYED, b"hi");
    let answers = tokio::join!(publish(), publish(), publish(), publish());
    for answer in [answers.0, answers.1, answers.2, answers.3] {
        assert_eq!(answer.json()["offset"], 1);
    }
}

#[tokio::test]
async fn an_idempotency_key_is_for_one_message_of_one_channel() {
    let process = Process::open();
    process.api("POST", "/channels/chat/messages", KEYED, b"hi").await;
    let refused = process.refused("POST", "/channels/chat/messages", KEYED, b"another").await;
    assert_eq!(refused, (422, "key-reused".to_owned()));
    let other = process.api("POST", "/channels/news/messages", KEYED, b"another").await.json();
    assert_eq!((&other["offset"], &other["repeated"]), (&json!(1), &json!(null)));
    for headers in ["Idempotency-Key: \r\n", "Idempotency-Key: a\r\nIdempotency-Key: b\r\n"] {
        let refused = process.refused("POST", "/channels/chat/messages", headers, b"hi").await;
        assert_eq!(refused, (400, "bad-request".to_owned()), "{headers}");
    }
}

/// What a back end's own key becomes in the broker is no session that a client can resume.
#[tokio::test]
async fn a_client_cannot_resume_what_the_server_keeps_of_an_idempotency_key() {
    let process = Process::open();
    let mut client = process.subscribed("sub chat live").await;
    process.api("POST", "/channels/chat/messages", KEYED, b"hi").await;
    let line = client.expect("msg chat ").await;
    let session = crate::support::option(&line, "by").unwrap().split(':').next().unwrap().to_owned();
    let mut thief = process.connect().await;
    let welcome = thief.ask(&format!("hello attempt=1 session={session} secret=x acked=0"), "welcome ").await;
    assert!(crate::support::option(&welcome, "secret").is_some(), "{welcome}");
}

//! One message by HTTP.

use everwire_test_client::connect;
use serde_json::json;

use crate::support::{KEY, Process, configured, request, word};

#[tokio::test]
async fn a_message_by_http_reaches_a_subscriber_and_is_answered_with_its_position() {
    let process = Process::open();
    let mut client = process.subscribed("sub chat live").await;
    let published = process.ok("POST", "/channels/chat/messages", r#"{"text":"hi"}"#).await;
    let line = client.expect("msg chat ").await;
    assert!(line.ends_with("\n{\"text\":\"hi\"}"), "{line}");
    assert_eq!((&published["channel"], &published["offset"]), (&json!("chat"), &json!(1)));
    assert_eq!(published["cursor"], word(&line, 2));
    let [epoch, _, time] = word(&line, 2).split('.').collect::<Vec<_>>().try_into().unwrap();
    assert_eq!((&published["epoch"], published["time"].to_string()), (&json!(epoch), time.to_owned()));
}

/// curl and urllib set the type of a form where their caller sets none.
#[tokio::test]
async fn a_body_is_a_text_or_bytes_by_its_content_type() {
    let process = Process::open();
    for (content_type, expected) in [
        ("", json!({ "text": "{a}" })),
        ("Content-Type: application/x-www-form-urlencoded\r\n", json!({ "text": "{a}" })),
        ("Content-Type: text/html; charset=utf-8\r\n", json!({ "text": "{a}" })),
        ("Content-Type: application/octet-stream\r\n", json!({ "base64": "e2F9" })),
        ("Content-Type: image/png\r\n", json!({ "base64": "e2F9" })),
    ] {
        assert_eq!(process.api("POST", "/channels/chat/messages", content_type, b"{a}").await.status, 200);
        let page = process.ok("GET", "/channels/chat/messages?last=1", "").await;
        let message = &page["messages"][0];
        let payload = if message["text"].is_string() { "text" } else { "base64" };
        assert_eq!(message[payload], expected[payload], "{content_type}");
    }
}

#[tokio::test]
async fn a_body_that_is_not_what_its_type_says_is_refused() {
    let process = Process::open();
    for (content_type, body) in [
        ("Content-Type: application/json\r\n", &b"{text}"[..]),
        ("Content-Type: application/problem+json\r\n", b""),
        ("Content-Type: text/plain\r\n", b"\xff"),
        ("", b"\xff"),
        ("Content-Type: text/plain\r\nContent-Type: image/png\r\n", b"a"),
    ] {
        let refused = process.refused("POST", "/channels/chat/messages", content_type, body).await;
        assert_eq!(refused, (400, "bad-request".to_owned()), "{content_type}");
    }
    assert_eq!(process.ok("GET", "/channels/chat/messages", "").await["messages"], json!([]));
}

/// The client that still writes gets the answer, and not a broken pipe.
#[tokio::test]
async fn a_message_that_is_too_large_is_refused_with_the_limit() {
    let process = configured("[[channels]]\nname = \"small\"\nmessage_bytes = 4\n[[channels]]\nname = \"*\"");
    process.ok("POST", "/channels/small/messages", "1234").await;
    let answer = process.api("POST", "/channels/small/messages", "", b"12345").await;
    assert_eq!((answer.status, answer.code().as_str()), (413, "too-large"));
    assert!(answer.message().contains("at most 4 bytes"), "{}", answer.body);
    let answer = process.api("POST", "/channels/any/messages", "", &vec![b'a'; 5 << 20]).await;
    assert!((answer.status, answer.message().contains("at most 1048576 bytes")) == (413, true), "{}", answer.body);
}

#[tokio::test]
async fn a_channel_without_a_rule_is_refused_and_so_is_a_name_that_is_none() {
    let process = configured("[[channels]]\nname = \"chat:*\"");
    process.ok("POST", "/channels/chat:room%2F7/messages", "hi").await;
    let refused = process.refused("POST", "/channels/chat/messages", "", b"hi").await;
    assert_eq!(refused, (403, "no-rule".to_owned()));
    for name in ["a%20b", "%00", &"a".repeat(129)] {
        let refused = process.refused("POST", &format!("/channels/{name}/messages"), "", b"hi").await;
        assert_eq!(refused, (400, "bad-name".to_owned()), "{name}");
    }
    let refused = process.refused("POST", "/channels/%ff/messages", "", b"hi").await;
    assert_eq!(refused, (400, "bad-request".to_owned()));
}

#[tokio::test]
async fn values_of_keys_are_set_and_removed() {
    let process = configured("[[channels]]\nname = \"prices\"\nkind = \"state\"\nsubscribe = \"anyone\"");
    let mut client = process.subscribed("sub prices live").await;
    process.ok("PUT", "/channels/prices/state/A%2FB", "7").await;
    let line = client.expect("msg prices ").await;
    assert!(line.ends_with(" key=A/B\n7"), "{line}");
    process.ok("PUT", "/channels/prices/state/MSFT", "8").await;
    client.expect("msg prices ").await;
    process.ok("DELETE", "/channels/prices/state/A%2FB", "").await;
    let line = client.expect("msg prices ").await;
    assert!(line.ends_with(" key=A/B"), "{line}");
    let state = process.ok("GET", "/channels/prices/state", "").await;
    let [message] = &state["messages"].as_array().unwrap()[..] else { panic!("{state}") };
    assert_eq!((&message["key"], &message["text"]), (&json!("MSFT"), &json!("8")));
}

/// It would keep no values, and so lose them with the messages that follow.
#[tokio::test]
async fn a_stream_takes_no_values_of_keys() {
    let process = configured("[[channels]]\nname = \"chat\"");
    for (method, path) in [("PUT", "/channels/chat/state/a"), ("DELETE", "/channels/chat/state/a")] {
        let refused = process.refused(method, path, "", b"").await;
        assert_eq!(refused, (409, "not-a-state-channel".to_owned()), "{method}");
    }
    let refused = process.refused("GET", "/channels/chat/state", "", b"").await;
    assert_eq!(refused, (409, "not-a-state-channel".to_owned()));
}

#[tokio::test]
async fn a_request_without_a_key_or_with_a_wrong_one_publishes_nothing() {
    let process = Process::open();
    let path = "/api/channels/chat/messages";
    for (headers, message) in [
        (String::new(), "Authorization: Bearer"),
        ("Authorization: Bearer a-key-of-the-test\r\n".to_owned(), "not a key"),
        ("Authorization: Bearer \r\n".to_owned(), "Authorization: Bearer"),
        (format!("Authorization: Basic {KEY}\r\n"), "Authorization: Bearer"),
    ] {
        let answer = request(connect(process.api), process.api, "POST", path, &headers, b"hi").await;
        assert_eq!((answer.status, answer.code().as_str()), (401, "unauthorized"), "{headers}");
        assert!(answer.message().contains(message), "{}", answer.body);
        assert!(answer.head.to_lowercase().contains("www-authenticate: bearer"), "{}", answer.head);
    }
    let headers = format!("authorization: bearer {KEY}\r\n");
    let answer = request(connect(process.api), process.api, "POST", path, &headers, b"hi").await;
    assert_eq!(answer.json()["offset"], 1);
}

//! Several messages by one request.

use serde_json::{Value, json};

use crate::support::configured;

const RULES: &str = r#"
[[channels]]
name = "chat"
subscribe = "anyone"
[[channels]]
name = "prices"
kind = "state"
"#;

#[tokio::test]
async fn several_messages_are_published_in_their_order_and_each_has_its_answer() {
    let process = configured(RULES);
    let mut client = process.subscribed("sub chat live").await;
    let messages = json!({ "messages": [
        { "channel": "chat", "text": "one" },
        { "channel": "prices", "key": "MSFT", "json": { "price": 402.1 } },
        { "channel": "chat", "base64": "//8=" },
        { "channel": "prices", "key": "MSFT", "remove": true },
        { "channel": "chat", "text": "again", "idempotency_key": "a" },
        { "channel": "chat", "text": "again", "idempotency_key": "a" },
        { "channel": "chat", "text": "" },
    ] });
    let answer = process.ok("POST", "/messages", &messages.to_string()).await;
    let offsets: Vec<_> = answer["results"].as_array().unwrap().iter().map(|result| result["offset"].clone()).collect();
    assert_eq!(offsets, [1, 1, 2, 2, 3, 3, 4]);
    assert!(client.line().await.ends_with("\none"));
    let page = process.ok("GET", "/channels/chat/messages", "").await;
    let payloads = |name| page["messages"].as_array().unwrap().iter().map(|message| &message[name]).collect::<Vec<_>>();
    assert_eq!(payloads("text"), [&json!("one"), &Value::Null, &json!("again"), &json!("")]);
    assert_eq!(payloads("base64")[1], "//8=");
    let page = process.ok("GET", "/channels/prices/messages", "").await;
    assert_eq!(
        (&page["messages"][0]["text"], &page["messages"][1]["removed"]),
        (&json!(r#"{"price":402.1}"#), &json!(true))
    );
}

#[tokio::test]
async fn a_mistake_in_one_of_several_messages_is_named_and_nothing_is_published() {
    let process = configured(RULES);
    for (message, status, code) in [
        (json!({ "channel": "chat" }), 400, "bad-request"),
        (json!({ "channel": "chat", "text": "a", "json": 1 }), 400, "bad-request"),
        (json!({ "channel": "chat", "base64": "?" }), 400, "bad-request"),
        (json!({ "channel": "prices", "remove": true }), 400, "bad-request"),
        (json!({ "channel": "prices", "key": "a", "text": "b", "remove": true }), 400, "bad-request"),
        (json!({ "channel": "prices", "key": "a b", "text": "" }), 400, "bad-name"),
        (json!({ "channel": "chat", "key": "a", "text": "" }), 409, "not-a-state-channel"),
        (json!({ "channel": "news", "text": "" }), 403, "no-rule"),
        (json!({ "channel": "chat", "text": "a".repeat((1 << 20) + 1) }), 413, "too-large"),
    ] {
        let body = json!({ "messages": [{ "channel": "chat", "text": "first" }, message] }).to_string();
        let answer = process.api("POST", "/messages", "", body.as_bytes()).await;
        assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.body);
        assert_eq!(answer.json()["error"]["index"], 1, "{}", answer.body);
    }
    for body in ["", "[]", "{}", r#"{"messages":[{"channel":"chat","txt":"a"}]}"#] {
        let refused = process.refused("POST", "/messages", "", body.as_bytes()).await;
        assert_eq!(refused, (400, "bad-request".to_owned()), "{body}");
    }
    let many = vec![json!({ "channel": "chat", "text": "" }); 1001];
    let refused = process.refused("POST", "/messages", "", json!({ "messages": many }).to_string().as_bytes()).await;
    assert_eq!(refused, (413, "too-large".to_owned()));
    assert_eq!(process.ok("GET", "/channels/chat/messages", "").await["messages"], json!([]));
}

#[tokio::test]
async fn one_that_fails_by_itself_is_answered_beside_those_that_are_published() {
    let process = configured(RULES);
    let messages = json!({ "messages": [
        { "channel": "chat", "text": "one", "idempotency_key": "a" },
        { "channel": "chat", "text": "two", "idempotency_key": "a" },
        { "channel": "chat", "text": "three" },
    ] });
    let answer = process.api("POST", "/messages", "", messages.to_string().as_bytes()).await;
    assert_eq!((answer.status, answer.code().as_str()), (422, "key-reused"));
    let answer = answer.json();
    assert_eq!(answer["error"]["index"], 1);
    let results = &answer["results"];
    assert_eq!(
        (&results[0]["offset"], &results[1]["error"]["code"], &results[2]["offset"]),
        (&json!(1), &json!("key-reused"), &json!(2))
    );
}

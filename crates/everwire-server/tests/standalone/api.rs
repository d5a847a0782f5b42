//! The HTTP API: publishes, history, sessions, and its addresses.

use everwire_test_client::{connect, http};
use serde_json::{Value, json};

use crate::{Client, KEY, Process, configured, request, word};

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
async fn a_channel_without_a_rule_and_an_invalid_name_are_refused() {
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

/// It keeps no values, and would lose them with the messages that follow.
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

const BATCH_RULES: &str = r#"
[[channels]]
name = "chat"
subscribe = "anyone"
[[channels]]
name = "prices"
kind = "state"
"#;

#[tokio::test]
async fn several_messages_are_published_in_their_order_and_each_has_its_answer() {
    let process = configured(BATCH_RULES);
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
    let process = configured(BATCH_RULES);
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
async fn a_message_that_fails_is_reported_along_with_those_that_are_published() {
    let process = configured(BATCH_RULES);
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

const KEYED: &str = "Idempotency-Key: order-17\r\n";

/// A back end repeats a publish whose answer it did not receive, also because the server was killed.
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

/// The session that the broker keeps for an idempotency key is not one that a client can resume.
#[tokio::test]
async fn a_client_cannot_resume_what_the_server_keeps_of_an_idempotency_key() {
    let process = Process::open();
    let mut client = process.subscribed("sub chat live").await;
    process.api("POST", "/channels/chat/messages", KEYED, b"hi").await;
    let line = client.expect("msg chat ").await;
    let session = crate::option(&line, "by").unwrap().split(':').next().unwrap().to_owned();
    let mut thief = process.connect().await;
    let welcome = thief.ask(&format!("hello attempt=1 session={session} secret=x acked=0"), "welcome ").await;
    assert!(crate::option(&welcome, "secret").is_some(), "{welcome}");
}

fn texts(page: &Value) -> Vec<&str> {
    page["messages"].as_array().unwrap().iter().map(|message| message["text"].as_str().unwrap()).collect()
}

async fn publish(process: &Process, channel: &str, count: usize) {
    for number in 1..=count {
        process.ok("POST", &format!("/channels/{channel}/messages"), &number.to_string()).await;
    }
}

#[tokio::test]
async fn history_is_read_page_by_page_from_the_oldest_message_on() {
    let process = Process::open();
    let empty = process.ok("GET", "/channels/chat/messages", "").await;
    assert_eq!((texts(&empty).len(), &empty["more"]), (0, &json!(false)));
    publish(&process, "chat", 5).await;
    let mut page = process.ok("GET", "/channels/chat/messages?limit=2", "").await;
    let mut read = texts(&page).join(" ");
    while page["more"] == true {
        let path = format!("/channels/chat/messages?limit=2&after={}", page["cursor"].as_str().unwrap());
        page = process.ok("GET", &path, "").await;
        read = format!("{read}, {}", texts(&page).join(" "));
        assert_eq!(page["gap"], Value::Null);
    }
    assert_eq!(read, "1 2, 3 4, 5");
    publish(&process, "chat", 1).await;
    let path = format!("/channels/chat/messages?after={}", page["cursor"].as_str().unwrap());
    assert_eq!(texts(&process.ok("GET", &path, "").await), ["1"]);
    let path = format!("/channels/chat/messages?after={}", empty["cursor"].as_str().unwrap());
    assert_eq!(texts(&process.ok("GET", &path, "").await), ["1", "2", "3", "4", "5", "1"]);
}

#[tokio::test]
async fn the_latest_messages_are_read_by_their_number() {
    let process = Process::open();
    publish(&process, "chat", 5).await;
    for (last, expected) in [("2", &["4", "5"][..]), ("0", &[]), ("99", &["1", "2", "3", "4", "5"])] {
        assert_eq!(texts(&process.ok("GET", &format!("/channels/chat/messages?last={last}"), "").await), expected);
    }
}

#[tokio::test]
async fn what_was_trimmed_or_belongs_to_another_history_is_a_gap_and_what_is_kept_follows() {
    let process = configured("[[channels]]\nname = \"*\"\nhistory = { messages = 2 }");
    publish(&process, "chat", 1).await;
    let first = process.ok("GET", "/channels/chat/messages", "").await;
    publish(&process, "chat", 4).await;
    let cursor = first["cursor"].as_str().unwrap();
    let page = process.ok("GET", &format!("/channels/chat/messages?after={cursor}"), "").await;
    assert_eq!((texts(&page), &page["gap"]), (vec!["3", "4"], &json!({ "reason": "trimmed", "missed": 2 })));
    for other in ["7.3.0".to_owned(), cursor.replace(".1.", ".5."), cursor.replace(".1.", ".9.")] {
        let page = process.ok("GET", &format!("/channels/chat/messages?after={other}"), "").await;
        let gap = json!({ "reason": "rewritten", "missed": null });
        assert_eq!((texts(&page), &page["gap"]), (vec!["3", "4"], &gap), "{other}");
    }
}

#[tokio::test]
async fn the_state_is_read_page_by_page_and_then_what_has_changed() {
    let process = configured("[[channels]]\nname = \"*\"\nkind = \"state\"");
    for (key, value) in [("a", "1"), ("b", "2"), ("a", "3"), ("c", "4")] {
        process.ok("PUT", &format!("/channels/prices/state/{key}"), value).await;
    }
    let page = process.ok("GET", "/channels/prices/state?limit=2", "").await;
    assert_eq!((texts(&page), &page["more"]), (vec!["2", "3"], &json!(true)));
    let after = |page: &Value| format!("/channels/prices/state?after={}", page["cursor"].as_str().unwrap());
    let page = process.ok("GET", &after(&page), "").await;
    assert_eq!((texts(&page), &page["more"]), (vec!["4"], &json!(false)));
    process.ok("DELETE", "/channels/prices/state/b", "").await;
    let page = process.ok("GET", &after(&page), "").await;
    let message = &page["messages"][0];
    assert_eq!((&message["key"], &message["removed"], &page["gap"]), (&json!("b"), &json!(true), &Value::Null));
}

#[tokio::test]
async fn queries_with_a_mistake_are_refused() {
    let process = Process::open();
    for query in ["after=x", "after=7.3", "limit=0", "limit=1001", "limit=x", "last=-1", "last=1&after=7.3.0", "lats=1"]
    {
        let refused = process.refused("GET", &format!("/channels/chat/messages?{query}"), "", b"").await;
        assert_eq!(refused, (400, "bad-request".to_owned()), "{query}");
    }
    let refused = process.refused("GET", "/channels/chat/state?last=1", "", b"").await;
    assert_eq!(refused, (400, "bad-request".to_owned()));
}

#[tokio::test]
async fn a_message_of_a_client_has_its_session() {
    let process = Process::open();
    let (mut client, welcome) = process.attach().await;
    client.ask("pub chat 1\nhi", "ack 1 ").await;
    let page = process.ok("GET", "/channels/chat/messages", "").await;
    assert_eq!(page["messages"][0]["session"], crate::word(&welcome, 1));
}

const PRESENCE_RULES: &str = r#"
[[tokens]]
token = "token of Ada"
user = "ada"

[[channels]]
name = "*"
subscribe = "anyone"
presence = "anyone"
"#;

async fn ada(process: &Process) -> (Client, String) {
    let mut client = process.connect().await;
    let welcome = client.ask("hello attempt=0\ntoken of Ada", "welcome ").await;
    (client, word(&welcome, 1).to_owned())
}

#[tokio::test]
async fn the_members_of_a_channel_are_listed_with_their_users() {
    let process = configured(PRESENCE_RULES);
    let (mut client, ada) = ada(&process).await;
    client.ask("sub room live presence=1", "subscribed room ").await;
    let (mut other, welcome) = process.attach().await;
    other.ask("sub room live presence=1", "subscribed room ").await;
    other.expect("presence room 2").await;
    let answer = process.ok("GET", "/channels/room/presence", "").await;
    let mut expected = [
        json!({ "session": ada, "user": "ada", "shown": { "text": r#"{"user":"ada"}"# } }),
        json!({ "session": word(&welcome, 1), "user": null, "shown": null }),
    ];
    expected.sort_by_key(|member| member["session"].as_str().unwrap().to_owned());
    assert_eq!(answer, json!({ "channel": "room", "members": expected }));
}

#[tokio::test]
async fn channels_are_listed_with_their_subscribers() {
    let process = configured(PRESENCE_RULES);
    let mut client = process.subscribed("sub b live presence=1").await;
    client.expect("presence b ").await;
    client.expect("join b ").await;
    client.ask("sub a2 live", "subscribed a2 ").await;
    let _other = process.subscribed("sub a1 live").await;
    let _third = process.subscribed("sub b live").await;
    let all = process.ok("GET", "/channels", "").await;
    let channel = |name, subscribers| json!({ "channel": name, "subscribers": subscribers });
    assert_eq!(all, json!({ "channels": [channel("a1", 1), channel("a2", 1), channel("b", 2)], "more": false }));
    let some = process.ok("GET", "/channels?prefix=a&after=a1", "").await;
    assert_eq!(some["channels"], json!([channel("a2", 1)]));
    process.ok("POST", "/channels/b/messages", "hi").await;
    let one = process.ok("GET", "/channels/b", "").await;
    let counts = ["subscribers", "present", "messages"].map(|name| one[name].clone());
    assert_eq!((counts, &one["last"]["offset"]), ([json!(2), json!(1), json!(1)], &json!(1)));
}

#[tokio::test]
async fn a_session_that_is_ended_gets_a_bye() {
    let process = configured(PRESENCE_RULES);
    let (mut client, welcome) = process.attach().await;
    let session = word(&welcome, 1);
    assert_eq!(process.ok("DELETE", &format!("/sessions/{session}"), "").await, json!({ "ended": 1 }));
    client.expect("bye gone").await;
    assert_eq!(client.client.closed().await.0, 4410);
    let refused = process.refused("DELETE", &format!("/sessions/{session}"), "", b"").await;
    assert_eq!(refused, (404, "no-session".to_owned()));
    assert_eq!(process.refused("DELETE", "/sessions/a%20b", "", b"").await, (400, "bad-name".to_owned()));
}

#[tokio::test]
async fn all_sessions_of_a_user_are_ended_and_no_others() {
    let process = configured(PRESENCE_RULES);
    let (mut first, first_id) = ada(&process).await;
    let (mut second, second_id) = ada(&process).await;
    let (mut other, _) = process.attach().await;
    let sessions = process.ok("GET", "/users/ada/sessions", "").await;
    let mut ids: Vec<_> =
        sessions["sessions"].as_array().unwrap().iter().map(|session| session["session"].as_str().unwrap()).collect();
    ids.sort_unstable();
    let mut expected = [first_id, second_id];
    expected.sort_unstable();
    assert_eq!(ids, expected);
    assert_eq!(process.ok("DELETE", "/users/ada/sessions", "").await, json!({ "ended": 2 }));
    for client in [&mut first, &mut second] {
        client.expect("bye gone").await;
    }
    other.ask("ping 1", "pong 1 ").await;
    assert_eq!(process.ok("DELETE", "/users/ada/sessions", "").await, json!({ "ended": 0 }));
}

#[tokio::test]
async fn unknown_routes_are_answered_in_json() {
    let process = Process::open();
    assert_eq!(process.refused("GET", "/channel", "", b"").await, (404, "not-found".to_owned()));
    let answer = process.api("PUT", "/channels/chat/messages", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (405, "method-not-allowed"));
    assert!(answer.head.to_lowercase().contains("allow: get,head,post"), "{}", answer.head);
    let answer = request(connect(process.address), process.address, "GET", "/", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (404, "not-found"));
    let answer = request(connect(process.address), process.address, "GET", "/api/nothing", "", b"").await;
    assert_eq!(answer.status, 401, "who has no key learns nothing of the routes");
}

#[tokio::test]
async fn health_and_metrics_report_channels_and_the_journal() {
    let directory = tempfile::tempdir().unwrap();
    let process = Process::start(&["--allow-all", "--journal", directory.path().to_str().unwrap()]);
    let _client = process.subscribed("sub chat live").await;
    process.ok("POST", "/channels/chat/messages", "hi").await;
    let health = process.health().await.json();
    assert_eq!(health["status"], "ok");
    let counts = ["failures", "queued", "corruptions"].map(|name| health["journal"][name].clone());
    assert_eq!(counts, [0, 0, 0].map(|count| json!(count)));
    let metrics = http(process.address, "/metrics", "").await;
    for line in [
        "everwire_sessions 1",
        "everwire_channels 1",
        "everwire_subscriptions 1",
        "everwire_connections{endpoint=\"/everwire\"} 1",
        "everwire_journal_failing 0",
        "everwire_journal_commits_total 2",
    ] {
        assert!(metrics.lines().any(|other| other == line), "{line} is missing in\n{metrics}");
    }
}

/// A back end that ends sessions of a full server needs a connection as well.
#[tokio::test]
async fn the_api_is_reached_on_an_address_of_its_own_when_clients_have_all_connections() {
    let full = ["--allow-all", "--max-connections", "1", "--max-connections-per-address", "1"];
    let process = Process::start(&full);
    let _client = process.attach().await;
    let answer = process.api("GET", "/channels", "", b"").await;
    assert_eq!((answer.status, answer.code().as_str()), (503, "too-many-connections"));
    let process = Process::start(&[&full[..], &["--api-listen", "127.0.0.1:0"]].concat());
    let _client = process.attach().await;
    process.ok("GET", "/channels", "").await;
}

#[tokio::test]
async fn the_api_on_an_address_of_its_own_is_not_served_to_clients() {
    let process = Process::start(&["--allow-all", "--api-listen", "127.0.0.1:0"]);
    assert_ne!(process.address, process.api);
    process.ok("POST", "/channels/chat/messages", "hi").await;
    assert!(http(process.api, "/metrics", "").await.starts_with("HTTP/1.1 200 "));
    let key = format!("Authorization: Bearer {KEY}\r\n");
    for path in ["/api/channels", "/metrics"] {
        let answer = request(connect(process.address), process.address, "GET", path, &key, b"").await;
        assert_eq!(answer.status, 404, "{path}");
    }
    for address in [process.address, process.api] {
        assert!(http(address, "/healthz", "").await.starts_with("HTTP/1.1 200 "));
    }
    let answer = request(connect(process.api), process.api, "GET", "/everwire", "", b"").await;
    assert_eq!(answer.status, 404);
}

//! Messages that are read by HTTP.

use serde_json::{Value, json};

use crate::support::{Process, configured};

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
async fn a_message_of_a_client_says_its_session() {
    let process = Process::open();
    let (mut client, welcome) = process.attach().await;
    client.ask("pub chat 1\nhi", "ack 1 ").await;
    let page = process.ok("GET", "/channels/chat/messages", "").await;
    assert_eq!(page["messages"][0]["session"], crate::support::word(&welcome, 1));
}

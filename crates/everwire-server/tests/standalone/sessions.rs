//! Who is there, and how it is ended.

use serde_json::json;

use crate::support::{Client, Process, configured, word};

const RULES: &str = r#"
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
    let process = configured(RULES);
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
    let process = configured(RULES);
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
async fn a_session_that_is_ended_gets_a_goodbye() {
    let process = configured(RULES);
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
    let process = configured(RULES);
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

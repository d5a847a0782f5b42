//! Who a client is, and what the rules let it do.

use everwire_test_client::Client as Socket;

use crate::support::{Client, Process, configured};

const RULES: &str = r#"
[[tokens]]
token = "token of Ada"
user = "ada"
presence = "Ada"

[[channels]]
name = "news"
subscribe = "anyone"

[[channels]]
name = "chat:*"
subscribe = "anyone"
publish = "signed-in"
presence = "signed-in"

[[channels]]
name = "chat:staff"
subscribe = ["ada", "grace"]

[[channels]]
name = "inbox:*"
subscribe = "owner"
"#;

/// Which of the lines are allowed.
async fn allowed(client: &mut Client, lines: &[&str]) -> Vec<bool> {
    let mut answers = Vec::new();
    for line in lines {
        client.client.send(line).await;
        answers.push(loop {
            let answer = client.line().await;
            match answer.split(' ').next().unwrap() {
                "subscribed" | "ack" => break true,
                "unsub" | "nack" => {
                    assert!(answer.contains(" denied"), "{answer}");
                    break false;
                }
                _ => {}
            }
        });
    }
    answers
}

const LINES: [&str; 8] = [
    "sub news live",
    "pub news 1\nhi",
    "sub chat:lobby live presence=1",
    "pub chat:lobby 2\nhi",
    "sub chat:staff live",
    "sub inbox:ada live",
    "sub inbox:bob live",
    "sub other live",
];

#[tokio::test]
async fn clients_may_do_what_the_most_specific_rule_says() {
    let process = configured(RULES);
    let (mut anonymous, _) = process.attach().await;
    assert_eq!(allowed(&mut anonymous, &LINES).await, [true, false, false, false, false, false, false, false]);
    let mut ada = process.connect().await;
    ada.ask("hello attempt=0\ntoken of Ada", "welcome ").await;
    assert_eq!(allowed(&mut ada, &LINES).await, [true, false, true, true, true, true, false, false]);
}

#[tokio::test]
async fn a_token_that_is_not_known_is_refused_and_not_taken_for_no_token() {
    let process = configured(RULES);
    for hello in ["hello attempt=0\ntoken of Adb", "hello attempt=0\n"] {
        let mut client = process.connect().await;
        let error = client.ask(hello, "error unauthorized fatal=1").await;
        assert!(error.ends_with("the server does not know this token"), "{error}");
        assert_eq!(client.client.closed().await.0, 3000);
    }
}

#[tokio::test]
async fn the_user_is_that_of_the_proxys_header() {
    let process = configured("[proxy]\nuser_header = \"X-User\"\n\n[[channels]]\nname = \"*\"\nsubscribe = \"owner\"");
    for (headers, may_read_of_ada) in
        [(&[("x-user", "ada")][..], true), (&[("x-user", "bob")], false), (&[("x-user", "")], false), (&[], false)]
    {
        let mut client = process.connect_with(headers).await;
        client.ask("hello attempt=0", "welcome ").await;
        assert_eq!(allowed(&mut client, &["sub ada live"]).await, [may_read_of_ada], "{headers:?}");
    }
}

/// One of them may be what the client has sent, and the proxy passed on.
#[tokio::test]
async fn a_header_with_two_users_is_refused() {
    let process = configured("[proxy]\nuser_header = \"x-user\"");
    let mut client = process.connect_with(&[("x-user", "ada"), ("x-user", "bob")]).await;
    client.ask("hello attempt=0", "error unauthorized fatal=1\nthe proxy names more than one user").await;
}

/// Any client can send the header.
#[tokio::test]
async fn a_header_from_another_address_than_the_proxys_says_nothing() {
    let rules = "[[channels]]\nname = \"*\"\nsubscribe = \"owner\"\n[proxy]\nuser_header = \"x-user\"\naddresses = [\"10.0.0.0/8\"]";
    let process = configured(rules);
    let mut client = process.connect_with(&[("x-user", "ada")]).await;
    client.ask("hello attempt=0", "welcome ").await;
    assert_eq!(allowed(&mut client, &["sub ada live"]).await, [false]);
}

#[tokio::test]
async fn pages_of_other_origins_are_refused_unless_they_are_allowed() {
    let process = Process::start(&["--allow-all", "--allow-origin", "https://app.example.org"]);
    let connect = async |origin| {
        let headers = [("sec-websocket-protocol", "everwire.v1"), ("origin", origin)];
        Socket::try_connect(process.address, "/everwire", &headers).await.map(drop).map_err(|(status, _)| status)
    };
    assert_eq!(connect("https://evil.example.org").await, Err(403));
    assert_eq!(connect("https://app.example.org").await, Ok(()));
}

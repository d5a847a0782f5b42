//! Who may do what.

use everwire_server::channels::{Action, Authentication, Authorize, ClientPublish, Denied, Identity};
use everwire_server::{Builder, Channel, Everwire};

use crate::support::TestServer;

struct Rules;

impl Authorize for Rules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        // As if it had looked into a database.
        tokio::task::yield_now().await;
        let credentials = request.credentials().and_then(|credentials| credentials.as_text());
        let query = request.uri().query();
        match (credentials, query) {
            (Some(user), _) | (None, Some(user)) => Ok(Identity::user(user)),
            _ => Err(Denied::new("log in first")),
        }
    }

    fn allows(&self, identity: &Identity, action: Action<'_>) -> bool {
        match action {
            Action::Subscribe(channel) => channel != "secret",
            Action::Publish(channel) => identity.user_name() == Some(channel),
            Action::Presence(_) => identity.user_name() == Some("ada"),
            _ => false,
        }
    }

    fn check_publish(&self, identity: &Identity, publish: &mut ClientPublish<'_>) -> Result<(), Denied> {
        let user = identity.user_name().unwrap_or_default();
        match publish.payload.as_ref().and_then(|payload| payload.as_text()) {
            Some("sign this") => publish.payload = Some(format!("by {user} in {}", publish.channel).into()),
            Some("not this") => return Err(Denied::new("say something else")),
            _ => {}
        }
        Ok(())
    }
}

fn rules(builder: Builder) -> Builder {
    builder.authorize(Rules)
}

#[tokio::test]
async fn a_client_without_credentials_is_refused_with_the_reason() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0").await;
    assert_eq!(client.closed_after("error unauthorized fatal=1\nlog in first").await, 3000);
}

#[tokio::test]
async fn what_the_rules_do_not_allow_is_denied_and_the_connection_goes_on() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0\nada ␞ sub secret live ␞ sub open live").await;
    client.expect("welcome ").await;
    client.expect("unsub secret denied").await;
    client.expect("subscribed open ").await;
    client.ask("pub bob 1\nhello", "nack 1 denied\n").await;
    client.ask("pub ada 2\nhello", "ack 2 ").await;
    client.ask("req anything 1", "nack 1 denied of=req\n").await;
    client.ask("sub open live presence=1", "subscribed open ").await;
}

#[tokio::test]
async fn rules_replace_or_refuse_what_a_client_publishes_and_the_rest_goes_on() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0\nada ␞ sub ada live").await;
    client.expect("welcome ").await;
    client.expect("subscribed ada ").await;
    client.send("pub ada 1\nsign this ␞ pub ada 2\nnot this ␞ pub ada 3\nhello").await;
    let mut lines = Vec::new();
    while lines.len() < 5 {
        lines.push(client.line().await);
    }
    lines.sort();
    assert!(lines[0].starts_with("ack 1 ") && lines[1].starts_with("ack 3 "), "{lines:?}");
    assert!(lines[2].ends_with("\nby ada in ada") && lines[3].ends_with("\nhello"), "{lines:?}");
    assert_eq!(lines[4], "nack 2 denied\nsay something else");
}

#[tokio::test]
async fn presence_needs_a_permission_of_its_own() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0\nbob").await;
    client.expect("welcome ").await;
    client.ask("sub open live presence=1", "unsub open denied").await;
    client.ask("sub open live", "subscribed open ").await;
}

#[tokio::test]
async fn a_session_is_not_resumed_by_another_user_who_knows_its_secret() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0\nada").await;
    let session = crate::support::Session::of(&client.line().await);
    let (_, welcome) = server.resume(&session, "\nbob").await;
    assert!(welcome.contains("secret=") && !welcome.contains(&session.id), "{welcome}");
    let (_, welcome) = server.resume(&session, "\nada").await;
    assert!(welcome.contains(&session.id), "{welcome}");
}

/// Mercure: what is replayed is authorised by today's token, not by that of the earlier connection.
#[tokio::test]
async fn a_client_that_was_not_allowed_to_log_in_again_is_replayed_nothing() {
    let server = TestServer::start(rules).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0\nada ␞ sub open live").await;
    let session = crate::support::Session::of(&client.line().await);
    let position = crate::support::cursor(&client.line().await);
    drop(client);
    server.wire.publish(&Channel::new("open"), &1).await.unwrap();
    let mut client = server.connect().await;
    client.send(&format!("{} ␞ sub open from:{position}", session.hello())).await;
    assert_eq!(client.closed_after("error unauthorized fatal=1").await, 3000);
}

#[tokio::test]
async fn without_rules_everyone_is_refused_and_the_error_names_how_to_set_them() {
    let server = TestServer::serve(Everwire::default()).await;
    let mut client = server.connect().await;
    client.send("hello attempt=0").await;
    let error = client.expect("error unauthorized fatal=1\n").await;
    assert!(error.contains("`Builder::authorize`"), "{error}");
}

#[tokio::test]
async fn more_subscriptions_than_the_limit_are_refused() {
    let server = TestServer::start(|builder| builder.channel_limits(|limits| limits.subscriptions = 2)).await;
    let (mut client, _) = server.attach().await;
    client.send("sub a live ␞ sub b live ␞ sub c live ␞ sub a live ␞ unsub b ␞ sub c live").await;
    for start in ["subscribed a ", "subscribed b ", "unsub c limit", "subscribed a ", "subscribed c "] {
        client.expect(start).await;
    }
}

#[tokio::test]
async fn a_payload_over_the_limit_of_its_channel_is_refused_with_the_limit() {
    let chat = Channel::<String>::new("chat");
    let server = TestServer::start(|builder| builder.channel(&chat, |options| options.message_bytes = 4)).await;
    let (mut client, _) = server.attach().await;
    client.ask("pub chat 1\nhello", "nack 1 too-large\nat most 4 bytes").await;
    client.ask("pub chat 2\nfour", "ack 2 ").await;
}

#[tokio::test]
async fn a_server_full_of_sessions_refuses_another_one_and_resumes_those_it_has() {
    let server = TestServer::start(|builder| builder.channel_limits(|limits| limits.sessions = 1)).await;
    let (_client, session) = server.attach().await;
    let mut other = server.connect().await;
    other.send("hello attempt=0").await;
    assert_eq!(other.closed_after("error unavailable fatal=1 retry=").await, 1013);
    server.resume(&session, "").await;
}

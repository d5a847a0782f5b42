//! Who may do what, who is present, and channels behind a function of the application.

use std::collections::VecDeque;
use std::time::Duration;

use axum::Router;
use axum::extract::OriginalUri;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use everwire_server::channels::{Action, AllowAll, Authentication, Authorize, ClientPublish, Denied, Identity};
use everwire_server::{Builder, Channel, EncodedMessage, Everwire, Interceptor, Intervention, Upgrade};
use everwire_test_client as test_client;
use tokio::time::Instant;

use crate::{Client, PROTOCOL, Session, TestServer, pass};

struct ChatRules;

impl Authorize for ChatRules {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        // As if it had queried a database.
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
    builder.authorize(ChatRules)
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
async fn rules_replace_or_refuse_what_a_client_publishes_and_the_connection_goes_on() {
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
    let session = crate::Session::of(&client.line().await);
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
    let session = crate::Session::of(&client.line().await);
    let position = crate::cursor(&client.line().await);
    drop(client);
    server.everwire.publish(&Channel::new("open"), &1).await.unwrap();
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

const ROOM: Channel<String> = Channel::new("room");
const ENTER: &str = "sub room live presence=1";

/// Every client is the user that it names, and is shown by that name.
struct NameIsUser;

impl Authorize for NameIsUser {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        let name = request.credentials().and_then(|name| name.as_text()).unwrap_or_default().to_owned();
        Ok(Identity::user(name.clone()).with_presence(name))
    }

    fn allows(&self, _: &Identity, _: Action<'_>) -> bool {
        true
    }
}

async fn enter(server: &TestServer, name: &str) -> (Client, Session) {
    let mut client = server.connect().await;
    client.send(&format!("hello attempt=0\n{name} ␞ {ENTER}")).await;
    let session = Session::of(&client.line().await);
    client.expect("subscribed room ").await;
    (client, session)
}

#[tokio::test]
async fn a_session_that_enters_is_sent_the_members_and_the_others_are_notified() {
    let server = TestServer::start(|builder| builder.authorize(NameIsUser)).await;
    let (mut ada, first) = enter(&server, "Ada").await;
    client_sees(&mut ada, &[("presence room 1", ""), ("join room ", "Ada")]).await;
    let (mut bob, second) = enter(&server, "Bob").await;
    bob.expect("presence room 2").await;
    let mut joins = bob.lines(2).await;
    joins.sort();
    let mut expected = [format!("join room {}\nAda", first.id), format!("join room {}\nBob", second.id)];
    expected.sort();
    assert_eq!(joins, expected);
    assert_eq!(ada.line().await, format!("join room {}\nBob", second.id));
    bob.send("unsub room").await;
    assert_eq!(ada.line().await, format!("leave room {}", second.id));
    let present = server.everwire.presence(&ROOM);
    assert_eq!(present.iter().map(|present| present.session.as_str()).collect::<Vec<_>>(), [first.id]);
}

async fn client_sees(client: &mut Client, lines: &[(&str, &str)]) {
    for (start, payload) in lines {
        let line = client.expect(start).await;
        assert!(line.ends_with(payload), "{line}");
    }
}

/// phoenixframework/phoenix#2306: members flapped, or stayed forever, when connections came and went.
#[tokio::test]
async fn a_hundred_reconnects_are_no_join_and_no_leave() {
    let server = TestServer::start(|builder| builder).await;
    let (mut watcher, _) = server.attach().await;
    watcher.ask(ENTER, "subscribed room ").await;
    watcher.lines(2).await;
    let (mut client, session) = server.attach().await;
    client.ask(ENTER, "subscribed room ").await;
    watcher.expect(&format!("join room {}", session.id)).await;
    for _ in 0..100 {
        drop(client);
        (client, _) = server.resume(&session, &format!(" ␞ {ENTER}")).await;
        client.expect("subscribed room ").await;
        client.expect("presence room 2").await;
    }
    assert_eq!(watcher.settled().await, [""; 0]);
    client.send("bye").await;
    watcher.expect(&format!("leave room {}", session.id)).await;
}

#[tokio::test]
async fn a_session_leaves_when_it_expires_and_not_before() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.ask(ENTER, "subscribed room ").await;
    server.detached(client).await;
    pass(Duration::from_secs(119)).await;
    assert_eq!(server.everwire.presence(&ROOM).len(), 1);
    let (mut watcher, _) = server.attach().await;
    watcher.ask(ENTER, "subscribed room ").await;
    watcher.lines(3).await;
    pass(Duration::from_secs(2)).await;
    watcher.expect(&format!("leave room {}", session.id)).await;
}

/// A client that unsubscribed while it had no connection could not report it.
#[tokio::test]
async fn a_session_that_does_not_enter_again_after_its_resume_leaves() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.send(&format!("{ENTER} ␞ sub hall live presence=1")).await;
    client.lines(6).await;
    drop(client);
    let (mut client, _) = server.resume(&session, &format!(" ␞ {ENTER}")).await;
    client.lines(3).await;
    assert_eq!(server.everwire.presence(&Channel::<()>::new("hall")).len(), 1);
    for _ in 0..5 {
        client.ask("ping 1", "pong 1 ").await;
        pass(Duration::from_secs(30)).await;
    }
    client.ask("ping 1", "pong 1 ").await;
    assert_eq!(server.everwire.presence(&Channel::<()>::new("hall")), []);
    assert_eq!(server.everwire.presence(&ROOM).len(), 1);
}

#[tokio::test]
async fn the_server_knows_the_users_of_the_sessions_that_are_present() {
    let server = TestServer::start(|builder| builder.authorize(NameIsUser)).await;
    let (ada, session) = enter(&server, "Ada").await;
    let present = || {
        let present = server.everwire.presence(&ROOM).into_iter();
        present
            .map(|present| (present.session.to_string(), present.user.as_deref().map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    let expected = vec![(session.id, Some("Ada".to_owned()))];
    assert_eq!(present(), expected);
    server.detached(ada).await;
    assert_eq!(present(), expected, "the session is kept");
}

/// Cuts the connection after a number of messages.
struct Cut {
    left: u64,
    waiting: VecDeque<EncodedMessage>,
}

impl Interceptor for Cut {
    fn send(&mut self, message: EncodedMessage, _: Instant) {
        self.waiting.push_back(message);
    }

    fn next(&mut self, _: Instant) -> Option<EncodedMessage> {
        self.waiting.pop_front()
    }

    fn deadline(&self) -> Option<Instant> {
        None
    }

    fn held_bytes(&self) -> usize {
        0
    }

    fn on_messages(&mut self, count: u64) {
        self.left = self.left.saturating_sub(count);
    }

    fn intervention(&self) -> Option<Intervention> {
        (self.left == 0).then_some(Intervention::Cut)
    }
}

async fn connect(OriginalUri(uri): OriginalUri, headers: HeaderMap, upgrade: Upgrade) -> Response {
    match uri.query() {
        None => upgrade.accept_channels(headers, uri),
        Some("cut") => upgrade.intercept(Cut { left: 4, waiting: VecDeque::new() }).accept_channels(headers, uri),
        Some(_) => (StatusCode::PAYMENT_REQUIRED, "pay first").into_response(),
    }
}

async fn server() -> TestServer {
    let everwire = Everwire::builder().authorize(AllowAll).build();
    let app = Router::new().route("/everwire", everwire.channels_endpoint("/everwire").route(connect));
    TestServer::serve_app(everwire, app).await
}

#[tokio::test]
async fn an_application_can_refuse_a_handshake() {
    let server = server().await;
    let refused = test_client::Client::try_connect(server.address, "/everwire?no", &[PROTOCOL]).await;
    assert_eq!(refused.unwrap_err(), (402, "pay first".to_owned()));
    server.attach().await;
}

#[tokio::test]
async fn an_application_can_put_an_interceptor_between_a_client_and_the_channels() {
    let server = server().await;
    let mut client = test_client::Client::try_connect(server.address, "/everwire?cut", &[PROTOCOL]).await.unwrap();
    assert!(client.ask("hello attempt=0").await.starts_with("welcome "));
    assert!(client.ask("ping 1").await.starts_with("pong 1 "));
    client.is_cut().await;
}

#[tokio::test]
async fn without_the_subprotocol_a_client_is_refused() {
    let server = server().await;
    let (status, sentence) = test_client::Client::try_connect(server.address, "/everwire", &[]).await.unwrap_err();
    assert_eq!((status, sentence.as_str()), (400, "connect with the subprotocol everwire.v1"));
}

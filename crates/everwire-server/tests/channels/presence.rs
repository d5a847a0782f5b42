//! Who is there.

use std::time::Duration;

use everwire_server::Channel;
use everwire_server::channels::{Action, Authentication, Authorize, Denied, Identity};

use crate::support::{Client, Session, TestServer, pass};

const ROOM: Channel<String> = Channel::new("room");
const ENTER: &str = "sub room live presence=1";

/// Everyone is whom they say, and shows it.
struct Names;

impl Authorize for Names {
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
async fn a_session_that_enters_learns_who_is_there_and_the_others_learn_of_it() {
    let server = TestServer::start(|builder| builder.authorize(Names)).await;
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
    let present = server.wire.presence(&ROOM);
    assert_eq!(present.iter().map(|present| present.session.as_str()).collect::<Vec<_>>(), [first.id]);
}

async fn client_sees(client: &mut Client, lines: &[(&str, &str)]) {
    for (start, payload) in lines {
        let line = client.expect(start).await;
        assert!(line.ends_with(payload), "{line}");
    }
}

/// phoenixframework/phoenix#2306: members flapped, or stayed for ever, when connections came and went.
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
    assert_eq!(server.wire.presence(&ROOM).len(), 1);
    let (mut watcher, _) = server.attach().await;
    watcher.ask(ENTER, "subscribed room ").await;
    watcher.lines(3).await;
    pass(Duration::from_secs(2)).await;
    watcher.expect(&format!("leave room {}", session.id)).await;
}

/// A client that unsubscribed while it had no connection could not say so.
#[tokio::test]
async fn a_session_that_does_not_enter_again_after_its_resume_leaves() {
    let server = TestServer::start(|builder| builder).await;
    let (mut client, session) = server.attach().await;
    client.send(&format!("{ENTER} ␞ sub hall live presence=1")).await;
    client.lines(6).await;
    drop(client);
    let (mut client, _) = server.resume(&session, &format!(" ␞ {ENTER}")).await;
    client.lines(3).await;
    assert_eq!(server.wire.presence(&Channel::<()>::new("hall")).len(), 1);
    for _ in 0..5 {
        client.ask("ping 1", "pong 1 ").await;
        pass(Duration::from_secs(30)).await;
    }
    client.ask("ping 1", "pong 1 ").await;
    assert_eq!(server.wire.presence(&Channel::<()>::new("hall")), []);
    assert_eq!(server.wire.presence(&ROOM).len(), 1);
}

#[tokio::test]
async fn the_server_knows_the_users_of_the_sessions_that_are_present() {
    let server = TestServer::start(|builder| builder.authorize(Names)).await;
    let (ada, session) = enter(&server, "Ada").await;
    let present = || {
        let present = server.wire.presence(&ROOM).into_iter();
        present
            .map(|present| (present.session.to_string(), present.user.as_deref().map(str::to_owned)))
            .collect::<Vec<_>>()
    };
    let expected = vec![(session.id, Some("Ada".to_owned()))];
    assert_eq!(present(), expected);
    server.detached(ada).await;
    assert_eq!(present(), expected, "the session is kept");
}

//! Requests and their answers.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use everwire_server::channels::{Action, Authentication, Authorize, Denied, Identity, RequestError};
use tokio::sync::{Notify, mpsc};
use tokio_util::sync::CancellationToken;

use crate::{Session, TestServer, pass};

#[tokio::test]
async fn a_request_is_answered_by_its_handler_and_fails_with_its_reason() {
    let server = TestServer::start(|builder| builder).await;
    server.everwire.on_request("divide", |_, (a, b): (u32, u32)| async move {
        a.checked_div(b).ok_or_else(|| RequestError::new("cannot divide by zero"))
    });
    server.everwire.on_request("now", |_, (): ()| async { Ok("noon") });
    let (mut client, _) = server.attach().await;
    assert_eq!(client.ask("req divide 1\n[7,2]", "res 1 ").await, "res 1 0\n3");
    assert_eq!(client.ask("req divide 2\n[7,0]", "nack ").await, "nack 2 failed of=req\ncannot divide by zero");
    client.ask("req divide 3\n7", "nack 3 failed of=req\nthe argument cannot be read").await;
    assert_eq!(client.ask("req now 4", "res 4 ").await, "res 4 0\n\"noon\"");
    client.ask("req other 5", "nack 5 no-handler of=req\n").await;
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_request_and_no_connection() {
    let server = TestServer::start(|builder| builder).await;
    server.everwire.on_request("panic", |_, (): ()| async {
        if true {
            panic!("a mistake of the application");
        }
        Ok(())
    });
    let (mut client, _) = server.attach().await;
    client.ask("req panic 1", "nack 1 failed of=req\n").await;
    client.ask("ping 1", "pong 1 ").await;
}

#[tokio::test]
async fn a_request_runs_once_though_its_client_reconnects_and_sends_it_again() {
    let server = TestServer::start(|builder| builder).await;
    let (runs, go_on) = (Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
    let (counted, waiting) = (Arc::clone(&runs), Arc::clone(&go_on));
    server.everwire.on_request("count", move |_, (): ()| {
        let (counted, waiting) = (Arc::clone(&counted), Arc::clone(&waiting));
        async move {
            waiting.notified().await;
            Ok(counted.fetch_add(1, Ordering::SeqCst) + 1)
        }
    });
    let (mut client, session) = server.attach().await;
    client.send("req count 1").await;
    client.ask("ping 1", "pong 1 ").await;
    let (mut client, welcome) = server.resume(&session, "").await;
    assert!(welcome.ends_with(" requests=kept"), "{welcome}");
    client.send("req count 1").await;
    client.ask("ping 1", "pong 1 ").await;
    go_on.notify_one();
    client.expect("res 1 0\n1").await;
    // The answer is kept until the client acknowledges it.
    let (mut client, _) = server.resume(&session, "").await;
    client.ask("req count 1", "res 1 0\n1").await;
    assert_eq!(runs.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn an_answer_of_many_parts_continues_where_its_client_lost_it() {
    let server = TestServer::start(|builder| builder).await;
    let (parts, receiver) = mpsc::unbounded_channel::<Result<u32, RequestError>>();
    let receiver = std::sync::Mutex::new(Some(receiver));
    server.everwire.on_stream_request("count", move |_, (): ()| Receiver(receiver.lock().unwrap().take().unwrap()));
    let (mut client, session) = server.attach().await;
    client.send("req count 1").await;
    parts.send(Ok(10)).unwrap();
    client.expect("res 1 0 more=1\n10").await;
    parts.send(Ok(11)).unwrap();
    client.expect("res 1 1 more=1\n11").await;
    drop(client);
    parts.send(Ok(12)).unwrap();
    let (mut client, _) = server.resume(&session, "").await;
    client.send("req count 1 part=1").await;
    client.expect("res 1 1 more=1\n11").await;
    client.expect("res 1 2 more=1\n12").await;
    drop(parts);
    assert_eq!(client.line().await, "res 1 3");
}

struct Receiver(mpsc::UnboundedReceiver<Result<u32, RequestError>>);

impl futures_util::Stream for Receiver {
    type Item = Result<u32, RequestError>;

    fn poll_next(
        mut self: std::pin::Pin<&mut Self>,
        context: &mut std::task::Context<'_>,
    ) -> std::task::Poll<Option<Self::Item>> {
        self.0.poll_recv(context)
    }
}

/// Adds a request that never ends, and returns what is cancelled when it is dropped.
fn endless(server: &TestServer) -> CancellationToken {
    let dropped = CancellationToken::new();
    let guard = dropped.clone();
    server.everwire.on_request("endless", move |_, (): ()| {
        let guard = guard.clone().drop_guard();
        async move {
            std::future::pending::<()>().await;
            drop(guard);
            Ok(())
        }
    });
    dropped
}

#[tokio::test]
async fn a_request_whose_time_runs_out_is_stopped_and_answered() {
    let server = TestServer::start(|builder| builder).await;
    let dropped = endless(&server);
    let (mut client, _) = server.attach().await;
    client.send("req endless 1 timeout=5000").await;
    client.ask("ping 1", "pong 1 ").await;
    pass(Duration::from_secs(6)).await;
    client.expect("nack 1 expired of=req").await;
    dropped.cancelled().await;
}

#[tokio::test]
async fn a_request_that_is_cancelled_is_stopped_and_answered() {
    let server = TestServer::start(|builder| builder).await;
    let dropped = endless(&server);
    let (mut client, _) = server.attach().await;
    client.send("req endless 1").await;
    client.ask("ping 1", "pong 1 ").await;
    client.send("cancel 1").await;
    client.expect("nack 1 cancelled of=req").await;
    dropped.cancelled().await;
}

/// Every client is the user that it names.
struct Users;

impl Authorize for Users {
    async fn authenticate(&self, request: Authentication) -> Result<Identity, Denied> {
        Ok(Identity::user(request.credentials().and_then(|name| name.as_text()).unwrap_or_default()))
    }

    fn allows(&self, _: &Identity, _: Action<'_>) -> bool {
        true
    }
}

/// vercel/ai#6502: a request could not be stopped from another page.
#[tokio::test]
async fn another_session_of_the_same_user_stops_a_request_and_one_of_another_user_does_not() {
    let server = TestServer::start(|builder| builder.authorize(Users)).await;
    let dropped = endless(&server);
    let mut asking = server.connect().await;
    asking.send("hello attempt=0\nada ␞ req endless 1").await;
    let session = Session::of(&asking.line().await);
    for user in ["bob", "ada"] {
        assert_eq!(asking.settled().await, [""; 0]);
        let mut other = server.connect().await;
        other.send(&format!("hello attempt=0\n{user} ␞ cancel 1 of={}", session.id)).await;
        other.expect("welcome ").await;
        other.ask("ping 1", "pong 1 ").await;
    }
    asking.expect("nack 1 cancelled of=req").await;
    dropped.cancelled().await;
}

#[tokio::test]
async fn the_requests_of_a_session_that_ends_are_stopped() {
    let server = TestServer::start(|builder| builder).await;
    let dropped = endless(&server);
    let (mut client, _) = server.attach().await;
    client.send("req endless 1").await;
    client.ask("ping 1", "pong 1 ").await;
    client.send("bye").await;
    assert_eq!(client.client.closed().await.0, 1000);
    dropped.cancelled().await;
}

#[tokio::test]
async fn more_requests_than_credits_end_the_connection() {
    let server = TestServer::start(|builder| builder.channel_limits(|limits| limits.credits = 2)).await;
    let _dropped = endless(&server);
    let (mut client, _) = server.attach().await;
    client.send("req endless 1 ␞ req endless 2 ␞ req endless 3").await;
    assert_eq!(client.closed_after("error credits fatal=1 line=req").await, 4503);
}

//! The calls of a handler.

use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::response::Response;
use everwire_server::{
    Closed, Connection, DropReason, Endpoint, Everwire, Group, Handler, Membership, Message, Upgrade,
};
use everwire_test_client::{Client, TIMEOUT};
use futures_util::SinkExt;
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::support::{BOTH, By, serve};

/// Does what the client asks for, and reports how the connection ended.
struct Obedient {
    connection: Connection,
    ended: mpsc::UnboundedSender<Closed>,
}

impl Handler for Obedient {
    fn on_message(&mut self, message: Message) {
        match message.as_text() {
            Some("close") => self.connection.close(4001, "as you like"),
            Some("break a rule") => self.connection.reject(1008, DropReason::Malformed, "not like that"),
            _ => self.connection.send(message),
        }
    }

    fn on_close(&mut self, closed: &Closed) {
        let _ = self.ended.send(closed.clone());
    }
}

async fn obedient(State(ended): State<mpsc::UnboundedSender<Closed>>, upgrade: Upgrade) -> Response {
    upgrade.accept(move |connection| Obedient { connection: connection.clone(), ended })
}

/// A server whose handlers report here how their connections ended.
async fn obedient_server(by: By, everwire: &Everwire) -> (std::net::SocketAddr, mpsc::UnboundedReceiver<Closed>) {
    let (ended, ends) = mpsc::unbounded_channel();
    let app = Router::new().route("/", Endpoint::new(everwire, "/").route(obedient)).with_state(ended);
    (serve(by, everwire, app).await, ends)
}

async fn next(ends: &mut mpsc::UnboundedReceiver<Closed>) -> Closed {
    timeout(TIMEOUT, ends.recv()).await.expect("an end in time").unwrap()
}

#[tokio::test]
async fn text_and_bytes_come_back_as_they_were_sent() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, _ends) = obedient_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        assert_eq!(client.ask("gr\u{fc}\u{df}e").await, "gr\u{fc}\u{df}e");
        client.socket.send(vec![0, 255].into()).await.unwrap();
        assert_eq!(client.binary().await, [0, 255], "{by:?}");
    }
}

#[tokio::test]
async fn a_handler_closes_with_a_code_and_a_reason_behind_what_it_has_sent() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, mut ends) = obedient_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        client.send("last").await;
        client.send("close").await;
        assert_eq!(client.text().await, "last");
        assert_eq!(client.close_frame().await, (4001, "as you like".to_owned()), "{by:?}");
        let Closed::ByServer { code, reason, counted, .. } = next(&mut ends).await else {
            panic!("closed by the server")
        };
        assert_eq!((code, reason.as_str(), counted), (4001, "as you like", None));
    }
}

#[tokio::test]
async fn a_client_that_breaks_a_rule_is_closed_and_counted() {
    let everwire = Everwire::default();
    let (address, mut ends) = obedient_server(By::Axum, &everwire).await;
    let mut client = Client::connect(address, "/").await;
    client.send("break a rule").await;
    assert_eq!(client.close_frame().await, (1008, "not like that".to_owned()));
    let Closed::ByServer { counted, .. } = next(&mut ends).await else { panic!("closed by the server") };
    assert_eq!(counted, Some(DropReason::Malformed));
    assert_eq!(everwire.endpoint_metrics("/").drops(DropReason::Malformed), 1);
}

#[tokio::test]
async fn a_handler_learns_how_the_client_closed_or_that_it_was_lost() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, mut ends) = obedient_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        let frame = CloseFrame { code: 4002.into(), reason: "enough".into() };
        client.socket.close(Some(frame)).await.unwrap();
        let Closed::ByPeer { code, reason, .. } = next(&mut ends).await else { panic!("closed by the client") };
        assert_eq!((code, reason.as_str()), (Some(4002), "enough"), "{by:?}");

        drop(Client::connect(address, "/").await);
        assert_eq!(next(&mut ends).await, Closed::Lost, "{by:?}");
    }
}

#[tokio::test]
async fn heartbeats_are_answered_unless_an_endpoint_wants_them_itself() {
    let everwire = Everwire::default();
    let (ended, _ends) = mpsc::unbounded_channel();
    let app = Router::new()
        .route("/answered", Endpoint::new(&everwire, "/answered").route(obedient))
        .route("/passed", Endpoint::new(&everwire, "/passed").answer_pings(false).route(obedient))
        .with_state(ended);
    let address = serve(By::Axum, &everwire, app).await;
    let ping = r#"{"ping":7}"#;
    let pong = Client::connect(address, "/answered").await.ask(ping).await;
    assert!(pong.starts_with(r#"{"pong":7,"server_time":"#), "{pong}");
    assert_eq!(Client::connect(address, "/passed").await.ask(ping).await, ping);
}

/// Counts up each time that its timer fires.
struct Ticks {
    connection: Connection,
    next: Option<(u32, Instant)>,
}

impl Handler for Ticks {
    fn on_message(&mut self, _: Message) {
        self.next = Some((1, Instant::now() + Duration::from_millis(1)));
    }

    fn timer(&self) -> Option<Instant> {
        self.next.map(|(_, at)| at)
    }

    fn on_timer(&mut self) {
        let Some((number, at)) = self.next else { return };
        self.connection.send(number.to_string());
        self.next = (number < 3).then(|| (number + 1, at + Duration::from_millis(1)));
    }
}

#[tokio::test]
async fn a_timer_fires_after_a_message_sets_it_and_each_time_it_is_set_again() {
    async fn open(upgrade: Upgrade) -> Response {
        upgrade.accept(|connection| Ticks { connection: connection.clone(), next: None })
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let app = Router::new().route("/", Endpoint::new(&everwire, "/").route(open));
        let mut client = Client::connect(serve(by, &everwire, app).await, "/").await;
        assert_eq!(client.ask("go").await, "1");
        assert_eq!((client.text().await, client.text().await), ("2".to_owned(), "3".to_owned()), "{by:?}");
    }
}

/// Reports to the others that one has left.
struct Guest(Membership<u32>);

impl Handler for Guest {
    fn on_message(&mut self, _: Message) {}

    fn on_close(&mut self, _: &Closed) {
        let number = self.0.number();
        self.0.group().publish(format!("{number} left"));
    }
}

#[tokio::test]
async fn a_task_outside_of_handlers_publishes_to_a_group_and_members_leave_when_they_are_closed() {
    async fn open(State(group): State<Group<u32>>, upgrade: Upgrade) -> Response {
        upgrade.accept(move |connection| {
            Guest(group.join(connection, |state, number| [format!("{number} {state}").into()]))
        })
    }

    for by in BOTH {
        let everwire = Everwire::default();
        let group = Group::new(5);
        let app = Router::new().route("/", Endpoint::new(&everwire, "/").route(open)).with_state(group.clone());
        let address = serve(by, &everwire, app).await;
        let mut one = Client::connect(address, "/").await;
        assert_eq!(one.text().await, "1 5");
        let mut two = Client::connect(address, "/").await;
        assert_eq!(two.text().await, "2 5");
        tokio::spawn(async move { group.update(|state, members| Some(format!("{state} to {members}").into())) });
        assert_eq!((one.text().await, two.text().await), ("5 to 2".to_owned(), "5 to 2".to_owned()));
        drop(two);
        assert_eq!(one.text().await, "2 left", "{by:?}");
    }
}

#[tokio::test]
async fn messages_are_written_directly_to_plain_tcp_of_either_server() {
    for by in BOTH {
        let everwire = Everwire::default();
        let (address, _ends) = obedient_server(by, &everwire).await;
        let mut client = Client::connect(address, "/").await;
        client.ask("hi").await;
        let metrics = everwire.endpoint_metrics("/");
        assert_eq!((metrics.connections_total(), metrics.indirect_connections_total()), (1, 0), "{by:?}");
    }
}

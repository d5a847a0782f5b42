//! Hard cases of connections that change: takeovers, drains, and requests that outlive a connection. Each test is named after what must not
//! happen. If another project has met the case, the test cites the issue.

use everwire_core::{
    Time,
    protocol::{ClientLine, ErrorCode, Start},
    session::{Attachment, PublishOutcome, RequestId},
};

use crate::simulation::{Event, Presence, Simulation};

const CHAT: &str = "chat";
/// The period of a drain.
const PERIOD: Time = Time::from_secs(10);

/// Clients that are subscribed to a channel.
fn subscribed(clients: usize) -> Simulation {
    let mut sim = Simulation::new(clients);
    for client in 0..clients {
        sim.subscribe(client, CHAT, Start::Live);
        sim.connect(client);
    }
    sim
}

// Takeovers.

/// The client connects again before the server knows that the earlier connection is gone. Returns that one.
fn take_over(sim: &mut Simulation) -> u64 {
    let old = sim.connection(0);
    sim.apply(Event::ClientLoses(0));
    sim.apply(Event::Dial(0));
    let new = sim.connection(0);
    sim.apply(Event::ToServer(new));
    sim.deliver_all(0);
    old
}

/// Whether the only session is there and has a connection.
fn attached(sim: &Simulation) -> bool {
    let mut sessions = sim.server.sessions.values();
    sessions.next().is_some_and(|session| session.machine.is_current(session.machine.generation()))
}

/// socketio/socket.io#4880: the timeout of the earlier connection ended the session that had been resumed.
#[test]
fn a_connection_that_dies_after_the_takeover_does_not_take_the_session_with_it() {
    let mut sim = subscribed(1);
    let old = take_over(&mut sim);
    sim.pass(Time::from_secs(60));
    sim.apply(Event::ServerLoses(old));
    sim.pass(Time::from_secs(600));
    assert!(attached(&sim));
    sim.server_publishes(CHAT, 1);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), ["p1"]);
    assert_eq!(sim.clients[0].attachments, [Attachment::New, Attachment::Resumed]);
    sim.check_quiescent();
}

/// eclipse-mosquitto/mosquitto#1650: a takeover lost messages.
#[test]
fn a_publish_that_arrives_on_the_old_connection_after_the_takeover_is_not_stored_twice() {
    let mut sim = subscribed(1);
    sim.publish(0, CHAT);
    let old = take_over(&mut sim);
    assert!(!sim.connections[&old].up.is_empty());
    sim.apply(Event::ToServer(old));
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), ["c0.1"]);
    sim.check_quiescent();
}

#[test]
fn a_bye_on_the_old_connection_does_not_end_the_session() {
    let mut sim = subscribed(1);
    sim.send(0, &ClientLine::Bye);
    let old = take_over(&mut sim);
    sim.apply(Event::ToServer(old));
    sim.run();
    assert!(attached(&sim));
    sim.check_quiescent();
}

/// A publish that the broker has not decided when the client comes back: the answer must not be given on the old connection only.
#[test]
fn a_takeover_while_the_broker_stores_does_not_lose_the_answer() {
    let mut sim = subscribed(1);
    sim.publish(0, CHAT);
    let old = sim.connection(0);
    sim.apply(Event::ToServer(old));
    take_over(&mut sim);
    assert!(!sim.clients[0].machine.is_attached(), "the welcome waits for the broker");
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), ["c0.1"]);
    sim.check_quiescent();
}

/// Nothing would be attached then: the client has given that connection up, and takes the end of the present one as final.
#[test]
fn a_hello_that_arrives_late_does_not_take_the_session_from_the_present_connection() {
    let mut sim = subscribed(1);
    sim.disconnect(0);
    sim.apply(Event::Dial(0));
    let late = take_over(&mut sim);
    sim.apply(Event::ToServer(late));
    sim.run();
    assert_eq!(sim.clients[0].over, None);
    sim.server_publishes(CHAT, 1);
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT), ["p1"]);
    sim.check_quiescent();
}

/// socketio/socket.io-redis-streams-adapter#26: a client that was back too soon could not resume.
#[test]
fn a_client_that_is_back_at_once_is_not_refused() {
    let mut sim = subscribed(1);
    for _ in 0..10 {
        take_over(&mut sim);
        sim.server_publishes(CHAT, 1);
        sim.pass(Time::from_millis(1));
    }
    sim.run();
    assert_eq!(sim.clients[0].messages(CHAT).len(), 10);
    assert_eq!(sim.clients[0].attachments[1..], [Attachment::Resumed; 10]);
    sim.check_quiescent();
}

/// phoenixframework/phoenix#2306, #2255.
#[test]
fn a_hundred_reconnects_are_neither_joins_nor_leaves() {
    let mut sim = subscribed(1);
    for round in 0..100 {
        if round % 3 == 0 {
            sim.reconnect(0);
        } else {
            take_over(&mut sim);
        }
    }
    sim.run();
    assert_eq!(sim.server.presence, [Presence::Joined("s1".to_owned())]);
}

/// phoenixframework/phoenix#2306: members that were gone stayed for ever.
#[test]
fn a_client_that_does_not_come_back_does_not_stay_present() {
    let mut sim = subscribed(1);
    sim.disconnect(0);
    sim.pass(Time::from_secs(119));
    assert_eq!(sim.server.presence.len(), 1);
    sim.pass(Time::from_secs(1));
    assert_eq!(sim.server.presence[1..], [Presence::Left("s1".to_owned())]);
}

#[test]
fn a_client_that_said_goodbye_does_not_stay_present() {
    let mut sim = subscribed(1);
    sim.end(0);
    sim.run();
    assert_eq!(sim.server.presence[1..], [Presence::Left("s1".to_owned())]);
    assert!(sim.server.sessions.is_empty());
}

#[test]
fn a_restart_of_the_server_is_neither_a_join_nor_a_leave() {
    let mut sim = subscribed(1);
    for _ in 0..10 {
        sim.apply(Event::Restart);
        sim.connect(0);
    }
    assert_eq!(sim.server.presence, [Presence::Joined("s1".to_owned())]);
    sim.check_quiescent();
}

// Drains.

/// Has the server ask its clients to leave.
fn drain(sim: &mut Simulation) {
    sim.apply(Event::Drain(PERIOD));
    sim.run();
}

fn connected(sim: &Simulation) -> usize {
    sim.clients.iter().filter(|client| client.connection.is_some()).count()
}

/// centrifugal/centrifugo closes all connections at once when it shuts down: what is spread by the clients alone is a storm.
#[test]
fn clients_of_a_server_that_drains_do_not_leave_at_the_same_moment() {
    let mut sim = subscribed(40);
    drain(&mut sim);
    let mut left_in = [0; 10];
    for second in &mut left_in {
        let before = connected(&sim);
        sim.pass(Time::from_secs(1));
        *second = before - connected(&sim);
    }
    assert_eq!(connected(&sim), 0, "all have left when the server ends");
    assert!(left_in.iter().all(|left| *left <= 12), "{left_in:?}");
}

#[test]
fn a_client_that_leaves_a_server_that_drains_neither_loses_nor_repeats_anything() {
    let mut sim = subscribed(2);
    let request = sim.request(0);
    sim.run_without_handlers();
    sim.apply(Event::Drain(PERIOD));
    sim.run_without_handlers();
    // It goes on until it leaves.
    let before = sim.publish(0, CHAT);
    sim.run_without_handlers();
    sim.pass(PERIOD);
    assert_eq!(connected(&sim), 0);
    let between = sim.publish(0, CHAT);
    sim.server_publishes(CHAT, 2);
    // The next server has the store of this one.
    sim.apply(Event::Restart);
    (0..2).for_each(|client| sim.connect(client));
    for publish in [before, between] {
        assert!(matches!(sim.clients[0].publishes[&publish].outcome, Some(PublishOutcome::Stored(_))));
    }
    for client in &sim.clients {
        assert_eq!(client.messages(CHAT), ["c0.2", "p1", "p2", "c0.3"]);
        assert_eq!((client.gaps(CHAT), &client.attachments[..]), (vec![], &[Attachment::New, Attachment::Resumed][..]));
    }
    assert!(sim.clients[0].requests[&request].outcome.is_some());
    sim.check_quiescent();
}

/// phoenixframework/phoenix#2306: each deploy left members behind that were gone, or dropped those that were not.
#[test]
fn a_client_that_leaves_a_server_that_drains_is_neither_a_leave_nor_a_join() {
    let mut sim = subscribed(2);
    drain(&mut sim);
    let joined: Vec<Presence> = sim.server.presence.clone();
    sim.pass(PERIOD);
    sim.run();
    assert_eq!(connected(&sim), 0);
    (0..2).for_each(|client| sim.connect(client));
    assert_eq!(sim.server.presence, joined);
    sim.check_quiescent();
}

/// The request to leave ends with the connection on which it came.
#[test]
fn a_client_that_has_left_does_not_leave_the_next_server_as_well() {
    let mut sim = subscribed(1);
    drain(&mut sim);
    sim.pass(PERIOD);
    sim.apply(Event::Restart);
    sim.connect(0);
    sim.pass(Time::from_secs(600));
    assert!(sim.clients[0].machine.is_attached());
    assert_eq!(sim.clients[0].attachments, [Attachment::New, Attachment::Resumed]);
}

// Requests.

/// A client whose request runs.
fn requesting() -> (Simulation, RequestId) {
    let mut sim = Simulation::new(2);
    sim.connect(0);
    let request = sim.request(0);
    let id = sim.connection(0);
    sim.apply(Event::ToServer(id));
    assert_eq!(running(&sim), 1);
    (sim, request)
}

/// Connects the client, while the handler is busy.
fn connect(sim: &mut Simulation) {
    sim.apply(Event::Dial(0));
    sim.run_without_handlers();
}

fn running(sim: &Simulation) -> usize {
    sim.server.sessions.values().map(|session| session.running.len()).sum()
}

fn answer(sim: &mut Simulation, more: bool) {
    sim.apply(Event::Respond("s1".to_owned(), 1, more));
}

fn outcome(sim: &Simulation, client: usize, id: RequestId) -> Option<Result<(), ErrorCode>> {
    sim.clients[client].requests[&id].outcome
}

/// vercel/ai#6502: a lost connection was taken for the wish to stop.
#[test]
fn a_lost_connection_does_not_stop_a_request() {
    let (mut sim, request) = requesting();
    sim.disconnect(0);
    sim.pass(Time::from_secs(60));
    assert_eq!(running(&sim), 1);
    answer(&mut sim, false);
    sim.connect(0);
    assert_eq!(outcome(&sim, 0, request), Some(Ok(())));
    sim.check_quiescent();
}

/// vercel/ai#7665: a stream that was resumed could not be stopped.
#[test]
fn a_request_is_not_unstoppable_after_a_reconnect() {
    let (mut sim, request) = requesting();
    answer(&mut sim, true);
    sim.disconnect(0);
    connect(&mut sim);
    sim.cancel(0, request);
    sim.run();
    assert_eq!(running(&sim), 0);
    assert_eq!(outcome(&sim, 0, request), Some(Err(ErrorCode::Cancelled)));
    sim.check_quiescent();
}

#[test]
fn a_request_that_was_cancelled_while_the_connection_was_lost_does_not_go_on() {
    let (mut sim, request) = requesting();
    sim.disconnect(0);
    sim.cancel(0, request);
    connect(&mut sim);
    assert_eq!(running(&sim), 0);
    sim.run();
    sim.check_quiescent();
}

/// vercel/ai#7665: a page that was loaded again could not stop what the one before had begun.
#[test]
fn another_page_of_the_same_user_is_not_kept_from_stopping_a_request() {
    let (mut sim, request) = requesting();
    sim.users[1] = 0;
    sim.apply(Event::Dial(1));
    sim.run_without_handlers();
    sim.send(1, &ClientLine::Cancel { seq: 1, of: Some("s1") });
    sim.run_without_handlers();
    assert_eq!(running(&sim), 0);
    assert_eq!(outcome(&sim, 0, request), Some(Err(ErrorCode::Cancelled)));
}

#[test]
fn another_user_cannot_stop_a_request() {
    let (mut sim, request) = requesting();
    sim.apply(Event::Dial(1));
    sim.run_without_handlers();
    sim.send(1, &ClientLine::Cancel { seq: 1, of: Some("s1") });
    sim.run_without_handlers();
    assert_eq!(running(&sim), 1);
    assert_eq!(outcome(&sim, 0, request), None);
}

#[test]
fn the_parts_of_an_answer_are_neither_lost_nor_repeated_over_reconnects() {
    let (mut sim, request) = requesting();
    for round in 0..20 {
        answer(&mut sim, true);
        if round % 2 == 0 {
            sim.deliver_all(0);
        }
        if round % 3 == 0 {
            sim.disconnect(0);
            answer(&mut sim, true);
            connect(&mut sim);
        }
    }
    answer(&mut sim, false);
    sim.run();
    let parts: Vec<String> = (0..28).map(|part| format!("r0.1/{part}")).collect();
    assert_eq!(sim.clients[0].requests[&request].parts, parts);
    sim.check_quiescent();
}

#[test]
fn a_request_that_a_restart_has_stopped_does_not_run_again() {
    let (mut sim, request) = requesting();
    for _ in 0..3 {
        sim.apply(Event::Restart);
        sim.apply(Event::Dial(0));
        let id = sim.connection(0);
        // The welcome that says so is lost once more.
        sim.apply(Event::ToServer(id));
    }
    sim.run();
    assert_eq!(outcome(&sim, 0, request), Some(Err(ErrorCode::Unknown)));
    assert_eq!(sim.server.runs.len(), 1);
    sim.check_quiescent();
}

use everwire_core::{
    Time,
    protocol::{ClientLine, ErrorCode},
    session::RequestId,
};

use crate::world::{Event, World};

/// A client whose request runs.
fn asking() -> (World, RequestId) {
    let mut world = World::new(2);
    world.connect(0);
    let request = world.request(0);
    let id = world.connection(0);
    world.apply(Event::ToServer(id));
    assert_eq!(running(&world), 1);
    (world, request)
}

/// Connects the client, while the handler is busy.
fn connect(world: &mut World) {
    world.apply(Event::Dial(0));
    world.run_without_handlers();
}

fn running(world: &World) -> usize {
    world.server.sessions.values().map(|session| session.running.len()).sum()
}

fn answer(world: &mut World, more: bool) {
    world.apply(Event::Respond("s1".to_owned(), 1, more));
}

fn outcome(world: &World, client: usize, id: RequestId) -> Option<Result<(), ErrorCode>> {
    world.clients[client].requests[&id].outcome
}

/// vercel/ai#6502: a lost connection was taken for the wish to stop.
#[test]
fn a_lost_connection_does_not_stop_a_request() {
    let (mut world, request) = asking();
    world.disconnect(0);
    world.pass(Time::from_secs(60));
    assert_eq!(running(&world), 1);
    answer(&mut world, false);
    world.connect(0);
    assert_eq!(outcome(&world, 0, request), Some(Ok(())));
    world.check_at_rest();
}

/// vercel/ai#7665: a stream that was resumed could not be stopped.
#[test]
fn a_request_is_not_unstoppable_after_a_reconnect() {
    let (mut world, request) = asking();
    answer(&mut world, true);
    world.disconnect(0);
    connect(&mut world);
    world.cancel(0, request);
    world.run();
    assert_eq!(running(&world), 0);
    assert_eq!(outcome(&world, 0, request), Some(Err(ErrorCode::Cancelled)));
    world.check_at_rest();
}

#[test]
fn a_request_that_was_cancelled_while_the_connection_was_lost_does_not_go_on() {
    let (mut world, request) = asking();
    world.disconnect(0);
    world.cancel(0, request);
    connect(&mut world);
    assert_eq!(running(&world), 0);
    world.run();
    world.check_at_rest();
}

/// vercel/ai#7665: a page that was loaded again could not stop what the one before had begun.
#[test]
fn another_page_of_the_same_user_is_not_kept_from_stopping_a_request() {
    let (mut world, request) = asking();
    world.users[1] = 0;
    world.apply(Event::Dial(1));
    world.run_without_handlers();
    world.send(1, &ClientLine::Cancel { seq: 1, of: Some("s1") });
    world.run_without_handlers();
    assert_eq!(running(&world), 0);
    assert_eq!(outcome(&world, 0, request), Some(Err(ErrorCode::Cancelled)));
}

#[test]
fn another_user_cannot_stop_a_request() {
    let (mut world, request) = asking();
    world.apply(Event::Dial(1));
    world.run_without_handlers();
    world.send(1, &ClientLine::Cancel { seq: 1, of: Some("s1") });
    world.run_without_handlers();
    assert_eq!(running(&world), 1);
    assert_eq!(outcome(&world, 0, request), None);
}

#[test]
fn the_parts_of_an_answer_are_neither_lost_nor_repeated_over_reconnects() {
    let (mut world, request) = asking();
    for round in 0..20 {
        answer(&mut world, true);
        if round % 2 == 0 {
            world.take_all(0);
        }
        if round % 3 == 0 {
            world.disconnect(0);
            answer(&mut world, true);
            connect(&mut world);
        }
    }
    answer(&mut world, false);
    world.run();
    let parts: Vec<String> = (0..28).map(|part| format!("r0.1/{part}")).collect();
    assert_eq!(world.clients[0].requests[&request].parts, parts);
    world.check_at_rest();
}

#[test]
fn a_request_that_a_restart_has_stopped_does_not_run_again() {
    let (mut world, request) = asking();
    for _ in 0..3 {
        world.apply(Event::Restart);
        world.apply(Event::Dial(0));
        let id = world.connection(0);
        // The welcome that says so is lost once more.
        world.apply(Event::ToServer(id));
    }
    world.run();
    assert_eq!(outcome(&world, 0, request), Some(Err(ErrorCode::Unknown)));
    assert_eq!(world.server.runs.len(), 1);
    world.check_at_rest();
}

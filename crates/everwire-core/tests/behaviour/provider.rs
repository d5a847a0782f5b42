//! The provider of the address and the credentials, called for each attempt.

use everwire_core::{Config, DropCause, Input, Phase};

use crate::world::{Accepts, OPEN, Provider, World, s};

/// pladaria/reconnecting-websocket#134: a rejection left a lock set and the client stuck for ever.
#[test]
fn a_provider_that_fails_is_a_failed_attempt_and_not_the_end() {
    let mut world = World::new(Config::default(), 1);
    world.provider = Provider::Fails;
    world.input(OPEN);
    world.run_for(s(120));
    assert!((4..=25).contains(&world.dials.len()), "{}", world.dials.len());
    assert!(world.drops().iter().all(|cause| **cause == DropCause::ProviderFailed));
    world.provider = Provider::Answers;
    world.run_until_open();
}

#[test]
fn a_provider_that_hangs_is_cut_by_the_connect_timeout() {
    let mut world = World::new(Config::default(), 2);
    world.provider = Provider::Hangs;
    world.input(OPEN);
    let took = world.run_until_phase("given up", |phase| matches!(phase, Phase::Waiting { .. }));
    assert_eq!(took, Config::default().connect_timeout);
    assert_eq!(world.drops(), [&DropCause::ConnectTimeout]);
    world.provider = Provider::Answers;
    world.run_until_open();
}

#[test]
fn a_handshake_that_hangs_is_cut_by_the_connect_timeout() {
    let mut world = World::new(Config::default(), 3);
    world.server.accepts = Accepts::Hangs;
    world.input(OPEN);
    world.run_for(s(16));
    assert_eq!(world.drops(), [&DropCause::ConnectTimeout]);
    world.server.accepts = Accepts::Always;
    world.run_until_open();
}

#[test]
fn the_connect_timeout_is_not_shorter_than_what_firefox_needs() {
    assert!(Config::default().connect_timeout >= s(10));
}

#[test]
fn an_answer_after_the_timeout_opens_nothing() {
    let mut world = World::new(Config::default(), 4);
    world.server.accepts = Accepts::Hangs;
    world.input(OPEN);
    let late = world.socket();
    world.run_until_phase("given up", |phase| matches!(phase, Phase::Waiting { .. }));
    world.input(Input::Opened { socket: late });
    assert_eq!((world.opens(), world.client.phase().is_open()), (0, false));
}

//! Which endings are worth another attempt.

use everwire_core::{Cause, ClosePolicy, Config, Ended, Event, Input, State, Verdict};

use crate::world::{Greets, World, ms, s};

fn after_close(config: Config, code: u16) -> World {
    let mut world = World::new(config, 1);
    world.server.greets = Greets::Closes(code, s(10));
    world.input(Input::Open);
    world.run_for(s(11));
    world.server.greets = Greets::Accepts;
    world.run_for(s(60));
    world
}

#[test]
fn a_server_that_is_done_or_would_refuse_again_is_left_alone() {
    for code in [1000, 1008, 3000, 4401] {
        let world = after_close(Config::default(), code);
        assert_eq!((world.client.state(), world.dials.len()), (State::Closed, 1), "{code}");
        let Event::Closed { ended: Ended::Final(Cause::Closed { code: told, .. }), .. } = world.last_event() else {
            panic!("{:?}", world.last_event());
        };
        assert_eq!(*told, code);
    }
}

#[test]
fn a_restart_an_overload_and_a_lost_connection_are_tried_again() {
    for code in [1001, 1006, 1011, 1012, 1013, 4429] {
        let world = after_close(Config::default(), code);
        assert!(world.client.state().is_open(), "{code}");
    }
}

#[test]
fn an_application_can_replace_the_policy_for_one_code_and_keep_the_rest() {
    let policy = ClosePolicy::new(|cause| match cause {
        Cause::Closed { code: 4401, .. } => Verdict::Retry,
        Cause::Closed { code: 1012, .. } => Verdict::Stop,
        other => ClosePolicy::default().judge(other),
    });
    for (code, is_open) in [(4401, true), (1012, false), (1008, false), (1011, true)] {
        let world = after_close(Config { close_policy: policy.clone(), ..Config::default() }, code);
        assert_eq!(world.client.state().is_open(), is_open, "{code}");
    }
}

#[test]
fn an_address_that_the_platform_refuses_is_not_tried_again() {
    let mut world = World::new(Config::default(), 2);
    world.server.greets = Greets::Hangs;
    world.input(Input::Open);
    let socket = world.socket();
    world.refuse_socket(Cause::Refused("not a URL".to_owned()));
    assert!(world.client.state().socket() != Some(socket));
    assert_eq!(
        world.last_event(),
        &Event::Closed { ended: Ended::Final(Cause::Refused("not a URL".to_owned())), at_risk: Default::default() }
    );
}

#[test]
fn a_policy_that_always_wants_a_retry_soon_does_not_hammer() {
    let close_policy = ClosePolicy::new(|_| Verdict::RetrySoon);
    let mut world = World::new(Config { close_policy, ..Config::default() }, 3);
    world.server.greets = Greets::Closes(1008, ms(10));
    world.input(Input::Open);
    world.run_for(s(600));
    assert!(world.dials.len() <= 60, "{}", world.dials.len());
}

#[test]
fn a_policy_is_not_asked_about_what_the_application_or_the_page_did() {
    let close_policy = ClosePolicy::new(|_| Verdict::Stop);
    let mut world = World::open(Config { close_policy, ..Config::default() }, 4);
    world.input(Input::Reconnect);
    world.run_until_open();
    world.page(everwire_core::Page::Suspended);
    world.page(everwire_core::Page::Restored);
    world.run_until_open();
}

//! Which endings are worth another attempt.

use everwire_core::{
    Action, CloseOutcome, Config, Connection, Decision, DropCause, Input, Page, Phase, ReconnectRules,
};

use crate::world::{Accepts, OPEN, World, ms, s};

/// The application's own policy.
fn asking() -> Config {
    Config { reconnect: ReconnectRules { asks_application: true, ..Default::default() }, ..Config::default() }
}

fn after_close(mut world: World, code: u16) -> World {
    world.server.accepts = Accepts::ThenCloses(code, s(10));
    world.input(OPEN);
    world.run_for(s(11));
    world.server.accepts = Accepts::Always;
    world.run_for(s(60));
    world
}

#[test]
fn a_server_that_is_done_or_would_refuse_again_is_not_dialled_again() {
    for code in [1000, 1008, 3000, 4401] {
        let world = after_close(World::new(Config::default(), 1), code);
        assert_eq!((world.client.phase(), world.dials.len()), (Phase::Closed, 1), "{code}");
        let Action::Closed { outcome: CloseOutcome::Final(DropCause::Closed { code: reported, .. }), .. } =
            world.last_report()
        else {
            panic!("{:?}", world.last_report());
        };
        assert_eq!(*reported, code);
    }
}

#[test]
fn a_restart_an_overload_and_a_lost_connection_are_retried() {
    for code in [1001, 1006, 1011, 1012, 1013, 4429] {
        let world = after_close(World::new(Config::default(), 1), code);
        assert!(world.client.phase().is_open(), "{code}");
    }
}

#[test]
fn an_application_can_replace_the_policy_for_one_code_and_keep_the_rest() {
    for (code, is_open) in [(4401, true), (1012, false), (1008, false), (1011, true)] {
        let mut world = World::new(asking(), 1);
        world.policy = |cause| match cause {
            DropCause::Closed { code: 4401, .. } => Some(Decision::Retry),
            DropCause::Closed { code: 1012, .. } => Some(Decision::Stop),
            _ => None,
        };
        let world = after_close(world, code);
        assert_eq!(world.client.phase().is_open(), is_open, "{code}");
    }
}

#[test]
fn an_address_that_the_platform_refuses_is_not_retried() {
    let mut world = World::new(Config::default(), 2);
    world.server.accepts = Accepts::Hangs;
    world.input(OPEN);
    let socket = world.socket();
    world.refuse_socket(DropCause::AddressRefused);
    assert!(world.client.phase().socket() != Some(socket));
    let outcome = CloseOutcome::Final(DropCause::AddressRefused);
    assert_eq!(world.last_report(), &Action::Closed { outcome, at_risk: Default::default() });
}

#[test]
fn a_policy_that_always_wants_a_retry_soon_does_not_hammer() {
    let mut world = World::new(asking(), 3);
    world.policy = |_| Some(Decision::RetrySoon);
    world.server.accepts = Accepts::ThenCloses(1008, ms(10));
    world.input(OPEN);
    world.run_for(s(600));
    assert!(world.dials.len() <= 60, "{}", world.dials.len());
}

#[test]
fn a_policy_is_not_asked_about_a_reconnect_by_the_application() {
    let mut world = World::open(asking(), 4);
    world.policy = |_| Some(Decision::Stop);
    world.input(Input::Reconnect);
    world.run_until_open();
}

#[test]
fn a_policy_may_stop_at_the_back_forward_cache() {
    for (decision, is_open) in [(None, true), (Some(Decision::Stop), false)] {
        let mut world = World::open(asking(), 5);
        world.policy = if decision.is_some() { |_| Some(Decision::Stop) } else { |_| None };
        world.page(Page::Suspended);
        world.page(Page::Restored);
        world.run_for(s(10));
        assert_eq!(world.client.phase().is_open(), is_open);
    }
}

#[test]
fn the_plan_that_a_policy_is_shown_is_the_one_that_is_followed_if_it_agrees() {
    let mut client = Connection::new(asking(), 6);
    client.handle(s(1), OPEN);
    let Some(Action::Dial { socket, .. }) = client.poll_action() else { panic!("it dials") };
    client.handle(s(2), Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered: 0 });
    let Some(Action::Decide { retry: planned, default, .. }) = client.poll_action() else { panic!("it asks") };
    client.handle(s(2), Input::Decided(default));
    let Some(Action::Dropped { retry, .. }) = client.poll_action() else { panic!("it follows the plan") };
    assert_eq!(retry, planned);
}

#[test]
fn an_input_before_the_decision_means_the_default() {
    for (input, expected) in [(Input::Close, Phase::Closed), (Input::Flush, Phase::Waiting { until: None })] {
        let mut client = Connection::new(asking(), 7);
        client.handle(s(1), OPEN);
        let socket = client.phase().socket().expect("it dials");
        client.handle(s(2), Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered: 0 });
        client.handle(s(2), input);
        client.handle(s(2), Input::Decided(Decision::Stop));
        let is_waiting = matches!(client.phase(), Phase::Waiting { until: Some(_) });
        assert!(client.phase() == expected || is_waiting, "{input:?}: {:?}", client.phase());
        let reports =
            core::iter::from_fn(|| client.poll_action()).filter(|action| matches!(action, Action::Dropped { .. }));
        assert_eq!(reports.count(), 1, "{input:?}");
    }
}

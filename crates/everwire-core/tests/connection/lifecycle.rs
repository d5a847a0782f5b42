//! The ends of a connection: a close by the application, the back/forward cache, the reconnect policy; and the statistics that outlive a socket.

use everwire_core::{
    Action, CloseOutcome, ClosingHandshake, Config, Connection, Decision, DiscardReason, DropCause, Input, Network,
    Page, Phase, ReconnectRules,
};

use crate::simulation::{OPEN, OnDial, Simulation, ms, s};

// Closing.

#[test]
fn closing_an_open_connection_sends_what_waits_and_completes_the_handshake() {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.link.buffered = Some(5 << 20);
    sim.send_accepted(&"x".repeat(2 << 20));
    sim.send_accepted("waits");
    assert_eq!(sim.client.outbox().len(), 1);
    sim.close();
    sim.link.buffered = None;
    sim.run_for(s(1));
    assert_eq!(sim.server.received.last().unwrap().1, "waits");
    let outcome = CloseOutcome::ByApplication(ClosingHandshake::Ended { code: 1000, was_clean: true });
    assert_eq!(sim.last_report(), &Action::Closed { outcome, at_risk: Default::default() });
}

#[test]
fn a_closing_handshake_takes_no_longer_than_the_close_timeout() {
    let mut sim = Simulation::open(Config::default(), 2);
    sim.server.completes_closing = false;
    sim.close();
    let took = sim.run_until_phase("closed", |phase| phase == Phase::Closed);
    assert_eq!(took, Config::default().close_timeout);
}

#[test]
fn messages_that_arrive_while_closing_are_delivered() {
    let mut sim = Simulation::open(Config::default(), 3);
    sim.server.completes_closing = false;
    sim.close();
    let socket = sim.socket();
    sim.receive(socket, "last words");
    assert_eq!(sim.delivered, ["last words"]);
}

#[test]
fn closing_before_the_connection_is_open_ends_it_at_once_and_discards_what_waited() {
    let idle = Simulation::new(Config::default(), 4);
    let mut connecting = Simulation::new(Config::default(), 5);
    connecting.input(OPEN);
    let mut waiting = Simulation::open(Config::default(), 6);
    waiting.drop_socket();
    let mut cached = Simulation::open(Config::default(), 7);
    cached.page(Page::Suspended);
    for mut sim in [idle, connecting, waiting, cached] {
        let id = sim.send_accepted("unsent");
        let dials = sim.dials.len();
        sim.close();
        assert_eq!(sim.client.phase(), Phase::Closed);
        let discarded = Action::Discarded { id, reason: DiscardReason::Closed };
        assert_eq!(sim.log[sim.log.len() - 2].1, discarded);
        let outcome = CloseOutcome::ByApplication(ClosingHandshake::NotOpen);
        assert!(matches!(sim.last_report(), Action::Closed { outcome: ended, .. } if *ended == outcome));
        sim.run_for(s(3_600));
        assert_eq!(sim.dials.len(), dials);
    }
}

#[test]
fn closing_twice_is_closing_once() {
    let mut sim = Simulation::open(Config::default(), 8);
    sim.close();
    sim.close();
    sim.run_for(s(10));
    sim.close();
    let ends = sim.log.iter().filter(|(_, action)| matches!(action, Action::Closed { .. })).count();
    assert_eq!(ends, 1);
}

#[test]
fn open_opens_what_is_idle_and_nothing_else() {
    let mut sim = Simulation::open(Config::default(), 9);
    sim.input(OPEN);
    sim.drop_socket();
    sim.input(OPEN);
    assert_eq!(sim.dials.len(), 1);
    sim.close();
    sim.input(OPEN);
    sim.run_for(s(60));
    assert_eq!(sim.dials.len(), 1);
}

#[test]
fn a_server_that_closes_first_while_we_close_ends_it_too() {
    let mut sim = Simulation::new(Config::default(), 10);
    sim.server.on_dial = OnDial::AcceptThenClose(1001, s(5));
    sim.input(OPEN);
    sim.run_for(s(5));
    assert!(sim.client.phase().is_open());
    sim.close();
    sim.run_for(s(1));
    assert!(matches!(
        sim.last_report(),
        Action::Closed {
            outcome: CloseOutcome::ByApplication(ClosingHandshake::Ended { code: 1000 | 1001, was_clean: true }),
            ..
        }
    ));
    assert_eq!(sim.client.phase(), Phase::Closed);
}

// The back/forward cache, where a socket must not be.

#[test]
fn a_page_that_goes_into_the_cache_leaves_its_socket_and_returns_at_once() {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.run_for(s(30));
    sim.page(Page::Suspended);
    assert_eq!(sim.client.phase(), Phase::Waiting { until: None });
    assert!(
        matches!(sim.last_report(), Action::Dropped { cause: DropCause::Suspended, retry, .. } if retry.at.is_none())
    );
    sim.run_for(s(3_600));
    assert_eq!(sim.dials.len(), 1);
    sim.page(Page::Restored);
    assert_eq!(sim.run_until_open(), ms(80));
}

#[test]
fn a_page_that_only_becomes_visible_returns_too() {
    for page in [Page::Visible, Page::Resumed] {
        let mut sim = Simulation::open(Config::default(), 2);
        sim.run_for(s(1));
        sim.page(Page::Suspended);
        sim.run_for(s(10));
        sim.page(page);
        sim.run_until_open();
    }
}

#[test]
fn every_phase_may_go_into_the_cache() {
    let mut idle = Simulation::new(Config::default(), 3);
    idle.page(Page::Suspended);
    idle.page(Page::Restored);
    assert_eq!(idle.client.phase(), Phase::Idle);

    let mut connecting = Simulation::new(Config::default(), 4);
    connecting.server.on_dial = OnDial::Hang;
    connecting.input(OPEN);
    connecting.run_for(s(1));
    connecting.page(Page::Suspended);
    connecting.page(Page::Suspended);
    assert_eq!(connecting.drop_causes(), [&DropCause::Suspended]);
    connecting.server.on_dial = OnDial::Accept;
    connecting.page(Page::Restored);
    connecting.run_until_open();

    let mut waiting = Simulation::open(Config::default(), 5);
    waiting.drop_socket();
    waiting.page(Page::Suspended);
    waiting.run_for(s(600));
    assert_eq!(waiting.dials.len(), 1);
    waiting.page(Page::Restored);
    waiting.run_until_open();
}

#[test]
fn a_socket_that_is_closing_does_not_go_into_the_cache_either() {
    let mut sim = Simulation::open(Config::default(), 6);
    sim.close();
    sim.page(Page::Suspended);
    assert_eq!(sim.client.phase(), Phase::Closed);
    assert!(matches!(
        sim.last_report(),
        Action::Closed { outcome: CloseOutcome::ByApplication(ClosingHandshake::Suspended), .. }
    ));
}

/// phoenixframework/phoenix#6578: a page that came back reconnected what the application had closed.
#[test]
fn what_the_application_closed_stays_closed_when_the_page_returns() {
    let mut sim = Simulation::open(Config::default(), 7);
    sim.close();
    sim.run_for(s(1));
    for page in [Page::Suspended, Page::Restored, Page::Hidden, Page::Visible, Page::Frozen, Page::Resumed] {
        sim.page(page);
        sim.run_for(s(60));
    }
    assert_eq!((sim.client.phase(), sim.dials.len()), (Phase::Closed, 1));
}

#[test]
fn what_was_sent_before_and_in_the_cache_waits_or_is_reported() {
    let mut sim = Simulation::open(Config::default(), 8);
    sim.link.buffered = Some(5);
    let at_risk = sim.send_accepted("12345");
    sim.page(Page::Suspended);
    assert!(matches!(sim.last_report(), Action::Dropped { at_risk: reported, .. } if reported.messages == [at_risk]));
    sim.link.buffered = None;
    sim.send_accepted("later");
    sim.page(Page::Restored);
    sim.run_until_open();
    sim.run_for(s(1));
    assert_eq!(sim.server.texts(), ["later"]);
}

#[test]
fn going_back_and_forth_does_not_dial_more_often_than_the_floor() {
    let mut sim = Simulation::open(Config::default(), 9);
    for _ in 0..200 {
        sim.page(Page::Suspended);
        sim.run_for(ms(20));
        sim.page(Page::Restored);
        sim.run_for(ms(40));
    }
    let closest = sim.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(sim.dials.len() > 10 && closest >= ms(500), "{closest:?}");
}

// Which losses are followed by another attempt.

/// A connection whose application has a policy of its own.
fn application_decides() -> Config {
    Config { reconnect: ReconnectRules { asks_application: true, ..Default::default() }, ..Config::default() }
}

fn after_close(mut sim: Simulation, code: u16) -> Simulation {
    sim.server.on_dial = OnDial::AcceptThenClose(code, s(10));
    sim.input(OPEN);
    sim.run_for(s(11));
    sim.server.on_dial = OnDial::Accept;
    sim.run_for(s(60));
    sim
}

#[test]
fn a_server_that_is_done_or_would_refuse_again_is_not_dialled_again() {
    for code in [1000, 1008, 3000, 4401] {
        let sim = after_close(Simulation::new(Config::default(), 1), code);
        assert_eq!((sim.client.phase(), sim.dials.len()), (Phase::Closed, 1), "{code}");
        let Action::Closed { outcome: CloseOutcome::Final(DropCause::Closed { code: reported, .. }), .. } =
            sim.last_report()
        else {
            panic!("{:?}", sim.last_report());
        };
        assert_eq!(*reported, code);
    }
}

#[test]
fn a_restart_an_overload_and_a_lost_connection_are_retried() {
    for code in [1001, 1006, 1011, 1012, 1013, 4429] {
        let sim = after_close(Simulation::new(Config::default(), 1), code);
        assert!(sim.client.phase().is_open(), "{code}");
    }
}

#[test]
fn an_application_can_replace_the_policy_for_one_code_and_keep_the_rest() {
    for (code, is_open) in [(4401, true), (1012, false), (1008, false), (1011, true)] {
        let mut sim = Simulation::new(application_decides(), 1);
        sim.policy = |cause| match cause {
            DropCause::Closed { code: 4401, .. } => Some(Decision::Retry),
            DropCause::Closed { code: 1012, .. } => Some(Decision::Stop),
            _ => None,
        };
        let sim = after_close(sim, code);
        assert_eq!(sim.client.phase().is_open(), is_open, "{code}");
    }
}

#[test]
fn an_address_that_the_platform_refuses_is_not_retried() {
    let mut sim = Simulation::new(Config::default(), 2);
    sim.server.on_dial = OnDial::Hang;
    sim.input(OPEN);
    let socket = sim.socket();
    sim.refuse_socket(DropCause::AddressRefused);
    assert!(sim.client.phase().socket() != Some(socket));
    let outcome = CloseOutcome::Final(DropCause::AddressRefused);
    assert_eq!(sim.last_report(), &Action::Closed { outcome, at_risk: Default::default() });
}

#[test]
fn a_policy_that_always_wants_a_retry_soon_does_not_hammer() {
    let mut sim = Simulation::new(application_decides(), 3);
    sim.policy = |_| Some(Decision::RetrySoon);
    sim.server.on_dial = OnDial::AcceptThenClose(1008, ms(10));
    sim.input(OPEN);
    sim.run_for(s(600));
    assert!(sim.dials.len() <= 60, "{}", sim.dials.len());
}

#[test]
fn a_policy_is_not_asked_about_a_reconnect_by_the_application() {
    let mut sim = Simulation::open(application_decides(), 4);
    sim.policy = |_| Some(Decision::Stop);
    sim.input(Input::Reconnect);
    sim.run_until_open();
}

#[test]
fn a_policy_may_stop_at_the_back_forward_cache() {
    for (decision, is_open) in [(None, true), (Some(Decision::Stop), false)] {
        let mut sim = Simulation::open(application_decides(), 5);
        sim.policy = if decision.is_some() { |_| Some(Decision::Stop) } else { |_| None };
        sim.page(Page::Suspended);
        sim.page(Page::Restored);
        sim.run_for(s(10));
        assert_eq!(sim.client.phase().is_open(), is_open);
    }
}

#[test]
fn the_plan_that_a_policy_is_shown_is_the_one_that_is_followed_if_it_agrees() {
    let mut client = Connection::new(application_decides(), 6);
    client.handle(s(1), OPEN);
    let Some(Action::Dial { socket, .. }) = client.poll_action() else { panic!("it dials") };
    client.handle(s(2), Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered: 0 });
    let Some(Action::Decide { retry: planned, default, .. }) = client.poll_action() else {
        panic!("the decision is requested")
    };
    client.handle(s(2), Input::Decided(default));
    let Some(Action::Dropped { retry, .. }) = client.poll_action() else { panic!("it follows the plan") };
    assert_eq!(retry, planned);
}

#[test]
fn an_input_before_the_decision_means_the_default() {
    for (input, expected) in [(Input::Close, Phase::Closed), (Input::Flush, Phase::Waiting { until: None })] {
        let mut client = Connection::new(application_decides(), 7);
        client.handle(s(1), OPEN);
        let socket = client.phase().socket().expect("it dials");
        client.handle(s(2), Input::Dropped { socket, cause: DropCause::closed(1006, false), buffered: 0 });
        client.handle(s(2), input);
        client.handle(s(2), Input::Decided(Decision::Stop));
        let is_waiting = matches!(client.phase(), Phase::Waiting { until: Some(_) });
        assert!(client.phase() == expected || is_waiting, "{input:?}: {:?}", client.phase());
        let reports =
            std::iter::from_fn(|| client.poll_action()).filter(|action| matches!(action, Action::Dropped { .. }));
        assert_eq!(reports.count(), 1, "{input:?}");
    }
}

// Round trips, loss and the server's clock over the life of a connection.

#[test]
fn round_trips_are_measured_and_reported() {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.link.latency = ms(35);
    sim.run_for(s(120));
    let summary = sim.client.latency().summary();
    assert_eq!((summary.min, summary.max, summary.lost), (Some(ms(70).into()), Some(ms(70).into()), 0));
    let reported = sim.log.iter().filter(|(_, action)| *action == Action::Latency(ms(70))).count() as u64;
    assert_eq!(reported, summary.count);
    assert!(reported > 10);
}

#[test]
fn the_servers_clock_is_known_to_within_half_a_round_trip() {
    let mut sim = Simulation::new(Config::default(), 2);
    sim.server.clock_ahead = 123_456.0;
    sim.input(OPEN);
    sim.run_for(s(60));
    let clock = sim.client.latency().clock();
    let ours = sim.now.as_millis_f64();
    let error = (clock.server_time(sim.now).unwrap() - ours - 123_456.0).abs();
    assert!(error <= clock.error_bound().unwrap().as_secs_f64() * 1e3, "{error} ms");
}

#[test]
fn statistics_outlive_the_socket() {
    let mut sim = Simulation::open(Config::default(), 3);
    sim.run_for(s(60));
    let before = sim.client.latency().summary().count;
    sim.drop_socket();
    sim.run_until_open();
    sim.run_for(s(60));
    assert!(sim.client.latency().summary().count > before + 5);
}

#[test]
fn pings_that_a_dead_link_swallowed_count_as_lost() {
    let mut sim = Simulation::open(Config::default(), 4);
    sim.run_for(s(60));
    sim.go_half_open();
    sim.run_until_replaced();
    assert_eq!(sim.client.latency().summary().lost, 1);
}

#[test]
fn a_ping_that_was_under_way_when_the_application_closed_is_not_lost() {
    let mut sim = Simulation::open(Config::default(), 5);
    sim.page(Page::Visible);
    sim.close();
    sim.run_for(s(5));
    assert_eq!(sim.client.latency().summary().lost, 0);
}

#[test]
fn an_answer_that_waited_out_a_freeze_or_a_sleep_is_no_round_trip() {
    for seconds in [8, 20, 3_600] {
        let mut frozen = Simulation::open(Config::default(), 6);
        frozen.run_for(ms(7_010));
        frozen.freeze_for(s(seconds));
        frozen.page(Page::Resumed);
        frozen.run_for(s(60));
        assert_eq!(frozen.client.latency().summary().max, Some(ms(40).into()));

        let mut asleep = Simulation::open(Config::default(), 7);
        asleep.run_for(ms(7_010));
        asleep.sleep_for(s(seconds), true);
        asleep.run_for(s(60));
        assert_eq!(asleep.client.latency().summary().max, Some(ms(40).into()), "{seconds} s");
    }
}

#[test]
fn answers_to_pings_of_an_earlier_socket_and_made_up_answers_are_no_samples() {
    let mut sim = Simulation::open(Config::default(), 8);
    sim.input(Input::Network(Network::Online));
    let old = sim.socket();
    sim.input(Input::Reconnect);
    sim.run_until_open();
    let socket = sim.socket();
    let count = sim.client.latency().summary().count;
    for (socket, ping) in [(old, Some(1)), (socket, Some(1)), (socket, Some(77)), (socket, None)] {
        sim.input(Input::Pong { socket, ping, server_time: Some(1.0) });
    }
    assert_eq!(sim.client.latency().summary().count, count);
}

//! When attempts are made, and what an attempt needs.

use std::time::Duration;

use everwire_core::{
    Action, Backoff, CloseOutcome, Config, DropCause, Input, Network, Page, Phase, Retry, SocketId, Time,
};

use crate::{
    herd::{Browser, Outage, percentile, recovery_times},
    simulation::{OPEN, OnDial, Provider, Simulation, ms, s},
};

// The schedule.

fn limited(max_retries: u32) -> Config {
    Config { backoff: Backoff::default().max_retries(max_retries), ..Config::default() }
}

fn last_retry(sim: &Simulation) -> Retry {
    let retries = sim.log.iter().rev().find_map(|(_, action)| match action {
        Action::Dropped { retry, .. } => Some(*retry),
        _ => None,
    });
    retries.expect("a retry was announced")
}

/// phoenixframework/phoenix#6766: clients whose backoff is reset on open dial a server that accepts and drops for ever.
#[test]
fn a_server_that_accepts_and_drops_at_once_is_not_hammered() {
    let mut sim = Simulation::new(Config::default(), 1);
    sim.server.on_dial = OnDial::AcceptThenCut(ms(100));
    sim.input(OPEN);
    sim.run_for(s(600));
    let late = sim.dials.iter().filter(|at| **at > s(1_060)).count();
    assert!((20..=60).contains(&late), "{late} dials in nine minutes");
}

#[test]
fn the_count_of_failures_resets_only_after_a_connection_was_stable() {
    for (lasts, attempt) in [(ms(4_900), 3), (ms(5_100), 1)] {
        let mut sim = Simulation::new(Config::default(), 2);
        sim.server.on_dial = OnDial::Refuse;
        sim.input(OPEN);
        sim.run_until_phase("failing", |phase| matches!(phase, Phase::Waiting { .. }));
        sim.run_until_phase("dialling", |phase| matches!(phase, Phase::Connecting { .. }));
        sim.run_until_phase("failing", |phase| matches!(phase, Phase::Waiting { .. }));
        sim.server.on_dial = OnDial::Accept;
        sim.run_until_open();
        sim.run_for(lasts);
        sim.drop_socket();
        assert_eq!(last_retry(&sim).attempt, attempt, "after {lasts:?}");
    }
}

#[test]
fn a_stable_connection_resets_its_failures_before_it_is_lost() {
    let mut sim = Simulation::new(Config::default(), 3);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.run_for(s(20));
    sim.server.on_dial = OnDial::Accept;
    sim.run_until_open();
    assert!(sim.client.failures() > 0);
    sim.run_for(s(30));
    assert_eq!(sim.client.failures(), 0);
    sim.input(Input::Reconnect);
    assert_eq!(last_retry(&sim).attempt, 1);
}

#[test]
fn a_close_by_the_server_is_spread_out() {
    let delays: Vec<Time> = (0..300)
        .map(|seed| {
            let mut sim = Simulation::open(Config::default(), seed);
            sim.run_for(s(10));
            let lost_at = sim.now;
            sim.drop_socket();
            last_retry(&sim).at.expect("it has a time") - lost_at
        })
        .collect();
    assert!(delays.iter().all(|delay| (ms(500)..=s(6)).contains(delay)));
    let in_any_second = |from: u64| delays.iter().filter(|delay| (s(from)..s(from + 1)).contains(delay)).count();
    for from in 1..6 {
        assert!((30..=80).contains(&in_any_second(from)), "second {from}: {}", in_any_second(from));
    }
}

#[test]
fn a_fault_on_this_side_is_retried_quickly() {
    for seed in 0..100 {
        let mut sim = Simulation::open(Config::default(), seed);
        sim.run_for(s(10));
        sim.input(Input::Network(Network::Online));
        sim.drop_socket();
        assert!(matches!(sim.drop_causes()[..], [DropCause::Closed { local_fault: true, .. }]));
        let took = sim.run_until_replaced();
        assert!(took <= ms(400), "{took:?}");
    }
}

#[test]
fn a_close_frame_is_not_attributed_to_this_side() {
    let mut sim = Simulation::open(Config::default(), 4);
    sim.page(Page::Visible);
    let socket = sim.socket();
    sim.input(Input::Dropped { socket, cause: DropCause::closed(1012, true), buffered: 0 });
    assert!(matches!(sim.drop_causes()[..], [DropCause::Closed { local_fault: false, .. }]));
}

#[test]
fn one_blip_heals_in_about_a_second() {
    for seed in 0..200 {
        let mut sim = Simulation::open(Config::default(), seed);
        sim.run_for(s(10));
        sim.go_offline();
        sim.drop_socket();
        sim.run_for(s(1));
        sim.go_online();
        let took = sim.run_until_open();
        assert!(took <= ms(900), "{took:?} with seed {seed}");
    }
}

#[test]
fn an_attempt_that_hangs_without_a_network_is_replaced_when_the_network_returns() {
    for began_offline in [true, false] {
        let mut sim = Simulation::new(Config::default(), 5);
        sim.link.is_stalled = true;
        if began_offline {
            sim.input(Input::Network(Network::Offline));
        }
        sim.input(OPEN);
        sim.run_for(s(1));
        if !began_offline {
            sim.input(Input::Network(Network::Offline));
        }
        sim.run_for(s(4));
        assert_eq!(sim.dials.len(), 1);
        sim.go_online();
        let took = sim.run_until_open();
        assert!(took <= ms(400), "{took:?}");
        assert_eq!(sim.drop_causes(), [&DropCause::NetworkChanged]);
    }
}

#[test]
fn attempts_without_a_network_are_few_and_do_not_count() {
    let mut sim = Simulation::new(limited(3), 6);
    sim.link.has_network = false;
    sim.input(Input::Network(Network::Offline));
    sim.input(OPEN);
    sim.run_for(s(600));
    assert!((20..=60).contains(&sim.dials.len()), "{} dials in ten minutes", sim.dials.len());
    sim.go_online();
    let took = sim.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn looking_at_the_page_again_and_again_without_a_network_does_not_dial_at_the_floor() {
    let mut sim = Simulation::new(Config::default(), 7);
    sim.link.has_network = false;
    sim.input(Input::Network(Network::Offline));
    sim.input(OPEN);
    sim.run_for(s(5));
    sim.page(Page::Visible);
    let before = sim.dials.len();
    sim.run_for(s(60));
    assert!(sim.dials.len() - before <= 10, "{} dials in a minute", sim.dials.len() - before);
}

#[test]
fn the_networks_return_brings_a_waiting_attempt_forward() {
    let mut sim = Simulation::new(Config::default(), 8);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.run_for(s(100));
    sim.server.on_dial = OnDial::Accept;
    sim.input(Input::Network(Network::Online));
    let took = sim.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn a_network_that_flaps_does_not_dial_more_often_than_the_floor() {
    let mut sim = Simulation::new(Config::default(), 9);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    for _ in 0..500 {
        sim.run_for(ms(37));
        sim.input(Input::Network(Network::Offline));
        sim.run_for(ms(11));
        sim.input(Input::Network(Network::Online));
    }
    let closest = sim.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(sim.dials.len() > 10 && closest >= ms(500), "{closest:?}");
}

#[test]
fn looking_at_the_page_brings_an_attempt_forward_and_keeps_the_count_of_failures() {
    let mut sim = Simulation::new(Config::default(), 10);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.run_for(s(120));
    sim.run_until_phase("waiting", |phase| matches!(phase, Phase::Waiting { .. }));
    let failures = sim.client.failures();
    sim.page(Page::Visible);
    let took = sim.run_until_phase("dialling", |phase| matches!(phase, Phase::Connecting { .. }));
    assert!(took <= ms(500), "{took:?}");
    assert_eq!(sim.client.failures(), failures);
}

#[test]
fn a_silent_server_does_not_get_all_its_clients_back_in_the_same_instant() {
    let returns: Vec<Time> = (0..200)
        .map(|seed| {
            let mut sim = Simulation::open(Config::default(), seed);
            sim.run_for(s(60));
            sim.go_half_open();
            sim.run_until_replaced();
            *sim.dials.last().unwrap()
        })
        .collect();
    let spread = *returns.iter().max().unwrap() - *returns.iter().min().unwrap();
    assert!((s(1)..s(2)).contains(&spread), "{spread:?}");
}

#[test]
fn the_limit_of_retries_ends_the_connection() {
    let mut sim = Simulation::new(limited(3), 11);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.run_for(s(3_600));
    assert_eq!(sim.dials.len(), 4);
    assert!(matches!(sim.last_report(), Action::Closed { outcome: CloseOutcome::Exhausted(_), .. }));
}

/// pladaria/reconnecting-websocket#125 and #165.
#[test]
fn reconnect_works_after_the_limit_was_reached_and_the_limit_holds_again() {
    let mut sim = Simulation::new(limited(2), 12);
    sim.server.on_dial = OnDial::Refuse;
    sim.input(OPEN);
    sim.run_for(s(3_600));
    assert_eq!(sim.client.phase(), Phase::Closed);
    sim.input(Input::Reconnect);
    sim.run_for(s(3_600));
    assert_eq!((sim.client.phase(), sim.dials.len()), (Phase::Closed, 6));
    sim.server.on_dial = OnDial::Accept;
    sim.input(Input::Reconnect);
    sim.run_until_open();
}

#[test]
fn reconnect_dials_at_once_in_every_phase_but_joins_an_attempt() {
    let mut idle = Simulation::new(Config::default(), 13);
    idle.input(Input::Reconnect);
    assert_eq!(idle.dials, [idle.now]);

    let mut connecting = idle;
    connecting.input(Input::Reconnect);
    assert_eq!(connecting.dials.len(), 1);

    let mut waiting = Simulation::open(Config::default(), 14);
    waiting.run_for(s(1));
    waiting.drop_socket();
    waiting.input(Input::Reconnect);
    assert_eq!(waiting.dials.len(), 2);

    let mut open = Simulation::open(Config::default(), 15);
    open.run_for(s(1));
    open.input(Input::Reconnect);
    assert_eq!(open.dials.len(), 2);
    assert_eq!(open.drop_causes(), [&DropCause::Requested]);

    let mut closing = Simulation::open(Config::default(), 16);
    closing.run_for(s(1));
    closing.close();
    closing.input(Input::Reconnect);
    assert_eq!(closing.dials.len(), 2);
    closing.run_until_open();

    let mut closed = Simulation::open(Config::default(), 17);
    closed.close();
    closed.run_for(s(1));
    assert_eq!(closed.client.phase(), Phase::Closed);
    closed.input(Input::Reconnect);
    assert_eq!(closed.dials.len(), 2);
}

#[test]
fn reconnect_in_a_loop_makes_one_attempt() {
    let mut sim = Simulation::open(Config::default(), 18);
    sim.run_for(s(10));
    for _ in 0..100 {
        sim.input(Input::Reconnect);
    }
    assert_eq!((sim.dials.len(), sim.drop_causes().len()), (2, 1));
    sim.run_until_open();
    assert_eq!(sim.dials.len(), 2);
}

#[test]
fn reconnect_as_soon_as_it_is_open_or_closed_again_keeps_to_the_floor() {
    let leave: [fn(&mut Simulation); 2] = [|_| {}, Simulation::close];
    for leave in leave {
        let mut sim = Simulation::open(Config::default(), 19);
        for _ in 0..20 {
            leave(&mut sim);
            sim.input(Input::Reconnect);
            let Action::Dropped { cause: DropCause::Requested, retry, .. } = *sim.last_report() else {
                panic!("{:?}", sim.last_report());
            };
            sim.run_until_open();
            assert_eq!(sim.dials.last().copied(), retry.at, "it was made when it was announced");
        }
        let closest = sim.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert_eq!(closest, ms(500));
    }
}

#[test]
fn reconnect_whenever_it_is_over_keeps_to_the_floor() {
    let mut sim = Simulation::new(Config::default(), 20);
    sim.server.on_dial = OnDial::AcceptThenClose(1000, ms(10));
    sim.input(OPEN);
    for _ in 0..20 {
        sim.run_until_phase("closed", |phase| phase == Phase::Closed);
        sim.input(Input::Reconnect);
    }
    let closest = sim.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert_eq!(closest, ms(500));
}

#[test]
fn reconnect_brings_an_attempt_that_waits_for_the_floor_no_further_forward() {
    let mut sim = Simulation::open(Config::default(), 21);
    sim.input(Input::Reconnect);
    let announced = last_retry(&sim).at;
    sim.run_for(ms(100));
    sim.input(Input::Reconnect);
    assert_eq!(sim.client.phase(), Phase::Waiting { until: announced });
}

/// Mercure and Centrifugo have clients come back at once, all together, when a server sheds them.
#[test]
fn a_server_that_asks_for_time_is_not_dialled_before_it_has_passed_whatever_happens() {
    let dials: Vec<Time> = (0..100)
        .map(|seed| {
            let mut sim = Simulation::open(Config::default(), seed);
            sim.client.delay_attempts(sim.now, s(60));
            let asked_at = sim.now;
            sim.drop_socket();
            sim.run_for(s(10));
            sim.page(Page::Visible);
            sim.input(Input::Network(Network::Online));
            sim.run_until_open();
            *sim.dials.last().expect("it dialled") - asked_at
        })
        .collect();
    assert!(dials.iter().all(|dial| *dial >= s(60)), "{:?}", dials.iter().min());
    assert!(dials.iter().max() > Some(&(s(60) + ms(100))), "all at once");
}

#[test]
fn ten_thousand_clients_that_lose_their_server_do_not_return_at_once() {
    let outage = Outage::simulate(10_000);
    assert_eq!(outage.back.len(), 10_000);
    assert!(outage.peak_per_100ms <= 400, "{} attempts in 100 ms", outage.peak_per_100ms);
    assert!(outage.attempts <= 100_000, "{} attempts", outage.attempts);
    let recovered_within = percentile(&outage.back, 99.0);
    assert!(recovered_within <= Duration::from_secs(30), "{recovered_within:?}");
}

#[test]
fn a_client_recovers_from_a_blip_within_a_second_and_a_half() {
    for browser in [Browser::Reports, Browser::ReportsAndKeepsTheSocket] {
        let recovered_within = percentile(&recovery_times(2_000, browser), 95.0);
        assert!(recovered_within <= Duration::from_millis(1_500), "{browser:?}: {recovered_within:?}");
    }
}

// The sockets.

/// The sim's driver reports the close of a socket that was given up a minute later, as Chromium does.
#[test]
fn a_dead_socket_is_given_up_without_waiting_for_its_close_event() {
    let mut sim = Simulation::open(Config::default(), 1);
    sim.run_for(s(30));
    sim.go_half_open();
    let took = sim.run_until_replaced();
    assert!(took < s(15));
    sim.run_for(s(120));
    assert_eq!((sim.drop_causes().len(), sim.open_count()), (1, 2), "the late close event had an effect");
}

/// google/closure-library#362: the late close of an old socket hit the new one.
#[test]
fn nothing_that_an_old_socket_reports_has_an_effect() {
    let mut sim = Simulation::open(Config::default(), 2);
    let old = sim.socket();
    sim.input(Input::Reconnect);
    report_everything(&mut sim, old, "while connecting");
    sim.run_until_open();
    report_everything(&mut sim, old, "while open");
    sim.drop_socket();
    report_everything(&mut sim, old, "while waiting");
    sim.run_until_open();
    sim.close();
    report_everything(&mut sim, old, "while closing");
    sim.run_for(s(10));
    report_everything(&mut sim, old, "when closed");
}

fn report_everything(sim: &mut Simulation, socket: SocketId, when: &str) {
    let (phase, reports, deadline) = (sim.client.phase(), sim.log.len(), sim.client.poll_deadline());
    let on_open = std::mem::replace(&mut sim.on_open, vec!["late".to_owned()]);
    sim.input(Input::Opened { socket });
    sim.receive(socket, "late");
    sim.input(Input::Pong { socket, ping: None, server_time: None });
    sim.input(Input::Buffered { socket, bytes: 9_999_999 });
    sim.input(Input::Dropped { socket, cause: DropCause::closed(1000, true), buffered: 9 });
    sim.on_open = on_open;
    assert_eq!((sim.client.phase(), sim.log.len(), sim.delivered.len()), (phase, reports, 0), "{when}");
    assert_eq!(sim.client.poll_deadline(), deadline, "{when}");
}

#[test]
fn a_second_open_of_the_same_socket_changes_nothing() {
    let mut sim = Simulation::open(Config::default(), 3);
    let socket = sim.socket();
    sim.run_for(s(1));
    let since = sim.client.phase();
    sim.input(Input::Opened { socket });
    assert_eq!((sim.client.phase(), sim.open_count()), (since, 1));
}

#[test]
fn the_application_learns_whether_a_connection_is_the_first() {
    let mut sim = Simulation::open(Config::default(), 4);
    sim.drop_socket();
    sim.run_until_open();
    let opened: Vec<_> = sim
        .log
        .iter()
        .filter_map(|(_, action)| match action {
            Action::Opened { is_reconnect, failures, .. } => Some((*is_reconnect, *failures)),
            _ => None,
        })
        .collect();
    assert_eq!(opened, [(false, 0), (true, 1)]);
}

#[test]
fn the_attempt_is_made_when_it_was_announced() {
    for seed in 0..50 {
        let mut sim = Simulation::open(Config::default(), seed);
        sim.run_for(ms(70));
        sim.drop_socket();
        let Action::Dropped { retry, .. } = sim.last_report().clone() else { panic!("it was dropped") };
        assert_eq!(sim.client.phase(), Phase::Waiting { until: retry.at });
        sim.run_until_open();
        assert_eq!(Some(sim.dials[1]), retry.at);
    }
}

// The provider of the address and the handshake.

/// pladaria/reconnecting-websocket#134: a rejection left a lock set and the client stuck for ever.
#[test]
fn a_provider_that_fails_is_a_failed_attempt_and_not_the_end() {
    let mut sim = Simulation::new(Config::default(), 1);
    sim.provider = Provider::Fails;
    sim.input(OPEN);
    sim.run_for(s(120));
    assert!((4..=25).contains(&sim.dials.len()), "{}", sim.dials.len());
    assert!(sim.drop_causes().iter().all(|cause| **cause == DropCause::ProviderFailed));
    sim.provider = Provider::Answers;
    sim.run_until_open();
}

#[test]
fn a_provider_that_hangs_is_cut_by_the_connect_timeout() {
    let mut sim = Simulation::new(Config::default(), 2);
    sim.provider = Provider::Hangs;
    sim.input(OPEN);
    let took = sim.run_until_phase("given up", |phase| matches!(phase, Phase::Waiting { .. }));
    assert_eq!(took, Config::default().connect_timeout);
    assert_eq!(sim.drop_causes(), [&DropCause::ConnectTimeout]);
    sim.provider = Provider::Answers;
    sim.run_until_open();
}

#[test]
fn a_handshake_that_hangs_is_cut_by_the_connect_timeout() {
    let mut sim = Simulation::new(Config::default(), 3);
    sim.server.on_dial = OnDial::Hang;
    sim.input(OPEN);
    sim.run_for(s(16));
    assert_eq!(sim.drop_causes(), [&DropCause::ConnectTimeout]);
    sim.server.on_dial = OnDial::Accept;
    sim.run_until_open();
}

#[test]
fn the_connect_timeout_is_not_shorter_than_what_firefox_needs() {
    assert!(Config::default().connect_timeout >= s(10));
}

#[test]
fn an_answer_after_the_timeout_opens_nothing() {
    let mut sim = Simulation::new(Config::default(), 4);
    sim.server.on_dial = OnDial::Hang;
    sim.input(OPEN);
    let late = sim.socket();
    sim.run_until_phase("given up", |phase| matches!(phase, Phase::Waiting { .. }));
    sim.input(Input::Opened { socket: late });
    assert_eq!((sim.open_count(), sim.client.phase().is_open()), (0, false));
}

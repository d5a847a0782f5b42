//! When attempts are made.

use everwire_core::{Action, Backoff, CloseOutcome, Config, DropCause, Input, Network, Page, Phase, Time};

use crate::world::{Accepts, OPEN, World, ms, s};

fn limited(max_retries: u32) -> Config {
    Config { backoff: Backoff::default().max_retries(max_retries), ..Config::default() }
}

fn last_retry(world: &World) -> everwire_core::Retry {
    let retries = world.log.iter().rev().find_map(|(_, action)| match action {
        Action::Dropped { retry, .. } => Some(*retry),
        _ => None,
    });
    retries.expect("a retry was announced")
}

/// phoenixframework/phoenix#6766: clients whose backoff is reset on open dial a server that accepts and drops for ever.
#[test]
fn a_server_that_accepts_and_drops_at_once_is_not_hammered() {
    let mut world = World::new(Config::default(), 1);
    world.server.accepts = Accepts::ThenCuts(ms(100));
    world.input(OPEN);
    world.run_for(s(600));
    let late = world.dials.iter().filter(|at| **at > s(1_060)).count();
    assert!((20..=60).contains(&late), "{late} dials in nine minutes");
}

#[test]
fn the_count_of_failures_resets_only_after_a_connection_was_stable() {
    for (lasts, attempt) in [(ms(4_900), 3), (ms(5_100), 1)] {
        let mut world = World::new(Config::default(), 2);
        world.server.accepts = Accepts::Refuses;
        world.input(OPEN);
        world.run_until_phase("failing", |phase| matches!(phase, Phase::Waiting { .. }));
        world.run_until_phase("dialling", |phase| matches!(phase, Phase::Connecting { .. }));
        world.run_until_phase("failing", |phase| matches!(phase, Phase::Waiting { .. }));
        world.server.accepts = Accepts::Always;
        world.run_until_open();
        world.run_for(lasts);
        world.drop_socket();
        assert_eq!(last_retry(&world).attempt, attempt, "after {lasts:?}");
    }
}

#[test]
fn a_stable_connection_resets_its_failures_before_it_is_lost() {
    let mut world = World::new(Config::default(), 3);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.run_for(s(20));
    world.server.accepts = Accepts::Always;
    world.run_until_open();
    assert!(world.client.failures() > 0);
    world.run_for(s(30));
    assert_eq!(world.client.failures(), 0);
    world.input(Input::Reconnect);
    assert_eq!(last_retry(&world).attempt, 1);
}

#[test]
fn a_close_by_the_server_is_spread_out() {
    let delays: Vec<Time> = (0..300)
        .map(|seed| {
            let mut world = World::open(Config::default(), seed);
            world.run_for(s(10));
            let lost_at = world.now;
            world.drop_socket();
            last_retry(&world).at.expect("it has a time") - lost_at
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
        let mut world = World::open(Config::default(), seed);
        world.run_for(s(10));
        world.input(Input::Network(Network::Online));
        world.drop_socket();
        assert!(matches!(world.drops()[..], [DropCause::Closed { local_fault: true, .. }]));
        let took = world.run_until_replaced();
        assert!(took <= ms(400), "{took:?}");
    }
}

#[test]
fn a_close_frame_is_not_attributed_to_this_side() {
    let mut world = World::open(Config::default(), 4);
    world.page(Page::Visible);
    let socket = world.socket();
    world.input(Input::Dropped { socket, cause: DropCause::closed(1012, true), buffered: 0 });
    assert!(matches!(world.drops()[..], [DropCause::Closed { local_fault: false, .. }]));
}

#[test]
fn one_blip_heals_in_about_a_second() {
    for seed in 0..200 {
        let mut world = World::open(Config::default(), seed);
        world.run_for(s(10));
        world.go_offline();
        world.drop_socket();
        world.run_for(s(1));
        world.go_online();
        let took = world.run_until_open();
        assert!(took <= ms(900), "{took:?} with seed {seed}");
    }
}

#[test]
fn an_attempt_that_hangs_without_a_network_is_replaced_when_the_network_returns() {
    for began_offline in [true, false] {
        let mut world = World::new(Config::default(), 5);
        world.link.is_stalled = true;
        if began_offline {
            world.input(Input::Network(Network::Offline));
        }
        world.input(OPEN);
        world.run_for(s(1));
        if !began_offline {
            world.input(Input::Network(Network::Offline));
        }
        world.run_for(s(4));
        assert_eq!(world.dials.len(), 1);
        world.go_online();
        let took = world.run_until_open();
        assert!(took <= ms(400), "{took:?}");
        assert_eq!(world.drops(), [&DropCause::NetworkChanged]);
    }
}

#[test]
fn attempts_without_a_network_are_few_and_do_not_count() {
    let mut world = World::new(limited(3), 6);
    world.link.has_network = false;
    world.input(Input::Network(Network::Offline));
    world.input(OPEN);
    world.run_for(s(600));
    assert!((20..=60).contains(&world.dials.len()), "{} dials in ten minutes", world.dials.len());
    world.go_online();
    let took = world.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn looking_at_the_page_again_and_again_without_a_network_does_not_dial_at_the_floor() {
    let mut world = World::new(Config::default(), 7);
    world.link.has_network = false;
    world.input(Input::Network(Network::Offline));
    world.input(OPEN);
    world.run_for(s(5));
    world.page(Page::Visible);
    let before = world.dials.len();
    world.run_for(s(60));
    assert!(world.dials.len() - before <= 10, "{} dials in a minute", world.dials.len() - before);
}

#[test]
fn the_networks_return_brings_a_waiting_attempt_forward() {
    let mut world = World::new(Config::default(), 8);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.run_for(s(100));
    world.server.accepts = Accepts::Always;
    world.input(Input::Network(Network::Online));
    let took = world.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn a_network_that_flaps_does_not_dial_more_often_than_the_floor() {
    let mut world = World::new(Config::default(), 9);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    for _ in 0..500 {
        world.run_for(ms(37));
        world.input(Input::Network(Network::Offline));
        world.run_for(ms(11));
        world.input(Input::Network(Network::Online));
    }
    let closest = world.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert!(world.dials.len() > 10 && closest >= ms(500), "{closest:?}");
}

#[test]
fn looking_at_the_page_brings_an_attempt_forward_and_keeps_the_count_of_failures() {
    let mut world = World::new(Config::default(), 10);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.run_for(s(120));
    world.run_until_phase("waiting", |phase| matches!(phase, Phase::Waiting { .. }));
    let failures = world.client.failures();
    world.page(Page::Visible);
    let took = world.run_until_phase("dialling", |phase| matches!(phase, Phase::Connecting { .. }));
    assert!(took <= ms(500), "{took:?}");
    assert_eq!(world.client.failures(), failures);
}

#[test]
fn a_silent_server_does_not_get_all_its_clients_back_in_the_same_instant() {
    let returns: Vec<Time> = (0..200)
        .map(|seed| {
            let mut world = World::open(Config::default(), seed);
            world.run_for(s(60));
            world.cut();
            world.run_until_replaced();
            *world.dials.last().unwrap()
        })
        .collect();
    let spread = *returns.iter().max().unwrap() - *returns.iter().min().unwrap();
    assert!((s(1)..s(2)).contains(&spread), "{spread:?}");
}

#[test]
fn the_limit_of_retries_ends_the_connection() {
    let mut world = World::new(limited(3), 11);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.run_for(s(3_600));
    assert_eq!(world.dials.len(), 4);
    assert!(matches!(world.last_report(), Action::Closed { outcome: CloseOutcome::Exhausted(_), .. }));
}

/// pladaria/reconnecting-websocket#125 and #165.
#[test]
fn reconnect_works_after_the_limit_was_reached_and_the_limit_holds_again() {
    let mut world = World::new(limited(2), 12);
    world.server.accepts = Accepts::Refuses;
    world.input(OPEN);
    world.run_for(s(3_600));
    assert_eq!(world.client.phase(), Phase::Closed);
    world.input(Input::Reconnect);
    world.run_for(s(3_600));
    assert_eq!((world.client.phase(), world.dials.len()), (Phase::Closed, 6));
    world.server.accepts = Accepts::Always;
    world.input(Input::Reconnect);
    world.run_until_open();
}

#[test]
fn reconnect_dials_at_once_in_every_phase_but_joins_an_attempt() {
    let mut idle = World::new(Config::default(), 13);
    idle.input(Input::Reconnect);
    assert_eq!(idle.dials, [idle.now]);

    let mut connecting = idle;
    connecting.input(Input::Reconnect);
    assert_eq!(connecting.dials.len(), 1);

    let mut waiting = World::open(Config::default(), 14);
    waiting.run_for(s(1));
    waiting.drop_socket();
    waiting.input(Input::Reconnect);
    assert_eq!(waiting.dials.len(), 2);

    let mut open = World::open(Config::default(), 15);
    open.run_for(s(1));
    open.input(Input::Reconnect);
    assert_eq!(open.dials.len(), 2);
    assert_eq!(open.drops(), [&DropCause::Requested]);

    let mut closing = World::open(Config::default(), 16);
    closing.run_for(s(1));
    closing.close();
    closing.input(Input::Reconnect);
    assert_eq!(closing.dials.len(), 2);
    closing.run_until_open();

    let mut closed = World::open(Config::default(), 17);
    closed.close();
    closed.run_for(s(1));
    assert_eq!(closed.client.phase(), Phase::Closed);
    closed.input(Input::Reconnect);
    assert_eq!(closed.dials.len(), 2);
}

#[test]
fn reconnect_in_a_loop_makes_one_attempt() {
    let mut world = World::open(Config::default(), 18);
    world.run_for(s(10));
    for _ in 0..100 {
        world.input(Input::Reconnect);
    }
    assert_eq!((world.dials.len(), world.drops().len()), (2, 1));
    world.run_until_open();
    assert_eq!(world.dials.len(), 2);
}

#[test]
fn reconnect_as_soon_as_it_is_open_or_closed_again_keeps_to_the_floor() {
    let leave: [fn(&mut World); 2] = [|_| {}, World::close];
    for leave in leave {
        let mut world = World::open(Config::default(), 19);
        for _ in 0..20 {
            leave(&mut world);
            world.input(Input::Reconnect);
            let Action::Dropped { cause: DropCause::Requested, retry, .. } = *world.last_report() else {
                panic!("{:?}", world.last_report());
            };
            world.run_until_open();
            assert_eq!(world.dials.last().copied(), retry.at, "it was made when it was announced");
        }
        let closest = world.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
        assert_eq!(closest, ms(500));
    }
}

#[test]
fn reconnect_whenever_it_is_over_keeps_to_the_floor() {
    let mut world = World::new(Config::default(), 20);
    world.server.accepts = Accepts::ThenCloses(1000, ms(10));
    world.input(OPEN);
    for _ in 0..20 {
        world.run_until_phase("closed", |phase| phase == Phase::Closed);
        world.input(Input::Reconnect);
    }
    let closest = world.dials.windows(2).map(|pair| pair[1] - pair[0]).min().unwrap();
    assert_eq!(closest, ms(500));
}

#[test]
fn reconnect_brings_an_attempt_that_waits_for_the_floor_no_further_forward() {
    let mut world = World::open(Config::default(), 21);
    world.input(Input::Reconnect);
    let announced = last_retry(&world).at;
    world.run_for(ms(100));
    world.input(Input::Reconnect);
    assert_eq!(world.client.phase(), Phase::Waiting { until: announced });
}

/// Mercure and Centrifugo have clients come back at once, all together, when a server sheds them.
#[test]
fn a_server_that_asks_for_time_is_not_dialled_before_it_has_passed_whatever_happens() {
    let dials: Vec<Time> = (0..100)
        .map(|seed| {
            let mut world = World::open(Config::default(), seed);
            world.client.delay_attempts(world.now, s(60));
            let asked_at = world.now;
            world.drop_socket();
            world.run_for(s(10));
            world.page(Page::Visible);
            world.input(Input::Network(Network::Online));
            world.run_until_open();
            *world.dials.last().expect("it dialled") - asked_at
        })
        .collect();
    assert!(dials.iter().all(|dial| *dial >= s(60)), "{:?}", dials.iter().min());
    assert!(dials.iter().max() > Some(&(s(60) + ms(100))), "all at once");
}

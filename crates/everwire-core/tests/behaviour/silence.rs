//! When silence means that the link is dead.

use everwire_core::{Config, DropCause, HeartbeatMode, Input, Phase, PingSchedule, Time};

use crate::world::{Accepts, OPEN, World, ms, s};

fn with(heartbeat: HeartbeatMode) -> Config {
    Config { heartbeat, ..Config::default() }
}

fn only_after_silence() -> PingSchedule {
    PingSchedule::default().without_samples()
}

#[test]
fn a_ping_is_sent_after_silence_and_not_while_the_server_sends() {
    let mut world = World::new(with(HeartbeatMode::Ping(only_after_silence())), 1);
    world.server.sends_every = Some(s(3));
    world.input(OPEN);
    world.run_for(s(60));
    assert_eq!(world.pings.len(), 0);
    world.server.sends_every = None;
    let quiet_since = world.now;
    world.run_for(s(10));
    let waited = *world.pings.first().expect("it asks") - quiet_since;
    assert!((s(4)..=s(7)).contains(&waited), "{waited:?}");
}

#[test]
fn round_trips_are_sampled_while_the_server_sends() {
    let mut world = World::new(Config::default(), 2);
    world.server.sends_every = Some(ms(500));
    world.input(OPEN);
    world.run_for(s(155));
    assert_eq!(world.pings.len(), 10);
    assert_eq!(world.client.latency().summary().count, 10);
}

#[test]
fn a_quiet_healthy_link_is_kept_for_a_week() {
    let mut world = World::open(Config::default(), 3);
    world.run_for(s(7 * 86_400));
    assert_eq!((world.drops().len(), world.dials.len()), (0, 1));
}

/// The best peer takes 28 s.
#[test]
fn a_half_open_link_is_replaced_within_15_seconds_of_going_silent() {
    for (seed, phase) in (0..400).zip((0..).map(|step| ms(step * 97))) {
        for sends_every in [None, Some(ms(300)), Some(s(5))] {
            let mut world = World::new(Config::default(), seed);
            world.server.sends_every = sends_every;
            world.input(OPEN);
            world.run_until_open();
            world.run_for(phase);
            world.cut();
            let took = world.run_until_replaced();
            assert!(took <= s(15), "{took:?} after {phase:?} of talk every {sends_every:?}");
        }
    }
}

#[test]
fn a_half_open_link_is_replaced_within_15_seconds_on_a_slow_network_too() {
    for (seed, phase) in (0..200).zip((0..).map(|step| ms(step * 193))) {
        let mut world = World::new(Config::default(), seed);
        world.link.latency = ms(350);
        world.input(OPEN);
        world.run_until_open();
        world.run_for(phase);
        world.cut();
        world.run_until_replaced();
        let replaced = *world.dials.last().unwrap() - (s(1_000) + phase);
        assert!(replaced <= s(15) + ms(1_400), "{replaced:?} after {phase:?}");
    }
}

/// The operating system takes in what is sent on a dead link, so that the platform's buffer looks as if it moved.
#[test]
fn sending_now_and_then_does_not_keep_a_half_open_link() {
    for (seed, every) in [ms(20), ms(100), ms(700), s(1), s(3)].into_iter().enumerate() {
        for flushes in [false, true] {
            let mut world = World::open(Config::default(), seed as u64);
            world.run_for(s(60));
            world.cut();
            let cut_at = world.now;
            let dead = world.socket();
            while world.client.phase().socket() == Some(dead) {
                let _ = world.send("a position of a usual size, forty bytes long");
                if flushes {
                    world.input(Input::Flush);
                }
                world.run_for(every);
                assert!(world.now - cut_at <= s(14), "still there, sending every {every:?}, flushes: {flushes}");
            }
        }
    }
}

#[test]
fn the_deadline_follows_the_measured_round_trip() {
    let time_to_notice = |latency| {
        let mut world = World::new(Config::default(), 4);
        world.link.latency = latency;
        world.input(OPEN);
        world.run_until_open();
        world.run_for(s(120));
        world.cut();
        let before = world.pings.len();
        let took = world.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
        took - (world.pings[before] - (world.now - took))
    };
    assert_eq!(time_to_notice(ms(10)), s(2));
    let on_a_slow_link = time_to_notice(ms(900));
    assert!((ms(3_600)..s(6)).contains(&on_a_slow_link), "{on_a_slow_link:?}");
}

#[test]
fn a_slow_link_is_not_taken_for_a_dead_one() {
    for latency in [ms(300), ms(800), ms(1_400)] {
        let mut world = World::new(Config::default(), 5);
        world.link.latency = latency;
        world.input(OPEN);
        world.run_for(s(3_600));
        assert_eq!(world.drops().len(), 0, "{latency:?}");
    }
}

#[test]
fn a_link_that_slows_down_all_at_once_is_kept_below_the_least_deadline() {
    let mut world = World::open(Config::default(), 6);
    world.run_for(s(600));
    world.link.latency = ms(950);
    world.run_for(s(600));
    assert_eq!(world.drops().len(), 0);
}

#[test]
fn a_server_that_never_answers_pings_is_distinguished_from_one_that_stopped() {
    let mut world = World::new(Config::default(), 7);
    world.server.answers_pings = false;
    world.input(OPEN);
    world.run_for(s(14));
    assert_eq!(world.drops(), [&DropCause::HeartbeatTimeout { ever_answered: false }]);

    let mut world = World::open(Config::default(), 8);
    world.run_for(s(30));
    world.cut();
    world.run_until_replaced();
    assert_eq!(world.drops(), [&DropCause::HeartbeatTimeout { ever_answered: true }]);
}

#[test]
fn a_timer_that_fires_late_on_a_healthy_link_is_no_proof_of_death() {
    // Around the ninth ping, so that some stalls begin while its answer is under way and outlast its deadline.
    for phase in (0..60).map(|step| ms(63_100 + step * 7)) {
        for stall in [ms(1_500), s(4), s(30)] {
            let mut world = World::open(Config::default(), 9);
            world.run_for(phase);
            world.stall_for(stall);
            world.run_for(s(30));
            assert_eq!(world.drops().len(), 0, "a stall of {stall:?} after {phase:?}");
        }
    }
}

#[test]
fn a_main_thread_that_is_always_late_still_finds_a_dead_link() {
    let mut world = World::open(Config::default(), 10);
    world.run_for(s(20));
    world.cut();
    let cut_at = world.now;
    while world.drops().is_empty() {
        world.stall_for(ms(1_700));
        world.run_for(ms(10));
        assert!(world.now - cut_at <= s(25), "it is put off again and again");
    }
}

#[test]
fn silence_alone_means_a_dead_link_where_the_server_sends_all_the_time() {
    let mut world = World::new(with(HeartbeatMode::Silence(s(4))), 11);
    world.server.sends_every = Some(s(1));
    world.input(OPEN);
    world.run_for(s(600));
    assert_eq!((world.drops().len(), world.pings.len()), (0, 0));
    world.cut();
    let took = world.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
    assert!((s(3)..=s(4)).contains(&took), "{took:?}");
}

#[test]
fn without_a_heartbeat_no_ping_is_sent_and_no_link_is_given_up() {
    let mut world = World::open(with(HeartbeatMode::Off), 12);
    world.cut();
    world.run_for(s(86_400));
    assert_eq!((world.drops().len(), world.pings.len()), (0, 0));
    assert_eq!(world.client.poll_deadline(), None);
}

#[test]
fn an_answer_that_names_no_ping_keeps_the_link_and_measures_the_round_trip() {
    let mut world = World::new(Config::default(), 13);
    world.server.names_pings = false;
    world.input(OPEN);
    world.run_for(s(600));
    let summary = world.client.latency().summary();
    assert_eq!((world.drops().len(), summary.lost), (0, 0));
    assert!(summary.count > 50 && summary.max == Some(ms(40).into()), "{summary:?}");
    world.cut();
    world.run_until_replaced();
    assert_eq!(world.drops(), [&DropCause::HeartbeatTimeout { ever_answered: true }]);
}

/// While an answer is awaited no other ping is due, and the one that is due afterwards is not late.
#[test]
fn a_ping_that_waited_for_an_answer_is_no_late_timer() {
    let schedule = PingSchedule::default().min_deadline(s(30)).max_deadline(s(30));
    let mut world = World::open(with(HeartbeatMode::Ping(schedule)), 16);
    world.server.answers_pings = false;
    world.run_for(s(7 + 25));
    let pings = world.pings.len();
    let socket = world.socket();
    world.receive(socket, "a message instead of the answer");
    world.run_for(ms(10));
    assert_eq!(world.pings.len(), pings + 1);
    world.drop_socket();
    assert!(matches!(world.drops()[..], [DropCause::Closed { local_fault: false, .. }]));
}

#[test]
fn a_schedule_of_zeros_does_not_spin() {
    let zero = Time::ZERO;
    let schedule = PingSchedule::default().after_silence(zero).sample_every(zero);
    let mut world = World::open(with(HeartbeatMode::Ping(schedule)), 14);
    world.run_for(s(10));
    assert!(world.pings.len() <= 100, "{}", world.pings.len());
}

#[test]
fn a_server_that_died_is_dialled_until_it_is_back() {
    let mut world = World::open(Config::default(), 15);
    world.run_for(s(30));
    world.cut();
    world.server.accepts = Accepts::Hangs;
    world.run_for(s(300));
    world.server.accepts = Accepts::Always;
    let took = world.run_until_open();
    assert!(took <= s(46), "{took:?}");
}

/// A server of `everwire.v1` says how often it wants pings.
#[test]
fn a_heartbeat_that_is_replaced_counts_for_the_open_socket_and_the_next() {
    let mut world = World::open(with(HeartbeatMode::Ping(only_after_silence())), 4);
    world.client.set_heartbeat(HeartbeatMode::Ping(only_after_silence().after_silence(s(60))));
    world.run_for(s(121));
    assert_eq!(world.pings.len(), 2);
    world.input(Input::Reconnect);
    world.run_until_open();
    world.run_for(s(59));
    assert_eq!(world.pings.len(), 2);
}

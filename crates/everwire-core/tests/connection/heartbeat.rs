//! When silence means that the link is dead: on a visible page, on a hidden one, and after events that often kill a link.

use everwire_core::{Config, DropCause, HeartbeatMode, Input, Network, Page, Phase, PingSchedule, Time};

use crate::simulation::{OPEN, OnDial, Provider, Simulation, Timers, ms, s};

// A visible page.

fn config(heartbeat: HeartbeatMode) -> Config {
    Config { heartbeat, ..Config::default() }
}

fn only_after_silence() -> PingSchedule {
    PingSchedule::default().without_samples()
}

#[test]
fn a_ping_is_sent_after_silence_and_not_while_the_server_sends() {
    let mut sim = Simulation::new(config(HeartbeatMode::Ping(only_after_silence())), 1);
    sim.server.sends_every = Some(s(3));
    sim.input(OPEN);
    sim.run_for(s(60));
    assert_eq!(sim.pings.len(), 0);
    sim.server.sends_every = None;
    let quiet_since = sim.now;
    sim.run_for(s(10));
    let waited = *sim.pings.first().expect("a ping is sent") - quiet_since;
    assert!((s(4)..=s(7)).contains(&waited), "{waited:?}");
}

#[test]
fn round_trips_are_sampled_while_the_server_sends() {
    let mut sim = Simulation::new(Config::default(), 2);
    sim.server.sends_every = Some(ms(500));
    sim.input(OPEN);
    sim.run_for(s(155));
    assert_eq!(sim.pings.len(), 10);
    assert_eq!(sim.client.latency().summary().count, 10);
}

#[test]
fn a_quiet_healthy_link_is_kept_for_a_week() {
    let mut sim = Simulation::open(Config::default(), 3);
    sim.run_for(s(7 * 86_400));
    assert_eq!((sim.drop_causes().len(), sim.dials.len()), (0, 1));
}

/// The best peer takes 28 s.
#[test]
fn a_half_open_link_is_replaced_within_15_seconds_of_going_silent() {
    for (seed, phase) in (0..400).zip((0..).map(|step| ms(step * 97))) {
        for sends_every in [None, Some(ms(300)), Some(s(5))] {
            let mut sim = Simulation::new(Config::default(), seed);
            sim.server.sends_every = sends_every;
            sim.input(OPEN);
            sim.run_until_open();
            sim.run_for(phase);
            sim.go_half_open();
            let took = sim.run_until_replaced();
            assert!(took <= s(15), "{took:?} after {phase:?} with messages every {sends_every:?}");
        }
    }
}

#[test]
fn a_half_open_link_is_replaced_within_15_seconds_on_a_slow_network_too() {
    for (seed, phase) in (0..200).zip((0..).map(|step| ms(step * 193))) {
        let mut sim = Simulation::new(Config::default(), seed);
        sim.link.latency = ms(350);
        sim.input(OPEN);
        sim.run_until_open();
        sim.run_for(phase);
        sim.go_half_open();
        sim.run_until_replaced();
        let replaced = *sim.dials.last().unwrap() - (s(1_000) + phase);
        assert!(replaced <= s(15) + ms(1_400), "{replaced:?} after {phase:?}");
    }
}

/// The operating system takes in what is sent on a dead link, so that the platform's buffer looks as if it moved.
#[test]
fn sending_now_and_then_does_not_keep_a_half_open_link() {
    for (seed, every) in [ms(20), ms(100), ms(700), s(1), s(3)].into_iter().enumerate() {
        for flushes in [false, true] {
            let mut sim = Simulation::open(Config::default(), seed as u64);
            sim.run_for(s(60));
            sim.go_half_open();
            let cut_at = sim.now;
            let dead = sim.socket();
            while sim.client.phase().socket() == Some(dead) {
                let _ = sim.send("a position of a usual size, forty bytes long");
                if flushes {
                    sim.input(Input::Flush);
                }
                sim.run_for(every);
                assert!(sim.now - cut_at <= s(14), "not replaced, sending every {every:?}, flushes: {flushes}");
            }
        }
    }
}

#[test]
fn the_deadline_follows_the_measured_round_trip() {
    let time_to_notice = |latency| {
        let mut sim = Simulation::new(Config::default(), 4);
        sim.link.latency = latency;
        sim.input(OPEN);
        sim.run_until_open();
        sim.run_for(s(120));
        sim.go_half_open();
        let before = sim.pings.len();
        let took = sim.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
        took - (sim.pings[before] - (sim.now - took))
    };
    assert_eq!(time_to_notice(ms(10)), s(2));
    let on_a_slow_link = time_to_notice(ms(900));
    assert!((ms(3_600)..s(6)).contains(&on_a_slow_link), "{on_a_slow_link:?}");
}

#[test]
fn a_slow_link_is_not_taken_for_a_dead_one() {
    for latency in [ms(300), ms(800), ms(1_400)] {
        let mut sim = Simulation::new(Config::default(), 5);
        sim.link.latency = latency;
        sim.input(OPEN);
        sim.run_for(s(3_600));
        assert_eq!(sim.drop_causes().len(), 0, "{latency:?}");
    }
}

#[test]
fn a_link_that_slows_down_all_at_once_is_kept_below_the_least_deadline() {
    let mut sim = Simulation::open(Config::default(), 6);
    sim.run_for(s(600));
    sim.link.latency = ms(950);
    sim.run_for(s(600));
    assert_eq!(sim.drop_causes().len(), 0);
}

#[test]
fn a_server_that_never_answers_pings_is_distinguished_from_one_that_stopped() {
    let mut sim = Simulation::new(Config::default(), 7);
    sim.server.answers_pings = false;
    sim.input(OPEN);
    sim.run_for(s(14));
    assert_eq!(sim.drop_causes(), [&DropCause::HeartbeatTimeout { ever_answered: false }]);

    let mut sim = Simulation::open(Config::default(), 8);
    sim.run_for(s(30));
    sim.go_half_open();
    sim.run_until_replaced();
    assert_eq!(sim.drop_causes(), [&DropCause::HeartbeatTimeout { ever_answered: true }]);
}

#[test]
fn a_timer_that_fires_late_on_a_healthy_link_is_no_proof_of_death() {
    // Around the ninth ping, so that some stalls begin while its answer is under way and outlast its deadline.
    for phase in (0..60).map(|step| ms(63_100 + step * 7)) {
        for stall in [ms(1_500), s(4), s(30)] {
            let mut sim = Simulation::open(Config::default(), 9);
            sim.run_for(phase);
            sim.stall_for(stall);
            sim.run_for(s(30));
            assert_eq!(sim.drop_causes().len(), 0, "a stall of {stall:?} after {phase:?}");
        }
    }
}

#[test]
fn a_main_thread_that_is_always_late_still_finds_a_dead_link() {
    let mut sim = Simulation::open(Config::default(), 10);
    sim.run_for(s(20));
    sim.go_half_open();
    let cut_at = sim.now;
    while sim.drop_causes().is_empty() {
        sim.stall_for(ms(1_700));
        sim.run_for(ms(10));
        assert!(sim.now - cut_at <= s(25), "the deadline is postponed again and again");
    }
}

#[test]
fn silence_alone_means_a_dead_link_where_the_server_sends_all_the_time() {
    let mut sim = Simulation::new(config(HeartbeatMode::Silence(s(4))), 11);
    sim.server.sends_every = Some(s(1));
    sim.input(OPEN);
    sim.run_for(s(600));
    assert_eq!((sim.drop_causes().len(), sim.pings.len()), (0, 0));
    sim.go_half_open();
    let took = sim.run_until_phase("lost", |phase| matches!(phase, Phase::Waiting { .. }));
    assert!((s(3)..=s(4)).contains(&took), "{took:?}");
}

#[test]
fn without_a_heartbeat_no_ping_is_sent_and_no_link_is_given_up() {
    let mut sim = Simulation::open(config(HeartbeatMode::Off), 12);
    sim.go_half_open();
    sim.run_for(s(86_400));
    assert_eq!((sim.drop_causes().len(), sim.pings.len()), (0, 0));
    assert_eq!(sim.client.poll_deadline(), None);
}

#[test]
fn an_answer_that_names_no_ping_keeps_the_link_and_measures_the_round_trip() {
    let mut sim = Simulation::new(Config::default(), 13);
    sim.server.names_pings = false;
    sim.input(OPEN);
    sim.run_for(s(600));
    let summary = sim.client.latency().summary();
    assert_eq!((sim.drop_causes().len(), summary.lost), (0, 0));
    assert!(summary.count > 50 && summary.max == Some(ms(40).into()), "{summary:?}");
    sim.go_half_open();
    sim.run_until_replaced();
    assert_eq!(sim.drop_causes(), [&DropCause::HeartbeatTimeout { ever_answered: true }]);
}

/// While an answer is awaited no other ping is due, and the one that is due afterwards is not late.
#[test]
fn a_ping_that_waited_for_an_answer_is_no_late_timer() {
    let schedule = PingSchedule::default().min_deadline(s(30)).max_deadline(s(30));
    let mut sim = Simulation::open(config(HeartbeatMode::Ping(schedule)), 16);
    sim.server.answers_pings = false;
    sim.run_for(s(7 + 25));
    let pings = sim.pings.len();
    let socket = sim.socket();
    sim.receive(socket, "a message instead of the answer");
    sim.run_for(ms(10));
    assert_eq!(sim.pings.len(), pings + 1);
    sim.drop_socket();
    assert!(matches!(sim.drop_causes()[..], [DropCause::Closed { local_fault: false, .. }]));
}

#[test]
fn a_schedule_of_zeros_does_not_spin() {
    let zero = Time::ZERO;
    let schedule = PingSchedule::default().after_silence(zero).sample_every(zero);
    let mut sim = Simulation::open(config(HeartbeatMode::Ping(schedule)), 14);
    sim.run_for(s(10));
    assert!(sim.pings.len() <= 100, "{}", sim.pings.len());
}

#[test]
fn a_server_that_died_is_dialled_until_it_is_back() {
    let mut sim = Simulation::open(Config::default(), 15);
    sim.run_for(s(30));
    sim.go_half_open();
    sim.server.on_dial = OnDial::Hang;
    sim.run_for(s(300));
    sim.server.on_dial = OnDial::Accept;
    let took = sim.run_until_open();
    assert!(took <= s(46), "{took:?}");
}

/// A server of `everwire.v1` says how often it wants pings.
#[test]
fn a_heartbeat_that_is_replaced_counts_for_the_open_socket_and_the_next() {
    let mut sim = Simulation::open(config(HeartbeatMode::Ping(only_after_silence())), 4);
    sim.client.set_heartbeat(HeartbeatMode::Ping(only_after_silence().after_silence(s(60))));
    sim.run_for(s(121));
    assert_eq!(sim.pings.len(), 2);
    sim.input(Input::Reconnect);
    sim.run_until_open();
    sim.run_for(s(59));
    assert_eq!(sim.pings.len(), 2);
}

// A hidden page, whose timers run once a minute or not at all.

/// An open connection of a page that is hidden at some time after it opened.
fn hidden(config: Config, seed: u64) -> Simulation {
    let mut sim = Simulation::open(config, seed);
    sim.run_for(ms(1_300 * seed));
    sim.page(Page::Hidden);
    sim.timers = Timers::EveryMinute;
    sim
}

#[test]
fn an_hour_with_timers_once_a_minute_on_a_healthy_link_costs_no_connection() {
    for seed in 0..60 {
        let mut sim = hidden(Config::default(), seed);
        sim.run_for(s(3_600));
        sim.timers = Timers::Punctual;
        sim.page(Page::Visible);
        sim.run_for(s(60));
        assert_eq!((sim.drop_causes().len(), sim.dials.len()), (0, 1));
    }
}

#[test]
fn an_hour_on_a_slow_link_costs_no_connection_either() {
    for seed in 0..20 {
        let mut sim = hidden(Config::default(), seed);
        sim.link.latency = ms(900);
        sim.run_for(s(3_600));
        assert_eq!(sim.drop_causes().len(), 0);
    }
}

#[test]
fn an_hour_of_a_server_that_sends_now_and_then_costs_no_connection_in_silence_mode() {
    let mut sim = Simulation::new(Config { heartbeat: HeartbeatMode::Silence(s(30)), ..Config::default() }, 1);
    sim.server.sends_every = Some(s(20));
    sim.input(OPEN);
    sim.timers = Timers::EveryMinute;
    sim.run_for(s(3_600));
    assert_eq!(sim.drop_causes().len(), 0);
}

#[test]
fn a_dead_link_is_found_in_a_hidden_page_too() {
    let mut sim = hidden(Config::default(), 2);
    sim.run_for(s(600));
    sim.go_half_open();
    let took = sim.run_until_replaced();
    assert!(took <= s(360), "{took:?}");
}

#[test]
fn a_page_that_was_frozen_for_an_hour_keeps_a_healthy_link() {
    for seed in 0..60 {
        for sends_every in [None, Some(s(10))] {
            let mut sim = hidden(Config::default(), seed);
            sim.server.sends_every = sends_every;
            sim.freeze_for(s(3_600));
            sim.page(Page::Resumed);
            sim.timers = Timers::Punctual;
            sim.run_for(s(60));
            assert_eq!(sim.drop_causes().len(), 0);
        }
    }
}

#[test]
fn a_page_that_was_frozen_replaces_a_dead_link_within_3_seconds_of_its_return() {
    for seed in 0..60 {
        let mut sim = hidden(Config::default(), seed);
        sim.go_half_open();
        sim.freeze_for(s(3_600));
        sim.timers = Timers::Punctual;
        sim.page(Page::Resumed);
        let took = sim.run_until_replaced();
        assert!(took <= s(3), "{took:?}");
    }
}

/// phoenixframework/phoenix#6804: after a freeze the event that reports the return may be missing.
#[test]
fn a_return_without_an_event_is_noticed_by_the_timer() {
    for heartbeat in [HeartbeatMode::default(), HeartbeatMode::Silence(s(8))] {
        let mut sim = Simulation::open(Config { heartbeat, ..Config::default() }, 3);
        sim.run_for(s(2));
        sim.go_half_open();
        sim.freeze_for(s(600));
        let took = sim.run_until_replaced();
        assert!(took <= s(9), "{took:?}");
    }
}

/// `bufferedAmount` has no event, and the timer that measures it fires once a minute in a hidden page.
#[test]
fn a_hidden_page_sends_to_a_server_that_answers_without_waiting_for_a_timer() {
    let config = Config { heartbeat: HeartbeatMode::Off, ..Config::default() };
    let mut sim = Simulation::open(config, 9);
    sim.page(Page::Hidden);
    sim.timers = Timers::EveryMinute;
    sim.link.uplink = Some(10e6);
    sim.server.answers_messages = true;
    let start = sim.now;
    let mut sent = 0;
    while sent < 64 {
        if sim.client.is_ready() {
            sim.send_accepted(&"x".repeat(65_536));
            sent += 1;
        } else {
            sim.run_for(ms(10));
        }
    }
    sim.input(Input::Flush);
    while !sim.client.is_flushed() {
        sim.run_for(ms(10));
        assert!(sim.now - start < s(5), "4 MiB at 10 MB per second took {:?}", sim.now - start);
    }
}

// Events after which the link is probed.

/// Triggers the event.
type Trigger = fn(&mut Simulation);

const WAKE_EVENTS: [(&str, Trigger); 6] = [
    ("visible", |sim| sim.page(Page::Visible)),
    ("resumed", |sim| sim.page(Page::Resumed)),
    ("restored", |sim| sim.page(Page::Restored)),
    ("online", |sim| sim.input(Input::Network(Network::Online))),
    ("slept, monotonic clock stopped", |sim| {
        sim.sleep_for(s(3_600), false);
        sim.wake();
    }),
    ("slept, monotonic clock running", |sim| {
        sim.sleep_for(s(3_600), true);
        sim.wake();
    }),
];

#[test]
fn a_half_open_link_is_replaced_within_3_seconds_of_each_wake_event() {
    for (name, trigger) in WAKE_EVENTS {
        for (seed, phase) in (0..150).zip((0..).map(|step| ms(step * 103))) {
            let mut sim = Simulation::open(Config::default(), seed);
            sim.run_for(s(20) + phase);
            sim.go_half_open();
            trigger(&mut sim);
            let took = sim.run_until_replaced();
            assert!(took <= s(3), "{name}: {took:?} with phase {phase:?}");
        }
    }
}

#[test]
fn a_half_open_link_that_was_silent_for_a_while_is_replaced_within_3_seconds_of_each_wake_event() {
    for (name, trigger) in WAKE_EVENTS {
        for silent_for in (0..80).map(|step| ms(step * 101)) {
            let mut sim = Simulation::open(Config::default(), 1);
            sim.run_for(s(33));
            sim.go_half_open();
            sim.run_for(silent_for);
            if sim.drop_causes().is_empty() {
                trigger(&mut sim);
                let took = sim.run_until_replaced();
                assert!(took <= s(3), "{name}: {took:?} after {silent_for:?}");
            }
        }
    }
}

#[test]
fn a_healthy_link_outlives_each_wake_event() {
    for (name, trigger) in WAKE_EVENTS {
        for (seed, phase) in (0..150).zip((0..).map(|step| ms(step * 103))) {
            let mut sim = Simulation::open(Config::default(), seed);
            sim.run_for(phase);
            trigger(&mut sim);
            sim.run_for(s(30));
            assert_eq!(sim.drop_causes().len(), 0, "{name} with phase {phase:?}");
        }
    }
}

#[test]
fn several_wake_events_at_once_ping_once() {
    let mut sim = Simulation::open(Config::default(), 2);
    sim.run_for(s(3));
    let before = sim.pings.len();
    sim.page(Page::Visible);
    sim.page(Page::Resumed);
    sim.page(Page::Visible);
    sim.input(Input::Network(Network::Online));
    assert_eq!(sim.pings.len() - before, 1);
}

#[test]
fn repeated_wake_events_do_not_extend_the_deadline() {
    for (name, trigger) in WAKE_EVENTS {
        for heartbeat in [HeartbeatMode::default(), HeartbeatMode::Silence(s(5))] {
            let mut sim = Simulation::open(Config { heartbeat, ..Config::default() }, 3);
            sim.go_half_open();
            let cut_at = sim.now;
            while sim.drop_causes().is_empty() {
                trigger(&mut sim);
                sim.run_for(ms(700));
                // Where the monotonic clock counts the sleep, each of them takes an hour.
                assert!(sim.now - cut_at <= s(3 * 3_600 + 30), "{name}");
                assert!(sim.pings.len() < 40, "{name}");
            }
        }
    }
}

#[test]
fn an_overdue_deadline_is_extended_when_the_page_comes_back() {
    let mut sim = Simulation::open(Config::default(), 4);
    sim.run_for(ms(7_005));
    // The ping is out; the answer comes while nothing runs, and the page's event is first in the queue behind the stall.
    sim.stall_for(s(20));
    sim.page(Page::Visible);
    sim.run_for(s(30));
    assert_eq!(sim.drop_causes().len(), 0);
}

#[test]
fn silence_over_a_sleep_does_not_count_against_a_server_that_sends_all_the_time() {
    for monotonic_runs_on in [false, true] {
        let mut sim = Simulation::new(Config { heartbeat: HeartbeatMode::Silence(s(5)), ..Config::default() }, 5);
        sim.server.sends_every = Some(s(1));
        sim.input(OPEN);
        sim.run_for(s(60));
        sim.sleep_for(s(3_600), monotonic_runs_on);
        sim.run_for(s(60));
        assert_eq!(sim.drop_causes().len(), 0, "monotonic clock runs on: {monotonic_runs_on}");
    }
}

#[test]
fn an_attempt_that_slept_with_the_machine_is_replaced_soon() {
    let mut sim = Simulation::open(Config::default(), 6);
    sim.run_for(s(30));
    sim.provider = Provider::Hangs;
    sim.input(Input::Reconnect);
    sim.run_for(s(1));
    sim.provider = Provider::Answers;
    sim.sleep_for(s(3_600), false);
    sim.wake();
    let took = sim.run_until_open();
    assert!(took <= ms(700), "{took:?}");
}

#[test]
fn a_backoff_is_shortened_after_sleep() {
    let mut sim = Simulation::open(Config::default(), 7);
    sim.server.on_dial = OnDial::Refuse;
    sim.drop_socket();
    sim.run_for(s(200));
    sim.run_until_phase("waiting", |phase| matches!(phase, Phase::Waiting { .. }));
    sim.server.on_dial = OnDial::Accept;
    sim.sleep_for(s(60), false);
    sim.wake();
    let took = sim.run_until_open();
    assert!(took <= ms(900), "{took:?}");
}

#[test]
fn corrections_of_the_wall_clock_are_not_taken_for_sleep() {
    let mut sim = Simulation::open(Config::default(), 8);
    sim.run_for(s(8));
    sim.sleep_for(s(3), false);
    let before = sim.pings.len();
    sim.wake();
    assert_eq!(sim.pings.len(), before);
}

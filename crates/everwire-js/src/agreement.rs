//! What both languages have to know, they know alike.

use std::collections::BTreeMap;

use everwire_core::{Config, Heartbeat, PingSchedule, Time, WhenFull};

use crate::{Knobs, codes::knob, numbers::Policy};

#[test]
fn javascript_repeats_every_number_that_crosses_the_border() {
    let mut module = String::new();
    let mut ours = BTreeMap::new();
    for line in include_str!("codes.rs").lines().map(str::trim) {
        if let Some(name) = line.strip_prefix("pub mod ").and_then(|rest| rest.strip_suffix(" {")) {
            module = name.to_uppercase();
        } else if let Some(constant) = line.strip_prefix("pub const ") {
            let (name, number) = constant.split_once(": u32 = ").expect("every number has the same type");
            ours.insert(format!("{module}_{name}"), number.to_owned());
        }
    }
    let theirs: BTreeMap<_, _> = include_str!("../js/codes.js")
        .lines()
        .filter_map(|line| line.strip_prefix("export const ")?.split_once(" = "))
        .map(|(name, number)| (name.to_owned(), number.to_owned()))
        .collect();
    assert!(ours.len() > 80, "{ours:?}");
    assert_eq!(ours, theirs);
}

#[test]
fn javascript_tells_the_defaults_that_the_core_has() {
    let Config { backoff, outbox, watermarks, connect_timeout, close_timeout, .. } =
        Config::standard(Policy::default());
    let Heartbeat::Ping(ping) = Heartbeat::standard() else { panic!("pings are the default heartbeat") };
    let none = f64::INFINITY;
    let to_millis = Time::as_millis_f64;
    let ours = [
        ("backoff.floor", to_millis(backoff.floor)),
        ("backoff.first", to_millis(backoff.first)),
        ("backoff.factor", backoff.factor),
        ("backoff.max", to_millis(backoff.max)),
        ("backoff.quick", to_millis(backoff.quick)),
        ("backoff.quickAfterSilence", to_millis(backoff.quick_after_silence)),
        ("backoff.stableAfter", to_millis(backoff.stable_after)),
        ("backoff.maxRetries", backoff.max_retries.map_or(none, f64::from)),
        ("connectTimeout", to_millis(connect_timeout)),
        ("closeTimeout", to_millis(close_timeout)),
        ("watermarks.high", watermarks.high as f64),
        ("watermarks.low", watermarks.low as f64),
        ("outbox.maxMessages", outbox.max_messages as f64),
        ("outbox.maxBytes", outbox.max_bytes as f64),
        ("outbox.timeToLive", outbox.time_to_live.map_or(none, to_millis)),
        ("heartbeat.afterSilence", to_millis(ping.after_silence)),
        ("heartbeat.minDeadline", to_millis(ping.min_deadline)),
        ("heartbeat.maxDeadline", to_millis(ping.max_deadline)),
        ("heartbeat.wakeDeadline", to_millis(ping.wake_deadline)),
        ("heartbeat.sampleEvery", ping.sample_every.map_or(none, to_millis)),
    ];
    assert_eq!(ours.map(|(name, value)| (name.to_owned(), value)).to_vec(), told());
    assert_eq!(outbox.when_full, WhenFull::Refuse);
    assert!(include_str!("../js/defaults.js").contains(r#"whenFull: "refuse""#));
}

#[test]
fn a_group_of_options_turns_the_knobs_that_follow_each_other() {
    let groups = [
        ("backoff.", knob::FLOOR),
        ("watermarks.", knob::HIGH_WATER_MARK),
        ("outbox.", knob::OUTBOX_MESSAGES),
        ("heartbeat.", knob::PING_AFTER_SILENCE),
    ];
    // Every option has a value that no other has, and is found where it belongs.
    for (group, first) in groups {
        let names = told().into_iter().map(|(name, _)| name).filter(|name| name.starts_with(group));
        for (place, name) in names.enumerate() {
            let mut knobs = Knobs::new();
            knobs.turn(first + place as u32, 77_777.0);
            let config = format!("{:?}", knobs.into_config());
            let field = snake_case(name.trim_start_matches(group));
            assert!(
                ["77.777s", "77777.0", "77777", "Some(77777)", "Some(77.777s)"]
                    .iter()
                    .any(|value| config.contains(&format!("{field}: {value}"))),
                "{name}: {config}"
            );
        }
    }
    assert_eq!(PingSchedule::standard(), ping_of(knob::PING_AFTER_SILENCE, 7_000.0));
}

fn ping_of(knob: u32, value: f64) -> PingSchedule<Time> {
    let mut knobs = Knobs::new();
    knobs.turn(knob, value);
    match knobs.into_config().heartbeat {
        Heartbeat::Ping(schedule) => schedule,
        other => panic!("{other:?}"),
    }
}

fn snake_case(name: &str) -> String {
    name.chars().fold(String::new(), |mut snake, letter| {
        if letter.is_uppercase() {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
        snake
    })
}

/// The options that are numbers, with their groups' names in front, in the order of `defaults.js`.
fn told() -> Vec<(String, f64)> {
    let (_, table) = include_str!("../js/defaults.js").split_once("Object.freeze(").expect("there is a table");
    let mut groups: Vec<String> = Vec::new();
    let mut told = Vec::new();
    for piece in table.replace("Object.freeze(", "").split_inclusive(['{', '}', ',']) {
        let (text, end) = piece.split_at(piece.len() - 1);
        if let Some((name, value)) = text.split_once(':') {
            let path = [groups.last().cloned().unwrap_or_default(), name.trim().to_owned()].concat();
            match value.trim().replace('_', "").as_str() {
                "" => groups.push(format!("{path}.")),
                "Infinity" => told.push((path, f64::INFINITY)),
                number => told.extend(number.parse().map(|number| (path, number))),
            }
        } else if end == "{" {
            groups.push(String::new());
        }
        if end == "}" {
            groups.pop();
        }
    }
    told
}

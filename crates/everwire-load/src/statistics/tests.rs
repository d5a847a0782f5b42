use core::time::Duration;

use crate::cli::tests::plan;

use super::*;

fn used(at: Instant, cpu_ms: u64, memory: u64) -> Option<Use> {
    Some(Use { at, cpu: cpu_ms * 1_000_000, memory })
}

fn report(change: impl FnOnce(&mut Interval)) -> Interval {
    let mut interval = Interval::default();
    change(&mut interval);
    interval
}

#[test]
fn what_was_sent_and_not_answered_is_lost_and_the_server_is_measured_while_messages_are_sent() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut statistics = Statistics::new(start, used(start, 1000, 10), None);
    statistics.add(&report(|one| (one.now.connected, one.counts.opened) = (50, 50)));
    // Opening took a whole second of processor time, which does not count.
    statistics.cut(at(2), Phase::Opening, used(at(2), 2000, 30), None);
    statistics.start(at(2));
    statistics.begin(at(2));
    statistics.add(&report(|one| {
        (one.now.connected, one.counts.sent, one.counts.answered) = (50, 100, 60);
        one.counts.round_trip.record(Duration::from_millis(3));
    }));
    statistics.cut(at(3), Phase::Load, used(at(3), 2200, 50), None);
    statistics.add(&report(|one| (one.now.connected, one.counts.sent, one.counts.answered) = (49, 0, 36)));
    statistics.cut(at(4), Phase::Load, used(at(4), 2300, 40), None);
    statistics.end(at(4));
    assert_eq!(statistics.outstanding(), 4);
    assert!(!statistics.is_complete());
    statistics.add(&report(|one| (one.now.connected, one.now.sending, one.counts.answered) = (49, 1, 3)));
    assert!(!statistics.is_complete());

    let summary = statistics.summary("everwire-load".into(), &plan(&[]).unwrap(), 1);
    assert_eq!((summary.round_trips.sent, summary.round_trips.answered, summary.round_trips.lost), (100, 99, 1));
    assert_eq!((summary.load_s, summary.messages_per_second), (2.0, 48.0));
    assert_eq!((summary.opening.opened, summary.opening.seconds), (50, 2.0));
    assert!(summary.deliveries.is_none());
    let server = summary.server.unwrap();
    assert_eq!((server.cpu_percent, server.cpu_percent_max), (15.0, 20.0));
    assert_eq!((server.memory_before_bytes, server.memory_open_bytes, server.memory_max_bytes), (10, 30, 50));
    assert_eq!(server.cpu_us_per_message, Some(300_000.0 / 96.0));
    assert_eq!(statistics.seconds().iter().map(|second| second.answered).collect::<Vec<_>>(), [0, 60, 36]);
}

#[test]
fn what_the_server_takes_to_warm_up_is_not_what_it_takes_for_the_load() {
    let start = Instant::now();
    let at = |seconds| start + Duration::from_secs(seconds);
    let mut statistics = Statistics::new(start, used(start, 0, 10), None);
    statistics.add(&report(|one| one.now.connected = 50));
    statistics.cut(at(1), Phase::Opening, used(at(1), 100, 30), None);
    statistics.start(at(1));
    statistics.cut(at(6), Phase::WarmUp, used(at(6), 4100, 80), None);
    statistics.begin(at(6));
    statistics.add(&report(|one| (one.now.connected, one.counts.sent, one.counts.answered) = (50, 10, 10)));
    statistics.cut(at(8), Phase::Load, used(at(8), 4300, 70), None);
    statistics.end(at(8));
    let summary = statistics.summary(String::new(), &plan(&["--warm-up", "5s"]).unwrap(), 1);
    assert_eq!((summary.opening.seconds, summary.load_s, summary.setting.warm_up_s), (1.0, 2.0, 5.0));
    assert_eq!(summary.messages_per_second, 5.0);
    let server = summary.server.unwrap();
    assert_eq!((server.cpu_percent, server.cpu_percent_max, server.memory_open_bytes), (10.0, 10.0, 30));
    assert_eq!(server.cpu_us_per_message, Some(20_000.0));
}

#[test]
fn a_moment_at_the_end_of_the_load_tells_no_greatest_use() {
    let start = Instant::now();
    let at = |millis| start + Duration::from_millis(millis);
    let mut statistics = Statistics::new(start, used(start, 0, 10), None);
    statistics.begin(start);
    statistics.cut(at(1000), Phase::Load, used(at(1000), 200, 10), None);
    // A whole clock tick of the system falls into it.
    statistics.cut(at(1010), Phase::Load, used(at(1010), 210, 10), None);
    statistics.start(start);
    statistics.end(at(1010));
    let server = statistics.summary(String::new(), &plan(&[]).unwrap(), 1).server.unwrap();
    assert!((20.0..21.0).contains(&server.cpu_percent_max), "{server:?}");
}

#[test]
fn every_subscriber_of_the_start_should_receive_all_that_is_published() {
    let start = Instant::now();
    let mut statistics = Statistics::new(start, None, None);
    statistics.add(&report(|one| (one.now.connected, one.now.expecting) = (11, 10)));
    statistics.start(start);
    statistics.begin(start);
    // One of ten is lost on the way, and misses the second message.
    statistics.add(&report(|one| (one.now.expecting, one.counts.published, one.counts.delivered) = (10, 2, 19)));
    statistics.end(start + Duration::from_secs(1));
    let summary = statistics.summary(String::new(), &plan(&["--subscribers", "10%"]).unwrap(), 0);
    let deliveries = summary.deliveries.unwrap();
    assert_eq!((deliveries.expected, deliveries.delivered, deliveries.lost), (20, 19, 1));
    assert!(summary.server.is_none());
}

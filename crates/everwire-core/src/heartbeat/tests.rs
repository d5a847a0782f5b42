use super::*;

const START: Time = Time::from_secs(100);

const fn s(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

const fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

struct Harness {
    detector: LivenessDetector,
    latency: Latency,
}

impl Harness {
    fn new(heartbeat: HeartbeatMode) -> Self {
        Self { detector: LivenessDetector::new(heartbeat, 1, START), latency: Latency::default() }
    }

    /// A detector of a link whose round trips take 40 ms.
    fn measured() -> Self {
        let mut harness = Self::new(HeartbeatMode::default());
        for _ in 0..20 {
            harness.latency.record(s(1).into(), (s(1) + ms(40)).into(), None);
        }
        harness
    }

    fn wake(&mut self, at: Time) -> HeartbeatAction {
        self.detector.wake(START + at, false, &mut self.latency)
    }

    fn wake_late(&mut self, at: Time) -> HeartbeatAction {
        self.detector.wake(START + at, true, &mut self.latency)
    }

    fn probe(&mut self, at: Time) -> HeartbeatAction {
        self.detector.probe(START + at, &mut self.latency)
    }

    fn received(&mut self, at: Time) {
        self.detector.received(START + at, 0);
    }

    fn next_wake(&self) -> Option<Time> {
        let next = self.detector.next_wake();
        (next != Time::NEVER).then(|| next - START)
    }
}

#[test]
fn silence_causes_a_ping_and_a_missing_answer_means_a_dead_link() {
    let mut harness = Harness::new(HeartbeatMode::default());
    assert_eq!(harness.next_wake(), Some(s(7)));
    assert_eq!(harness.wake(ms(6_999)), HeartbeatAction::None);
    assert_eq!(harness.wake(s(7)), HeartbeatAction::Ping(1));
    assert_eq!(harness.next_wake(), Some(s(13)), "no round trip was measured yet");
    assert_eq!(harness.wake(ms(12_999)), HeartbeatAction::None);
    assert_eq!(harness.wake(s(13)), HeartbeatAction::Dead);
}

#[test]
fn anything_received_is_an_answer() {
    let mut harness = Harness::new(HeartbeatMode::default());
    harness.wake(s(7));
    harness.received(s(8));
    assert_eq!(harness.wake(s(13)), HeartbeatAction::None);
    assert_eq!(harness.next_wake(), Some(s(15)));
}

#[test]
fn the_deadline_follows_the_round_trip_within_its_bounds() {
    let mut fast = Harness::measured();
    fast.wake(s(7));
    assert_eq!(fast.next_wake(), Some(s(9)));

    let mut slow = Harness::new(HeartbeatMode::default());
    slow.latency.record(s(1).into(), ms(1_500).into(), None);
    slow.wake(s(7));
    // A first round trip of 0.5 s: twice 0.5 s + 4 · 0.25 s.
    assert_eq!(slow.next_wake(), Some(s(10)));

    let mut glacial = Harness::new(HeartbeatMode::default());
    glacial.latency.record(s(1).into(), s(20).into(), None);
    glacial.wake(s(7));
    assert_eq!(glacial.next_wake(), Some(s(13)));
}

#[test]
fn a_ping_behind_many_bytes_has_a_longer_deadline_but_a_bounded_one() {
    for (bytes, allowance) in [(65_536, s(1)), (640 << 10, s(10)), (usize::MAX, s(30))] {
        let mut harness = Harness::measured();
        harness.detector.sent(bytes);
        harness.detector.sent(0);
        harness.wake(s(7));
        assert_eq!(harness.next_wake(), Some(s(9) + allowance), "{bytes}");
    }
}

#[test]
fn a_missing_sample_does_not_end_the_link() {
    let mut harness = Harness::measured();
    for second in 1..15 {
        harness.received(s(second));
    }
    assert_eq!(harness.wake(s(15)), HeartbeatAction::Ping(1));
    harness.received(s(16));
    assert_eq!(harness.next_wake(), Some(s(23)));
    harness.received(s(22));
    assert_eq!(harness.wake(s(22)), HeartbeatAction::None);
}

#[test]
fn a_deadline_that_passes_on_a_late_timer_is_extended_once() {
    let mut harness = Harness::measured();
    harness.wake(s(7));
    assert_eq!(harness.wake_late(s(60)), HeartbeatAction::Ping(2));
    assert_eq!(harness.next_wake(), Some(s(62)));
    assert_eq!(harness.wake_late(s(120)), HeartbeatAction::Dead);
}

#[test]
fn a_receipt_allows_the_deadline_to_be_extended_again() {
    let mut harness = Harness::measured();
    harness.wake(s(7));
    harness.wake_late(s(60));
    harness.received(s(61));
    harness.wake(s(68));
    assert!(matches!(harness.wake_late(s(120)), HeartbeatAction::Ping(_)));
}

#[test]
fn a_probe_pings_at_once_and_shortens_a_pending_deadline() {
    let mut harness = Harness::new(HeartbeatMode::default());
    harness.wake(s(7));
    assert_eq!(harness.probe(s(8)), HeartbeatAction::Ping(2));
    assert_eq!(harness.next_wake(), Some(s(10)));
    assert_eq!(harness.wake(s(10)), HeartbeatAction::Dead);
}

#[test]
fn probes_do_not_extend_a_pending_deadline() {
    let mut harness = Harness::measured();
    harness.probe(s(1));
    for quarter in 5..12 {
        harness.probe(ms(quarter * 250));
    }
    assert_eq!(harness.next_wake(), Some(s(3)));
}

#[test]
fn a_probe_extends_an_overdue_deadline_once() {
    let mut harness = Harness::measured();
    harness.wake(s(7));
    assert_eq!(harness.probe(s(9)), HeartbeatAction::Ping(2));
    assert_eq!(harness.next_wake(), Some(s(11)));
    assert_eq!(harness.probe(s(12)), HeartbeatAction::None);
    assert_eq!(harness.wake(s(12)), HeartbeatAction::Dead);
}

#[test]
fn two_probes_at_once_ping_once() {
    let mut harness = Harness::measured();
    assert_eq!(harness.probe(s(1)), HeartbeatAction::Ping(1));
    assert_eq!(harness.probe(ms(1_249)), HeartbeatAction::None);
    assert_eq!(harness.probe(ms(1_250)), HeartbeatAction::Ping(2));
}

#[test]
fn a_probe_takes_a_slow_link_into_account() {
    let mut harness = Harness::new(HeartbeatMode::default());
    harness.latency.record(s(1).into(), s(2).into(), None);
    harness.probe(s(1));
    assert_eq!(harness.next_wake(), Some(s(4)), "three round trips of 1 s");
}

#[test]
fn a_freeze_does_not_count_against_the_link() {
    let mut harness = Harness::measured();
    harness.wake(s(7));
    harness.detector.suspend();
    assert_eq!(harness.wake_late(s(3_600)), HeartbeatAction::Ping(2));
    assert_eq!(harness.next_wake(), Some(s(3_602)));
}

#[test]
fn a_buffer_that_moves_extends_a_pending_deadline_and_starts_none() {
    let mut harness = Harness::measured();
    harness.detector.moved(START + s(1), &harness.latency);
    assert_eq!(harness.next_wake(), Some(s(7)));
    harness.wake(s(7));
    harness.detector.moved(START + s(8), &harness.latency);
    assert_eq!(harness.next_wake(), Some(s(10)));
}

#[test]
fn a_link_is_given_up_only_after_the_buffer_was_measured() {
    let mut harness = Harness::measured();
    harness.wake(s(7));
    assert!(harness.detector.extend_to_measure(START + s(9)));
    assert_eq!(harness.next_wake(), Some(ms(9_050)));
    assert!(!harness.detector.extend_to_measure(START + ms(9_050)));
}

#[test]
fn a_silence_heartbeat_sends_no_pings() {
    let mut harness = Harness::new(HeartbeatMode::Silence(s(10)));
    assert_eq!(harness.probe(s(5)), HeartbeatAction::None);
    assert_eq!(harness.next_wake(), Some(s(10)));
    harness.received(s(9));
    assert_eq!(harness.wake(s(18)), HeartbeatAction::None);
    assert_eq!(harness.wake_late(s(21)), HeartbeatAction::None, "what should have been received may be waiting");
    assert_eq!(harness.next_wake(), Some(s(23)));
    assert_eq!(harness.wake(s(23)), HeartbeatAction::Dead);
}

#[test]
fn without_a_heartbeat_there_is_nothing_to_wake_for() {
    let mut harness = Harness::new(HeartbeatMode::Off);
    assert_eq!(
        (harness.next_wake(), harness.probe(s(1)), harness.wake(s(9_999))),
        (None, HeartbeatAction::None, HeartbeatAction::None)
    );
}

#[test]
fn an_answer_is_a_sample_where_it_is_certain_what_it_answers() {
    let mut harness = Harness::measured();
    let Harness { detector, latency } = &mut harness;
    detector.probe(START + s(1), latency);
    assert_eq!(detector.answer(START + s(1), Some(9), latency), None, "no such ping was sent");
    assert_eq!(detector.answer(START + s(1), None, latency), Some(START + s(1)));
    detector.probe(START + s(2), latency);
    detector.probe(START + s(3), latency);
    assert_eq!(detector.answer(START + s(3), None, latency), None, "it may be either's");
    assert_eq!(detector.answer(START + s(3), Some(3), latency), Some(START + s(3)));
    assert_eq!((detector.outstanding.len(), detector.ever_answered), (0, true));
}

#[test]
fn an_answer_after_half_a_minute_is_a_loss_and_no_sample() {
    let mut harness = Harness::measured();
    let Harness { detector, latency } = &mut harness;
    detector.probe(START + s(1), latency);
    assert_eq!(detector.answer(START + s(31), Some(1), latency), None);
    assert_eq!(latency.summary().lost, 1);
}

#[test]
fn only_a_few_pings_are_outstanding_at_a_time() {
    let mut harness = Harness::measured();
    for second in 1..=20 {
        harness.probe(s(second));
        harness.received(s(second));
    }
    assert_eq!(harness.detector.outstanding.len(), MAX_OUTSTANDING);
    assert_eq!(harness.latency.summary().lost, 4);
}

#[test]
fn a_receipt_while_a_ping_is_outstanding_may_bring_the_next_ping_forward() {
    let schedule = PingSchedule { after_silence: s(1), sample_every: Some(s(1)), ..PingSchedule::default() };
    let mut harness = Harness::new(HeartbeatMode::Ping(schedule));
    assert_eq!(harness.wake(s(1)), HeartbeatAction::Ping(1));
    assert_eq!(harness.next_wake(), Some(s(7)));
    harness.received(ms(1_500));
    assert_eq!(harness.next_wake(), Some(s(2)));
}

#[test]
fn a_time_of_receipt_ahead_of_the_clock_is_corrected() {
    let mut harness = Harness::new(HeartbeatMode::Silence(s(10)));
    harness.received(s(1_000_000));
    harness.detector.correct(START + s(4));
    assert_eq!(harness.next_wake(), Some(s(14)));
    harness.received(s(3));
    harness.detector.correct(START + s(5));
    assert_eq!(harness.next_wake(), Some(s(13)), "a time in the past is left as it is");
}

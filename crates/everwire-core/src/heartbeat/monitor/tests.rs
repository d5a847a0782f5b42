use super::*;

const START: Time = Time::from_secs(100);

const fn s(seconds: u64) -> Time {
    Time::from_secs(seconds)
}

const fn ms(milliseconds: u64) -> Time {
    Time::from_millis(milliseconds)
}

struct Bench {
    monitor: Monitor,
    latency: Latency,
}

impl Bench {
    fn new(heartbeat: Heartbeat) -> Self {
        Self { monitor: Monitor::new(heartbeat.timed(), 1, START), latency: Latency::default() }
    }

    /// A monitor on a link whose round trips take 40 ms.
    fn measured() -> Self {
        let mut bench = Self::new(Heartbeat::default());
        for _ in 0..20 {
            bench.latency.record(s(1).into(), (s(1) + ms(40)).into(), None);
        }
        bench
    }

    fn wake(&mut self, at: Time) -> Pulse {
        self.monitor.wake(START + at, false, &mut self.latency)
    }

    fn wake_late(&mut self, at: Time) -> Pulse {
        self.monitor.wake(START + at, true, &mut self.latency)
    }

    fn urge(&mut self, at: Time) -> Pulse {
        self.monitor.urge(START + at, &mut self.latency)
    }

    fn hear(&mut self, at: Time) {
        self.monitor.hear(START + at, 0);
    }

    fn next_wake(&self) -> Option<Time> {
        let next = self.monitor.next_wake();
        (next != Time::NEVER).then(|| next - START)
    }
}

#[test]
fn silence_is_asked_about_and_an_answer_that_stays_out_means_death() {
    let mut bench = Bench::new(Heartbeat::default());
    assert_eq!(bench.next_wake(), Some(s(7)));
    assert_eq!(bench.wake(ms(6_999)), Pulse::Quiet);
    assert_eq!(bench.wake(s(7)), Pulse::Ping(1));
    assert_eq!(bench.next_wake(), Some(s(13)), "no round trip was measured yet");
    assert_eq!(bench.wake(ms(12_999)), Pulse::Quiet);
    assert_eq!(bench.wake(s(13)), Pulse::Dead);
}

#[test]
fn anything_heard_is_an_answer() {
    let mut bench = Bench::new(Heartbeat::default());
    bench.wake(s(7));
    bench.hear(s(8));
    assert_eq!(bench.wake(s(13)), Pulse::Quiet);
    assert_eq!(bench.next_wake(), Some(s(15)));
}

#[test]
fn the_deadline_follows_the_round_trip_within_its_bounds() {
    let mut fast = Bench::measured();
    fast.wake(s(7));
    assert_eq!(fast.next_wake(), Some(s(9)));

    let mut slow = Bench::new(Heartbeat::default());
    slow.latency.record(s(1).into(), ms(1_500).into(), None);
    slow.wake(s(7));
    // A first round trip of 0.5 s: twice 0.5 s + 4 · 0.25 s.
    assert_eq!(slow.next_wake(), Some(s(10)));

    let mut glacial = Bench::new(Heartbeat::default());
    glacial.latency.record(s(1).into(), s(20).into(), None);
    glacial.wake(s(7));
    assert_eq!(glacial.next_wake(), Some(s(13)));
}

#[test]
fn a_ping_behind_a_lot_of_bytes_has_longer_but_not_for_ever() {
    for (bytes, allowance) in [(65_536, s(1)), (640 << 10, s(10)), (usize::MAX, s(30))] {
        let mut bench = Bench::measured();
        bench.monitor.sent(bytes);
        bench.monitor.sent(0);
        bench.wake(s(7));
        assert_eq!(bench.next_wake(), Some(s(9) + allowance), "{bytes}");
    }
}

#[test]
fn a_sample_that_stays_out_is_no_verdict() {
    let mut bench = Bench::measured();
    for second in 1..15 {
        bench.hear(s(second));
    }
    assert_eq!(bench.wake(s(15)), Pulse::Ping(1));
    bench.hear(s(16));
    assert_eq!(bench.next_wake(), Some(s(23)));
    bench.hear(s(22));
    assert_eq!(bench.wake(s(22)), Pulse::Quiet);
}

#[test]
fn a_verdict_on_a_late_timer_is_put_off_once_and_then_stands() {
    let mut bench = Bench::measured();
    bench.wake(s(7));
    assert_eq!(bench.wake_late(s(60)), Pulse::Ping(2));
    assert_eq!(bench.next_wake(), Some(s(62)));
    assert_eq!(bench.wake_late(s(120)), Pulse::Dead);
}

#[test]
fn a_sign_of_life_allows_a_verdict_to_be_put_off_again() {
    let mut bench = Bench::measured();
    bench.wake(s(7));
    bench.wake_late(s(60));
    bench.hear(s(61));
    bench.wake(s(68));
    assert!(matches!(bench.wake_late(s(120)), Pulse::Ping(_)));
}

#[test]
fn an_urge_asks_at_once_and_shortens_a_pending_verdict() {
    let mut bench = Bench::new(Heartbeat::default());
    bench.wake(s(7));
    assert_eq!(bench.urge(s(8)), Pulse::Ping(2));
    assert_eq!(bench.next_wake(), Some(s(10)));
    assert_eq!(bench.wake(s(10)), Pulse::Dead);
}

#[test]
fn urges_do_not_put_a_pending_verdict_off() {
    let mut bench = Bench::measured();
    bench.urge(s(1));
    for quarter in 5..12 {
        bench.urge(ms(quarter * 250));
    }
    assert_eq!(bench.next_wake(), Some(s(3)));
}

#[test]
fn an_urge_puts_an_overdue_verdict_off_once() {
    let mut bench = Bench::measured();
    bench.wake(s(7));
    assert_eq!(bench.urge(s(9)), Pulse::Ping(2));
    assert_eq!(bench.next_wake(), Some(s(11)));
    assert_eq!(bench.urge(s(12)), Pulse::Quiet);
    assert_eq!(bench.wake(s(12)), Pulse::Dead);
}

#[test]
fn two_urges_at_once_ask_once() {
    let mut bench = Bench::measured();
    assert_eq!(bench.urge(s(1)), Pulse::Ping(1));
    assert_eq!(bench.urge(ms(1_249)), Pulse::Quiet);
    assert_eq!(bench.urge(ms(1_250)), Pulse::Ping(2));
}

#[test]
fn an_urge_takes_a_slow_link_into_account() {
    let mut bench = Bench::new(Heartbeat::default());
    bench.latency.record(s(1).into(), s(2).into(), None);
    bench.urge(s(1));
    assert_eq!(bench.next_wake(), Some(s(4)), "three round trips of 1 s");
}

#[test]
fn a_frozen_page_holds_nothing_against_the_link() {
    let mut bench = Bench::measured();
    bench.wake(s(7));
    bench.monitor.suspend();
    assert_eq!(bench.wake_late(s(3_600)), Pulse::Ping(2));
    assert_eq!(bench.next_wake(), Some(s(3_602)));
}

#[test]
fn a_buffer_that_moves_puts_a_pending_verdict_off_and_starts_none() {
    let mut bench = Bench::measured();
    bench.monitor.moved(START + s(1), &bench.latency);
    assert_eq!(bench.next_wake(), Some(s(7)));
    bench.wake(s(7));
    bench.monitor.moved(START + s(8), &bench.latency);
    assert_eq!(bench.next_wake(), Some(s(10)));
}

#[test]
fn a_verdict_waits_for_the_buffer_to_be_looked_at_once() {
    let mut bench = Bench::measured();
    bench.wake(s(7));
    assert!(bench.monitor.put_off_once(START + s(9)));
    assert_eq!(bench.next_wake(), Some(ms(9_050)));
    assert!(!bench.monitor.put_off_once(START + ms(9_050)));
}

#[test]
fn silence_alone_is_judged_by_silence_alone() {
    let mut bench = Bench::new(Heartbeat::Silence(s(10).into()));
    assert_eq!(bench.urge(s(5)), Pulse::Quiet);
    assert_eq!(bench.next_wake(), Some(s(10)));
    bench.hear(s(9));
    assert_eq!(bench.wake(s(18)), Pulse::Quiet);
    assert_eq!(bench.wake_late(s(21)), Pulse::Quiet, "what should have been heard may be waiting");
    assert_eq!(bench.next_wake(), Some(s(23)));
    assert_eq!(bench.wake(s(23)), Pulse::Dead);
}

#[test]
fn without_a_heartbeat_there_is_nothing_to_wake_for() {
    let mut bench = Bench::new(Heartbeat::Off);
    assert_eq!((bench.next_wake(), bench.urge(s(1)), bench.wake(s(9_999))), (None, Pulse::Quiet, Pulse::Quiet));
}

#[test]
fn an_answer_is_a_sample_where_it_is_certain_what_it_answers() {
    let mut bench = Bench::measured();
    let Bench { monitor, latency } = &mut bench;
    monitor.urge(START + s(1), latency);
    assert_eq!(monitor.answer(START + s(1), Some(9), latency), None, "nobody asked that");
    assert_eq!(monitor.answer(START + s(1), None, latency), Some(START + s(1)));
    monitor.urge(START + s(2), latency);
    monitor.urge(START + s(3), latency);
    assert_eq!(monitor.answer(START + s(3), None, latency), None, "it may be either's");
    assert_eq!(monitor.answer(START + s(3), Some(3), latency), Some(START + s(3)));
    assert_eq!((monitor.unanswered(), monitor.ever_answered()), (0, true));
}

#[test]
fn an_answer_after_half_a_minute_is_a_loss_and_no_sample() {
    let mut bench = Bench::measured();
    let Bench { monitor, latency } = &mut bench;
    monitor.urge(START + s(1), latency);
    assert_eq!(monitor.answer(START + s(31), Some(1), latency), None);
    assert_eq!(latency.summary().lost, 1);
}

#[test]
fn no_more_pings_are_remembered_than_a_few() {
    let mut bench = Bench::measured();
    for second in 1..=20 {
        bench.urge(s(second));
        bench.hear(s(second));
    }
    assert_eq!(bench.monitor.unanswered(), MAX_OUTSTANDING);
    assert_eq!(bench.latency.summary().lost, 4);
}

#[test]
fn what_is_heard_brings_the_next_wake_nearer_only_while_an_answer_is_awaited() {
    let second = core::time::Duration::from_secs(1);
    let schedule = PingSchedule { after_silence: second, sample_every: Some(second), ..PingSchedule::default() };
    let mut bench = Bench::new(Heartbeat::Ping(schedule));
    bench.hear(ms(500));
    assert_eq!((bench.next_wake(), bench.monitor.awaits_answer()), (Some(s(1)), false));
    bench.hear(ms(0));
    assert_eq!(bench.wake(s(1)), Pulse::Ping(1));
    assert_eq!((bench.next_wake(), bench.monitor.awaits_answer()), (Some(s(7)), true));
    bench.hear(ms(1_500));
    assert_eq!((bench.next_wake(), bench.monitor.awaits_answer()), (Some(s(2)), false));
    let mut silence = Bench::new(Heartbeat::Silence(second));
    silence.hear(ms(500));
    assert!(!silence.monitor.awaits_answer(), "nobody was asked");
}

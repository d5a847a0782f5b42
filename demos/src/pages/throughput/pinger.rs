use std::collections::VecDeque;

use everwire_yew::WasOpen;

/// One connection that keeps a number of pings in flight: for each that comes back it sends another. It does no I/O and is handed the
/// time, in milliseconds.
#[derive(Debug)]
pub(super) struct Pinger {
    in_flight: usize,
    state: ConnectionState,
    /// When the pings in flight were sent, the oldest first: the echo preserves their order.
    sent_at: VecDeque<f64>,
    rate_limiter: RateLimiter,
    answered: u64,
    /// How long it has been open, without the present connection.
    open_before: f64,
}

/// The state of a connection.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum ConnectionState {
    /// It was not opened yet, or its handshake is not complete.
    Connecting,
    /// Since this time.
    Open(f64),
    /// Why, and whether another attempt follows.
    Down { why: String, is_final: bool },
    /// It was open until the run was stopped.
    Done,
}

impl Pinger {
    pub(super) fn new(in_flight: usize) -> Self {
        Self {
            in_flight,
            state: ConnectionState::Connecting,
            sent_at: VecDeque::with_capacity(in_flight),
            rate_limiter: RateLimiter::default(),
            answered: 0,
            open_before: 0.0,
        }
    }

    pub(super) fn opened(&mut self, now: f64) {
        self.sent_at.clear();
        self.state = ConnectionState::Open(now);
    }

    /// The connection is lost, and the pings in flight with it.
    pub(super) fn went_down(&mut self, now: f64, why: String, is_final: bool) {
        if let ConnectionState::Open(since) = self.state {
            self.open_before += now - since;
        }
        self.sent_at.clear();
        self.state = ConnectionState::Down { why, is_final };
    }

    /// The run is over: the time that counts for the rate ends here.
    pub(super) fn stop(&mut self, now: f64) {
        if matches!(self.state, ConnectionState::Open(_)) {
            self.went_down(now, String::new(), true);
            self.state = ConnectionState::Done;
        }
    }

    /// A ping came back. Returns its round trip, or `None` if no ping was in flight.
    pub(super) fn answered(&mut self, now: f64) -> Option<f64> {
        let sent_at = self.sent_at.pop_front()?;
        self.answered += 1;
        Some(now - sent_at)
    }

    /// Returns how many pings to send now and counts them as sent: as many as are missing in flight, within the rate limit.
    pub(super) fn take_due(&mut self, now: f64) -> usize {
        if !matches!(self.state, ConnectionState::Open(_)) {
            return 0;
        }
        let due = self.rate_limiter.acquire(now, self.in_flight - self.sent_at.len());
        self.sent_at.extend(std::iter::repeat_n(now, due));
        due
    }

    pub(super) fn was_open(&self) -> WasOpen {
        match self.state {
            ConnectionState::Open(_) => WasOpen::UntilNow,
            _ if self.open_before > 0.0 => WasOpen::Earlier,
            _ => WasOpen::Never,
        }
    }

    pub(super) fn state(&self) -> &ConnectionState {
        &self.state
    }

    pub(super) fn total(&self) -> u64 {
        self.answered
    }

    /// Pings per second, averaged over all the time that it was open.
    pub(super) fn per_second(&self, now: f64) -> f64 {
        let open = self.open_before + if let ConnectionState::Open(since) = self.state { now - since } else { 0.0 };
        if open > 0.0 { self.answered as f64 / open * 1e3 } else { 0.0 }
    }
}

/// Limits the messages of one connection to 9,000 per second. The companion server closes a connection that sends more than 10,000 per
/// second; the margin is for its clock, which counts other windows than ours.
#[derive(Clone, Copy, Debug, Default)]
struct RateLimiter {
    /// When the current window began, in milliseconds.
    window_start: f64,
    sent: usize,
}

impl RateLimiter {
    const WINDOW: f64 = 100.0;
    const MAX_PER_WINDOW: usize = 900;

    /// Returns how many of the wanted messages may be sent now, and counts them.
    fn acquire(&mut self, now: f64, wanted: usize) -> usize {
        if now - self.window_start >= Self::WINDOW {
            *self = Self { window_start: now, sent: 0 };
        }
        let granted = wanted.min(Self::MAX_PER_WINDOW - self.sent);
        self.sent += granted;
        granted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_answer_makes_room_for_another_ping() {
        let mut pinger = Pinger::new(3);
        assert_eq!(pinger.take_due(0.0), 0, "not before it is open");
        pinger.opened(10.0);
        assert_eq!((pinger.take_due(10.0), pinger.take_due(11.0)), (3, 0));
        assert_eq!(pinger.answered(15.0), Some(5.0));
        assert_eq!(pinger.take_due(16.0), 1);
        assert_eq!([17.0, 18.0, 19.0].map(|now| pinger.answered(now)), [Some(7.0), Some(8.0), Some(3.0)]);
        assert_eq!(pinger.answered(20.0), None, "no ping is in flight");
        assert_eq!(pinger.total(), 4);
    }

    #[test]
    fn pings_in_flight_are_lost_with_the_connection() {
        let mut pinger = Pinger::new(2);
        assert_eq!(pinger.was_open(), WasOpen::Never);
        pinger.opened(0.0);
        pinger.take_due(0.0);
        assert_eq!(pinger.was_open(), WasOpen::UntilNow);
        pinger.went_down(5.0, "cut".to_owned(), false);
        assert_eq!(pinger.was_open(), WasOpen::Earlier);
        assert_eq!((pinger.take_due(6.0), pinger.answered(6.0)), (0, None));
        pinger.opened(100.0);
        assert_eq!(pinger.take_due(100.0), 2);
        assert_eq!(pinger.answered(101.0), Some(1.0));
    }

    #[test]
    fn the_rate_counts_only_the_time_that_the_connection_was_open() {
        let mut pinger = Pinger::new(1);
        assert_eq!(pinger.per_second(1_000.0), 0.0);
        for start in [1_000.0, 60_000.0] {
            pinger.opened(start);
            for step in 0..10 {
                pinger.take_due(start + f64::from(step));
                pinger.answered(start + f64::from(step));
            }
            pinger.went_down(start + 500.0, "cut".to_owned(), false);
        }
        assert_eq!(pinger.per_second(90_000.0), 20.0);
    }

    #[test]
    fn a_fast_server_is_not_sent_more_than_its_rate_limit() {
        let mut pinger = Pinger::new(100);
        pinger.opened(1_000.0);
        let mut sent = 0;
        for step in 0..1_000 {
            let now = 1_000.0 + f64::from(step);
            sent += pinger.take_due(now);
            while pinger.answered(now).is_some() {}
        }
        assert!((8_000..=9_000).contains(&sent), "{sent} in one second");
    }

    #[test]
    fn the_rate_limiter_grants_at_most_nine_thousand_per_second() {
        let mut limiter = RateLimiter::default();
        let sent: usize = (0..100_000).map(|step| limiter.acquire(1e9 + f64::from(step) / 10.0, 7)).sum();
        assert!((89_000..=90_900).contains(&sent), "{sent} in ten seconds");
    }

    #[test]
    fn the_rate_limiter_saves_nothing_up_during_a_pause() {
        let mut limiter = RateLimiter::default();
        assert_eq!(limiter.acquire(1e9, 2_000), 900);
        assert_eq!(limiter.acquire(1e9 + 99.0, 1), 0);
        assert_eq!(limiter.acquire(1e9 + 60_000.0, 2_000), 900);
    }
}

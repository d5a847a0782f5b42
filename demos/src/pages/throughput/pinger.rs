use std::collections::VecDeque;

use everwire_yew::WasOpen;

use super::allowance::Allowance;

/// One connection that keeps a number of pings under way: for each that comes back it sends another. Times are
/// milliseconds.
#[derive(Debug)]
pub(super) struct Pinger {
    in_flight: usize,
    link: Link,
    /// When the pings under way were sent, the oldest first: an echo comes back in order.
    sent_at: VecDeque<f64>,
    allowance: Allowance,
    answered: u64,
    /// For how long it has been open before, and since when it is.
    open_for: f64,
}

/// How a connection stands.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Link {
    /// It has not been dialled, or has not answered.
    Dialling,
    /// Since when.
    Open(f64),
    /// Why, and whether another attempt follows.
    Down { why: String, is_final: bool },
    /// It was open to the end of the run.
    Done,
}

impl Pinger {
    pub(super) fn new(in_flight: usize) -> Self {
        Self {
            in_flight,
            link: Link::Dialling,
            sent_at: VecDeque::with_capacity(in_flight),
            allowance: Allowance::default(),
            answered: 0,
            open_for: 0.0,
        }
    }

    pub(super) fn opened(&mut self, now: f64) {
        self.sent_at.clear();
        self.link = Link::Open(now);
    }

    /// The connection is gone, and with it the pings under way.
    pub(super) fn went_down(&mut self, now: f64, why: String, is_final: bool) {
        if let Link::Open(since) = self.link {
            self.open_for += now - since;
        }
        self.sent_at.clear();
        self.link = Link::Down { why, is_final };
    }

    /// The run is over: the time stops.
    pub(super) fn halt(&mut self, now: f64) {
        if matches!(self.link, Link::Open(_)) {
            self.went_down(now, String::new(), true);
            self.link = Link::Done;
        }
    }

    /// A ping came back. Says how long it took; `None` for an answer to nothing.
    pub(super) fn answered(&mut self, now: f64) -> Option<f64> {
        let sent_at = self.sent_at.pop_front()?;
        self.answered += 1;
        Some(now - sent_at)
    }

    /// Takes the pings that are due: as many as are missing under way, and as may be sent.
    pub(super) fn take_due(&mut self, now: f64) -> usize {
        if !matches!(self.link, Link::Open(_)) {
            return 0;
        }
        let due = self.allowance.take(now, self.in_flight - self.sent_at.len());
        self.sent_at.extend(std::iter::repeat_n(now, due));
        due
    }

    /// Whether it was open until now or before.
    pub(super) fn was_open(&self) -> WasOpen {
        match self.link {
            Link::Open(_) => WasOpen::UntilNow,
            _ if self.open_for > 0.0 => WasOpen::Earlier,
            _ => WasOpen::Never,
        }
    }

    pub(super) fn link(&self) -> &Link {
        &self.link
    }

    pub(super) fn total(&self) -> u64 {
        self.answered
    }

    /// Pings a second over all the time that it was open.
    pub(super) fn per_second(&self, now: f64) -> f64 {
        let open = self.open_for + if let Link::Open(since) = self.link { now - since } else { 0.0 };
        if open > 0.0 { self.answered as f64 / open * 1e3 } else { 0.0 }
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
        assert_eq!(pinger.answered(20.0), None, "an answer to nothing");
        assert_eq!(pinger.total(), 4);
    }

    #[test]
    fn what_was_under_way_when_the_line_broke_is_never_waited_for() {
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
    fn the_rate_is_over_the_time_that_it_was_open() {
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
    fn a_fast_server_is_not_sent_more_than_it_takes() {
        let mut pinger = Pinger::new(100);
        pinger.opened(1_000.0);
        let mut sent = 0;
        for step in 0..1_000 {
            let now = 1_000.0 + f64::from(step);
            sent += pinger.take_due(now);
            while pinger.answered(now).is_some() {}
        }
        assert!((8_000..=9_000).contains(&sent), "{sent} in a second");
    }
}

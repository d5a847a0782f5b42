use std::time::Duration;

use tokio::time::Instant;

/// The time after which TCP sends a lost segment again, at least: what Linux uses (`TCP_RTO_MIN`).
const RETRANSMIT: Duration = Duration::from_millis(200);

/// How often a segment is lost in a row, at most: the time doubles with each (RFC 6298, section 5.5), and after five
/// a message is six seconds late.
const LOST_AT_MOST: u32 = 5;

/// A slow, uneven or lossy network between server and client.
///
/// What is lost on TCP is not missing but late: it is sent again, and everything behind it waits. So `loss` holds a
/// message back by the time of the retransmissions that it would have needed, and the order is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Network {
    /// How long every message is under way.
    pub(super) delay: Duration,
    /// Up to how much longer, evenly distributed.
    pub(super) jitter: Duration,
    /// The share of messages that are lost and sent again, from 0 to 1.
    pub(super) loss: f64,
}

/// One direction of a connection over such a network.
#[derive(Debug)]
pub(crate) struct Path {
    network: Network,
    dice: fastrand::Rng,
    /// When the message before arrives: nothing overtakes it.
    before: Option<Instant>,
}

impl Network {
    pub(crate) fn path(self) -> Path {
        self.path_with(fastrand::Rng::new())
    }

    fn path_with(self, dice: fastrand::Rng) -> Path {
        Path { network: self, dice, before: None }
    }
}

impl Path {
    /// When a message that is sent now arrives.
    pub(crate) fn arrival(&mut self, now: Instant) -> Instant {
        let Network { delay, jitter, loss } = self.network;
        let mut arrival = now + delay + jitter.mul_f64(self.dice.f64());
        let mut again = RETRANSMIT;
        for _ in 0..LOST_AT_MOST {
            if self.dice.f64() >= loss {
                break;
            }
            arrival += again;
            again *= 2;
        }
        let arrival = self.before.map_or(arrival, |before| before.max(arrival));
        self.before = Some(arrival);
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// How late each of a thousand messages is that are sent so far apart that none waits for another.
    fn lateness(network: Network) -> Vec<Duration> {
        let mut path = network.path_with(fastrand::Rng::with_seed(7));
        let start = Instant::now();
        let sent = (0..1000).map(|number| start + Duration::from_secs(60) * number);
        sent.map(|sent| path.arrival(sent) - sent).collect()
    }

    #[test]
    fn without_a_fault_nothing_is_late() {
        assert!(lateness(Network::default()).iter().all(Duration::is_zero));
    }

    #[test]
    fn jitter_adds_up_to_its_time_to_the_delay() {
        let late = lateness(Network { delay: ms(100), jitter: ms(50), loss: 0.0 });
        assert!(late.iter().all(|late| (ms(100)..=ms(150)).contains(late)));
        let mean = late.iter().sum::<Duration>() / 1000;
        assert!((ms(122)..ms(128)).contains(&mean), "{mean:?}");
    }

    #[test]
    fn what_is_lost_comes_after_one_or_more_retransmissions_and_always_comes() {
        let late = lateness(Network { loss: 0.1, ..Network::default() });
        let count = |time| late.iter().filter(|late| **late == time).count();
        assert!((870..930).contains(&count(ms(0))), "{}", count(ms(0)));
        assert!((60..120).contains(&count(ms(200))), "{}", count(ms(200)));
        assert!((2..25).contains(&count(ms(600))), "{}", count(ms(600)));
        assert!(lateness(Network { loss: 1.0, ..Network::default() }).iter().all(|late| *late == ms(6200)));
    }

    #[test]
    fn nothing_overtakes_what_was_lost() {
        let network = Network { jitter: ms(80), loss: 0.2, ..Network::default() };
        let mut path = network.path_with(fastrand::Rng::with_seed(3));
        let start = Instant::now();
        let arrivals: Vec<_> = (0..500).map(|number| path.arrival(start + ms(10 * number))).collect();
        assert!(arrivals.is_sorted());
    }
}

use std::time::Duration;

use tokio::time::Instant;

/// The minimal retransmission timeout of TCP on Linux (`TCP_RTO_MIN`).
const RETRANSMISSION_TIMEOUT: Duration = Duration::from_millis(200);

/// The greatest number of losses in a row. The timeout doubles with each (RFC 6298 section 5.5); after five a message is six
/// seconds late.
const MAX_LOSSES: u32 = 5;

/// A network with latency, jitter and loss between server and client.
///
/// Data that is lost under TCP arrives late: it is retransmitted, and everything behind it waits. So `loss` delays a message
/// by the retransmissions that it would have needed, and keeps the order.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(crate) struct Network {
    /// The latency of every message.
    pub(super) delay: Duration,
    /// The greatest additional latency, evenly distributed.
    pub(super) jitter: Duration,
    /// The share of messages that are lost and retransmitted, from 0 to 1.
    pub(super) loss: f64,
}

/// One direction of a connection over a [`Network`].
#[derive(Debug)]
pub(crate) struct Path {
    network: Network,
    random: fastrand::Rng,
    /// The arrival of the previous message, which must not be overtaken.
    previous: Option<Instant>,
}

impl Network {
    pub(crate) fn path(self) -> Path {
        self.path_with(fastrand::Rng::new())
    }

    fn path_with(self, random: fastrand::Rng) -> Path {
        Path { network: self, random, previous: None }
    }
}

impl Path {
    /// The arrival time of a message that is sent now.
    pub(crate) fn arrival(&mut self, now: Instant) -> Instant {
        let Network { delay, jitter, loss } = self.network;
        let mut arrival = now + delay + jitter.mul_f64(self.random.f64());
        let mut timeout = RETRANSMISSION_TIMEOUT;
        for _ in 0..MAX_LOSSES {
            if self.random.f64() >= loss {
                break;
            }
            arrival += timeout;
            timeout *= 2;
        }
        let arrival = self.previous.map_or(arrival, |previous| previous.max(arrival));
        self.previous = Some(arrival);
        arrival
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    /// The latency of each of a thousand messages that are sent so far apart that none waits for another.
    fn lateness(network: Network) -> Vec<Duration> {
        let mut path = network.path_with(fastrand::Rng::with_seed(7));
        let start = Instant::now();
        let sent = (0..1000).map(|number| start + Duration::from_secs(60) * number);
        sent.map(|sent| path.arrival(sent) - sent).collect()
    }

    #[test]
    fn without_a_fault_no_message_is_late() {
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
    fn lost_messages_arrive_after_one_or_more_retransmissions() {
        let late = lateness(Network { loss: 0.1, ..Network::default() });
        let count = |time| late.iter().filter(|late| **late == time).count();
        assert!((870..930).contains(&count(ms(0))), "{}", count(ms(0)));
        assert!((60..120).contains(&count(ms(200))), "{}", count(ms(200)));
        assert!((2..25).contains(&count(ms(600))), "{}", count(ms(600)));
        assert!(lateness(Network { loss: 1.0, ..Network::default() }).iter().all(|late| *late == ms(6200)));
    }

    #[test]
    fn no_message_overtakes_a_lost_one() {
        let network = Network { jitter: ms(80), loss: 0.2, ..Network::default() };
        let mut path = network.path_with(fastrand::Rng::with_seed(3));
        let start = Instant::now();
        let arrivals: Vec<_> = (0..500).map(|number| path.arrival(start + ms(10 * number))).collect();
        assert!(arrivals.is_sorted());
    }
}

use std::time::Duration;

use everwire_test_client::{Direction, End};
use fastrand::Rng;

/// A fault, and what it strikes: the numbers choose among what there is at the time.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Breaks a connection.
    End {
        /// Which one.
        pick: usize,
        /// How it ends for the client.
        client: End,
        /// How it ends for the server.
        server: End,
    },
    /// Breaks every connection.
    EndAll(End),
    /// Nothing passes on a connection for a while.
    Stall {
        /// Which one.
        pick: usize,
        /// Only in this direction.
        only: Option<Direction>,
        /// How long.
        period: Duration,
        /// Whether the connection is reset then, so that what has been waiting is lost.
        is_reset: bool,
    },
    /// Bytes pass in small pieces for a while.
    Slow {
        /// Which connection.
        pick: usize,
        /// The bytes of a piece.
        bytes: usize,
        /// The time between two pieces.
        pause: Duration,
        /// How long.
        period: Duration,
    },
    /// New connections are reset for a while.
    Refuse(Duration),
    /// The server's process is killed, and started again.
    Kill {
        /// Whether the next publish is waited for.
        after_publish: bool,
        /// How much later it is killed.
        delay: Duration,
        /// How long it is away.
        down: Duration,
    },
    /// The server's process does not run for a while.
    Freeze(Duration),
    /// A client's program ends, and another one goes on from the positions that it has stored.
    Restart(usize),
    /// A subscription is dropped, and made again from its position.
    Resubscribe(usize),
    /// A client gives up its connection for a new one.
    Reconnect(usize),
}

impl Fault {
    /// What it is counted as.
    pub fn name(&self) -> &'static str {
        match self {
            Self::End { client: End::Finished, server: End::Finished, .. } => "cut",
            Self::End { client: End::Silent, .. } | Self::End { server: End::Silent, .. } => "half_open",
            Self::End { .. } => "reset",
            Self::EndAll(_) => "cut_all",
            Self::Stall { is_reset: true, .. } => "lost_in_flight",
            Self::Stall { .. } => "stall",
            Self::Slow { .. } => "slow",
            Self::Refuse(_) => "refused",
            Self::Kill { .. } => "killed",
            Self::Freeze(_) => "frozen",
            Self::Restart(_) => "program_restart",
            Self::Resubscribe(_) => "resubscribe",
            Self::Reconnect(_) => "reconnect",
        }
    }
}

/// The faults of a run: the same for the same seed.
#[derive(Clone, Debug)]
pub struct Plan {
    random: Rng,
    per_second: f64,
}

impl Plan {
    /// So many faults a second, on average.
    pub fn new(seed: u64, per_second: f64) -> Self {
        Self { random: Rng::with_seed(seed), per_second }
    }

    fn up_to(&mut self, milliseconds: std::ops::Range<u64>) -> Duration {
        Duration::from_millis(self.random.u64(milliseconds))
    }

    fn end(&mut self, pick: usize) -> Fault {
        let (client, server) = match self.random.u8(..8) {
            0..3 => (End::Finished, End::Finished),
            3..6 => (End::Reset, End::Reset),
            6 => (End::Reset, End::Silent),
            _ => (End::Silent, End::Reset),
        };
        Fault::End { pick, client, server }
    }

    fn stall(&mut self, pick: usize) -> Fault {
        let only = match self.random.u8(..4) {
            0 => Some(Direction::ToServer),
            1 => Some(Direction::ToClient),
            _ => None,
        };
        let is_reset = self.random.u8(..3) == 0;
        // A dead connection is noticed after 3 to 7 s: one of four stalls may last longer.
        let period = if self.random.u8(..4) == 0 { self.up_to(2_000..9_000) } else { self.up_to(20..1_500) };
        Fault::Stall { pick, only, period, is_reset }
    }
}

impl Iterator for Plan {
    /// How long after the one before it, and the fault.
    type Item = (Duration, Fault);

    fn next(&mut self) -> Option<Self::Item> {
        // Between independent events, times are distributed exponentially.
        let wait = -(1.0 - self.random.f64()).ln() / self.per_second;
        let pick = self.random.usize(..);
        let fault = match self.random.u8(..100) {
            0..44 => self.end(pick),
            44..68 => self.stall(pick),
            68..78 => Fault::Slow {
                pick,
                bytes: self.random.usize(1..200),
                pause: self.up_to(1..20),
                period: self.up_to(200..3_000),
            },
            78..81 => Fault::Refuse(self.up_to(50..2_000)),
            81 => Fault::EndAll(if self.random.bool() { End::Finished } else { End::Reset }),
            82..84 => Fault::Kill {
                after_publish: self.random.u8(..3) > 0,
                delay: self.up_to(0..5),
                down: self.up_to(0..1_500),
            },
            84 => Fault::Freeze(self.up_to(50..4_000)),
            85..90 => Fault::Restart(pick),
            90..96 => Fault::Resubscribe(pick),
            _ => Fault::Reconnect(pick),
        };
        Some((Duration::from_secs_f64(wait), fault))
    }
}

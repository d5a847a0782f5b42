//! Faults: the plan that a seed determines, and their injection.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Result;
use everwire_test_client::{Direction, End, Flow, TcpProxy};
use fastrand::Rng;
use tokio::sync::Mutex;
use tokio::task::JoinSet;
use tokio::time::{sleep, sleep_until, timeout};

use crate::process::Server;
use crate::program::{Program, Shared};

/// A fault and its target. The numbers select among the connections or programs that exist when it is injected.
#[derive(Clone, Debug, PartialEq)]
pub enum Fault {
    /// Breaks a connection.
    End {
        /// Selects the connection.
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
        /// Selects the connection.
        pick: usize,
        /// Only in this direction.
        only: Option<Direction>,
        /// How long.
        period: Duration,
        /// Whether the connection is reset at the end, so that bytes in flight are lost.
        is_reset: bool,
    },
    /// Bytes pass in small pieces for a while.
    Slow {
        /// Selects the connection.
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
        /// Whether to wait for the next publish first.
        after_publish: bool,
        /// How much later it is killed.
        delay: Duration,
        /// How long it is down.
        down: Duration,
    },
    /// The server's process is suspended for a while.
    Freeze(Duration),
    /// A client's program ends, and starts again from the positions that it has stored.
    Restart(usize),
    /// A subscription is dropped, and made again from its position.
    Resubscribe(usize),
    /// A client gives up its connection for a new one.
    Reconnect(usize),
}

impl Fault {
    /// The name under which it is counted.
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
    /// A plan with so many faults per second, on average.
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
        // A dead connection is detected after 3 to 7 s: one in four stalls may last longer.
        let period = if self.random.u8(..4) == 0 { self.up_to(2_000..9_000) } else { self.up_to(20..1_500) };
        Fault::Stall { pick, only, period, is_reset }
    }
}

impl Iterator for Plan {
    /// The time since the previous fault, and the fault.
    type Item = (Duration, Fault);

    fn next(&mut self) -> Option<Self::Item> {
        // The times between independent events are distributed exponentially.
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

/// Injects the faults of a plan.
pub(crate) struct FaultInjector {
    network: Arc<TcpProxy>,
    shared: Arc<Shared>,
    is_verbose: bool,
    /// Locked by the fault that affects it.
    server: Arc<Mutex<Server>>,
    counts: BTreeMap<&'static str, u64>,
    /// Faults of the network that end after a while.
    network_faults: JoinSet<()>,
    server_faults: JoinSet<Result<()>>,
}

impl FaultInjector {
    pub(crate) fn new(network: Arc<TcpProxy>, shared: Arc<Shared>, server: Server, is_verbose: bool) -> Self {
        Self {
            network,
            shared,
            is_verbose,
            server: Arc::new(Mutex::new(server)),
            counts: BTreeMap::new(),
            network_faults: JoinSet::new(),
            server_faults: JoinSet::new(),
        }
    }

    pub(crate) async fn run(
        mut self,
        plan: Plan,
        programs: &[Program],
        period: Duration,
    ) -> Result<(BTreeMap<&'static str, u64>, Arc<Mutex<Server>>)> {
        let end = self.shared.began + period;
        let mut at = self.shared.began;
        for (wait, fault) in plan {
            at += wait;
            if at > end {
                break;
            }
            sleep_until(at).await;
            while let Some(ended) = self.server_faults.try_join_next() {
                ended??;
            }
            let name = fault.name();
            let shown = self.is_verbose.then(|| format!("{fault:?}"));
            if self.inject(fault, programs) {
                *self.counts.entry(name).or_default() += 1;
                if let Some(shown) = shown {
                    println!("{:.3} {shown}", self.shared.began.elapsed().as_secs_f64());
                }
            }
        }
        sleep_until(end).await;
        self.network_faults.shutdown().await;
        self.network.refuse(false);
        for connection in self.network.connections() {
            connection.set_flows(Flow::Open);
        }
        while let Some(ended) = self.server_faults.join_next().await {
            ended??;
        }
        Ok((self.counts, self.server))
    }

    /// Injects a fault. Returns whether it had a target.
    fn inject(&mut self, fault: Fault, programs: &[Program]) -> bool {
        let connections = self.network.connections();
        let picked = |pick: usize| pick.checked_rem(connections.len()).and_then(|index| connections.get(index));
        let program = |pick: usize| pick.checked_rem(programs.len()).and_then(|index| programs.get(index));
        match fault {
            Fault::End { pick, client, server } => return picked(pick).is_some_and(|it| it.end(client, server)),
            Fault::EndAll(end) => {
                return connections.iter().filter(|connection| connection.end(end, end)).count() > 0;
            }
            Fault::Stall { pick, only, period, is_reset } => {
                let Some(connection) = picked(pick).cloned() else { return false };
                let directions = only.map_or(vec![Direction::ToServer, Direction::ToClient], |only| vec![only]);
                self.network_faults.spawn(async move {
                    let set = |flow| directions.iter().for_each(|direction| connection.set_flow(*direction, flow));
                    set(Flow::Stalled);
                    sleep(period).await;
                    if is_reset {
                        connection.end(End::Reset, End::Reset);
                    }
                    set(Flow::Open);
                });
            }
            Fault::Slow { pick, bytes, pause, period } => {
                let Some(connection) = picked(pick).cloned() else { return false };
                self.network_faults.spawn(async move {
                    connection.set_flows(Flow::Slow { bytes, pause });
                    sleep(period).await;
                    connection.set_flows(Flow::Open);
                });
            }
            Fault::Refuse(period) => {
                let network = Arc::clone(&self.network);
                network.refuse(true);
                self.network_faults.spawn(async move {
                    sleep(period).await;
                    network.refuse(false);
                });
            }
            Fault::Kill { after_publish, delay, down } => {
                let Ok(mut server) = Arc::clone(&self.server).try_lock_owned() else { return false };
                let (network, shared) = (Arc::clone(&self.network), Arc::clone(&self.shared));
                self.server_faults.spawn(async move {
                    if after_publish {
                        // There is none for a while where the clients have lost their connections.
                        let _ = timeout(Duration::from_secs(1), shared.published.notified()).await;
                    }
                    sleep(delay).await;
                    server.kill(down).await?;
                    network.set_target(server.address());
                    Ok(())
                });
            }
            Fault::Freeze(period) => {
                let Ok(mut server) = Arc::clone(&self.server).try_lock_owned() else { return false };
                self.server_faults.spawn(async move { server.freeze(period).await });
            }
            Fault::Restart(pick) => return program(pick).map(Program::restart).is_some(),
            Fault::Resubscribe(pick) => {
                return program(pick).map(|program| program.resubscribe(pick / programs.len())).is_some();
            }
            Fault::Reconnect(pick) => return program(pick).map(Program::reconnect).is_some(),
        }
        true
    }
}

use std::net::IpAddr;
use std::sync::{Arc, Weak};
use std::time::Duration;

use tokio::time::{Instant, sleep_until, timeout};

use crate::Config;
use crate::connection::{End, OutboundQueue};
use crate::drain::{self, Drain};
use crate::endpoints::{Endpoint, Groups};
use crate::files::Store;
use crate::lab::Lab;
use crate::limits::{Admission, Charge, MemoryBudget};
use crate::metrics::Metrics;
use crate::monitor::Monitor;
use crate::pages::Pages;
use crate::registry::ConnectionRegistry;
use crate::ticker::Streams;

/// The state behind the routes. Cloning it is cheap and gives the same state.
///
/// Whoever mounts the [routes](Everwire::router) in an application of their own keeps one, to
/// [`drain`](Everwire::drain) the connections when the application stops.
#[derive(Clone, Debug)]
pub struct Everwire(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    metrics: Metrics,
    admission: Arc<Admission>,
    budget: Arc<MemoryBudget>,
    drain: Drain,
    groups: Groups,
    streams: Streams,
    monitor: Monitor,
    lab: Lab,
    files: Arc<Store>,
    pages: Option<Pages>,
    registry: ConnectionRegistry,
}

impl Everwire {
    /// A server's state with nobody connected.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Shared {
            admission: Admission::new(&config.limits, config.files.files),
            budget: MemoryBudget::new(&config.limits),
            pages: config.dist.as_deref().map(Pages::new),
            metrics: Metrics::default(),
            drain: Drain::default(),
            groups: Groups::default(),
            streams: Streams::default(),
            monitor: Monitor::default(),
            lab: Lab::default(),
            registry: ConnectionRegistry::default(),
            files: Store::new(config.files.clone(), config.clock.clone()),
            config,
        }))
    }

    /// Refuses new connections, closes the open ones with code 1001 spread over `period`, and returns when they are
    /// closed.
    pub async fn drain(&self, period: Duration) {
        let period = self.0.drain.start(period);
        let start = Instant::now();
        let turns = async {
            for (place, outbound) in self.in_turn() {
                sleep_until(start + period.mul_f64(place)).await;
                if let Some(outbound) = outbound.upgrade() {
                    outbound.end(End::Drained);
                }
            }
        };
        tokio::select! {
            () = turns => {}
            // Everybody may leave before their turn.
            () = self.0.drain.finished() => {}
        }
        // Connections cut their peers off after the closing time; the second is for the last of them to do so.
        let time_limit = self.config().limits.close + Duration::from_secs(1);
        if timeout(time_limit, self.0.drain.finished()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }

    /// The open connections, each with where in the period its turn to close is. One that closes before is let go.
    fn in_turn(&self) -> Vec<(f64, Weak<OutboundQueue>)> {
        let all = self.0.registry.all().into_iter();
        let mut turns: Vec<_> =
            all.map(|(number, outbound)| (drain::close_time(number), Arc::downgrade(&outbound))).collect();
        turns.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        turns
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn drain_state(&self) -> &Drain {
        &self.0.drain
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.0.groups
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.0.lab
    }

    pub(crate) fn files(&self) -> &Arc<Store> {
        &self.0.files
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// A part of what all connections may hold together, and of what those of this address may.
    pub(crate) fn charge(&self, address: Option<IpAddr>) -> Charge {
        self.0.budget.charge(address)
    }

    /// Counts a connection among the open ones for as long as the guard is held.
    pub(crate) fn enter(&self, endpoint: Endpoint, outbound: &Arc<OutboundQueue>) -> ConnectionGuard {
        let number = self.0.registry.insert(outbound);
        // One that enters behind the drain's back has no turn.
        if self.0.drain.has_started() {
            outbound.end(End::Drained);
        }
        self.metrics().of(endpoint).opened.add(1);
        ConnectionGuard { everwire: self.clone(), endpoint, number }
    }

    pub(crate) fn registry(&self) -> &ConnectionRegistry {
        &self.0.registry
    }
}

/// An open connection; dropping it counts it as closed.
#[derive(Debug)]
#[must_use = "dropping the guard ends it"]
pub(crate) struct ConnectionGuard {
    everwire: Everwire,
    endpoint: Endpoint,
    number: u64,
}

impl Drop for ConnectionGuard {
    fn drop(&mut self) {
        self.everwire.0.registry.remove(self.number);
        self.everwire.metrics().of(self.endpoint).closed.add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn each_connection_is_closed_at_its_turn() {
        let everwire = Everwire::new(Config::default());
        let _held = everwire.drain_state().hold();
        let queues = [(); 20].map(|()| Arc::new(OutboundQueue::new(1000)));
        let _guards = queues.each_ref().map(|outbound| everwire.enter(Endpoint::Echo, outbound));
        let stopping = everwire.clone();
        tokio::spawn(async move { stopping.drain(Duration::from_secs(100)).await });
        let start = Instant::now();
        for second in 0..100 {
            sleep_until(start + Duration::from_secs(second) + Duration::from_millis(2)).await;
            for (number, outbound) in (0..).zip(&queues) {
                let turn = drain::close_time(number) * 100.0;
                assert_eq!(outbound.sent().1.is_some(), turn <= second as f64, "number {number} at {second} s");
            }
        }
    }
}

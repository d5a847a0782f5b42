use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::time::timeout;

use crate::Config;
use crate::drain::Drain;
use crate::endpoints::Hubs;
use crate::limits::{Admission, Full, Permit};
use crate::metrics::Metrics;
use crate::pages::Pages;
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
    drain: Drain,
    hubs: Hubs,
    streams: Streams,
    pages: Option<Pages>,
    connections: AtomicU64,
}

impl Everwire {
    /// A server's state with nobody connected.
    pub fn new(config: Config) -> Self {
        Self(Arc::new(Shared {
            admission: Admission::new(&config.limits),
            pages: config.dist.as_deref().map(Pages::new),
            metrics: Metrics::default(),
            drain: Drain::default(),
            hubs: Hubs::default(),
            streams: Streams::default(),
            connections: AtomicU64::new(0),
            config,
        }))
    }

    /// Refuses new connections, closes the open ones with code 1001 spread over `period`, and returns when they are
    /// closed.
    pub async fn drain(&self, period: Duration) {
        self.0.drain.start(period);
        // Connections cut their peers off after the closing time; the second is for the last of them to do so.
        let patience = period + self.config().limits.close + Duration::from_secs(1);
        if timeout(patience, self.0.drain.finished()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
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

    pub(crate) fn hubs(&self) -> &Hubs {
        &self.0.hubs
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }

    pub(crate) fn admit(&self, address: Option<IpAddr>) -> Result<Permit, Full> {
        self.0.admission.admit(address)
    }

    /// The next connection's number.
    pub(crate) fn number(&self) -> u64 {
        self.0.connections.fetch_add(1, Ordering::Relaxed)
    }
}

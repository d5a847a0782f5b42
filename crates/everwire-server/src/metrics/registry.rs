use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counter::Counter;
use super::endpoint::EndpointMetrics;
use super::text;

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    endpoints: Mutex<Vec<Arc<EndpointMetrics>>>,
    /// Connections that did not finish a request in time, and so belong to no endpoint.
    pub(crate) handshake_timeouts: Counter,
    /// Connections over the limits that were ended before they could ask for anything.
    pub(crate) connections_cut: Counter,
}

impl Metrics {
    /// The counters of the endpoint with this name, made where it has none yet.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        let mut endpoints = self.lock();
        if let Some(known) = endpoints.iter().find(|endpoint| endpoint.name() == name) {
            return Arc::clone(known);
        }
        let endpoint = Arc::new(EndpointMetrics::new(name));
        endpoints.push(Arc::clone(&endpoint));
        endpoint
    }

    /// Those of every endpoint, in the order in which they were named.
    pub(crate) fn endpoints(&self) -> Vec<Arc<EndpointMetrics>> {
        self.lock().clone()
    }

    /// Everything in the text format of Prometheus.
    pub(crate) fn render(&self) -> String {
        text::render(&self.endpoints(), self.handshake_timeouts.value(), self.connections_cut.value())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<EndpointMetrics>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::counter::Counter;
use super::endpoint::EndpointMetrics;

/// The counters of one server.
#[derive(Debug, Default)]
pub(crate) struct Metrics {
    endpoints: Mutex<Vec<Arc<EndpointMetrics>>>,
    /// Connections that did not send a whole request in time, and so reached no endpoint.
    pub(crate) handshake_timeouts: Counter,
    /// Connections over the limits that were closed without an answer.
    pub(crate) connections_cut: Counter,
}

impl Metrics {
    /// The counters of the endpoint with this name, which are created if there are none.
    pub(crate) fn endpoint(&self, name: &str) -> Arc<EndpointMetrics> {
        let mut endpoints = self.lock();
        if let Some(known) = endpoints.iter().find(|endpoint| endpoint.name() == name) {
            return Arc::clone(known);
        }
        let endpoint = Arc::new(EndpointMetrics::new(name));
        endpoints.push(Arc::clone(&endpoint));
        endpoint
    }

    /// The counters of all endpoints, in the order of their creation.
    pub(crate) fn endpoints(&self) -> Vec<Arc<EndpointMetrics>> {
        self.lock().clone()
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<EndpointMetrics>>> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

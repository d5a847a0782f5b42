use std::sync::Arc;

use tokio_util::sync::CancellationToken;

use crate::clock::Clock;
use crate::limits::ConnectionLimits;
use crate::metrics::EndpointMetrics;

/// What the connections of one endpoint share.
#[derive(Debug)]
pub(crate) struct Environment {
    pub(crate) limits: ConnectionLimits,
    pub(crate) metrics: Arc<EndpointMetrics>,
    pub(crate) clock: Clock,
    /// Cancelled when the server starts to stop.
    pub(crate) stopping: CancellationToken,
    /// Whether a message `{"ping":ID}` is answered here instead of reaching the handler.
    pub(crate) answers_pings: bool,
}

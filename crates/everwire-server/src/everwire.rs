//! The state that all WebSockets of a server share.

use std::collections::HashSet;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Weak};
use std::time::Duration;

use axum::extract::ConnectInfo;
use axum::http::StatusCode;
use axum::http::request::Parts;
#[cfg(feature = "channels")]
use everwire_core::Channel;
use tokio::time::{sleep_until, timeout};

use crate::admission::{Admission, AdmissionError, AdmissionOutcome, Permit};
#[cfg(feature = "channels")]
use crate::broker::Broker;
#[cfg(feature = "channels")]
use crate::channels::authorize::Authorize;
#[cfg(feature = "channels")]
use crate::channels::config::{ChannelLimits, ChannelOptions, ChannelsConfig, SessionEvent, SessionObserver};
#[cfg(feature = "channels")]
use crate::channels::hub::Hub;
use crate::connection::{Environment, OutboundQueue, QueueEnd};
use crate::handshake::HandshakeError;
use crate::limits::{Charge, ConnectionLimits, Limits, MemoryBudget};
use crate::metrics::{Counter, DropReason, EndpointMetrics, Metrics};
use crate::origin::{Host, LocalAddress, OriginError, Origins};
use crate::registry::{self, ConnectionGuard, ConnectionRegistry, Drain, WorkerLoad};
use crate::time::Clock;

/// The state that all WebSockets of a server share: limits, origins, counters, and the drain. A clone is cheap and shares the state.
///
/// An application creates one, hands it to each [`Endpoint`](crate::Endpoint), and calls [`drain`](Self::drain) when it stops.
#[derive(Clone, Debug)]
pub struct Everwire(Arc<ServerState>);

#[derive(Debug)]
struct ServerState {
    origins: Origins,
    limits: Limits,
    connection_limits: ConnectionLimits,
    clock: Clock,
    metrics: Metrics,
    admission: Arc<Admission>,
    budget: Arc<MemoryBudget>,
    drain: Drain,
    registry: Arc<ConnectionRegistry>,
    #[cfg(feature = "channels")]
    hub: Arc<Hub>,
}

/// Builds an [`Everwire`] with other settings than the default.
///
/// ```
/// use std::time::Duration;
///
/// use everwire_server::{Everwire, Origins};
///
/// # fn main() -> Result<(), everwire_server::InvalidOrigin> {
/// let everwire = Everwire::builder()
///     .origins(Origins::default().allow("https://app.example.org")?)
///     .limits(|limits| limits.connections_per_address = 50)
///     .connection_limits(|limits| limits.idle = Duration::from_secs(60))
///     .build();
/// # drop(everwire);
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Default)]
#[must_use = "a builder makes nothing until `build` is called"]
pub struct Builder {
    origins: Origins,
    limits: Limits,
    connection_limits: ConnectionLimits,
    clock: Clock,
    reserved_files: usize,
    #[cfg(feature = "channels")]
    channels: ChannelsConfig,
}

impl Builder {
    /// Sets which web pages may connect. The default is [`Origins::default`].
    pub fn origins(mut self, origins: Origins) -> Self {
        self.origins = origins;
        self
    }

    /// Changes the limits of all connections together.
    pub fn limits(mut self, change: impl FnOnce(&mut Limits)) -> Self {
        change(&mut self.limits);
        self
    }

    /// Changes the limits of a connection. An endpoint can have [limits of its own](crate::Endpoint::limits).
    pub fn connection_limits(mut self, change: impl FnOnce(&mut ConnectionLimits)) -> Self {
        change(&mut self.connection_limits);
        self
    }

    /// Sets the clock for the answers to heartbeats. The default is the system's.
    pub fn clock(mut self, clock: Clock) -> Self {
        self.clock = clock;
        self
    }

    /// Reserves open files for the application, which connections cannot use up. The default is 0.
    pub fn reserved_files(mut self, files: usize) -> Self {
        self.reserved_files = files;
        self
    }

    /// Creates the state of a server without connections.
    #[must_use = "without routes there is nothing to connect to"]
    pub fn build(self) -> Everwire {
        let Self { origins, limits, connection_limits, clock, reserved_files, .. } = self;
        Everwire(Arc::new(ServerState {
            #[cfg(feature = "channels")]
            hub: Hub::new(self.channels, clock.clone()),
            admission: Admission::new(&limits, reserved_files),
            budget: MemoryBudget::new(&limits),
            metrics: Metrics::default(),
            drain: Drain::default(),
            registry: Arc::default(),
            origins,
            limits,
            connection_limits,
            clock,
        }))
    }
}

/// Channels, with the feature `channels`.
#[cfg(feature = "channels")]
impl Builder {
    /// Sets where channels keep their messages. The default is a [`Memory`](crate::broker::Memory).
    pub fn broker(mut self, broker: impl Broker) -> Self {
        self.channels.broker = Some(Arc::new(broker));
        self
    }

    /// Sets who clients are and what they may do. Without rules, every client is refused.
    pub fn authorize(mut self, rules: impl Authorize) -> Self {
        self.channels.set_authorizer(rules);
        self
    }

    /// Changes the options of a channel. The defaults are those of its kind.
    pub fn channel<T>(mut self, channel: &Channel<T>, change: impl FnOnce(&mut ChannelOptions)) -> Self {
        self.channels.options.declare(channel, change);
        self
    }

    /// Sets the options of all other channels, by their names.
    pub fn channels(mut self, options: impl Fn(&str) -> ChannelOptions + Send + Sync + 'static) -> Self {
        self.channels.options.set_others(options);
        self
    }

    /// Changes the limits of sessions and subscriptions.
    pub fn channel_limits(mut self, change: impl FnOnce(&mut ChannelLimits)) -> Self {
        change(&mut self.channels.limits);
        self
    }

    /// Sets a function that is called when a session starts, is resumed, is detached or ends. It must return at once.
    pub fn on_session(mut self, observe: impl Fn(SessionEvent) + Send + Sync + 'static) -> Self {
        self.channels.observer = Some(SessionObserver::new(observe));
        self
    }
}

impl Default for Everwire {
    fn default() -> Self {
        Builder::default().build()
    }
}

impl Everwire {
    /// A builder with the default settings.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// Refuses new connections, closes the open ones with code 1001 spread over `period`, and returns when they are
    /// closed. A second call waits for the first.
    ///
    /// Clients of channels are asked to leave by themselves, each at a random time within nine tenths of the period, and resume their
    /// sessions where they connect to next. Those that are still connected at the end of the period are closed.
    pub async fn drain(&self, period: Duration) {
        let (start, period) = self.0.drain.start(period);
        let leaving = self.ask_to_leave(period.saturating_sub(start.elapsed()));
        let order = self.in_closing_order(leaving);
        let closing = async {
            for (fraction, outbound) in order {
                sleep_until(start + period.mul_f64(fraction)).await;
                if let Some(outbound) = outbound.upgrade() {
                    outbound.end(QueueEnd::Drained);
                }
            }
        };
        tokio::select! {
            () = closing => {}
            // All connections may have closed earlier.
            () = self.0.drain.finished() => {}
        }
        // After this time, connections cut TCP by themselves; the additional second is for the last of them to do so.
        let time_limit = self.0.drain.close_time_limit() + Duration::from_secs(1);
        if timeout(time_limit, self.0.drain.finished()).await.is_err() {
            tracing::warn!("some connections did not end in time");
        }
    }

    /// The open connections in the order in which they close, each with the fraction of the period at which it does. Those of clients
    /// that leave by themselves are closed at the end.
    fn in_closing_order(&self, leaving: Vec<Arc<OutboundQueue>>) -> Vec<(f64, Weak<OutboundQueue>)> {
        let leaving: HashSet<_> = leaving.iter().map(Arc::as_ptr).collect();
        let close_time = |number, outbound: &Arc<OutboundQueue>| {
            if leaving.contains(&Arc::as_ptr(outbound)) { 1.0 } else { registry::close_time(number) }
        };
        let all = self.0.registry.all().into_iter();
        let mut order: Vec<_> =
            all.map(|(number, outbound)| (close_time(number, &outbound), Arc::downgrade(&outbound))).collect();
        order.sort_unstable_by(|(one, _), (other, _)| one.total_cmp(other));
        order
    }

    /// Asks the clients of channels to leave, because their connections are closed after `deadline`. Returns the connections.
    #[cfg(feature = "channels")]
    fn ask_to_leave(&self, deadline: Duration) -> Vec<Arc<OutboundQueue>> {
        // The rest of the time is for clients that receive it late.
        self.0.hub.drain(deadline, deadline.mul_f64(0.9))
    }

    #[cfg(not(feature = "channels"))]
    fn ask_to_leave(&self, _: Duration) -> Vec<Arc<OutboundQueue>> {
        Vec::new()
    }

    /// Whether a drain has started: new connections are refused with HTTP 503.
    pub fn is_draining(&self) -> bool {
        self.0.drain.has_started()
    }

    /// Completes when a drain starts.
    pub async fn draining(&self) {
        self.0.drain.started().await;
    }

    /// Completes when a drain has started and every connection has ended.
    pub async fn drained(&self) {
        self.0.drain.finished().await;
    }

    /// The limits of all connections together.
    pub fn limits(&self) -> &Limits {
        &self.0.limits
    }

    /// The limits of a connection whose endpoint has none of its own.
    pub fn connection_limits(&self) -> &ConnectionLimits {
        &self.0.connection_limits
    }

    /// The clock for times of day in messages.
    pub fn clock(&self) -> &Clock {
        &self.0.clock
    }

    /// The counters of all endpoints, in the order of their creation.
    pub fn endpoints(&self) -> Vec<Arc<EndpointMetrics>> {
        self.0.metrics.endpoints()
    }

    /// The counters of the endpoint with this name, which are 0 if there is none.
    pub fn endpoint_metrics(&self, name: &str) -> Arc<EndpointMetrics> {
        self.0.metrics.endpoint(name)
    }

    /// The number of workers of the runtime that are counted separately. Further workers share a count.
    pub fn counted_workers(&self) -> usize {
        Counter::shards()
    }

    /// The load of each worker of a runtime with this many.
    pub fn worker_loads(&self, workers: usize) -> Vec<WorkerLoad> {
        self.0.registry.worker_loads(workers)
    }

    /// Checks the host that a request names (RFC 9112 section 3.2). Over a loopback address, it must be an address, `localhost`, or
    /// the host of a listed origin. Otherwise a page whose name resolves to the visitor's machine (DNS rebinding) could read the
    /// response. Connections that [`Server`](crate::Server) has not accepted may name any valid host, since their local address is unknown.
    ///
    /// [`Upgrade`](crate::Upgrade) includes this check. Use it for other routes of a server on a loopback address.
    pub fn check_host(&self, request: &Parts) -> Result<(), HandshakeError> {
        let host = Host::of(request).map_err(|error| HandshakeError::bad_request(error.to_string()))?;
        let Some((host, port)) = host.filter(|(host, _)| !self.0.origins.allows_host(host, request)) else {
            return Ok(());
        };
        let is_tls = request.extensions.get::<LocalAddress>().is_some_and(|local| local.is_tls);
        let scheme = if is_tls { "https" } else { "http" };
        let port = port.map(|port| format!(":{port}")).unwrap_or_default();
        let remedy = self.0.origins.remedy(&format!("{scheme}://{host}{port}"));
        let message =
            format!("On its own machine this server is called by an address or localhost, and not {host}; {remedy}");
        Err(HandshakeError::new(StatusCode::FORBIDDEN, DropReason::Origin, message))
    }

    /// Checks that the page that sent the request may connect. A request without an `Origin`, from a program that is not a browser,
    /// passes.
    ///
    /// [`Upgrade`](crate::Upgrade) includes this check.
    pub fn check_origin(&self, request: &Parts) -> Result<(), HandshakeError> {
        let message = match self.0.origins.check(request) {
            Ok(()) => return Ok(()),
            Err(OriginError::NotAllowed(origin)) => {
                format!("Pages of {origin} may not connect; {}", self.0.origins.remedy(&origin))
            }
            Err(OriginError::Invalid) => "`Origin` is not the origin of a page; leave it out.".to_owned(),
        };
        Err(HandshakeError::new(StatusCode::FORBIDDEN, DropReason::Origin, message))
    }

    /// Counts the request as a connection until the permit is dropped, for a long HTTP response like a stream of events. A connection that
    /// [`Server`](crate::Server) accepted is counted already; its permit is shared.
    ///
    /// [`Upgrade`](crate::Upgrade) includes this. An error is 503 or 429.
    pub fn admit(&self, request: &Parts) -> Result<Permit, HandshakeError> {
        match request.extensions.get::<AdmissionOutcome>() {
            Some(AdmissionOutcome::Admitted(permit)) => Ok(permit.clone()),
            Some(AdmissionOutcome::Refused { error, .. }) => Err(self.refusal(*error)),
            None => self.0.admission.admit(peer_address(request)).map_err(|error| self.refusal(error)),
        }
    }

    /// Checks that the connection of the request is within the limits, for a short HTTP response.
    pub fn check_admitted(&self, request: &Parts) -> Result<(), HandshakeError> {
        match request.extensions.get::<AdmissionOutcome>() {
            Some(AdmissionOutcome::Refused { error, .. }) => Err(self.refusal(*error)),
            _ => Ok(()),
        }
    }

    /// Counts an open file until the permit is dropped, for a response that is read from one. An error is 503.
    pub fn open_file(&self, request: &Parts) -> Result<Permit, HandshakeError> {
        self.0.admission.open_file(peer_address(request)).ok_or_else(|| {
            let message = "The server reads as many files as the system lets it; try again later.";
            HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, DropReason::ServerFull, message)
        })
    }

    fn refusal(&self, error: AdmissionError) -> HandshakeError {
        let most = &self.0.admission;
        match error {
            AdmissionError::ServerFull => HandshakeError::new(
                StatusCode::SERVICE_UNAVAILABLE,
                DropReason::ServerFull,
                format!("The server holds {} connections, as many as it may; try again later.", most.connections()),
            ),
            AdmissionError::AddressFull => HandshakeError::new(
                StatusCode::TOO_MANY_REQUESTS,
                DropReason::AddressFull,
                format!(
                    "Your address holds {} connections, as many as it may; close one.",
                    most.connections_per_address()
                ),
            ),
        }
    }

    /// The environment of the connections of an endpoint.
    pub(crate) fn environment(&self, name: &str, limits: ConnectionLimits, answers_pings: bool) -> Arc<Environment> {
        self.0.drain.raise_close_time_limit(limits.close);
        Arc::new(Environment {
            limits,
            metrics: self.0.metrics.endpoint(name),
            clock: self.0.clock.clone(),
            stopping: self.0.drain.token(),
            answers_pings,
        })
    }

    /// Registers an open connection until the guard is dropped.
    pub(crate) fn register(&self, outbound: &Arc<OutboundQueue>, metrics: &Arc<EndpointMetrics>) -> ConnectionGuard {
        let guard = self.0.registry.register(outbound, metrics);
        // The drain has listed the connections already and would not close this one.
        if self.0.drain.has_started() {
            outbound.end(QueueEnd::Drained);
        }
        guard
    }

    #[cfg(feature = "channels")]
    pub(crate) fn hub(&self) -> &Arc<Hub> {
        &self.0.hub
    }

    pub(crate) fn metrics(&self) -> &Metrics {
        &self.0.metrics
    }

    pub(crate) fn drain_state(&self) -> &Drain {
        &self.0.drain
    }

    pub(crate) fn admission(&self) -> &Arc<Admission> {
        &self.0.admission
    }

    /// A charge of the memory budget for a connection from this address.
    pub(crate) fn charge(&self, address: Option<IpAddr>) -> Charge {
        self.0.budget.charge(address)
    }
}

/// The address of the connection's peer, which is that of the proxy behind one. `None` if the application is served without
/// `into_make_service_with_connect_info::<SocketAddr>()`; then limits per address do not apply.
pub fn peer_address(request: &Parts) -> Option<IpAddr> {
    request.extensions.get::<ConnectInfo<SocketAddr>>().map(|info| info.0.ip())
}

#[cfg(test)]
mod tests {
    use tokio::time::Instant;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn connections_close_in_order_over_the_period() {
        let everwire = Everwire::default();
        let environment = everwire.environment("/", ConnectionLimits::default(), true);
        let _held = everwire.drain_state().hold();
        let queues = [(); 20].map(|()| Arc::new(OutboundQueue::new(1000)));
        let _guards = queues.each_ref().map(|outbound| everwire.register(outbound, &environment.metrics));
        let stopping = everwire.clone();
        tokio::spawn(async move { stopping.drain(Duration::from_secs(100)).await });
        let start = Instant::now();
        for second in 0..100 {
            sleep_until(start + Duration::from_secs(second) + Duration::from_millis(2)).await;
            for (number, outbound) in (0..).zip(&queues) {
                let turn = registry::close_time(number) * 100.0;
                assert_eq!(
                    outbound.drain_messages().1.is_some(),
                    turn <= second as f64,
                    "number {number} at {second} s"
                );
            }
        }
    }
}

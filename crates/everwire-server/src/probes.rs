//! The routes `/healthz` and `/metrics`, and the counters in the format of Prometheus.

use axum::Router;
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::routing::get;

use crate::everwire::Everwire;

impl Everwire {
    /// The route `/healthz`, to merge or nest into an application. It answers 503 while the server drains, so that a load balancer
    /// sends it no more clients.
    ///
    /// With the feature `metrics` also the route `/metrics`, with the counters in the text format of Prometheus. An application that
    /// has metrics of its own serves them together by a registry with the [`collector`](Self::collector), and takes
    /// [`healthz`](Self::healthz) alone.
    ///
    /// Anyone who reaches the server can read both.
    pub fn probes<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        #[cfg(feature = "metrics")]
        {
            let metrics = Router::new().route("/metrics", get(metrics::render)).with_state(self.clone());
            self.healthz().merge(self.guard(metrics))
        }
        #[cfg(not(feature = "metrics"))]
        self.healthz()
    }

    /// The route `/healthz` alone.
    pub fn healthz<S: Clone + Send + Sync + 'static>(&self) -> Router<S> {
        self.guard(Router::new().route("/healthz", get(healthz)).with_state(self.clone()))
    }

    /// Restricts routes of the application to requests that name the server by one of its names: see
    /// [`check_host`](Self::check_host).
    pub fn guard<S: Clone + Send + Sync + 'static>(&self, routes: Router<S>) -> Router<S> {
        routes.layer(from_fn_with_state(self.clone(), check_host))
    }
}

async fn check_host(State(everwire): State<Everwire>, request: Request, next: Next) -> Response {
    let (parts, body) = request.into_parts();
    match everwire.check_host(&parts) {
        Ok(()) => next.run(Request::from_parts(parts, body)).await,
        Err(error) => error.into_response(),
    }
}

async fn healthz(State(everwire): State<Everwire>) -> Response {
    if everwire.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response()
    } else {
        "ok\n".into_response()
    }
}

#[cfg(feature = "metrics")]
mod metrics {
    use std::fmt;

    use axum::extract::State;
    use axum::http::header;
    use axum::response::{IntoResponse, Response};
    use prometheus_client::collector::Collector;
    use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
    use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
    use prometheus_client::metrics::MetricType;
    use prometheus_client::metrics::counter::ConstCounter;
    use prometheus_client::metrics::gauge::ConstGauge;
    use prometheus_client::registry::Registry;

    use crate::everwire::Everwire;
    use crate::metrics::Metrics;

    #[derive(Debug)]
    struct EverwireCollector(Everwire);

    impl Collector for EverwireCollector {
        #[cfg_attr(not(feature = "channels"), expect(unused_mut, reason = "only channels need it twice"))]
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            #[cfg(feature = "channels")]
            encode_channels(&self.0, &mut encoder)?;
            self.0.metrics().encode(encoder)
        }
    }

    /// The subscriptions, sessions and channels at present.
    #[cfg(feature = "channels")]
    fn encode_channels(everwire: &Everwire, encoder: &mut DescriptorEncoder<'_>) -> fmt::Result {
        let channels = everwire.open_channels();
        let subscriptions = channels.iter().map(|channel| channel.subscribers).sum();
        for (name, help, value) in [
            ("everwire_sessions", "Sessions, detached ones included.", everwire.hub().session_count()),
            ("everwire_channels", "Channels that have subscribers.", channels.len()),
            ("everwire_subscriptions", "Subscriptions of all channels.", subscriptions),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value as u64).encode(gauge)?;
        }
        Ok(())
    }

    impl Everwire {
        /// Collects the counters for a registry of the application.
        ///
        /// ```
        /// use everwire_server::Everwire;
        /// use prometheus_client::encoding::prometheus_text::encode;
        /// use prometheus_client::registry::Registry;
        ///
        /// # fn main() -> std::fmt::Result {
        /// let everwire = Everwire::default();
        /// let mut registry = Registry::default();
        /// registry.register_collector(Box::new(everwire.collector()));
        /// let mut text = String::new();
        /// encode(&mut text, &registry)?;
        /// assert!(text.contains("everwire_handshake_timeouts_total 0"));
        /// # Ok(())
        /// # }
        /// ```
        pub fn collector(&self) -> impl Collector {
            EverwireCollector(self.clone())
        }
    }

    pub(super) async fn render(State(everwire): State<Everwire>) -> Response {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(everwire.collector()));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
    }

    /// Encodes the counters on each scrape. The counters themselves are not those of prometheus-client, which all workers would share:
    /// see [`Counter`](crate::metrics::Counter).
    impl Collector for Metrics {
        fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
            let endpoints = self.endpoints();
            let name = "everwire_connections";
            let mut gauge = encoder.encode_descriptor(name, "Open WebSocket connections.", None, MetricType::Gauge)?;
            for of in &endpoints {
                ConstGauge::new(of.connections()).encode(gauge.encode_family(&[("endpoint", of.name())])?)?;
            }
            counter(
                &mut encoder,
                "everwire_connections",
                "WebSocket connections since the start.",
                endpoints.iter().map(|of| ([("endpoint", of.name())], of.connections_total())),
            )?;
            counter(
                &mut encoder,
                "everwire_indirect_connections",
                "WebSocket connections since the start that messages are not written to directly, as with TLS.",
                endpoints.iter().map(|of| ([("endpoint", of.name())], of.indirect_connections_total())),
            )?;
            let totals: Vec<_> = endpoints.iter().map(|of| (of.name(), of.totals())).collect();
            counter(
                &mut encoder,
                "everwire_messages",
                "Text and binary messages.",
                totals.iter().flat_map(|(name, totals)| by_direction(name, totals.messages_in, totals.messages_out)),
            )?;
            counter(
                &mut encoder,
                "everwire_message_bytes",
                "Payload bytes of those messages.",
                totals.iter().flat_map(|(name, totals)| by_direction(name, totals.bytes_in, totals.bytes_out)),
            )?;
            counter(
                &mut encoder,
                "everwire_drops",
                "Connections that the server refused or ended, by reason.",
                endpoints.iter().flat_map(|of| {
                    let drops = of.all_drops().into_iter();
                    drops.map(|(reason, count)| ([("endpoint", of.name()), ("reason", reason)], count))
                }),
            )?;
            let counters = [
                (
                    "everwire_handshake_timeouts",
                    "Connections that did not send a whole request in time.",
                    &self.handshake_timeouts,
                ),
                (
                    "everwire_connections_cut",
                    "Connections over the limits that were ended without an answer.",
                    &self.connections_cut,
                ),
            ];
            for (name, help, counter) in counters {
                let family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
                ConstCounter::new(counter.value()).encode(family)?;
            }
            Ok(())
        }
    }

    /// Encodes a counter with its samples. The encoder adds `_total` to the name.
    fn counter<L: EncodeLabelSet>(
        encoder: &mut DescriptorEncoder<'_>,
        name: &str,
        help: &str,
        samples: impl Iterator<Item = (L, u64)>,
    ) -> fmt::Result {
        let mut family = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
        for (labels, value) in samples {
            ConstCounter::new(value).encode(family.encode_family(&labels)?)?;
        }
        Ok(())
    }

    fn by_direction(endpoint: &str, received: u64, sent: u64) -> [([(&str, &str); 2], u64); 2] {
        [("in", received), ("out", sent)]
            .map(|(direction, count)| ([("endpoint", endpoint), ("direction", direction)], count))
    }
}

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
            let metrics = Router::new().route("/metrics", get(metrics::answer)).with_state(self.clone());
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
    use prometheus_client::encoding::DescriptorEncoder;
    use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
    use prometheus_client::registry::Registry;

    use crate::everwire::Everwire;

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
        use prometheus_client::encoding::EncodeMetric;
        use prometheus_client::metrics::MetricType;
        use prometheus_client::metrics::gauge::ConstGauge;

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

    pub(super) async fn answer(State(everwire): State<Everwire>) -> Response {
        let mut registry = Registry::default();
        registry.register_collector(Box::new(everwire.collector()));
        let mut text = String::new();
        // Writing to a String cannot fail.
        let _ = encode(&mut text, &registry);
        ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
    }
}

//! `/healthz` and `/metrics`.

use std::fmt;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use everwire_server::Everwire;
use everwire_server::broker::{Broker, Journal, JournalStats, SessionExpiry, SessionId};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::timeout;

/// How long a journal that has failed may take to show that it works again.
const PROBE: Duration = Duration::from_secs(2);

/// What the probes look at.
#[derive(Clone, Debug)]
pub(crate) struct Probes {
    pub(crate) wire: Everwire,
    pub(crate) journal: Option<Journal>,
}

impl Probes {
    pub(crate) fn healthz(self) -> Router {
        let wire = self.wire.clone();
        wire.guard(Router::new().route("/healthz", get(healthz)).with_state(self))
    }

    pub(crate) fn metrics(self) -> Router {
        let wire = self.wire.clone();
        wire.guard(Router::new().route("/metrics", get(metrics)).with_state(self))
    }

    /// Whether the server stores what is published.
    async fn is_storing(&self) -> bool {
        let Some(journal) = self.journal.as_ref().filter(|journal| journal.stats().is_failing) else { return true };
        // A server without traffic would not notice that the disk works again.
        let Ok(id) = SessionId::try_from("healthz") else { return false };
        let stored = journal.store_session(id, Default::default(), SessionExpiry::Detached(Duration::ZERO));
        timeout(PROBE, stored).await.is_ok_and(|stored| stored.is_ok())
    }

    fn journal(&self) -> Option<Value> {
        let journal = self.journal.as_ref()?;
        let JournalStats { commits, failures, queued, .. } = journal.stats();
        // The log says where the files are, which is nothing for everyone who reaches the server.
        let corruptions = journal.corruptions().len();
        Some(json!({ "commits": commits, "failures": failures, "queued": queued, "corruptions": corruptions }))
    }
}

async fn healthz(State(probes): State<Probes>) -> Response {
    let (status, word) = if probes.wire.is_draining() {
        (StatusCode::SERVICE_UNAVAILABLE, "draining")
    } else if !probes.is_storing().await {
        (StatusCode::SERVICE_UNAVAILABLE, "journal failing")
    } else {
        (StatusCode::OK, "ok")
    };
    let body = json!({ "status": word, "journal": probes.journal() });
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{body}\n")).into_response()
}

async fn metrics(State(probes): State<Probes>) -> Response {
    let mut registry = Registry::default();
    registry.register_collector(Box::new(probes.wire.collector()));
    if let Some(journal) = probes.journal {
        registry.register_collector(Box::new(JournalCollector(journal)));
    }
    let mut text = String::new();
    // Writing to a String cannot fail.
    let _ = encode(&mut text, &registry);
    ([(header::CONTENT_TYPE, CONTENT_TYPE)], text).into_response()
}

#[derive(Debug)]
struct JournalCollector(Journal);

impl Collector for JournalCollector {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let JournalStats { commits, failures, disk_reads, queued, is_failing, .. } = self.0.stats();
        for (name, help, value) in [
            ("everwire_journal_commits", "Transactions that were committed.", commits),
            ("everwire_journal_failures", "Times that committing failed.", failures),
            ("everwire_journal_disk_reads", "Reads that went to the file.", disk_reads),
        ] {
            let counter = encoder.encode_descriptor(name, help, None, MetricType::Counter)?;
            ConstCounter::new(value).encode(counter)?;
        }
        for (name, help, value) in [
            ("everwire_journal_queued", "Publications and other work that waits to be stored.", queued as u64),
            ("everwire_journal_failing", "1 while the journal cannot store.", u64::from(is_failing)),
        ] {
            let gauge = encoder.encode_descriptor(name, help, None, MetricType::Gauge)?;
            ConstGauge::new(value).encode(gauge)?;
        }
        Ok(())
    }
}

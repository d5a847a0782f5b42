//! The stand-alone channel server: `everwire.v1` for back ends in any language, built on the library's public API.
//!
//! # Layout
//! - `flags`, `config`: the command line and the configuration file
//! - `access`: who a client is, and which channels it may use
//! - `api`: the HTTP API; health and metrics are here

mod access;
mod api;
mod config;
mod flags;

use std::error::Error;
use std::fmt;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use clap::Parser;
use everwire_server::broker::{Broker, BrokerConfig, Journal, JournalStats, Memory, SessionExpiry, SessionId};
use everwire_server::cli::{Log, ServerFlags, outlive_large_files, raise_open_file_limit, stop_requested};
use everwire_server::{Everwire, Server, StopSignal};
use prometheus_client::collector::Collector;
use prometheus_client::encoding::prometheus_text::{CONTENT_TYPE, encode};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Registry;
use serde_json::{Value, json};
use tokio::time::timeout;

use crate::access::ConfigAuthorizer;
use crate::api::{Api, ApiError, ApiErrorCode, MAX_IDEMPOTENCY_KEYS};
use crate::config::Config;
use crate::flags::{ApiKeys, Flags};

/// Open files that are reserved for the journal.
const JOURNAL_FILES: usize = 16;
/// Connections to `--api-listen`. They have a limit of their own, so that back ends reach a server that is full of clients.
const API_CONNECTIONS: usize = 256;

/// Time limit for the write that shows whether a failed journal works again.
const PROBE: Duration = Duration::from_secs(2);

type AnyError = Box<dyn Error>;

/// A server that is ready to run.
struct PreparedServer {
    everwire: Everwire,
    probes: Probes,
    api: Option<Api>,
    flags: Flags,
}

fn main() -> ExitCode {
    let flags = Flags::parse();
    let log = Log::install();
    let code = match prepare(flags) {
        Ok(prepared) => match serve(prepared, &log) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => {
                tracing::error!("{error}");
                ExitCode::FAILURE
            }
        },
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::from(2)
        }
    };
    log.flush();
    code
}

/// Reads the files that the flags name, and opens the journal.
fn prepare(flags: Flags) -> Result<PreparedServer, AnyError> {
    let config = match &flags.config {
        Some(path) => Config::read(path)?,
        None if flags.allow_all => Config::allow_all(),
        None => {
            let advice =
                "give rules by --config FILE, or let every client use every channel by --allow-all, for development";
            return Err(format!("there are no rules for clients: {advice}").into());
        }
    };
    let keys = flags.api.keys.keys()?;
    if keys.is_none() && flags.api.api_listen.is_some() {
        let advice = "give one by --api-key-file FILE or EVERWIRE_API_KEY, for example from `openssl rand -hex 32`";
        return Err(format!("--api-listen needs a key, since the API can do everything: {advice}").into());
    }
    raise_open_file_limit();
    let config = Arc::new(config);
    let other_sessions = if keys.is_some() { MAX_IDEMPOTENCY_KEYS } else { 0 };
    let api_files = if flags.api.api_listen.is_some() { API_CONNECTIONS } else { 0 };
    let mut builder = flags.server.builder()?.reserved_files(JOURNAL_FILES + api_files);
    let journal = match &flags.journal.journal {
        Some(directory) => {
            let mut settings = flags.journal.config();
            config.broker(&mut settings.broker, other_sessions);
            let journal = Journal::open_with(directory, settings)?;
            builder = builder.broker(journal.clone());
            Some(journal)
        }
        None => {
            let mut settings = BrokerConfig::default();
            config.broker(&mut settings, other_sessions);
            builder = builder.broker(Memory::new(settings));
            None
        }
    };
    let options = Arc::clone(&config);
    let everwire = builder
        .authorize(ConfigAuthorizer(Arc::clone(&config)))
        .channels(move |channel| options.rules.options(channel))
        .channel_limits(|limits| {
            limits.heartbeat = flags.heartbeat;
            config.channel_limits(limits);
        })
        .build();
    let probes = Probes { everwire: everwire.clone(), journal };
    let api = keys.map(|keys: ApiKeys| Api::new(&everwire, &config, keys));
    Ok(PreparedServer { everwire, probes, api, flags })
}

#[tokio::main]
async fn serve(prepared: PreparedServer, log: &Log) -> Result<(), AnyError> {
    let PreparedServer { everwire, probes, api, flags } = prepared;
    outlive_large_files();
    let stop =
        StopSignal::listen().map_err(|error| format!("cannot listen for the signals that stop a server: {error}"))?;
    if api.is_none() {
        tracing::info!("the HTTP API is off because there is no key: see --api-key-file and EVERWIRE_API_KEY");
    }
    let internal = probes.clone().metrics().merge(api.map_or_else(api_is_off, Api::router));
    let mut app = Router::new().merge(everwire.router()).merge(probes.clone().healthz());
    let mut api_server = None;
    let mut api_flags = flags.server.clone();
    match flags.api.api_listen {
        None => app = app.merge(internal),
        Some(address) => {
            api_flags.listen = address;
            let app = internal.merge(probes.healthz()).fallback(not_found);
            let limited = api_flags.builder()?.limits(|limits| {
                (limits.connections, limits.connections_per_address) = (API_CONNECTIONS, API_CONNECTIONS);
            });
            api_server = Some((bind(&limited.build(), &api_flags, "--api-listen").await?, app));
        }
    }
    let server = bind(&everwire, &flags.server, "--listen").await?;
    // The program that started the server may wait for these lines. A closed stdout is no reason to stop.
    let _ = writeln!(stdout(), "listening on {}", server.url());
    if let Some((api_server, _)) = &api_server {
        let _ = writeln!(stdout(), "the API is on {}", api_server.url());
    }
    let _ = stdout().flush();

    let draining = everwire.clone();
    let serve_api = async {
        if let Some((server, app)) = api_server {
            // Until the sockets of the clients begin to close.
            server.run_until(app, draining.draining()).await;
        }
    };
    let stopped = stop_requested(stop, flags.server.drain, log.clone());
    tokio::join!(server.run_until(app.fallback(not_found), stopped), serve_api);
    Ok(())
}

async fn bind(everwire: &Everwire, flags: &ServerFlags, flag: &str) -> Result<Server, AnyError> {
    let server = Server::bind(everwire, flags.config()?).await;
    Ok(server
        .map_err(|error| format!("cannot listen on {}: {error}; choose another address with {flag}", flags.listen))?)
}

/// What a back end gets while the server has no key.
fn api_is_off() -> Router {
    let message = "the server has no key for the HTTP API; start it with --api-key-file FILE, or EVERWIRE_API_KEY";
    let refuse = async move || ApiError::new(ApiErrorCode::ApiOff, message);
    Router::new().nest("/api", Router::new().fallback(refuse))
}

async fn not_found(request: Request) -> ApiError {
    ApiError::no_route(request.uri().path())
}

/// What the health check and the metrics report on.
#[derive(Clone, Debug)]
struct Probes {
    everwire: Everwire,
    journal: Option<Journal>,
}

impl Probes {
    fn healthz(self) -> Router {
        let everwire = self.everwire.clone();
        everwire.guard(Router::new().route("/healthz", get(healthz)).with_state(self))
    }

    fn metrics(self) -> Router {
        let everwire = self.everwire.clone();
        everwire.guard(Router::new().route("/metrics", get(metrics)).with_state(self))
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
        // The paths of the files are only in the log: not everyone who reaches the server may know them.
        let corruptions = journal.corruptions().len();
        Some(json!({ "commits": commits, "failures": failures, "queued": queued, "corruptions": corruptions }))
    }
}

async fn healthz(State(probes): State<Probes>) -> Response {
    let (status, word) = if probes.everwire.is_draining() {
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
    registry.register_collector(Box::new(probes.everwire.collector()));
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

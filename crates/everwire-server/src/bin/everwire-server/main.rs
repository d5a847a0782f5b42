//! The stand-alone channel server: `everwire.v1` beside a back end in any language, on the library's public API.
//!
//! # Layout
//! - `flags`, `config`: the command line and the configuration file
//! - `rules`: who may use which channels; `access`: who a client is; `keys`: the keys of the HTTP API
//! - `api`: the HTTP API; `probes`: health and metrics

mod access;
mod api;
mod config;
mod flags;
mod keys;
mod probes;
mod rules;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;
use std::sync::Arc;

use axum::Router;
use axum::extract::Request;
use clap::Parser;
use everwire_server::broker::{BrokerConfig, Journal, Memory};
use everwire_server::cli::{Log, ServerFlags, outlive_large_files, raise_open_file_limit, stop_requested};
use everwire_server::{Everwire, Server, StopSignal};

use crate::access::Configured;
use crate::api::{Api, ApiError, Code, MAX_REPEATS};
use crate::config::Config;
use crate::flags::Flags;
use crate::keys::Keys;
use crate::probes::Probes;

/// Files of the journal, which connections must not use up.
const JOURNAL_FILES: usize = 16;
/// Connections to `--api-listen`. They are counted apart, so that a back end gets through to a server that is full of clients.
const API_CONNECTIONS: usize = 256;

type AnyError = Box<dyn Error>;

/// A server that is ready to run.
struct Prepared {
    wire: Everwire,
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

/// Reads what the flags name, and opens the journal.
fn prepare(flags: Flags) -> Result<Prepared, AnyError> {
    let config = match &flags.config {
        Some(path) => Config::read(path)?,
        None if flags.allow_all => Config::allow_all(),
        None => {
            let advice =
                "give rules by --config FILE, or let every client use every channel by --allow-all, for development";
            return Err(format!("nothing says what clients may do: {advice}").into());
        }
    };
    let keys = flags.api.keys.keys()?;
    if keys.is_none() && flags.api.api_listen.is_some() {
        let advice = "give one by --api-key-file FILE or EVERWIRE_API_KEY, for example from `openssl rand -hex 32`";
        return Err(format!("--api-listen needs a key, since who reaches the API may do everything: {advice}").into());
    }
    raise_open_file_limit();
    let config = Arc::new(config);
    let other_sessions = if keys.is_some() { MAX_REPEATS } else { 0 };
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
    let wire = builder
        .authorize(Configured(Arc::clone(&config)))
        .channels(move |channel| options.rules.options(channel))
        .channel_limits(|limits| {
            limits.heartbeat = flags.heartbeat;
            config.channel_limits(limits);
        })
        .build();
    let probes = Probes { wire: wire.clone(), journal };
    let api = keys.map(|keys: Keys| Api::new(&wire, &config, keys));
    Ok(Prepared { wire, probes, api, flags })
}

#[tokio::main]
async fn serve(prepared: Prepared, log: &Log) -> Result<(), AnyError> {
    let Prepared { wire, probes, api, flags } = prepared;
    outlive_large_files();
    let stop =
        StopSignal::listen().map_err(|error| format!("cannot listen for the signals that stop a server: {error}"))?;
    if api.is_none() {
        tracing::info!("there is no HTTP API, since there is no key: see --api-key-file and EVERWIRE_API_KEY");
    }
    let internal = probes.clone().metrics().merge(api.map_or_else(api_is_off, Api::router));
    let mut app = Router::new().merge(wire.router()).merge(probes.clone().healthz());
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
    let server = bind(&wire, &flags.server, "--listen").await?;
    // The program that started the server may wait for these lines. A closed stdout is no reason to stop.
    let _ = writeln!(stdout(), "listening on {}", server.url());
    if let Some((api_server, _)) = &api_server {
        let _ = writeln!(stdout(), "the API is on {}", api_server.url());
    }
    let _ = stdout().flush();

    let draining = wire.clone();
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

async fn bind(wire: &Everwire, flags: &ServerFlags, flag: &str) -> Result<Server, AnyError> {
    let server = Server::bind(wire, flags.config()?).await;
    Ok(server
        .map_err(|error| format!("cannot listen on {}: {error}; choose another address with {flag}", flags.listen))?)
}

/// What a back end finds that is started before the server has a key.
fn api_is_off() -> Router {
    let message = "the server has no key for the HTTP API; start it with --api-key-file FILE, or EVERWIRE_API_KEY";
    let refuse = async move || ApiError::new(Code::ApiOff, message);
    Router::new().nest("/api", Router::new().fallback(refuse))
}

async fn not_found(request: Request) -> ApiError {
    ApiError::no_route(request.uri().path())
}

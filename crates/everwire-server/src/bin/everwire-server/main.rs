//! The stand-alone channel server: `everwire.v1` beside a back end in any language.

mod flags;

use std::error::Error;
use std::io::{Write, stdout};
use std::process::ExitCode;

use axum::Router;
use clap::Parser;
use everwire_server::broker::Journal;
use everwire_server::channels::AllowAll;
use everwire_server::cli::{Log, raise_open_file_limit};
use everwire_server::{Server, StopSignal};

use crate::flags::Flags;

fn main() -> ExitCode {
    let log = Log::install();
    let code = match serve(Flags::parse(), &log) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error}");
            ExitCode::FAILURE
        }
    };
    log.flush();
    code
}

#[tokio::main]
async fn serve(flags: Flags, log: &Log) -> Result<(), Box<dyn Error>> {
    raise_open_file_limit();
    let mut stop =
        StopSignal::listen().map_err(|error| format!("cannot listen for the signals that stop a server: {error}"))?;
    let builder = flags.server.builder()?.authorize(AllowAll);
    let mut builder = builder.channel_limits(|limits| limits.heartbeat = flags.heartbeat);
    if let Some(directory) = &flags.journal.journal {
        builder = builder.broker(Journal::open_with(directory, flags.journal.config())?);
    }
    let everwire = builder.build();
    let app = Router::new().merge(everwire.router()).merge(everwire.probes());
    let (listen, drain) = (flags.server.listen, flags.server.drain);
    let server = Server::bind(&everwire, flags.server.config()?)
        .await
        .map_err(|error| format!("cannot listen on {listen}: {error}; choose another address with --listen"))?;
    // The program that started the server may wait for this line. A closed stdout is no reason to stop.
    let _ = writeln!(stdout(), "listening on {}", server.url());
    let _ = stdout().flush();

    let log = log.clone();
    server
        .run_until(app, async move {
            stop.received().await;
            tracing::info!("stopping; sockets close within {} s, once more stops at once", drain.as_secs_f64());
            tokio::spawn(async move {
                stop.received_again().await;
                log.flush();
                std::process::exit(1);
            });
        })
        .await;
    Ok(())
}

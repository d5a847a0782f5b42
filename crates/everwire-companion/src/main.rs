//! The companion server's command line.

use std::io::{Write, stdout};
use std::process::ExitCode;
#[cfg(unix)]
use std::process::exit;

use clap::Parser;
use everwire_companion::{Cli, Config, LogTap, Role, Server, StartError};
#[cfg(unix)]
use everwire_companion::{inherit_listener, supervise};
use everwire_server::StopSignal;
use everwire_server::cli::{Log, outlive_large_files, raise_open_file_limit, stop_requested};

/// Returns freed memory to the system. glibc's allocator keeps what lies between pieces in use: hundreds of megabytes after 300
/// connections had echoed a megabyte each at the same time.
#[cfg(all(feature = "jemalloc", target_os = "linux"))]
#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;

fn main() -> ExitCode {
    let tap = LogTap::default();
    let log = Log::install_with(tap.layer());
    let code = serve(&log, tap);
    log.flush();
    code
}

#[tokio::main]
async fn serve(log: &Log, tap: LogTap) -> ExitCode {
    let cli = Cli::parse();
    let role = cli.role();
    let config = match cli.into_config() {
        Ok(config) => Config { log: tap, ..config },
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::from(2);
        }
    };
    raise_open_file_limit();
    outlive_large_files();
    let stop = match StopSignal::listen() {
        Ok(stop) => stop,
        Err(error) => {
            tracing::error!("cannot listen for the signals that stop a server: {error}");
            return ExitCode::FAILURE;
        }
    };
    let ended = match role {
        #[cfg(unix)]
        Role::Supervisor => supervise(&config, std::env::args_os().skip(1), stop, announce).await,
        _ => run(config, role, stop, log).await,
    };
    ended.unwrap_or_else(|error| {
        tracing::error!("{error}");
        ExitCode::FAILURE
    })
}

async fn run(config: Config, role: Role, stop: StopSignal, log: &Log) -> Result<ExitCode, StartError> {
    let drain = config.drain;
    let server = match role {
        #[cfg(unix)]
        Role::Worker => {
            let log = log.clone();
            let listener = inherit_listener(move || {
                tracing::error!("the supervisor is gone");
                log.flush();
                exit(1);
            });
            Server::with_listener(config, listener.map_err(StartError::Worker)?).await?
        }
        _ => Server::bind(config).await?,
    };
    announce(&format!("listening on {}\n", server.url()));
    server.run_until(stop_requested(stop, drain, log.clone())).await;
    Ok(ExitCode::SUCCESS)
}

/// The program that started the server may wait for this line. A closed stdout is no reason to stop.
fn announce(line: &str) {
    let _ = write!(stdout(), "{line}");
    let _ = stdout().flush();
}

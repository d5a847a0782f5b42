//! The companion server's command line.

use std::io::{Write, stdout};
use std::process::ExitCode;

use clap::Parser;
use everwire_companion::{Cli, Config, LogTap, Server};
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
    let config = match Cli::parse().into_config() {
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
    let drain = config.drain;
    let server = match Server::bind(config).await {
        Ok(server) => server,
        Err(error) => {
            tracing::error!("{error}");
            return ExitCode::FAILURE;
        }
    };
    // The program that started the server may wait for this line. A closed stdout is no reason to stop.
    let _ = writeln!(stdout(), "listening on {}", server.url());
    let _ = stdout().flush();

    server.run_until(stop_requested(stop, drain, log.clone())).await;
    ExitCode::SUCCESS
}

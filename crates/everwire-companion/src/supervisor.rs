//! A process that keeps another one serving: `--supervise`.
//!
//! The supervisor owns the listening socket, so that clients wait in its queue while no worker runs. A worker gets the socket as its
//! stdin, and as its stdout one end of a socket pair: on that it prints where it listens, and when the other end is closed, its
//! supervisor is gone. So a worker always ends with its supervisor.

use std::ffi::OsString;
use std::io::{self, Read, stdin, stdout};
use std::net::TcpListener;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::UnixStream;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{ExitCode, ExitStatus};
use std::thread;
use std::time::Duration;

use everwire_server::StopSignal;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep};

use crate::config::Config;
use crate::server::StartError;

/// The flag that makes a process a worker.
const WORKER: &str = "--worker";

/// A worker that has run for so long has not failed to start.
const STEADY: Duration = Duration::from_secs(2);
/// The delays before a worker is started again: when the second one in a row ends early, and at most.
const FIRST_DELAY: Duration = Duration::from_millis(100);
const LAST_DELAY: Duration = Duration::from_secs(5);

/// Binds [`Config::listen`] and keeps a worker running on it: this program, with these arguments and `--worker`. Returns when `stop` was
/// received and the worker has drained, or when the first worker ends before it serves; the exit code is that of the worker.
///
/// `announce` gets what the first worker prints: where it listens.
///
/// # Errors
/// If the address cannot be bound, or no worker can be started.
pub async fn supervise(
    config: &Config,
    arguments: impl IntoIterator<Item = OsString>,
    stop: StopSignal,
    announce: impl FnOnce(&str),
) -> Result<ExitCode, StartError> {
    let bound = config.server().bind();
    let listener = bound.map_err(|source| StartError::Listen { address: config.listen, source })?;
    let arguments = arguments.into_iter().chain([WORKER.into()]).collect();
    let supervisor = Supervisor { listener, arguments, stop, announce: Some(announce) };
    supervisor.run().await.map_err(StartError::Supervise)
}

struct Supervisor<A> {
    listener: TcpListener,
    arguments: Vec<OsString>,
    stop: StopSignal,
    /// Until the first worker serves.
    announce: Option<A>,
}

struct Worker {
    process: Child,
    /// What it prints. The worker ends when this is closed.
    output: BufReader<tokio::net::UnixStream>,
}

impl<A: FnOnce(&str)> Supervisor<A> {
    async fn run(mut self) -> io::Result<ExitCode> {
        let mut backoff = RestartBackoff::default();
        loop {
            let started = Instant::now();
            let mut worker = Worker::start(&self.listener, &self.arguments)?;
            let Some(status) = self.watch(&mut worker).await? else {
                return self.stop(&mut worker).await;
            };
            if self.announce.is_some() {
                // The worker has logged why.
                return Ok(exit_code(status));
            }
            let delay = backoff.delay_after(started.elapsed());
            tracing::warn!("the worker ended ({status}); another one starts in {} ms", delay.as_millis());
            tokio::select! {
                () = sleep(delay) => {}
                () = self.stop.received() => return Ok(ExitCode::SUCCESS),
            }
        }
    }

    /// Returns how the worker ended, or `None` when it is to be stopped.
    async fn watch(&mut self, worker: &mut Worker) -> io::Result<Option<ExitStatus>> {
        let mut line = String::new();
        let mut is_ready = false;
        loop {
            tokio::select! {
                status = worker.process.wait() => return Ok(Some(status?)),
                () = self.stop.received() => return Ok(None),
                // A worker that closes it is about to end.
                _ = worker.output.read_line(&mut line), if !is_ready => {
                    is_ready = true;
                    if let Some(announce) = self.announce.take_if(|_| !line.is_empty()) {
                        announce(&line);
                    }
                }
            }
        }
    }

    /// Passes on the signal to stop, and each further one.
    async fn stop(&mut self, worker: &mut Worker) -> io::Result<ExitCode> {
        loop {
            worker.terminate();
            tokio::select! {
                status = worker.process.wait() => return Ok(exit_code(status?)),
                () = self.stop.received_again() => {}
            }
        }
    }
}

impl Worker {
    fn start(listener: &TcpListener, arguments: &[OsString]) -> io::Result<Self> {
        let (output, stdout) = UnixStream::pair()?;
        output.set_nonblocking(true)?;
        let process = Command::new(program()?)
            // The name that lists of processes show.
            .arg0(std::env::args_os().next().unwrap_or_else(|| "everwire-companion".into()))
            .args(arguments)
            .stdin(OwnedFd::from(listener.try_clone()?))
            .stdout(OwnedFd::from(stdout))
            // Ctrl-C in a terminal reaches only the supervisor, which passes it on. Twice would cut the drain short.
            .process_group(0)
            .kill_on_drop(true)
            .spawn()?;
        Ok(Self { process, output: BufReader::new(tokio::net::UnixStream::from_std(output)?) })
    }

    fn terminate(&self) {
        if let Some(id) = self.process.id() {
            // It fails when the worker has ended meanwhile, which is what is wanted.
            let _ = kill(Pid::from_raw(id.cast_signed()), Signal::SIGTERM);
        }
    }
}

/// This program, also after its file was replaced by a new build.
fn program() -> io::Result<PathBuf> {
    if cfg!(target_os = "linux") { Ok("/proc/self/exe".into()) } else { std::env::current_exe() }
}

/// The worker's exit code. A worker that SIGTERM ended before it could listen for signals counts as stopped.
fn exit_code(status: ExitStatus) -> ExitCode {
    match status.code() {
        Some(code) => u8::try_from(code).map_or(ExitCode::FAILURE, ExitCode::from),
        None if status.signal() == Some(Signal::SIGTERM as i32) => ExitCode::SUCCESS,
        None => ExitCode::FAILURE,
    }
}

/// When a worker is started again: at once, unless several have ended early in a row.
#[derive(Debug, Default)]
struct RestartBackoff {
    early: u32,
}

impl RestartBackoff {
    fn delay_after(&mut self, lived: Duration) -> Duration {
        if lived >= STEADY {
            self.early = 0;
            return Duration::ZERO;
        }
        self.early = self.early.saturating_add(1);
        match self.early {
            1 => Duration::ZERO,
            early => FIRST_DELAY.saturating_mul(2u32.saturating_pow(early - 2)).min(LAST_DELAY),
        }
    }
}

/// The listening socket that this worker has got from its supervisor. `on_orphaned` is called when the supervisor has ended.
///
/// # Errors
/// If the process was not started by a supervisor.
pub fn inherit_listener(on_orphaned: impl FnOnce() + Send + 'static) -> io::Result<TcpListener> {
    let listener = TcpListener::from(stdin().as_fd().try_clone_to_owned()?);
    listener.local_addr()?;
    let mut supervisor = UnixStream::from(stdout().as_fd().try_clone_to_owned()?);
    supervisor.peer_addr()?;
    thread::Builder::new().name("supervisor".to_owned()).spawn(move || {
        // The supervisor sends nothing.
        let _ = supervisor.read(&mut [0]);
        on_orphaned();
    })?;
    Ok(listener)
}

/// Ends this process as a crash or the system does: nothing is flushed, and no close frame is sent.
pub(crate) fn kill_this_process() {
    let _ = kill(Pid::this(), Signal::SIGKILL);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn delays(lived: &[u64]) -> Vec<u128> {
        let mut backoff = RestartBackoff::default();
        lived.iter().map(|lived| backoff.delay_after(Duration::from_millis(*lived)).as_millis()).collect()
    }

    #[test]
    fn a_worker_that_has_run_for_a_while_is_started_again_at_once() {
        assert_eq!(delays(&[60_000, 2_000, 1_999, 2_000]), [0; 4]);
    }

    #[test]
    fn workers_that_end_early_in_a_row_are_started_again_later_and_later() {
        let early = [0, 0, 0, 0, 0, 0, 0, 0, 0, 3_000, 0, 0];
        assert_eq!(delays(&early), [0, 100, 200, 400, 800, 1600, 3200, 5000, 5000, 0, 0, 100]);
        assert_eq!(RestartBackoff { early: u32::MAX }.delay_after(Duration::ZERO), LAST_DELAY);
    }
}

//! Command line flags and a log for the binary of a server: what does not depend on the application.
//!
//! Flatten [`ServerFlags`] into the application's own [`clap`] parser, and build the [`Everwire`] and the [`Server`] from them:
//!
//! ```no_run
//! use clap::Parser;
//! use everwire_server::cli::ServerFlags;
//! use everwire_server::Server;
//!
//! #[derive(Parser)]
//! struct Cli {
//!     #[command(flatten)]
//!     server: ServerFlags,
//! }
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let Cli { server } = Cli::parse();
//! let everwire = server.builder()?.build();
//! let server = Server::bind(&everwire, server.config()?).await?;
//! # drop(server);
//! # Ok(())
//! # }
//! ```
//!
//! [`Everwire`]: crate::Everwire
//! [`Server`]: crate::Server

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::{self, IsTerminal, Write, stderr};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use std::{fmt, mem, panic, thread};

use bytesize::ByteSize;
use clap::Args;
use tracing_subscriber::layer::{Identity, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry};

use crate::everwire::{Builder, Everwire};
use crate::limits::{ConnectionLimits, Limits};
use crate::origin::{InvalidOrigin, Origins};
use crate::server::{ServerConfig, StopSignal};
use crate::tls::{Tls, TlsError};

/// Bytes that may be queued: some thousand lines.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Time limit for writing the last lines when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// Where a server listens, who may connect, and what they may use.
#[derive(Args, Clone, Debug)]
#[non_exhaustive]
pub struct ServerFlags {
    /// Address to listen on; port 0 takes a free one. The first line of output names it.
    #[arg(long, value_name = "ADDRESS", default_value = "127.0.0.1:9001")]
    pub listen: SocketAddr,

    /// Share the address with other servers that are started with this flag: the system distributes the connections. The servers
    /// share no state, so clients of different servers do not receive each other's messages.
    #[arg(long)]
    pub reuse_port: bool,

    /// Also let pages of this origin connect, like `https://example.org`, `https://*.example.org` for all its subdomains, `null`,
    /// `file://`, or `*` for any. Pages of the server's own host and of localhost may always connect, and so may programs that are not
    /// browsers. Over a loopback address the server accepts only an IP address, localhost, and the hosts given here as `Host`, so a
    /// proxy on the same machine needs this flag. Can be repeated.
    #[arg(long, value_name = "ORIGIN")]
    pub allow_origin: Vec<String>,

    /// When stopping (Ctrl-C, SIGTERM, SIGHUP), close the sockets spread over this many seconds, so that their clients do not all
    /// reconnect at once.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub drain: Duration,

    /// The certificate.
    #[command(flatten)]
    pub tls: TlsFlags,

    /// The limits.
    #[command(flatten)]
    pub limits: LimitFlags,
}

/// Whether to serve `https` and `wss`.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "TLS")]
#[non_exhaustive]
pub struct TlsFlags {
    /// Certificate chain (PEM), for https and wss.
    #[arg(long, value_name = "FILE", requires = "tls_key")]
    pub tls_cert: Option<PathBuf>,

    /// Key of the certificate (PEM).
    #[arg(long, value_name = "FILE", requires = "tls_cert")]
    pub tls_key: Option<PathBuf>,
}

/// Limits for one client, and for all clients together.
#[derive(Args, Clone, Debug)]
#[command(next_help_heading = "Limits")]
#[non_exhaustive]
pub struct LimitFlags {
    /// Bytes in one message; a larger one closes the connection with 1009.
    #[arg(long, value_name = "SIZE", default_value = "1MiB", value_parser = parse_size::<usize>)]
    pub max_message_bytes: usize,

    /// Connections in total, each from the moment that it is accepted; a request on one more is refused with HTTP 503. The server
    /// raises its limit on open files as far as the system permits (`ulimit -H -n`), and accepts fewer connections if that is too low.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections)]
    pub max_connections: usize,

    /// Connections from one address; more are refused with HTTP 429. Behind a proxy, all connections come from one address.
    #[arg(long, value_name = "COUNT", default_value_t = Limits::default().connections_per_address)]
    pub max_connections_per_address: usize,

    /// Messages per second that one connection may send; more close it with 1008. 0 is no limit.
    #[arg(long, value_name = "COUNT", default_value_t = ConnectionLimits::default().messages_per_second)]
    pub max_messages_per_second: u32,

    /// Close a connection with 1001 after this time without a message in either direction. 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "300", value_parser = parse_seconds)]
    pub idle_timeout: Duration,

    /// Time limit for the head of a client's request from its connect, then for the body, and then until its next request.
    #[arg(long, value_name = "SECONDS", default_value = "10", value_parser = parse_positive_seconds)]
    pub handshake_timeout: Duration,

    /// Time limit for a message from its first byte to its last; a slower one closes its connection with 1008. 0 is no limit.
    #[arg(long, value_name = "SECONDS", default_value = "60", value_parser = parse_seconds)]
    pub message_timeout: Duration,

    /// Bytes of incomplete messages and of unsent answers that all connections may hold together; a message without room waits
    /// until others are complete. One address may hold half, unless it may have all connections.
    #[arg(long, value_name = "SIZE", default_value = "256MiB", value_parser = parse_size::<usize>)]
    pub max_buffered_bytes: usize,

    /// Bytes that may be queued for a slow reader; more close its connection with 1013.
    #[arg(long, value_name = "SIZE", default_value = "4MiB", value_parser = parse_size::<usize>)]
    pub max_backlog_bytes: usize,

    /// Time limit for writing one message; a slower reader is closed with 1013, or cut if it reads HTTP.
    #[arg(long, value_name = "SECONDS", default_value = "30", value_parser = parse_positive_seconds)]
    pub write_timeout: Duration,

    /// Time limit for the closing handshake, after which TCP is cut.
    #[arg(long, value_name = "SECONDS", default_value = "5", value_parser = parse_seconds)]
    pub close_timeout: Duration,
}

/// Why flags cannot be used although they parse.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FlagsError {
    /// `--allow-origin`.
    #[error(transparent)]
    Origin(#[from] InvalidOrigin),
    /// `--tls-cert` or `--tls-key`.
    #[error(transparent)]
    Tls(#[from] TlsError),
}

impl ServerFlags {
    /// A builder of the state with these flags.
    pub fn builder(&self) -> Result<Builder, FlagsError> {
        let builder = Everwire::builder()
            .origins(self.origins()?)
            .limits(|limits| *limits = self.limits.limits())
            .connection_limits(|limits| *limits = self.limits.connection_limits());
        Ok(builder)
    }

    /// Where and how to listen. Reads the files of the certificate.
    pub fn config(&self) -> Result<ServerConfig, FlagsError> {
        let config = ServerConfig::new(self.listen).reuse_port(self.reuse_port).drain(self.drain);
        Ok(match self.tls.load()? {
            Some(tls) => config.tls(tls),
            None => config,
        })
    }

    /// Which pages may connect.
    ///
    /// # Errors
    /// If `--allow-origin` names something that is not an origin.
    pub fn origins(&self) -> Result<Origins, FlagsError> {
        let origins = Origins::default().with_flag("--allow-origin");
        Ok(self.allow_origin.iter().try_fold(origins, |origins, origin| origins.allow(origin))?)
    }
}

impl TlsFlags {
    /// Reads the certificate and its key; `None` without the flags.
    ///
    /// # Errors
    /// If the files cannot be read or do not belong together.
    pub fn load(&self) -> Result<Option<Tls>, FlagsError> {
        match (&self.tls_cert, &self.tls_key) {
            (Some(cert), Some(key)) => Ok(Some(Tls::from_pem_files(cert, key)?)),
            _ => Ok(None),
        }
    }
}

impl LimitFlags {
    /// The limits of all connections together.
    pub fn limits(&self) -> Limits {
        Limits {
            connections: self.max_connections,
            connections_per_address: self.max_connections_per_address,
            handshake: self.handshake_timeout,
            response: self.write_timeout,
            buffered_bytes: self.max_buffered_bytes,
        }
    }

    /// The limits of one connection.
    pub fn connection_limits(&self) -> ConnectionLimits {
        ConnectionLimits {
            message_bytes: self.max_message_bytes,
            messages_per_second: self.max_messages_per_second,
            idle: self.idle_timeout,
            message: self.message_timeout,
            backlog_bytes: self.max_backlog_bytes,
            write: self.write_timeout,
            close: self.close_timeout,
        }
    }
}

/// Parses a size like `64000`, `64kB` or `1MiB` into bytes: a `value_parser` for a flag.
///
/// # Errors
/// If the text is not a size, or too large for `T`.
pub fn parse_size<T: TryFrom<u64>>(text: &str) -> Result<T, &'static str> {
    let size: Option<ByteSize> = text.parse().ok();
    size.and_then(|size| T::try_from(size.as_u64()).ok()).ok_or("a size in bytes, like 64000, 64kB or 1MiB")
}

/// Parses seconds, also with a fraction, up to a year: a `value_parser` for a flag.
pub fn parse_seconds(text: &str) -> Result<Duration, &'static str> {
    let seconds: f64 = text.parse().map_err(|_| "a number of seconds, like 5 or 0.5")?;
    if !(0.0..=31_536_000.0).contains(&seconds) {
        return Err("seconds from 0 to 31536000");
    }
    Ok(Duration::from_secs_f64(seconds))
}

/// Like [`parse_seconds`], for a flag that must not be 0.
pub fn parse_positive_seconds(text: &str) -> Result<Duration, &'static str> {
    match parse_seconds(text)? {
        Duration::ZERO => Err("more than 0 seconds"),
        duration => Ok(duration),
    }
}

/// A log on stderr that neither blocks nor ends the server. Dropping the handle does not write queued lines;
/// [`flush`](Self::flush) does.
///
/// stderr may be a pipe whose reader has gone or does not read, a full disk, or a stopped terminal. So a thread writes the log, and lines
/// without room are dropped and counted. `tracing-appender` is similar, but when it ends while it cannot write, it prints to stdout and
/// panics if that fails.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<LogState>);

#[derive(Debug, Default)]
struct LogState {
    queue: Mutex<LogBuffer>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct LogBuffer {
    text: Vec<u8>,
    /// Lines that were dropped or could not be written.
    lost: usize,
    is_writing: bool,
}

impl Log {
    /// Installs the log of the process, panics included, with the filter of `RUST_LOG`, or `info`.
    ///
    /// # Panics
    /// If the process has a global subscriber already.
    pub fn install() -> Self {
        Self::install_with(Identity::new())
    }

    /// Installs the log of the process with another layer, which gets the lines that the filter lets through.
    ///
    /// ```no_run
    /// use everwire_server::cli::Log;
    /// use tracing::{Event, Subscriber};
    /// use tracing_subscriber::layer::{Context, Layer};
    ///
    /// struct Count;
    ///
    /// impl<S: Subscriber> Layer<S> for Count {
    ///     fn on_event(&self, _: &Event<'_>, _: Context<'_, S>) {
    ///         // It is called on the thread that logs, and must return at once.
    ///     }
    /// }
    ///
    /// let log = Log::install_with(Count);
    /// # drop(log);
    /// ```
    ///
    /// # Panics
    /// If the process has a global subscriber already.
    pub fn install_with(layer: impl Layer<Registry> + Send + Sync) -> Self {
        let log = Self::to(stderr());
        let filter = EnvFilter::try_from_default_env().unwrap_or_else(|_| EnvFilter::new("info"));
        let writer = log.clone();
        let written = tracing_subscriber::fmt::layer()
            .with_ansi(stderr().is_terminal())
            .with_writer(move || writer.clone())
            // Internal errors would be printed to stderr, which may block.
            .log_internal_errors(false);
        tracing_subscriber::registry().with(layer).with(filter).with(written).init();
        let panics = log.clone();
        // The standard hook blocks until stderr accepts the text.
        panic::set_hook(Box::new(move |panic| panics.record(panic)));
        log
    }

    fn to(mut target: impl Write + Send + 'static) -> Self {
        let log = Self::default();
        let queue = log.clone();
        thread::spawn(move || {
            loop {
                let text = queue.next();
                let is_written = target.write_all(&text).and_then(|()| target.flush()).is_ok();
                queue.done(if is_written { 0 } else { count_lines(&text) });
            }
        });
        log
    }

    /// Writes a panic regardless of the filter, with a backtrace if `RUST_BACKTRACE` is set.
    fn record(&self, panic: &dyn fmt::Display) {
        let trace = Backtrace::capture();
        let trace = if trace.status() == BacktraceStatus::Captured { format!("{trace}\n") } else { String::new() };
        let thread = thread::current();
        let text = format!("thread '{}' {panic}\n{trace}", thread.name().unwrap_or("without a name"));
        // Writing to the queue cannot fail.
        let _ = self.clone().write_all(text.as_bytes());
    }

    /// Waits until everything is written, for one second at most.
    pub fn flush(&self) {
        let waits = |queue: &mut LogBuffer| queue.is_writing || !queue.text.is_empty();
        // After the timeout, the remaining lines are lost.
        let _ = self.0.changed.wait_timeout_while(self.queue(), FLUSH_TIMEOUT, waits);
    }

    /// Waits for lines and takes them.
    fn next(&self) -> Vec<u8> {
        let waits = |queue: &mut LogBuffer| queue.text.is_empty();
        let queue = self.0.changed.wait_while(self.queue(), waits);
        let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
        queue.is_writing = true;
        let mut text = mem::take(&mut queue.text);
        if let lost @ 1.. = mem::take(&mut queue.lost) {
            text.splice(
                0..0,
                format!("{lost} lines of the log are missing here: they could not be written\n").into_bytes(),
            );
        }
        text
    }

    fn done(&self, lost: usize) {
        let mut queue = self.queue();
        queue.is_writing = false;
        queue.lost += lost;
        self.0.changed.notify_all();
    }

    fn queue(&self) -> MutexGuard<'_, LogBuffer> {
        self.0.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Write for Log {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        let mut queue = self.queue();
        if queue.text.len() + line.len() > MAX_QUEUED_BYTES {
            queue.lost += count_lines(line);
        } else {
            queue.text.extend_from_slice(line);
            self.0.changed.notify_all();
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Waits for the signal that stops a server, for [`Server::run_until`](crate::Server::run_until). A second signal ends the process at
/// once with the status 1. It needs tokio's runtime.
pub async fn stop_requested(mut stop: StopSignal, drain: Duration, log: Log) {
    stop.received().await;
    tracing::info!("stopping; sockets close within {} s, once more stops at once", drain.as_secs_f64());
    tokio::spawn(async move {
        stop.received_again().await;
        log.flush();
        std::process::exit(1);
    });
}

/// Makes writes beyond the limit on file sizes (`ulimit -f`) fail, as on a full disk. Without a handler, the signal would end the
/// process. It needs tokio's runtime; on systems that are not Unix it does nothing.
pub fn outlive_large_files() {
    #[cfg(unix)]
    if let Err(error) = tokio::signal::unix::signal(tokio::signal::unix::SignalKind::from_raw(libc::SIGXFSZ)) {
        tracing::warn!("files that grow too large would end the server: {error}");
    }
}

/// Raises the process's limit on open files to its hard limit. Many systems start programs with 1,024 and permit far more.
pub fn raise_open_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!("the system permits {limit} open files, of which each connection is one"),
        // The server works with fewer connections.
        Err(error) => tracing::warn!("the limit on open files cannot be raised: {error}"),
    }
}

fn count_lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Reports what it is given to write, and then writes it or fails, as the test decides.
    struct Target {
        given: Sender<String>,
        verdicts: Receiver<io::Result<()>>,
    }

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // After the end of a test, the other ends are dropped.
            let _ = self.given.send(String::from_utf8_lossy(bytes).into_owned());
            self.verdicts.recv().unwrap_or_else(|_| Err(io::ErrorKind::BrokenPipe.into()))?;
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn log() -> (Log, Receiver<String>, Sender<io::Result<()>>) {
        let ((given, text), (verdict, verdicts)) = (channel(), channel());
        (Log::to(Target { given, verdicts }), text, verdict)
    }

    #[test]
    fn lines_are_written() {
        let (mut log, text, verdict) = log();
        verdict.send(Ok(())).unwrap();
        log.write_all(b"a line\n").unwrap();
        log.flush();
        assert_eq!(text.try_recv().unwrap(), "a line\n");
        assert!(!log.queue().is_writing);
    }

    #[test]
    fn a_panic_is_written_like_every_line() {
        let (log, text, verdict) = log();
        verdict.send(Ok(())).unwrap();
        log.record(&"panicked at here:\nwhy");
        let text = text.recv().unwrap();
        assert!(
            text.starts_with("thread 'cli::tests::a_panic_is_written_like_every_line' panicked at here:\nwhy\n"),
            "{text}"
        );
    }

    #[test]
    fn a_target_that_blocks_does_not_block_the_log_and_lost_lines_are_counted() {
        let (mut log, text, verdict) = log();
        log.write_all(b"it hangs\n").unwrap();
        assert_eq!(text.recv().unwrap(), "it hangs\n");
        let line = [&[b'a'; 999][..], b"\n"].concat();
        let lines = 3 * MAX_QUEUED_BYTES / line.len();
        for _ in 0..lines {
            log.write_all(&line).unwrap();
        }
        assert!(log.queue().text.len() <= MAX_QUEUED_BYTES);
        verdict.send(Ok(())).unwrap();
        let text = text.recv().unwrap();
        let (notice, rest) = text.split_once('\n').unwrap();
        let (count, words) = notice.split_once(' ').unwrap();
        assert_eq!(words, "lines of the log are missing here: they could not be written");
        assert_eq!(rest.lines().count() + count.parse::<usize>().unwrap(), lines);
    }

    #[test]
    fn lines_that_cannot_be_written_are_counted_and_the_log_continues() {
        let (mut log, text, verdict) = log();
        verdict.send(Err(io::ErrorKind::StorageFull.into())).unwrap();
        log.write_all(b"lost\n").unwrap();
        log.flush();
        assert_eq!(text.recv().unwrap(), "lost\n");
        log.write_all(b"there is room again\n").unwrap();
        assert_eq!(
            text.recv().unwrap(),
            "1 lines of the log are missing here: they could not be written\nthere is room again\n"
        );
    }
}

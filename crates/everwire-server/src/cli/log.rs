//! A log on stderr that neither blocks nor ends the server.
//!
//! stderr may be a pipe whose reader has gone or does not read, a full disk, or a stopped terminal. So a thread of its own writes the
//! log, and lines without room are dropped and counted. `tracing-appender` is similar, but when it ends while it cannot write, it
//! prints to stdout and panics if that fails.

use std::backtrace::{Backtrace, BacktraceStatus};
use std::fmt;
use std::io::{self, IsTerminal, Write, stderr};
use std::mem;
use std::panic;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use tracing_subscriber::layer::{Identity, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt as lines};

/// Bytes that may be queued: some thousand lines.
const MAX_QUEUED_BYTES: usize = 1 << 20;
/// Time limit for writing the last lines when the process ends.
const FLUSH_TIMEOUT: Duration = Duration::from_secs(1);

/// A handle to the log. Dropping it does not write queued lines; [`flush`](Self::flush) does.
#[derive(Clone, Debug, Default)]
pub struct Log(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    queue: Mutex<Queue>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Queue {
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
        let written = lines::layer()
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
        let waits = |queue: &mut Queue| queue.is_writing || !queue.text.is_empty();
        // After the timeout, the remaining lines are lost.
        let _ = self.0.changed.wait_timeout_while(self.queue(), FLUSH_TIMEOUT, waits);
    }

    /// Waits for lines and takes them.
    fn next(&self) -> Vec<u8> {
        let waits = |queue: &mut Queue| queue.text.is_empty();
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

    fn queue(&self) -> MutexGuard<'_, Queue> {
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

fn count_lines(text: &[u8]) -> usize {
    text.iter().filter(|byte| **byte == b'\n').count()
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, Sender, channel};

    use super::*;

    /// Says what it is given to write, and writes it when it is let, and as it is let.
    struct Target {
        given: Sender<String>,
        verdicts: Receiver<io::Result<()>>,
    }

    impl Write for Target {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            // A test that has ended reads and lets nothing more.
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
            text.starts_with("thread 'cli::log::tests::a_panic_is_written_like_every_line' panicked at here:\nwhy\n"),
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

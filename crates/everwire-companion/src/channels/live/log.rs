use std::collections::VecDeque;
use std::fmt::{self, Write};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use everwire_companion_api::live::{LOG, Level, LogLine};
use everwire_server::Clock;
use everwire_server::channels::{SessionChange, SessionEvent};
use futures_util::future::join_all;
use tokio::sync::Notify;
use tokio::task_local;
use tokio::time::sleep;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

use crate::companion::Companion;

/// The greatest number of lines that wait to be published. Further lines are dropped and counted.
const MAX_WAITING: usize = 256;

/// The characters of a line that are published.
const MAX_CHARS: usize = 500;

/// At most [`BATCH`] lines are published per period. Otherwise a task that logs a line whenever one is published would flood the
/// channel without end.
const PERIOD: Duration = Duration::from_millis(250);
const BATCH: usize = 20;

task_local! {
    /// Set while lines are published: what publishing itself logs is not published.
    static IS_PUBLISHING: ();
}

/// Takes the lines of the program's log for the channel `live/log`. Clones share them.
///
/// ```
/// use everwire_companion::{Config, LogTap};
/// use tracing_subscriber::layer::SubscriberExt;
///
/// let tap = LogTap::default();
/// let subscriber = tracing_subscriber::registry().with(tap.layer());
/// let config = Config { log: tap, monitor: true, ..Config::default() };
/// # drop((subscriber, config));
/// ```
#[derive(Clone, Default)]
pub struct LogTap(Arc<Shared>);

/// Without its clock, so that equal configurations print the same text.
impl fmt::Debug for LogTap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("LogTap").field("waiting", &self.0.waiting).finish_non_exhaustive()
    }
}

#[derive(Default)]
struct Shared {
    waiting: Mutex<Waiting>,
    arrived: Notify,
    clock: Clock,
}

#[derive(Debug, Default)]
struct Waiting {
    lines: VecDeque<LogLine>,
    /// Lines that were dropped after the last of these.
    dropped: u64,
}

impl LogTap {
    /// A layer that copies each line that passes the subscriber's filters. It never blocks.
    pub fn layer<S: Subscriber>(&self) -> impl Layer<S> + Send + Sync + use<S> {
        TapLayer(self.clone())
    }

    fn push(&self, mut line: LogLine) {
        let mut waiting = self.waiting();
        if waiting.lines.len() == MAX_WAITING {
            waiting.dropped += 1;
            return;
        }
        line.dropped = std::mem::take(&mut waiting.dropped);
        waiting.lines.push_back(line);
        drop(waiting);
        self.0.arrived.notify_one();
    }

    /// Waits for lines, and takes at most [`BATCH`] of them.
    async fn take(&self) -> Vec<LogLine> {
        loop {
            let lines = {
                let lines = &mut self.waiting().lines;
                let count = lines.len().min(BATCH);
                lines.drain(..count).collect::<Vec<_>>()
            };
            if !lines.is_empty() {
                return lines;
            }
            self.0.arrived.notified().await;
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.0.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Publishes the log, from a server that exposes it.
pub(super) fn start(companion: &Companion) {
    if !companion.config().monitor {
        return;
    }
    let publishing = companion.clone();
    companion.spawn(async move {
        loop {
            let lines = publishing.config().log.take().await;
            let channel = LOG;
            let published = join_all(lines.iter().map(|line| publishing.everwire().publish(&channel, line)));
            // A broker that fails logs the reason, and the lines are in the log itself.
            drop(IS_PUBLISHING.scope((), published).await);
            sleep(PERIOD).await;
        }
    });
}

/// Logs the changes of sessions.
pub(in crate::channels) fn session_changed(event: SessionEvent) {
    let change = match event.change {
        SessionChange::Started => "a session started",
        SessionChange::Resumed => "a session was resumed",
        SessionChange::Detached => "a session lost its connection",
        SessionChange::Ended => "a session ended",
        _ => return,
    };
    tracing::info!(session = event.session.as_str(), "{change}");
}

struct TapLayer(LogTap);

impl<S: Subscriber> Layer<S> for TapLayer {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        if IS_PUBLISHING.try_with(|()| ()).is_ok() {
            return;
        }
        let mut text = LineText::default();
        event.record(&mut text);
        let metadata = event.metadata();
        self.0.push(LogLine {
            time: self.0.0.clock.now_ms(),
            level: level(*metadata.level()),
            target: metadata.target().to_owned(),
            message: text.join(),
            dropped: 0,
        });
    }
}

fn level(level: tracing::Level) -> Level {
    match level {
        tracing::Level::ERROR => Level::Error,
        tracing::Level::WARN => Level::Warn,
        tracing::Level::INFO => Level::Info,
        tracing::Level::DEBUG => Level::Debug,
        tracing::Level::TRACE => Level::Trace,
    }
}

/// Collects the text of a line: its message and its fields.
#[derive(Debug, Default)]
struct LineText {
    message: String,
    values: String,
}

impl LineText {
    fn join(self) -> String {
        let whole = self.message + &self.values;
        match whole.char_indices().nth(MAX_CHARS) {
            Some((end, _)) => format!("{}…", &whole[..end]),
            None => whole,
        }
    }
}

impl Visit for LineText {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String cannot fail.
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.values, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use everwire_server::channels::{LocalDelivery, LocalSubscription};
    use tokio::time::{Instant, timeout};
    use tracing::subscriber::DefaultGuard;
    use tracing_subscriber::layer::SubscriberExt;

    use super::*;
    use crate::Config;

    /// A server whose log the test writes, as long as the guard lives.
    async fn logged() -> (Companion, LocalSubscription<LogLine>, DefaultGuard) {
        let tap = LogTap::default();
        let guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(tap.layer()));
        let companion = Companion::new(Config { monitor: true, log: tap, ..Config::default() }).unwrap();
        let lines = companion.everwire().subscribe(&LOG).await.unwrap();
        start(&companion);
        (companion, lines, guard)
    }

    async fn line(lines: &mut LocalSubscription<LogLine>) -> LogLine {
        match timeout(Duration::from_secs(5), lines.next()).await {
            Ok(Some(LocalDelivery::Message { message: Some(line), .. })) => line,
            other => panic!("no line but {other:?}"),
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_of_the_log_is_published_with_its_values() {
        let (_companion, mut lines, _guard) = logged().await;
        tracing::warn!(count = 3, name = "tea", kettle = %"blue", "it boils");
        let line = line(&mut lines).await;
        assert_eq!(line.level, Level::Warn);
        assert_eq!(line.message, r#"it boils count=3 name="tea" kettle=blue"#);
        assert_eq!(line.target, module_path!());
        assert!(line.time > 1.7e12);
    }

    #[tokio::test(start_paused = true)]
    async fn lines_without_room_are_dropped_and_counted() {
        let (_companion, mut lines, _guard) = logged().await;
        for number in 0..1_000 {
            tracing::info!("{number}");
        }
        let mut taken = Vec::new();
        for _ in 0..MAX_WAITING {
            taken.push(line(&mut lines).await);
        }
        assert!(taken.iter().enumerate().all(|(index, line)| line.message == index.to_string() && line.dropped == 0));
        tracing::info!("after them");
        let next = line(&mut lines).await;
        assert_eq!((next.message.as_str(), next.dropped), ("after them", 1_000 - MAX_WAITING as u64));
    }

    #[tokio::test(start_paused = true)]
    async fn what_publishing_writes_to_the_log_is_not_published() {
        let (_companion, mut lines, _guard) = logged().await;
        IS_PUBLISHING.scope((), async { tracing::info!("stored a line") }).await;
        tracing::info!("another");
        assert_eq!(line(&mut lines).await.message, "another");
    }

    #[tokio::test(start_paused = true)]
    async fn a_line_that_follows_from_each_line_does_not_flood_the_channel() {
        let (_companion, mut lines, _guard) = logged().await;
        let start = Instant::now();
        tracing::info!("the first");
        let mut count = 0;
        while start.elapsed() < Duration::from_secs(10) {
            line(&mut lines).await;
            count += 1;
            // Two for each, from another task: they would double without end.
            tracing::info!("one");
            tracing::info!("and another");
        }
        assert!((500..=40 * BATCH + BATCH).contains(&count), "{count}");
    }

    #[tokio::test(start_paused = true)]
    async fn without_the_monitor_flag_the_log_stays_in_the_server() {
        let tap = LogTap::default();
        let _guard = tracing::subscriber::set_default(tracing_subscriber::registry().with(tap.layer()));
        let companion = Companion::new(Config { log: tap, ..Config::default() }).unwrap();
        let mut lines = companion.everwire().subscribe(&LOG).await.unwrap();
        start(&companion);
        tracing::info!("a line");
        assert!(timeout(Duration::from_secs(60), lines.next()).await.is_err());
    }

    #[test]
    fn a_long_line_is_cut() {
        let text = LineText { message: "ö".repeat(MAX_CHARS + 1), values: String::new() };
        let cut = text.join();
        assert_eq!(cut.chars().count(), MAX_CHARS + 1);
        assert!(cut.ends_with('…'));
    }
}

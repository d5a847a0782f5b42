use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::thread;
use std::time::Instant;

use thiserror::Error;
use url::Url;

use crate::chart::{ChartError, charts_of_a_run};
use crate::cli::OutputFlags;
use crate::clock::Clock;
use crate::crew::{Crew, CrewError};
use crate::interval::Interval;
use crate::ledger::Ledger;
use crate::orders::Order;
use crate::progress::Progress;
use crate::record::{Phase, Record, Second};
use crate::server::{Watch, listeners};
use crate::window::Window;
use crate::{Cli, Plan, Unusable, files, table};

/// The first argument with which the program starts itself as a worker: then it is to call `serve`.
pub const AS_WORKER: &str = "--as-worker";

/// How often the workers are asked while nothing has to be disturbed.
const OFTEN: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// From the order to send until the first message: every worker has to have heard of it.
const LEAD: Duration = Duration::from_millis(50);
/// For how long, beyond what the rate makes necessary, connections may take to open.
const OPENING_GRACE: Duration = Duration::from_secs(20);

/// Timers may ring late, so what was due at the very end goes out after it.
const LEAST_GRACE: Duration = Duration::from_millis(200);

/// Why there is no result.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RunError {
    /// The flags.
    #[error(transparent)]
    Unusable(#[from] Unusable),
    /// The workers.
    #[error(transparent)]
    Crew(#[from] CrewError),
    /// The server.
    #[error("no connection to {url} could be opened:{reasons}\nIs the server running there, and is this its address?")]
    Nobody {
        /// Where to.
        url: String,
        /// Why not, and how often.
        reasons: String,
    },
    /// `--server-pid`.
    #[error("there is no process {0}: leave out --server-pid to watch whoever listens on the server's port")]
    NoProcess(u32),
    /// `--json` or `--charts`.
    #[error("cannot write {}: {error}; name another place", path.display())]
    Write {
        /// What.
        path: PathBuf,
        /// Why.
        error: io::Error,
    },
    /// `--charts`.
    #[error(transparent)]
    Chart(#[from] ChartError),
}

/// Does what the command line says, and prints what came of it.
///
/// # Errors
/// A run that could not be made. Messages that were lost are a result and not an error.
pub fn run(cli: Cli) -> Result<(), RunError> {
    files::raise_limit();
    let (plan, output) = cli.into_plan()?;
    let mut lines = Lines::open(output.json.as_deref())?;
    if let Some(charts) = &output.charts {
        fs::create_dir_all(charts).map_err(|error| RunError::Write { path: charts.clone(), error })?;
    }
    let mut conduct = Conduct::start(plan, &output)?;
    conduct.open(&mut lines)?;
    conduct.load(&mut lines)?;
    conduct.wait(&mut lines)?;

    let Conduct { plan, crew, ledger, server, progress, .. } = conduct;
    progress.done();
    crew.end();
    let command = std::env::args().collect::<Vec<_>>().join(" ");
    let summary = ledger.summary(command, &plan, server.count());
    if let Some(charts) = &output.charts {
        for (name, chart) in charts_of_a_run(ledger.seconds()) {
            let path = charts.join(name);
            fs::write(&path, chart.svg()?).map_err(|error| RunError::Write { path, error })?;
        }
    }
    if !lines.are_on_stdout() {
        // Whoever has closed stdout does not want to read it.
        let _ = io::stdout().write_all(table::of(&summary).as_bytes());
    }
    lines.write(&Record::Summary(Box::new(summary)))
}

/// A run as it goes on.
struct Conduct {
    plan: Plan,
    crew: Crew,
    ledger: Ledger,
    server: Watch,
    load: Watch,
    progress: Progress,
}

impl Conduct {
    fn start(plan: Plan, output: &OutputFlags) -> Result<Self, RunError> {
        let mut server = watch_server(&plan, &output.server_pid)?;
        let crew = Crew::start(&plan)?;
        let mut load = Watch::new(crew.pids().chain([std::process::id()]));
        let ledger = Ledger::new(Instant::now(), server.look(), load.look());
        let progress = Progress::new(output.quiet);
        Ok(Self { plan, crew, ledger, server, load, progress })
    }

    /// Waits until every client has been connected or has failed to.
    fn open(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let total = self.plan.total();
        self.progress.opening(total);
        let deadline = Instant::now() + self.plan.opens_at(total) + OPENING_GRACE;
        while self.ledger.total().now.settled < u64::from(total) && Instant::now() < deadline {
            thread::sleep(OFTEN);
            self.hear()?;
            self.progress.opened(self.ledger.total().now.connected);
            if self.ledger.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Opening, lines)?;
            }
        }
        self.cut(Phase::Opening, lines)?;
        let Interval { now, counts } = self.ledger.total();
        if now.connected > 0 {
            return Ok(());
        }
        let reasons = counts.reasons.iter().map(|(reason, times)| format!("\n  {times} x {reason}")).collect();
        Err(RunError::Nobody { url: self.plan.url.clone(), reasons })
    }

    /// Has messages sent, at first perhaps to warm up.
    fn load(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let Plan { warm_up, duration, .. } = self.plan;
        let window = Window::new(Instant::now() + LEAD, warm_up, duration);
        let clock = Clock::start();
        self.crew.order(Order::Load(window.map(|at| clock.micros(at.into()))));
        self.ledger.start(window.start);
        if !warm_up.is_zero() {
            self.progress.warming_up(warm_up);
            self.seconds(Phase::WarmUp, window.start, window.counted_from, lines)?;
        }
        self.progress.loading(duration);
        self.ledger.begin(window.counted_from);
        self.seconds(Phase::Load, window.counted_from, window.end, lines)?;
        self.ledger.end(window.end);
        Ok(())
    }

    /// Tells of every second while messages are sent.
    fn seconds(&mut self, phase: Phase, start: Instant, end: Instant, lines: &mut Lines) -> Result<(), RunError> {
        let mut next = start;
        while next < end {
            next = (next + SECOND).min(end);
            thread::sleep(next.saturating_duration_since(Instant::now()));
            self.hear()?;
            let second = self.cut(phase, lines)?;
            self.progress.loaded(next - start, &second);
        }
        Ok(())
    }

    /// Lets what is still out arrive.
    fn wait(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let deadline = Instant::now() + self.plan.grace.max(LEAST_GRACE);
        self.progress.waiting(self.plan.grace);
        while !self.ledger.is_complete() && Instant::now() < deadline {
            thread::sleep(OFTEN);
            self.hear()?;
            if self.ledger.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Grace, lines)?;
            }
        }
        self.cut(Phase::Grace, lines).map(drop)
    }

    fn hear(&mut self) -> Result<(), RunError> {
        self.ledger.add(&self.crew.report()?);
        Ok(())
    }

    fn cut(&mut self, phase: Phase, lines: &mut Lines) -> Result<Second, RunError> {
        let (server, load) = (self.server.look(), self.load.look());
        let second = self.ledger.cut(Instant::now(), phase, server, load).clone();
        lines.write(&Record::Second(Box::new(second.clone())))?;
        Ok(second)
    }
}

fn watch_server(plan: &Plan, pids: &[u32]) -> Result<Watch, RunError> {
    if pids.is_empty() {
        let url = Url::parse(&plan.url).ok();
        return Ok(Watch::new(url.iter().flat_map(listeners)));
    }
    match pids.iter().find(|pid| Watch::new([**pid]).count() == 0) {
        Some(missing) => Err(RunError::NoProcess(*missing)),
        None => Ok(Watch::new(pids.iter().copied())),
    }
}

/// Where `--json` goes.
struct Lines {
    path: PathBuf,
    to: Option<Box<dyn Write>>,
}

impl Lines {
    fn open(path: Option<&Path>) -> Result<Self, RunError> {
        let Some(path) = path else { return Ok(Self { path: PathBuf::new(), to: None }) };
        let to: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| RunError::Write { path: path.to_owned(), error })?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self { path: path.to_owned(), to: Some(to) })
    }

    fn are_on_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Each line goes out at once: whoever reads them may want to see the run.
    fn write(&mut self, record: &Record) -> Result<(), RunError> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let line = serde_json::to_string(record).map_err(io::Error::from);
        let written = line.and_then(|line| writeln!(to, "{line}")).and_then(|()| to.flush());
        written.map_err(|error| RunError::Write { path: self.path.clone(), error })
    }
}

//! Controls a run, from the command line to the output: starts the workers, goes through the phases, collects reports once per
//! second, watches the server, and shows progress.

use core::time::Duration;
use std::fs::{self, File};
use std::io::{self, BufWriter, ErrorKind, IsTerminal, Write, stderr};
use std::path::{Path, PathBuf};
use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::chart::charts_of_a_run;
use crate::cli::Cli;
use crate::dialect::without_credentials;
use crate::error::RunError;
use crate::machine::{self, ProcessWatcher};
use crate::plan::{Clock, Plan, SendWindow};
use crate::record::{MIN_RATE_WINDOW, Phase, Record, Second, Summary};
use crate::report;
use crate::statistics::{Statistics, WorkerReport};
use crate::worker::{WorkerCommand, Workers};

/// The exit code of the program after a signal.
pub const INTERRUPTED: u8 = 130;

/// How often the workers report outside of the load.
const POLL_INTERVAL: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// From the command to send until the first message, so that every worker has received the command.
const START_DELAY: Duration = Duration::from_millis(50);
/// How much longer than the rate requires the connections may take to open.
const OPENING_GRACE: Duration = Duration::from_secs(20);
/// The shortest wait for late answers: timers fire late, so messages that were due at the very end are sent after it.
const MIN_GRACE: Duration = Duration::from_millis(200);

/// How a run ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// As planned.
    Complete,
    /// As planned, and the result misses these limits.
    Missed(Vec<String>),
    /// Early, by a signal.
    Interrupted,
}

/// Makes the run of the command line and prints the result.
///
/// # Errors
/// If the run fails or ends early; the result so far is printed nevertheless. Lost messages are a result and not an error, unless
/// messages of this size cannot pass at all.
pub fn run(cli: Cli) -> Result<Outcome, RunError> {
    machine::raise_open_file_limit();
    let command = cli.command_without_credentials(std::env::args());
    let (plan, output) = cli.into_plan()?;
    if let Some(charts) = &output.charts {
        fs::create_dir_all(charts).map_err(|error| RunError::Write { path: charts.clone(), error })?;
    }
    let mut json = JsonOutput::open(output.json.as_deref())?;
    let mut controller = Controller::start(plan, &output.server_pid, Progress::new(output.quiet))?;
    let ran = controller.run(&mut json);
    if let Err(error @ RunError::NoConnection { .. }) = ran {
        return Err(error);
    }

    let mut summary = controller.summary(command);
    summary.problem = ran.as_ref().err().map(ToString::to_string);
    summary.missed = output.limits.missed(&summary);
    // Every output is attempted, whichever fails, and the slowest comes last.
    let shown = if json.is_stdout() { Ok(()) } else { print_table(&report::table(&summary)) };
    let outcome = match summary {
        Summary { interrupted: true, .. } => Outcome::Interrupted,
        _ if summary.missed.is_empty() => Outcome::Complete,
        _ => Outcome::Missed(summary.missed.clone()),
    };
    let written = json.write(&Record::Summary(Box::new(summary)));
    let drawn = output.charts.as_deref().map_or(Ok(()), |charts| write_charts(charts, controller.statistics.seconds()));
    controller.workers.end();
    ran.and(shown).and(written).and(drawn)?;
    Ok(outcome)
}

fn print_table(table: &str) -> Result<(), RunError> {
    let mut stdout = io::stdout();
    match stdout.write_all(table.as_bytes()).and_then(|()| stdout.flush()) {
        // A reader that has closed stdout does not want the table.
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(RunError::Write { path: "stdout".into(), error }),
        _ => Ok(()),
    }
}

fn write_charts(folder: &Path, seconds: &[Second]) -> Result<(), RunError> {
    for (name, chart) in charts_of_a_run(seconds) {
        let path = folder.join(name);
        fs::write(&path, chart.svg()?).map_err(|error| RunError::Write { path, error })?;
    }
    Ok(())
}

/// A run in progress.
struct Controller {
    plan: Plan,
    workers: Workers,
    statistics: Statistics,
    server: ProcessWatcher,
    /// The load generator's own processes.
    load: ProcessWatcher,
    progress: Progress,
    interrupt: Interrupt,
}

impl Controller {
    /// Starts the workers, which begin to connect.
    fn start(plan: Plan, server_pids: &[u32], progress: Progress) -> Result<Self, RunError> {
        let interrupt = Interrupt::listen()?;
        let mut server = watch_server(&plan, server_pids)?;
        let workers = Workers::start(&plan)?;
        let mut load = ProcessWatcher::new(workers.pids().chain([process::id()]));
        let statistics = Statistics::new(Instant::now(), server.sample(), load.sample());
        Ok(Self { plan, workers, statistics, server, load, progress, interrupt })
    }

    /// Goes through the phases of the run until they are complete or a signal arrives. After an error the result so far is
    /// available.
    fn run(&mut self, json: &mut JsonOutput) -> Result<(), RunError> {
        let result = self.phases(json);
        self.progress.finish();
        result
    }

    fn summary(&self, command: String) -> Summary {
        Summary {
            interrupted: self.interrupt.is_received(),
            ..self.statistics.summary(command, &self.plan, self.server.count())
        }
    }

    fn phases(&mut self, json: &mut JsonOutput) -> Result<(), RunError> {
        self.open(json)?;
        if !self.interrupt.is_received() {
            self.load(json)?;
        }
        self.wait_for_answers(json)
    }

    /// Waits until every client has connected or failed to.
    fn open(&mut self, json: &mut JsonOutput) -> Result<(), RunError> {
        let total = self.plan.total();
        self.progress.opening(total);
        let deadline = Instant::now() + self.plan.opens_at(total) + OPENING_GRACE;
        while self.statistics.total().gauges.settled < u64::from(total) && Instant::now() < deadline {
            let is_interrupted = self.interrupt.wait_until(Instant::now() + POLL_INTERVAL);
            self.collect()?;
            self.progress.opened(self.statistics.total().gauges.connected);
            if self.statistics.second_began().elapsed() >= SECOND {
                self.end_second(Phase::Opening, json)?;
            }
            if is_interrupted {
                return self.end_second(Phase::Opening, json).map(drop);
            }
        }
        self.end_second(Phase::Opening, json)?;
        let WorkerReport { gauges, counts } = self.statistics.total();
        if gauges.connected > 0 {
            return Ok(());
        }
        let reasons = counts.reasons.iter().map(|(reason, times)| format!("\n  {times} x {reason}")).collect();
        Err(RunError::NoConnection { url: without_credentials(&self.plan.url).into(), reasons })
    }

    /// Lets the workers send the messages of the warm-up, then those of the load.
    fn load(&mut self, json: &mut JsonOutput) -> Result<(), RunError> {
        let Plan { warm_up, duration, .. } = self.plan;
        let window = SendWindow::new(Instant::now() + START_DELAY, warm_up, duration);
        let clock = Clock::start();
        self.workers.send(WorkerCommand::Load(window.map(|at| clock.micros(at.into()))));
        self.statistics.start_sending(window.start);
        if !warm_up.is_zero() {
            self.progress.warming_up(warm_up);
            self.send(Phase::WarmUp, window.start, window.counted_from, json)?;
        }
        if !self.interrupt.is_received() {
            self.progress.loading(duration);
            self.statistics.start_load(window.counted_from);
            let sent = self.send(Phase::Load, window.counted_from, window.end, json);
            // A signal or an error ends the load early.
            self.statistics.end_load(Instant::now().min(window.end));
            sent?;
        }
        if self.interrupt.is_received() {
            self.workers.send(WorkerCommand::Stop);
        }
        Ok(())
    }

    /// Writes a record per second while messages are sent.
    fn send(&mut self, phase: Phase, start: Instant, end: Instant, json: &mut JsonOutput) -> Result<(), RunError> {
        let mut next = start;
        while next < end && !self.interrupt.is_received() {
            next += SECOND;
            // A rest that is too short for a rate belongs to this second.
            if end.saturating_duration_since(next) < MIN_RATE_WINDOW {
                next = end;
            }
            self.interrupt.wait_until(next);
            let collected = self.collect();
            let second = self.end_second(phase, json)?;
            collected?;
            self.progress.loaded(next - start, &second);
        }
        Ok(())
    }

    /// Waits for messages that have not come back.
    fn wait_for_answers(&mut self, json: &mut JsonOutput) -> Result<(), RunError> {
        let deadline = Instant::now() + self.plan.grace.max(MIN_GRACE);
        self.progress.waiting(self.plan.grace);
        while !self.statistics.is_complete() && Instant::now() < deadline {
            let is_interrupted = self.interrupt.wait_until(Instant::now() + POLL_INTERVAL);
            self.collect()?;
            if self.statistics.second_began().elapsed() >= SECOND {
                self.end_second(Phase::Grace, json)?;
            }
            if is_interrupted {
                break;
            }
        }
        self.end_second(Phase::Grace, json).map(drop)
    }

    fn collect(&mut self) -> Result<(), RunError> {
        let (report, error) = self.workers.report();
        self.statistics.add(&report);
        if let Some(error) = error {
            return Err(error.into());
        }
        match &self.statistics.total().counts.too_large {
            Some(reason) => Err(RunError::TooLarge { payload: self.plan.payload, reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn end_second(&mut self, phase: Phase, json: &mut JsonOutput) -> Result<Second, RunError> {
        let (server, load) = (self.server.sample(), self.load.sample());
        let second = self.statistics.end_second(Instant::now(), phase, server, load).clone();
        json.write(&Record::Second(Box::new(second.clone())))?;
        Ok(second)
    }
}

fn watch_server(plan: &Plan, pids: &[u32]) -> Result<ProcessWatcher, RunError> {
    if pids.is_empty() {
        return Ok(ProcessWatcher::new(machine::listeners(&plan.url)));
    }
    match pids.iter().find(|pid| ProcessWatcher::new([**pid]).count() == 0) {
        Some(missing) => Err(RunError::NoProcess(*missing)),
        None => Ok(ProcessWatcher::new(pids.iter().copied())),
    }
}

/// The signals that end a run early (Ctrl-C, a termination). The first one lets the run report its result; a second one, or the first
/// after this was dropped, ends the program at once.
struct Interrupt {
    signals: Receiver<()>,
    is_received: bool,
}

impl Interrupt {
    fn listen() -> Result<Self, ctrlc::Error> {
        let (sender, signals) = channel();
        let mut is_first = true;
        ctrlc::set_handler(move || {
            if !core::mem::take(&mut is_first) || sender.send(()).is_err() {
                // The workers exit when their stdin is closed.
                process::exit(INTERRUPTED.into());
            }
        })?;
        Ok(Self { signals, is_received: false })
    }

    fn is_received(&self) -> bool {
        self.is_received
    }

    /// Sleeps until a time or a signal. Returns whether a signal has just arrived.
    fn wait_until(&mut self, until: Instant) -> bool {
        let time = until.saturating_duration_since(Instant::now());
        if self.is_received {
            thread::sleep(time);
            return false;
        }
        match self.signals.recv_timeout(time) {
            Ok(()) => self.is_received = true,
            Err(RecvTimeoutError::Timeout) => {}
            // The handler holds the other end for as long as the program runs.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(time),
        }
        self.is_received
    }
}

/// The output of `--json`.
struct JsonOutput {
    path: PathBuf,
    /// `None` without the flag.
    writer: Option<Box<dyn Write>>,
}

impl JsonOutput {
    fn open(path: Option<&Path>) -> Result<Self, RunError> {
        let Some(path) = path else { return Ok(Self { path: PathBuf::new(), writer: None }) };
        let writer: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| RunError::Write { path: path.to_owned(), error })?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self { path: path.to_owned(), writer: Some(writer) })
    }

    fn is_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Writes a line and flushes it, so that a reader can follow the run.
    fn write(&mut self, record: &Record) -> Result<(), RunError> {
        let Some(writer) = &mut self.writer else { return Ok(()) };
        let line = serde_json::to_string(record).map_err(io::Error::from);
        let written = line.and_then(|line| writeln!(writer, "{line}")).and_then(|()| writer.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe if self.is_stdout() => RunError::StdoutClosed,
            _ => RunError::Write { path: self.path.clone(), error },
        })
    }
}

/// Progress on stderr: a bar on a terminal, otherwise a line per phase.
enum Progress {
    Bar(ProgressBar),
    Lines,
    Quiet,
}

impl Progress {
    fn new(is_quiet: bool) -> Self {
        match (is_quiet, stderr().is_terminal()) {
            (true, _) => Self::Quiet,
            (false, true) => Self::Bar(ProgressBar::no_length()),
            (false, false) => Self::Lines,
        }
    }

    fn opening(&self, connections: u32) {
        self.phase("Opening", u64::from(connections), "{pos} of {len} connections");
        self.line(|| format!("opening {connections} connections"));
    }

    fn opened(&self, connected: u64) {
        if let Self::Bar(bar) = self {
            bar.set_position(connected);
        }
    }

    fn warming_up(&self, warm_up: Duration) {
        self.phase("Warming", warm_up.as_millis() as u64, "up, not counted");
        self.line(|| format!("warming up for {} s", warm_up.as_secs_f64()));
    }

    fn loading(&self, duration: Duration) {
        self.phase("Sending", duration.as_millis() as u64, "{msg}");
        self.line(|| format!("sending for {} s", duration.as_secs_f64()));
    }

    fn loaded(&self, since: Duration, second: &Second) {
        if let Self::Bar(bar) = self {
            bar.set_position(since.as_millis() as u64);
            let arrived = (second.answered + second.delivered) as f64 / second.lasted_s.max(1e-3);
            let latency = second.round_trip.or(second.delivery);
            let latency = latency.map(|times| format!(", p99 {:.1} ms", times.p99_ms)).unwrap_or_default();
            bar.set_message(format!("{arrived:.0} messages/s{latency}"));
        }
    }

    fn waiting(&self, grace: Duration) {
        self.line(|| format!("waiting for late answers, at most {} s", grace.as_secs_f64()));
    }

    fn finish(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }

    fn phase(&self, name: &'static str, length: u64, what: &str) {
        if let Self::Bar(bar) = self {
            let template = format!("{{prefix:>9}} {{bar:32}} {what}");
            let style = ProgressStyle::with_template(&template).expect("the template is well formed");
            bar.set_style(style.progress_chars("█▉▊▋▌▍▎▏ "));
            bar.set_prefix(name);
            bar.set_length(length);
            bar.set_position(0);
        }
    }

    fn line(&self, line: impl FnOnce() -> String) {
        if let Self::Lines = self {
            // The run continues if its progress cannot be written.
            let _ = writeln!(stderr(), "{}", line());
        }
    }
}

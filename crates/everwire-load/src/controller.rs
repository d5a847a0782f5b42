use core::time::Duration;
use std::time::Instant;

use crate::clock::Clock;
use crate::dialect::address::shown;
use crate::interrupt::Interrupt;
use crate::interval::Interval;
use crate::lines::Lines;
use crate::progress::Progress;
use crate::record::{Phase, Record, SHORTEST, Second, Summary};
use crate::server::{Watch, listeners};
use crate::statistics::Statistics;
use crate::window::Window;
use crate::worker::WorkerCommand;
use crate::workers::Workers;
use crate::{Plan, RunError};

/// How often the workers report while no load is measured.
const OFTEN: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// From the command to send until the first message, so that every worker has received it.
const LEAD: Duration = Duration::from_millis(50);
/// How much longer than the rate requires the connections may take to open.
const OPENING_GRACE: Duration = Duration::from_secs(20);
/// Timers may fire late, so messages that were due at the very end are sent after it.
const LEAST_GRACE: Duration = Duration::from_millis(200);

/// Controls a run: starts the workers, collects their reports, and watches the server.
pub(crate) struct Controller {
    plan: Plan,
    workers: Workers,
    statistics: Statistics,
    server: Watch,
    load: Watch,
    progress: Progress,
    interrupt: Interrupt,
}

impl Controller {
    /// Starts the workers, which begin to connect.
    pub(crate) fn start(plan: Plan, server_pids: &[u32], progress: Progress) -> Result<Self, RunError> {
        let interrupt = Interrupt::listen()?;
        let mut server = watch_server(&plan, server_pids)?;
        let workers = Workers::start(&plan)?;
        let mut load = Watch::new(workers.pids().chain([std::process::id()]));
        let statistics = Statistics::new(Instant::now(), server.look(), load.look());
        Ok(Self { plan, workers, statistics, server, load, progress, interrupt })
    }

    /// Goes through the phases of the run until they are complete or a signal arrives.
    ///
    /// # Errors
    /// If a phase fails. The result so far is available nevertheless.
    pub(crate) fn run(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let result = self.phases(lines);
        self.progress.done();
        result
    }

    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupt.has_come()
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        self.statistics.seconds()
    }

    pub(crate) fn summary(&self, command: String) -> Summary {
        Summary {
            interrupted: self.was_interrupted(),
            ..self.statistics.summary(command, &self.plan, self.server.count())
        }
    }

    /// Closes all connections.
    pub(crate) fn end(self) {
        self.workers.end();
    }

    fn phases(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        self.open(lines)?;
        if !self.was_interrupted() {
            self.load(lines)?;
        }
        self.wait(lines)
    }

    /// Waits until every client has been connected or has failed to.
    fn open(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let total = self.plan.total();
        self.progress.opening(total);
        let deadline = Instant::now() + self.plan.opens_at(total) + OPENING_GRACE;
        while self.statistics.total().now.settled < u64::from(total) && Instant::now() < deadline {
            let is_over = self.interrupt.pause(Instant::now() + OFTEN);
            self.collect()?;
            self.progress.opened(self.statistics.total().now.connected);
            if self.statistics.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Opening, lines)?;
            }
            if is_over {
                return self.cut(Phase::Opening, lines).map(drop);
            }
        }
        self.cut(Phase::Opening, lines)?;
        let Interval { now, counts } = self.statistics.total();
        if now.connected > 0 {
            return Ok(());
        }
        let reasons = counts.reasons.iter().map(|(reason, times)| format!("\n  {times} x {reason}")).collect();
        Err(RunError::NoConnection { url: shown(&self.plan.url).into(), reasons })
    }

    /// Lets the workers send messages, first those of the warm-up.
    fn load(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let Plan { warm_up, duration, .. } = self.plan;
        let window = Window::new(Instant::now() + LEAD, warm_up, duration);
        let clock = Clock::start();
        self.workers.send(WorkerCommand::Load(window.map(|at| clock.micros(at.into()))));
        self.statistics.start(window.start);
        if !warm_up.is_zero() {
            self.progress.warming_up(warm_up);
            self.send(Phase::WarmUp, window.start, window.counted_from, lines)?;
        }
        if !self.was_interrupted() {
            self.progress.loading(duration);
            self.statistics.begin(window.counted_from);
            let sent = self.send(Phase::Load, window.counted_from, window.end, lines);
            // It ends before its time where a signal has come, or where something has failed.
            self.statistics.end(Instant::now().min(window.end));
            sent?;
        }
        if self.was_interrupted() {
            self.workers.send(WorkerCommand::Stop);
        }
        Ok(())
    }

    /// Writes a record each second while messages are sent.
    fn send(&mut self, phase: Phase, start: Instant, end: Instant, lines: &mut Lines) -> Result<(), RunError> {
        let mut next = start;
        while next < end && !self.was_interrupted() {
            next += SECOND;
            if end.saturating_duration_since(next) < SHORTEST {
                next = end;
            }
            self.interrupt.pause(next);
            let collected = self.collect();
            let second = self.cut(phase, lines)?;
            collected?;
            self.progress.loaded(next - start, &second);
        }
        Ok(())
    }

    /// Waits for messages that have not come back.
    fn wait(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let deadline = Instant::now() + self.plan.grace.max(LEAST_GRACE);
        self.progress.waiting(self.plan.grace);
        while !self.statistics.is_complete() && Instant::now() < deadline {
            let is_over = self.interrupt.pause(Instant::now() + OFTEN);
            self.collect()?;
            if self.statistics.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Grace, lines)?;
            }
            if is_over {
                break;
            }
        }
        self.cut(Phase::Grace, lines).map(drop)
    }

    fn collect(&mut self) -> Result<(), RunError> {
        let (report, problem) = self.workers.report();
        self.statistics.add(&report);
        if let Some(problem) = problem {
            return Err(problem.into());
        }
        match &self.statistics.total().counts.too_large {
            Some(reason) => Err(RunError::TooLarge { payload: self.plan.payload, reason: reason.clone() }),
            None => Ok(()),
        }
    }

    fn cut(&mut self, phase: Phase, lines: &mut Lines) -> Result<Second, RunError> {
        let (server, load) = (self.server.look(), self.load.look());
        let second = self.statistics.cut(Instant::now(), phase, server, load).clone();
        lines.write(&Record::Second(Box::new(second.clone())))?;
        Ok(second)
    }
}

fn watch_server(plan: &Plan, pids: &[u32]) -> Result<Watch, RunError> {
    if pids.is_empty() {
        return Ok(Watch::new(listeners(&plan.url)));
    }
    match pids.iter().find(|pid| Watch::new([**pid]).count() == 0) {
        Some(missing) => Err(RunError::NoProcess(*missing)),
        None => Ok(Watch::new(pids.iter().copied())),
    }
}

use core::time::Duration;
use std::time::Instant;

use crate::clock::Clock;
use crate::crew::Crew;
use crate::dialect::address::shown;
use crate::interrupt::Interrupt;
use crate::interval::Interval;
use crate::ledger::Ledger;
use crate::lines::Lines;
use crate::orders::Order;
use crate::progress::Progress;
use crate::record::{Phase, Record, SHORTEST, Second, Summary};
use crate::server::{Watch, listeners};
use crate::window::Window;
use crate::{Plan, RunError};

/// How often the workers are asked while nothing has to be disturbed.
const OFTEN: Duration = Duration::from_millis(50);
const SECOND: Duration = Duration::from_secs(1);
/// From the order to send until the first message: every worker has to have heard of it.
const LEAD: Duration = Duration::from_millis(50);
/// For how long, beyond what the rate makes necessary, connections may take to open.
const OPENING_GRACE: Duration = Duration::from_secs(20);
/// Timers may ring late, so what was due at the very end goes out after it.
const LEAST_GRACE: Duration = Duration::from_millis(200);

/// A run as it goes on.
pub(crate) struct Conduct {
    plan: Plan,
    crew: Crew,
    ledger: Ledger,
    server: Watch,
    load: Watch,
    progress: Progress,
    interrupt: Interrupt,
}

impl Conduct {
    /// Starts the workers, which begin to connect.
    pub(crate) fn start(plan: Plan, server_pids: &[u32], progress: Progress) -> Result<Self, RunError> {
        let interrupt = Interrupt::listen()?;
        let mut server = watch_server(&plan, server_pids)?;
        let crew = Crew::start(&plan)?;
        let mut load = Watch::new(crew.pids().chain([std::process::id()]));
        let ledger = Ledger::new(Instant::now(), server.look(), load.look());
        Ok(Self { plan, crew, ledger, server, load, progress, interrupt })
    }

    /// Goes through all of it, or through as much as there is time for before a signal comes.
    ///
    /// # Errors
    /// What is known until then can be told nevertheless.
    pub(crate) fn run(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let ran = self.phases(lines);
        self.progress.done();
        ran
    }

    pub(crate) fn was_interrupted(&self) -> bool {
        self.interrupt.has_come()
    }

    pub(crate) fn seconds(&self) -> &[Second] {
        self.ledger.seconds()
    }

    pub(crate) fn summary(&self, command: String) -> Summary {
        Summary { interrupted: self.was_interrupted(), ..self.ledger.summary(command, &self.plan, self.server.count()) }
    }

    /// Has all connections closed.
    pub(crate) fn end(self) {
        self.crew.end();
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
        while self.ledger.total().now.settled < u64::from(total) && Instant::now() < deadline {
            let is_over = self.interrupt.pause(Instant::now() + OFTEN);
            self.hear()?;
            self.progress.opened(self.ledger.total().now.connected);
            if self.ledger.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Opening, lines)?;
            }
            if is_over {
                return self.cut(Phase::Opening, lines).map(drop);
            }
        }
        self.cut(Phase::Opening, lines)?;
        let Interval { now, counts } = self.ledger.total();
        if now.connected > 0 {
            return Ok(());
        }
        let reasons = counts.reasons.iter().map(|(reason, times)| format!("\n  {times} x {reason}")).collect();
        Err(RunError::Nobody { url: shown(&self.plan.url).into(), reasons })
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
            self.send(Phase::WarmUp, window.start, window.counted_from, lines)?;
        }
        if !self.was_interrupted() {
            self.progress.loading(duration);
            self.ledger.begin(window.counted_from);
            let sent = self.send(Phase::Load, window.counted_from, window.end, lines);
            // It ends before its time where a signal has come, or where something has failed.
            self.ledger.end(Instant::now().min(window.end));
            sent?;
        }
        if self.was_interrupted() {
            self.crew.order(Order::Stop);
        }
        Ok(())
    }

    /// Tells of every second while messages are sent.
    fn send(&mut self, phase: Phase, start: Instant, end: Instant, lines: &mut Lines) -> Result<(), RunError> {
        let mut next = start;
        while next < end && !self.was_interrupted() {
            next += SECOND;
            if end.saturating_duration_since(next) < SHORTEST {
                next = end;
            }
            self.interrupt.pause(next);
            let heard = self.hear();
            let second = self.cut(phase, lines)?;
            heard?;
            self.progress.loaded(next - start, &second);
        }
        Ok(())
    }

    /// Lets what is still out arrive.
    fn wait(&mut self, lines: &mut Lines) -> Result<(), RunError> {
        let deadline = Instant::now() + self.plan.grace.max(LEAST_GRACE);
        self.progress.waiting(self.plan.grace);
        while !self.ledger.is_complete() && Instant::now() < deadline {
            let is_over = self.interrupt.pause(Instant::now() + OFTEN);
            self.hear()?;
            if self.ledger.cut_at().elapsed() >= SECOND {
                self.cut(Phase::Grace, lines)?;
            }
            if is_over {
                break;
            }
        }
        self.cut(Phase::Grace, lines).map(drop)
    }

    fn hear(&mut self) -> Result<(), RunError> {
        let (report, problem) = self.crew.report();
        self.ledger.add(&report);
        if let Some(problem) = problem {
            return Err(problem.into());
        }
        match &self.ledger.total().counts.too_large {
            Some(reason) => Err(RunError::TooLarge { payload: self.plan.payload, reason: reason.clone() }),
            None => Ok(()),
        }
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
        return Ok(Watch::new(listeners(&plan.url)));
    }
    match pids.iter().find(|pid| Watch::new([**pid]).count() == 0) {
        Some(missing) => Err(RunError::NoProcess(*missing)),
        None => Ok(Watch::new(pids.iter().copied())),
    }
}

//! The server's processes, and this program's own, as the system sees them.
//!
//! # Layout
//! - [`listener`]: finds who listens on a port
//! - [`scheduler`]: processor time to the nanosecond, where there is such a count

mod listener;
mod scheduler;

use std::collections::HashMap;
use std::time::Instant;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

pub(crate) use listener::listeners;

/// Watches some processes and all below them, as they were at the start.
#[derive(Default)]
pub(crate) struct Watch {
    /// `None` on a system that does not report its processes.
    system: Option<System>,
    pids: Vec<Pid>,
    /// The most processor time that was seen of each: what a process or a thread has used stays used when it ends.
    cpu: HashMap<Pid, u64>,
}

/// What the processes had used up to a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Use {
    pub(crate) at: Instant,
    /// Processor time, in nanoseconds.
    pub(crate) cpu: u64,
    pub(crate) memory: u64,
}

impl Watch {
    pub(crate) fn new(roots: impl IntoIterator<Item = u32>) -> Self {
        let Ok(mut system) = System::new() else { return Self::default() };
        let mut pids: Vec<Pid> = roots.into_iter().map(Pid::from_u32).collect();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
        let mut index = 0;
        while let Some(parent) = pids.get(index).copied() {
            let children = system.processes().values().filter(|process| process.parent() == Some(parent));
            // Where the server has started this program, as a test does, it must not be taken for a part of it.
            let is_new = |pid: &Pid| !pids.contains(pid) && pid.as_u32() != std::process::id();
            let new: Vec<Pid> = children.map(|child| child.pid()).filter(is_new).collect();
            pids.extend(new);
            index += 1;
        }
        pids.retain(|pid| system.process(*pid).is_some());
        Self { system: Some(system), pids, cpu: HashMap::new() }
    }

    pub(crate) fn count(&self) -> usize {
        self.pids.len()
    }

    /// What they have used by now; `None` where there are none, or all have gone.
    pub(crate) fn look(&mut self) -> Option<Use> {
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        let system = self.system.as_mut()?;
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&self.pids), true, kind);
        let mut memory = None;
        for process in self.pids.iter().filter_map(|pid| system.process(*pid)) {
            *memory.get_or_insert(0) += process.memory();
            let fine = scheduler::cpu_nanos(process.pid().as_u32()).unwrap_or_default();
            let used = self.cpu.entry(process.pid()).or_default();
            *used = (*used).max(fine).max(process.accumulated_cpu_time() * 1_000_000);
        }
        Some(Use { at: Instant::now(), cpu: self.cpu.values().sum(), memory: memory? })
    }
}

impl Use {
    /// Per cent of a core since an earlier time.
    pub(crate) fn cpu_percent_since(&self, earlier: &Self) -> f64 {
        let nanos = (self.at - earlier.at).as_nanos() as f64;
        if nanos > 0.0 { self.cpu.saturating_sub(earlier.cpu) as f64 * 100.0 / nanos } else { 0.0 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_seen_with_its_memory_and_the_time_it_takes() {
        let mut watch = Watch::new([std::process::id()]);
        // Another test may have children at this moment, which belong to this process too.
        assert!(watch.count() >= 1);
        let before = watch.look().unwrap();
        assert!(before.memory > 100_000, "{}", before.memory);
        // Busy until the system has counted it.
        let after = loop {
            let now = watch.look().unwrap();
            if now.cpu > before.cpu {
                break now;
            }
        };
        assert!(after.cpu_percent_since(&before) > 0.0);
    }

    #[cfg(unix)]
    #[test]
    fn what_a_process_has_used_stays_used_when_it_has_ended() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let mut watch = Watch::new([child.id(), std::process::id()]);
        let before = loop {
            let now = watch.look().unwrap();
            if watch.cpu[&Pid::from_u32(child.id())] > 1_000_000 {
                break now;
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(watch.look().unwrap().cpu >= before.cpu);
    }

    #[test]
    fn a_process_that_is_not_there_is_not_counted() {
        let mut watch = Watch::new([u32::MAX - 1]);
        assert_eq!(watch.count(), 0);
        assert!(watch.look().is_none());
    }
}

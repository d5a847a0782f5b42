use std::cmp::Ordering;

use everwire_companion_api::monitor::{Process, Processes};
use sysinfo::{ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::machine::tenths;

/// The number of processes in a sample: a screen full, as in `top`.
const TOP: usize = 30;

/// Refreshes the processes of the machine.
pub(super) fn refresh(system: &mut System) {
    let wanted =
        ProcessRefreshKind::nothing().without_tasks().with_cpu().with_memory().with_user(UpdateKind::OnlyIfNotSet);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
}

/// The busiest processes of the last refresh, by processor time, then memory.
pub(super) fn busiest(system: &System, users: &Users) -> Processes {
    let mut all: Vec<_> = system.processes().values().collect();
    let busier = |one: &&sysinfo::Process, other: &&sysinfo::Process| -> Ordering {
        let by_cpu = other.cpu_usage().total_cmp(&one.cpu_usage());
        by_cpu.then_with(|| other.memory().cmp(&one.memory())).then_with(|| one.pid().cmp(&other.pid()))
    };
    if all.len() > TOP {
        all.select_nth_unstable_by(TOP, busier);
    }
    let (count, running) = (all.len(), all.iter().filter(|process| process.status() == ProcessStatus::Run).count());
    all.truncate(TOP);
    all.sort_unstable_by(busier);
    let top = all
        .into_iter()
        .map(|process| Process {
            pid: process.pid().as_u32(),
            name: process.name().to_string_lossy().into_owned(),
            cpu: tenths(process.cpu_usage().into()),
            memory: process.memory(),
            state: process.status().to_string().to_lowercase(),
            user: users.name_of(process),
            time: process.accumulated_cpu_time(),
        })
        .collect();
    Processes { count: count as u64, running: running as u64, top }
}

/// Names of users. They are read once since they change rarely; an unknown user is shown by number.
pub(super) struct Users(Option<sysinfo::Users>);

impl Users {
    pub(super) fn read() -> Self {
        Self(sysinfo::Users::new_with_refreshed_list().ok())
    }

    fn name_of(&self, process: &sysinfo::Process) -> Option<String> {
        let id = process.effective_user_id().or_else(|| process.user_id())?;
        let user = self.0.as_ref().and_then(|users| users.get_user_by_id(id));
        Some(user.map_or_else(|| id.to_string(), |user| user.name().to_owned()))
    }
}

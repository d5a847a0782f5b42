use std::cmp::Ordering;

use everwire_companion_api::monitor as api;
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

use super::vmstat::Vmstat;

/// The number of processes in a sample: a screen full, as in `top`.
const TOP: usize = 30;

/// Reads the usage of the machine that the server runs on.
pub(crate) struct Machine {
    /// `None` on a system that sysinfo does not support.
    system: Option<System>,
    users: Users,
    vmstat: Vmstat,
    about: api::Machine,
}

/// The usage of the machine since the reading before.
pub(crate) struct Reading {
    /// Usage of each core in percent.
    pub(crate) cores: Vec<f64>,
    /// Bytes in use.
    pub(crate) memory: u64,
    pub(crate) swap: u64,
    pub(crate) load: Option<[f64; 3]>,
    pub(crate) processes: Option<api::Processes>,
    pub(crate) vmstat: Option<api::Vmstat>,
}

impl Machine {
    /// Takes the first reading, which rates are computed from.
    pub(crate) fn open() -> Self {
        let mut system = System::new().ok();
        let mut about = api::Machine {
            system: System::long_os_version().or_else(|_| System::name()).unwrap_or_else(|_| "unknown".to_owned()),
            cores: 0,
            memory: 0,
            swap: 0,
            server_pid: std::process::id(),
        };
        if let Some(system) = &mut system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::everything());
            refresh_processes(system);
            about.cores = system.cpus().len();
            about.memory = system.total_memory();
            about.swap = system.total_swap();
        }
        Self { system, users: Users::read(), vmstat: Vmstat::start(), about }
    }

    pub(crate) fn about(&self) -> &api::Machine {
        &self.about
    }

    /// Reads the current usage. Processes are expensive to read and optional.
    pub(crate) fn read(&mut self, with_processes: bool) -> Reading {
        let mut reading = Reading {
            cores: Vec::new(),
            memory: 0,
            swap: 0,
            load: load_averages(),
            processes: None,
            vmstat: self.vmstat.read(),
        };
        if let Some(system) = &mut self.system {
            system.refresh_cpu_usage();
            system.refresh_memory_specifics(MemoryRefreshKind::everything());
            reading.cores = system.cpus().iter().map(|core| tenths(f64::from(core.usage()))).collect();
            reading.memory = system.used_memory();
            reading.swap = system.used_swap();
            if with_processes {
                refresh_processes(system);
                reading.processes = Some(busiest_processes(system, &self.users));
            }
        }
        reading
    }
}

/// Rounds to one decimal. More digits would only make the messages longer.
pub(crate) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Load averages; sysinfo reports zeros on Windows, which has none.
fn load_averages() -> Option<[f64; 3]> {
    let load = System::load_average().ok().filter(|_| cfg!(unix))?;
    Some([load.one, load.five, load.fifteen])
}

/// Refreshes the processes of the machine.
fn refresh_processes(system: &mut System) {
    let wanted =
        ProcessRefreshKind::nothing().without_tasks().with_cpu().with_memory().with_user(UpdateKind::OnlyIfNotSet);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, wanted);
}

/// The busiest processes of the last refresh, by processor time, then memory.
fn busiest_processes(system: &System, users: &Users) -> api::Processes {
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
        .map(|process| api::Process {
            pid: process.pid().as_u32(),
            name: process.name().to_string_lossy().into_owned(),
            cpu: tenths(process.cpu_usage().into()),
            memory: process.memory(),
            state: process.status().to_string().to_lowercase(),
            user: users.name_of(process),
            time: process.accumulated_cpu_time(),
        })
        .collect();
    api::Processes { count: count as u64, running: running as u64, top }
}

/// Names of users. They are read once since they change rarely; an unknown user is shown by number.
struct Users(Option<sysinfo::Users>);

impl Users {
    fn read() -> Self {
        Self(sysinfo::Users::new_with_refreshed_list().ok())
    }

    fn name_of(&self, process: &sysinfo::Process) -> Option<String> {
        let id = process.effective_user_id().or_else(|| process.user_id())?;
        let user = self.0.as_ref().and_then(|users| users.get_user_by_id(id));
        Some(user.map_or_else(|| id.to_string(), |user| user.name().to_owned()))
    }
}

use everwire_companion_api::monitor as api;
use sysinfo::{MemoryRefreshKind, System};

use super::processes::{self, Users};
use super::vmstat::Vmstat;

/// Reads the usage of the machine that the server runs on.
pub(super) struct Machine {
    /// `None` on a system that sysinfo does not support.
    system: Option<System>,
    users: Users,
    vmstat: Vmstat,
    about: api::Machine,
}

/// The usage of the machine since the reading before.
pub(super) struct Reading {
    /// Usage of each core in percent.
    pub(super) cores: Vec<f64>,
    /// Bytes in use.
    pub(super) memory: u64,
    pub(super) swap: u64,
    pub(super) load: Option<[f64; 3]>,
    pub(super) processes: Option<api::Processes>,
    pub(super) vmstat: Option<api::Vmstat>,
}

impl Machine {
    /// Takes the first reading, which rates are computed from.
    pub(super) fn open() -> Self {
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
            processes::refresh(system);
            about.cores = system.cpus().len();
            about.memory = system.total_memory();
            about.swap = system.total_swap();
        }
        Self { system, users: Users::read(), vmstat: Vmstat::start(), about }
    }

    pub(super) fn about(&self) -> &api::Machine {
        &self.about
    }

    /// Reads the current usage. Processes are expensive to read and optional.
    pub(super) fn read(&mut self, with_processes: bool) -> Reading {
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
                processes::refresh(system);
                reading.processes = Some(processes::busiest(system, &self.users));
            }
        }
        reading
    }
}

/// Rounds to one decimal. More digits would only make the messages longer.
pub(super) fn tenths(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}

/// Load averages; sysinfo reports zeros on Windows, which has none.
fn load_averages() -> Option<[f64; 3]> {
    let load = System::load_average().ok().filter(|_| cfg!(unix))?;
    Some([load.one, load.five, load.fifteen])
}

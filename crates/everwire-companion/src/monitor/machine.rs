//! What the machine does: processors, memory and processes by `sysinfo`, and the counters of `vmstat` from `/proc`.

use std::cmp::Ordering;
use std::fs;
use std::time::Instant;

use everwire_companion_api::monitor as api;
use sysinfo::{MemoryRefreshKind, ProcessRefreshKind, ProcessStatus, ProcessesToUpdate, System, UpdateKind};

/// The number of processes in a sample: a screen full, as in `top`.
const MAX_PROCESSES: usize = 30;

/// The key of the page size in the auxiliary vector (`getauxval(3)`).
const AT_PAGESZ: usize = 6;

/// Reads the usage of the machine that the server runs on.
pub(crate) struct MachineSampler {
    /// `None` on a system that sysinfo does not support.
    system: Option<System>,
    users: UserNames,
    vmstat: VmstatReader,
    about: api::Machine,
}

/// The usage of the machine since the reading before.
pub(crate) struct MachineUsage {
    /// Usage of each core in percent.
    pub(crate) cores: Vec<f64>,
    /// Bytes in use.
    pub(crate) memory: u64,
    pub(crate) swap: u64,
    pub(crate) load: Option<[f64; 3]>,
    pub(crate) processes: Option<api::Processes>,
    pub(crate) vmstat: Option<api::Vmstat>,
}

impl MachineSampler {
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
        Self { system, users: UserNames::read(), vmstat: VmstatReader::start(), about }
    }

    pub(crate) fn about(&self) -> &api::Machine {
        &self.about
    }

    /// Reads the current usage. Processes are expensive to read and optional.
    pub(crate) fn read(&mut self, with_processes: bool) -> MachineUsage {
        let mut reading = MachineUsage {
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
fn busiest_processes(system: &System, users: &UserNames) -> api::Processes {
    let mut all: Vec<_> = system.processes().values().collect();
    let busier = |one: &&sysinfo::Process, other: &&sysinfo::Process| -> Ordering {
        let by_cpu = other.cpu_usage().total_cmp(&one.cpu_usage());
        by_cpu.then_with(|| other.memory().cmp(&one.memory())).then_with(|| one.pid().cmp(&other.pid()))
    };
    if all.len() > MAX_PROCESSES {
        all.select_nth_unstable_by(MAX_PROCESSES, busier);
    }
    let (count, running) = (all.len(), all.iter().filter(|process| process.status() == ProcessStatus::Run).count());
    all.truncate(MAX_PROCESSES);
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
struct UserNames(Option<sysinfo::Users>);

impl UserNames {
    fn read() -> Self {
        Self(sysinfo::Users::new_with_refreshed_list().ok())
    }

    fn name_of(&self, process: &sysinfo::Process) -> Option<String> {
        let id = process.effective_user_id().or_else(|| process.user_id())?;
        let user = self.0.as_ref().and_then(|users| users.get_user_by_id(id));
        Some(user.map_or_else(|| id.to_string(), |user| user.name().to_owned()))
    }
}

/// Computes the counters that `vmstat` of procps shows, by its rules. Linux only.
struct VmstatReader {
    before: Option<(Instant, KernelCounters)>,
    page_size: u64,
}

impl VmstatReader {
    /// Takes the first reading.
    pub(super) fn start() -> Self {
        Self { before: read_counters(), page_size: page_size() }
    }

    /// Rates since the reading before. `None` on a system without these counters.
    pub(super) fn read(&mut self) -> Option<api::Vmstat> {
        let (now, after) = read_counters()?;
        let (then, before) = self.before.replace((now, after.clone()))?;
        Some(rates_between(&before, &after, (now - then).as_secs_f64(), self.page_size))
    }
}

/// Counters of the kernel in its own units.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct KernelCounters {
    /// Time of all cores in ticks: user, nice, system, idle, wait, irq, softirq, steal.
    time: [u64; 8],
    interrupts: u64,
    switches: u64,
    running: u64,
    blocked: u64,
    /// Pages swapped in and out.
    swapped_in: u64,
    swapped_out: u64,
    /// KiB read from and written to block devices.
    blocks_in: u64,
    blocks_out: u64,
    /// KiB.
    swap_used: u64,
    free: u64,
    buffers: u64,
    cache: u64,
}

impl KernelCounters {
    /// Reads `/proc/stat`, `/proc/vmstat` and `/proc/meminfo`.
    fn parse(stat: &str, vmstat: &str, meminfo: &str) -> Option<Self> {
        let mut time = [0; 8];
        // Old kernels have fewer columns, and new ones more.
        let columns = line(stat, "cpu")?.split_ascii_whitespace().map_while(|ticks| ticks.parse().ok());
        time.iter_mut().zip(columns).for_each(|(ticks, column)| *ticks = column);
        let memory = |name| first_number(meminfo, name).unwrap_or(0);
        let swapped = |name| first_number(vmstat, name).unwrap_or(0);
        Some(Self {
            time,
            interrupts: first_number(stat, "intr")?,
            switches: first_number(stat, "ctxt")?,
            running: first_number(stat, "procs_running")?,
            blocked: first_number(stat, "procs_blocked")?,
            swapped_in: swapped("pswpin"),
            swapped_out: swapped("pswpout"),
            blocks_in: swapped("pgpgin"),
            blocks_out: swapped("pgpgout"),
            swap_used: memory("SwapTotal:").saturating_sub(memory("SwapFree:")),
            free: memory("MemFree:"),
            buffers: memory("Buffers:"),
            // Like procps since 2014, which counts reclaimable slab memory as cache.
            cache: memory("Cached:") + memory("SReclaimable:"),
        })
    }
}

fn first_number(text: &str, name: &str) -> Option<u64> {
    line(text, name)?.split_ascii_whitespace().next()?.parse().ok()
}

/// The rest of the line that starts with `name`.
fn line<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix([' ', '\t']))
}

fn read_counters() -> Option<(Instant, KernelCounters)> {
    let file = |name: &str| fs::read_to_string(format!("/proc/{name}")).ok();
    let counters = KernelCounters::parse(&file("stat")?, &file("vmstat")?, &file("meminfo")?)?;
    Some((Instant::now(), counters))
}

/// Rates and shares between two readings.
fn rates_between(before: &KernelCounters, after: &KernelCounters, seconds: f64, page_size: u64) -> api::Vmstat {
    // A counter that decreased was reset, as the idle time of a core can be, and gives a rate of zero.
    let rate = |before: u64, after: u64| (after.saturating_sub(before) as f64 / seconds.max(1e-3)).round() as u64;
    let pages = |before: u64, after: u64| rate(before * page_size / 1024, after * page_size / 1024);
    let mut spent = [0; 8];
    for (spent, (before, after)) in spent.iter_mut().zip(before.time.into_iter().zip(after.time)) {
        *spent = after.saturating_sub(before);
    }
    let [user, nice, system, idle, wait, irq, softirq, stolen] = spent;
    let all = spent.iter().sum::<u64>().max(1);
    let percent = |ticks: u64| (100 * ticks + all / 2) / all;
    api::Vmstat {
        // The process that reads the counter is running as well.
        running: after.running.saturating_sub(1),
        blocked: after.blocked,
        swap_used: after.swap_used,
        free: after.free,
        buffers: after.buffers,
        cache: after.cache,
        swapped_in: pages(before.swapped_in, after.swapped_in),
        swapped_out: pages(before.swapped_out, after.swapped_out),
        blocks_in: rate(before.blocks_in, after.blocks_in),
        blocks_out: rate(before.blocks_out, after.blocks_out),
        interrupts: rate(before.interrupts, after.interrupts),
        switches: rate(before.switches, after.switches),
        user: percent(user + nice),
        system: percent(system + irq + softirq),
        idle: percent(idle),
        wait: percent(wait),
        stolen: percent(stolen),
    }
}

/// Bytes in a page of memory; 4096 if the system does not report it.
fn page_size() -> u64 {
    fs::read("/proc/self/auxv").ok().and_then(|auxv| in_auxv(&auxv)).unwrap_or(4096)
}

/// The auxiliary vector consists of pairs of words: key and value.
fn in_auxv(auxv: &[u8]) -> Option<u64> {
    const WORD: usize = size_of::<usize>();
    let word = |bytes: &[u8]| bytes.try_into().map(usize::from_ne_bytes).ok();
    auxv.chunks_exact(2 * WORD)
        .find(|pair| word(&pair[..WORD]) == Some(AT_PAGESZ))
        .and_then(|pair| word(&pair[WORD..])?.try_into().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    const STAT: &str = "cpu  10 20 30 40 50 60 70 80 90 100\ncpu0 1 1 1 1 1 1 1 1 1 1\nintr 500 1 2 3\nctxt 600\n\
                        btime 1\nprocesses 9\nprocs_running 3\nprocs_blocked 1\nsoftirq 7 8 9\n";
    const VMSTAT: &str = "nr_free_pages 1\npgpgin 11\npgpgout 12\npswpin 13\npswpout 14\n";
    const MEMINFO: &str = "MemTotal:  1000 kB\nMemFree:  100 kB\nBuffers:  50 kB\nCached:  200 kB\nSwapCached: 9 kB\n\
                           SwapTotal:  400 kB\nSwapFree:  150 kB\nSReclaimable:  30 kB\n";

    #[test]
    fn counters_are_read_from_all_three_files() {
        let expected = KernelCounters {
            time: [10, 20, 30, 40, 50, 60, 70, 80],
            interrupts: 500,
            switches: 600,
            running: 3,
            blocked: 1,
            swapped_in: 13,
            swapped_out: 14,
            blocks_in: 11,
            blocks_out: 12,
            swap_used: 250,
            free: 100,
            buffers: 50,
            cache: 230,
        };
        assert_eq!(KernelCounters::parse(STAT, VMSTAT, MEMINFO), Some(expected));
    }

    #[test]
    fn an_incomplete_file_gives_no_counters() {
        assert_eq!(KernelCounters::parse("", VMSTAT, MEMINFO), None);
        assert_eq!(KernelCounters::parse("cpu  1 2 3 4\n", VMSTAT, MEMINFO), None);
    }

    #[test]
    fn counters_become_rates_and_times_become_shares() {
        let before = KernelCounters { interrupts: 1_000, swapped_in: 10, time: [100; 8], ..KernelCounters::default() };
        let after = KernelCounters {
            interrupts: 1_500,
            swapped_in: 20,
            running: 3,
            free: 7,
            time: [130, 110, 120, 230, 100, 105, 105, 100],
            ..KernelCounters::default()
        };
        let row = rates_between(&before, &after, 2.0, 4096);
        assert_eq!((row.interrupts, row.swapped_in, row.running, row.free), (250, 20, 2, 7));
        assert_eq!((row.user, row.system, row.idle, row.wait, row.stolen), (20, 15, 65, 0, 0));
    }

    #[test]
    fn a_counter_that_was_reset_gives_zero_and_no_ticks_do_not_divide_by_zero() {
        let before = KernelCounters { interrupts: 9, time: [9; 8], ..KernelCounters::default() };
        assert_eq!(rates_between(&before, &KernelCounters::default(), 0.0, 4096), api::Vmstat::default());
    }

    #[test]
    fn the_page_size_is_found_among_other_entries() {
        let auxv: Vec<u8> =
            [33, 7, AT_PAGESZ, 16_384, 17, 100, 0, 0].into_iter().flat_map(usize::to_ne_bytes).collect();
        assert_eq!(in_auxv(&auxv), Some(16_384));
        assert_eq!(in_auxv(&auxv[..3]), None);
    }
}

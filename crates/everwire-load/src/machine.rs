//! What the operating system reports and allows: CPU time and memory of processes, which process listens on a port, and how many
//! files and ports connections may use.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr};
use std::time::Instant;

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};
use url::{Host, Url};

use crate::error::UsageError;

/// Open files that a process needs in addition to its connections.
const RESERVED_FILES: u64 = 100;
/// The limit on open files if the system reports none.
const DEFAULT_FILES: u64 = 1_000_000;
/// Ports of an address that are left to other programs.
const RESERVED_PORTS: u32 = 1000;

/// Watches some processes and their descendants, as they were at the start.
#[derive(Default)]
pub(crate) struct ProcessWatcher {
    /// `None` on a system that does not report its processes.
    system: Option<System>,
    pids: Vec<Pid>,
    /// The highest CPU time seen of each process, in nanoseconds. The sum must not decrease when a process or a thread ends.
    cpu: HashMap<Pid, u64>,
}

/// What the processes had used up to a time.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ResourceUsage {
    pub(crate) at: Instant,
    /// CPU time, in nanoseconds.
    pub(crate) cpu: u64,
    /// Resident memory, in bytes.
    pub(crate) memory: u64,
}

impl ProcessWatcher {
    /// Finds the descendants of the `roots`.
    pub(crate) fn new(roots: impl IntoIterator<Item = u32>) -> Self {
        let Ok(mut system) = System::new() else { return Self::default() };
        let mut pids: Vec<Pid> = roots.into_iter().map(Pid::from_u32).collect();
        system.refresh_processes_specifics(ProcessesToUpdate::All, true, ProcessRefreshKind::nothing().without_tasks());
        let mut index = 0;
        while let Some(parent) = pids.get(index).copied() {
            let children = system.processes().values().filter(|process| process.parent() == Some(parent));
            // A test starts this program from the process of the server, whose part it must not become.
            let is_new = |pid: &Pid| !pids.contains(pid) && pid.as_u32() != std::process::id();
            let new: Vec<Pid> = children.map(|child| child.pid()).filter(is_new).collect();
            pids.extend(new);
            index += 1;
        }
        pids.retain(|pid| system.process(*pid).is_some());
        Self { system: Some(system), pids, cpu: HashMap::new() }
    }

    /// The number of processes.
    pub(crate) fn count(&self) -> usize {
        self.pids.len()
    }

    /// The usage up to now; `None` if no process is left.
    pub(crate) fn sample(&mut self) -> Option<ResourceUsage> {
        let kind = ProcessRefreshKind::nothing().with_cpu().with_memory().without_tasks();
        let system = self.system.as_mut()?;
        system.refresh_processes_specifics(ProcessesToUpdate::Some(&self.pids), true, kind);
        let mut memory = None;
        for process in self.pids.iter().filter_map(|pid| system.process(*pid)) {
            *memory.get_or_insert(0) += process.memory();
            let scheduled = scheduler_cpu_nanos(process.pid().as_u32()).unwrap_or_default();
            let used = self.cpu.entry(process.pid()).or_default();
            *used = (*used).max(scheduled).max(process.accumulated_cpu_time() * 1_000_000);
        }
        Some(ResourceUsage { at: Instant::now(), cpu: self.cpu.values().sum(), memory: memory? })
    }
}

/// The CPU time of a process as the scheduler counts it, in nanoseconds, over its current threads. The counter that sysinfo reads has
/// steps of 10 ms, which would show nothing of a lightly loaded server.
#[cfg(target_os = "linux")]
fn scheduler_cpu_nanos(pid: u32) -> Option<u64> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    let threads = process.tasks().ok()?.flatten();
    Some(threads.filter_map(|thread| thread.schedstat().ok()).map(|count| count.sum_exec_runtime).sum())
}

#[cfg(not(target_os = "linux"))]
fn scheduler_cpu_nanos(_pid: u32) -> Option<u64> {
    None
}

impl ResourceUsage {
    /// Per cent of a core since an earlier time.
    pub(crate) fn cpu_percent_since(&self, earlier: &Self) -> f64 {
        let nanos = (self.at - earlier.at).as_nanos() as f64;
        if nanos > 0.0 { self.cpu.saturating_sub(earlier.cpu) as f64 * 100.0 / nanos } else { 0.0 }
    }
}

/// The processes that listen on the port of the address, if the address is on this machine and its processes may be read.
#[cfg(target_os = "linux")]
pub(crate) fn listeners(url: &Url) -> Vec<u32> {
    use std::collections::HashSet;
    use std::net::ToSocketAddrs;

    use procfs::net::{TcpState, tcp, tcp6};
    use procfs::process::{FDTarget, all_processes};

    let (Some(host), Some(port)) = (url.host_str(), url.port_or_known_default()) else { return Vec::new() };
    let host = host.trim_matches(['[', ']']);
    let is_local = (host, port).to_socket_addrs().is_ok_and(|mut addresses| addresses.all(|a| a.ip().is_loopback()));
    if !is_local {
        return Vec::new();
    }
    let sockets = tcp().into_iter().chain(tcp6()).flatten();
    let listening = sockets.filter(|socket| socket.state == TcpState::Listen && socket.local_address.port() == port);
    let inodes: HashSet<u64> = listening.map(|socket| socket.inode).collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let holds = |process: &procfs::process::Process| {
        let files = process.fd().into_iter().flatten().flatten();
        files.into_iter().any(|file| matches!(file.target, FDTarget::Socket(inode) if inodes.contains(&inode)))
    };
    let processes = all_processes().into_iter().flatten().flatten();
    processes.filter(holds).filter_map(|process| u32::try_from(process.pid()).ok()).collect()
}

#[cfg(not(target_os = "linux"))]
pub(crate) fn listeners(_url: &Url) -> Vec<u32> {
    Vec::new()
}

/// The number of connections that one process may hold.
pub(crate) fn max_connections_per_process() -> u32 {
    u32::try_from(max_open_files().saturating_sub(RESERVED_FILES).max(1)).unwrap_or(u32::MAX)
}

/// The number of processes that this many connections need.
pub(crate) fn required_processes(connections: u32) -> u32 {
    connections.div_ceil(max_connections_per_process())
}

/// Raises this process's limit on open files to the hard limit.
pub(crate) fn raise_open_file_limit() {
    // If this fails the limit stays as it was, and a plan that needs more is rejected.
    let _ = rlimit::increase_nofile_limit(u64::MAX);
}

#[cfg(unix)]
fn max_open_files() -> u64 {
    rlimit::Resource::NOFILE.get_hard().map_or(DEFAULT_FILES, |hard| hard.min(DEFAULT_FILES))
}

#[cfg(not(unix))]
fn max_open_files() -> u64 {
    DEFAULT_FILES
}

/// The source addresses of the connections: the `requested` ones, or, to a server on this machine, as many of 127.0.0.0/8 as
/// the connections need ports. Empty if the system may choose.
pub(crate) fn source_addresses(
    urls: &[Url],
    connections: u32,
    requested: Vec<IpAddr>,
) -> Result<Vec<IpAddr>, UsageError> {
    let each = ports_per_address();
    let count = requested.len().max(1) as u32;
    // A closed connection holds its port for a minute. On this machine, where addresses are plenty, half of the ports stay free.
    let may_add = urls.iter().all(is_loopback) && requested.is_empty();
    let comfortable = if may_add { each / 2 } else { each };
    if connections.div_ceil(count) <= comfortable {
        return Ok(requested);
    }
    if may_add {
        let addresses = 1..=connections.div_ceil(comfortable);
        return Ok(addresses.map(|n| Ipv4Addr::from(u32::from(Ipv4Addr::LOCALHOST) - 1 + n).into()).collect());
    }
    Err(UsageError::Ports { each, needed: connections.div_ceil(count) })
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(Host::Ipv4(address)) => address.is_loopback(),
        Some(Host::Domain(name)) => name == "localhost",
        _ => false,
    }
}

/// How many connections one address can open to one port of another.
fn ports_per_address() -> u32 {
    let range = std::fs::read_to_string("/proc/sys/net/ipv4/ip_local_port_range").ok();
    let bounds = range.and_then(|range| {
        let mut bounds = range.split_whitespace().map_while(|bound| bound.parse::<u32>().ok());
        Some((bounds.next()?, bounds.next()?))
    });
    // Linux's default.
    let (first, last) = bounds.unwrap_or((32_768, 60_999));
    (last.saturating_sub(first) + 1).saturating_sub(RESERVED_PORTS).max(1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_sampled_with_its_memory_and_cpu_time() {
        let mut watcher = ProcessWatcher::new([std::process::id()]);
        // Other tests may have children at this moment, which are descendants as well.
        assert!(watcher.count() >= 1);
        let before = watcher.sample().unwrap();
        assert!(before.memory > 100_000, "{}", before.memory);
        // Stays busy until the system has counted it.
        let after = loop {
            let now = watcher.sample().unwrap();
            if now.cpu > before.cpu {
                break now;
            }
        };
        assert!(after.cpu_percent_since(&before) > 0.0);
    }

    #[cfg(unix)]
    #[test]
    fn the_cpu_time_of_a_process_counts_after_it_has_ended() {
        let mut child = std::process::Command::new("sh").args(["-c", "while :; do :; done"]).spawn().unwrap();
        let mut watcher = ProcessWatcher::new([child.id(), std::process::id()]);
        let before = loop {
            let now = watcher.sample().unwrap();
            if watcher.cpu[&Pid::from_u32(child.id())] > 1_000_000 {
                break now;
            }
        };
        child.kill().unwrap();
        child.wait().unwrap();
        assert!(watcher.sample().unwrap().cpu >= before.cpu);
    }

    #[test]
    fn a_missing_process_is_not_counted() {
        let mut watcher = ProcessWatcher::new([u32::MAX - 1]);
        assert_eq!(watcher.count(), 0);
        assert!(watcher.sample().is_none());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn the_process_that_listens_on_a_port_is_found() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = Url::parse(&format!("ws://{}/echo", listener.local_addr().unwrap())).unwrap();
        // A child that another test is starting shares all files of this process for a moment.
        assert!(listeners(&url).contains(&std::process::id()));
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_bound_port_without_a_listener_has_none() {
        let held = tokio::net::TcpSocket::new_v4().unwrap();
        held.bind(([127, 0, 0, 1], 0).into()).unwrap();
        let url = Url::parse(&format!("ws://{}/echo", held.local_addr().unwrap())).unwrap();
        assert!(listeners(&url).is_empty());
    }

    #[test]
    fn no_listener_is_searched_on_another_machine() {
        assert!(listeners(&Url::parse("ws://192.0.2.1:22/").unwrap()).is_empty());
    }

    fn addresses(url: &str, connections: u32, requested: &[IpAddr]) -> Result<Vec<IpAddr>, UsageError> {
        source_addresses(&[Url::parse(url).unwrap()], connections, requested.to_vec())
    }

    #[test]
    fn connections_to_this_machine_get_as_many_addresses_as_they_need() {
        let (few, many) = (ports_per_address() / 2, ports_per_address() / 2 * 2 + 1);
        assert_eq!(addresses("ws://127.0.0.1/echo", few, &[]), Ok(vec![]));
        let three = [[127, 0, 0, 1], [127, 0, 0, 2], [127, 0, 0, 3]].map(IpAddr::from);
        assert_eq!(addresses("ws://127.0.0.1/echo", many, &[]), Ok(three.to_vec()));
    }

    #[test]
    fn too_many_connections_to_another_machine_are_rejected() {
        let one = IpAddr::from([10, 0, 0, 7]);
        assert_eq!(addresses("ws://10.0.0.1/echo", ports_per_address(), &[one]), Ok(vec![one]));
        let (each, needed) = (ports_per_address(), ports_per_address() + 1);
        assert_eq!(addresses("ws://10.0.0.1/echo", needed, &[one]), Err(UsageError::Ports { each, needed }));
        assert_eq!(addresses("ws://10.0.0.1/echo", needed, &[]), Err(UsageError::Ports { each, needed }));
        let urls = ["ws://127.0.0.1/echo", "ws://10.0.0.1/news"].map(|url| Url::parse(url).unwrap());
        assert_eq!(source_addresses(&urls, needed, vec![]), Err(UsageError::Ports { each, needed }));
    }
}

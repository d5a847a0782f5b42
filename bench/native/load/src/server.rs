//! The server's processes: their CPU time and memory, and the counters of the server of sessions.

use std::collections::HashMap;
use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};

/// Time limit for a counter to reach a value, and how often it is read.
const TIMEOUT: Duration = Duration::from_secs(20);
const INTERVAL: Duration = Duration::from_millis(5);

/// A process with its descendants.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServerProcess {
    pid: u32,
}

impl ServerProcess {
    pub(crate) const fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// The load generator itself.
    pub(crate) fn own() -> Self {
        Self::new(std::process::id())
    }

    /// The CPU time of its threads, as the scheduler counts it.
    pub(crate) fn cpu_time(self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in self.tasks()? {
            // The thread may have ended meanwhile.
            let Ok(statistics) = fs::read_to_string(format!("{task}/schedstat")) else { continue };
            let time = statistics.split(' ').next().context("schedstat is empty")?;
            nanoseconds += time.parse::<u64>().context("schedstat is not a number")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// Its resident memory in bytes, without what the kernel holds for it.
    pub(crate) fn resident_memory(self) -> Result<u64> {
        let mut kibibytes = 0;
        for pid in self.process_tree()? {
            // `status` is less exact: the kernel counts per processor and adds these counts up only now and then.
            let map = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let line = map.lines().find_map(|line| line.strip_prefix("Rss:")).context("smaps_rollup has no Rss")?;
            kibibytes += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(kibibytes * 1024)
    }

    fn tasks(self) -> Result<Vec<String>> {
        let mut tasks = Vec::new();
        for pid in self.process_tree()? {
            tasks.extend(tasks_of(pid)?);
        }
        Ok(tasks)
    }

    /// The process and its descendants.
    fn process_tree(self) -> Result<Vec<u32>> {
        let mut tree = vec![self.pid];
        let mut seen = 0;
        while let Some(&pid) = tree.get(seen) {
            seen += 1;
            for task in tasks_of(pid)? {
                let children = fs::read_to_string(format!("{task}/children")).unwrap_or_default();
                tree.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        Ok(tree)
    }
}

fn tasks_of(pid: u32) -> Result<Vec<String>> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).with_context(|| format!("the server has exited: {folder} is gone"))?;
    entries.map(|entry| Ok(entry?.path().to_string_lossy().into_owned())).collect()
}

/// Reads the counters of a path: `name=value`, separated by spaces.
pub(crate) fn counters(address: SocketAddr, path: &str) -> Result<HashMap<String, u64>> {
    let mut stream = TcpStream::connect(address)?;
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let body = answer.strip_prefix("HTTP/1.1 200").and_then(|rest| rest.split_once("\r\n\r\n"));
    let (_, body) = body.with_context(|| format!("{path} answered {answer:?}"))?;
    let parsed = body.split_whitespace().map(|counter| {
        let (name, value) = counter.split_once('=').context("a counter has no value")?;
        Ok((name.to_owned(), value.parse()?))
    });
    parsed.collect()
}

/// Waits until a counter has this value.
pub(crate) fn wait_for_counter(address: SocketAddr, path: &str, name: &str, value: u64) -> Result<()> {
    let start = Instant::now();
    loop {
        let found = counters(address, path)?.get(name).copied();
        if found == Some(value) {
            return Ok(());
        }
        ensure!(start.elapsed() < TIMEOUT, "{name} is {found:?} and not {value}");
        thread::sleep(INTERVAL);
    }
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_cpu_time_and_memory_of_a_child_count() {
        // The inner shell does the work.
        let script = "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read line'; true";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let server = ServerProcess::new(shell.id());
        let mut done = [0; 5];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut done).unwrap();
        let tree = server.process_tree().unwrap();
        assert_eq!(tree.len(), 2);
        // The child first, since it may still use a little time.
        let child = ServerProcess::new(tree[1]).cpu_time().unwrap();
        let both = server.cpu_time().unwrap();
        assert!(both > child && child > Duration::from_millis(1), "{both:?} in all, {child:?} of the child");
        let child = ServerProcess::new(tree[1]).resident_memory().unwrap();
        assert!(server.resident_memory().unwrap() > child);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

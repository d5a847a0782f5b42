//! The processor time and the memory of the server's processes.

use std::fs;
use std::time::Duration;

use anyhow::{Context, Result};

/// A process, with its children.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Server {
    pid: u32,
}

impl Server {
    pub(crate) const fn new(pid: u32) -> Self {
        Self { pid }
    }

    /// The load generator itself.
    pub(crate) fn own() -> Self {
        Self::new(std::process::id())
    }

    /// The time that its threads have been on a processor, as the scheduler counts it.
    pub(crate) fn processor_time(self) -> Result<Duration> {
        let mut nanoseconds = 0;
        for task in self.tasks()? {
            // A thread may have ended meanwhile.
            let Ok(statistics) = fs::read_to_string(format!("{task}/schedstat")) else { continue };
            let time = statistics.split(' ').next().context("schedstat is empty")?;
            nanoseconds += time.parse::<u64>().context("schedstat is no number")?;
        }
        Ok(Duration::from_nanos(nanoseconds))
    }

    /// The bytes of memory that it holds, without those that the kernel holds for it.
    pub(crate) fn resident(self) -> Result<u64> {
        let mut kibibytes = 0;
        for pid in self.family()? {
            // More exact than what `status` says, which is counted for each processor and seldom added up.
            let map = fs::read_to_string(format!("/proc/{pid}/smaps_rollup"))?;
            let line = map.lines().find_map(|line| line.strip_prefix("Rss:")).context("smaps_rollup has no Rss")?;
            kibibytes += line.trim().trim_end_matches(" kB").parse::<u64>()?;
        }
        Ok(kibibytes * 1024)
    }

    fn tasks(self) -> Result<Vec<String>> {
        let mut tasks = Vec::new();
        for pid in self.family()? {
            tasks.extend(tasks_of(pid)?);
        }
        Ok(tasks)
    }

    /// The process and all that descend from it.
    fn family(self) -> Result<Vec<u32>> {
        let mut family = vec![self.pid];
        let mut seen = 0;
        while let Some(&pid) = family.get(seen) {
            seen += 1;
            for task in tasks_of(pid)? {
                let children = fs::read_to_string(format!("{task}/children")).unwrap_or_default();
                family.extend(children.split_whitespace().filter_map(|child| child.parse::<u32>().ok()));
            }
        }
        Ok(family)
    }
}

fn tasks_of(pid: u32) -> Result<Vec<String>> {
    let folder = format!("/proc/{pid}/task");
    let entries = fs::read_dir(&folder).with_context(|| format!("the server has ended: {folder} is gone"))?;
    entries.map(|entry| Ok(entry?.path().to_string_lossy().into_owned())).collect()
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Stdio};

    use super::*;

    #[test]
    fn the_time_of_a_child_counts() {
        // What the shell counts, counts the shell that this one has started.
        let script = "sh -c 'i=0; while [ $i -lt 100000 ]; do i=$((i+1)); done; echo done; read line'; true";
        let mut shell =
            Command::new("sh").args(["-c", script]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let server = Server::new(shell.id());
        let mut done = [0; 5];
        std::io::Read::read_exact(shell.stdout.as_mut().unwrap(), &mut done).unwrap();
        let family = server.family().unwrap();
        assert_eq!(family.len(), 2);
        // Before both, since it may still use a little.
        let child = Server::new(family[1]).processor_time().unwrap();
        let both = server.processor_time().unwrap();
        assert!(both > child && child > Duration::from_millis(1), "{both:?} in all, {child:?} of the child");
        let child = Server::new(family[1]).resident().unwrap();
        assert!(server.resident().unwrap() > child);
        drop(shell.stdin.take());
        shell.wait().unwrap();
    }
}

//! Child processes: announced, started with an environment of their own, and ended with the chore that started them.
//!
//! Browsers start helpers that leave their process group and outlive them, so ending a group is not enough. On Linux this process
//! adopts such orphans and ends them after each command that may leave some; elsewhere they are left to the system.

use std::collections::HashSet;
use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{ChildStdout, ExitStatus, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::{env, fs, io, process, thread};

use anyhow::{Context, Result, bail};

#[cfg(target_os = "linux")]
pub(crate) use orphans::end_strays;
#[cfg(target_os = "linux")]
use orphans::{become_subreaper, end_all};

/// Builds up a child process and runs it in one of several ways.
pub(crate) struct Command {
    inner: process::Command,
    shown: String,
}

impl Command {
    pub(crate) fn new(program: impl Into<PathBuf>, folder: &Path, search_path: &OsStr) -> Self {
        let program = program.into();
        let shown = program.file_name().unwrap_or(program.as_os_str());
        let shown = shown.to_string_lossy().into_owned();
        let mut inner = process::Command::new(program);
        inner.current_dir(folder).stdin(Stdio::null());
        inner.env("PATH", search_path);
        for name in inherited_from_cargo_run() {
            inner.env_remove(name);
        }
        Self { inner, shown }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.inner.arg(arg);
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.inner.current_dir(folder);
        self
    }

    pub(crate) fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.inner.stderr(to);
        self
    }

    /// Runs it to the end. Its output goes to the terminal.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.start()?.wait()?;
        self.check(status)
    }

    /// Like [`Command::run`], and returns the output as well, whether the command succeeded or not.
    pub(crate) fn run_and_read(mut self) -> Result<(Result<()>, String)> {
        self.announce();
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start()?;
        let stdout = child.inner.stdout.take().map(|pipe| tee(pipe, io::stdout()));
        let stderr = child.inner.stderr.take().map(|pipe| tee(pipe, io::stderr()));
        let status = child.wait()?;
        // An orphan that has inherited the pipes keeps them open.
        end_strays();
        let output = [stdout, stderr].into_iter().flatten().filter_map(|reader| reader.join().ok()).collect();
        Ok((self.check(status), output))
    }

    /// Runs it quietly and returns its stdout.
    pub(crate) fn output(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.output_bytes()?).into_owned())
    }

    /// Like [`Command::output`], for binary output.
    pub(crate) fn output_bytes(mut self) -> Result<Vec<u8>> {
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.start()?;
        let stderr = child.inner.stderr.take().map(|pipe| tee(pipe, io::sink()));
        let mut stdout = Vec::new();
        child.inner.stdout.take().map(|mut pipe| pipe.read_to_end(&mut stdout)).transpose()?;
        let status = child.wait()?;
        if !status.success() {
            let stderr = stderr.and_then(|reader| reader.join().ok()).unwrap_or_default();
            bail!("`{}` failed ({status}):\n{stderr}", self.shown);
        }
        Ok(stdout)
    }

    /// Starts it and leaves it running. Its stdout goes to [`Child::stdout`].
    pub(crate) fn spawn(mut self) -> Result<Child> {
        self.announce();
        self.inner.stdout(Stdio::piped());
        self.start()
    }

    fn announce(&self) {
        println!("$ {}", self.shown);
    }

    fn start(&mut self) -> Result<Child> {
        // Locked until the child is registered: `end_strays` of another thread would take it for an orphan.
        let mut running = running();
        let inner = self.inner.spawn().with_context(|| format!("cannot start `{}`", self.shown))?;
        running.insert(inner.id());
        Ok(Child { inner })
    }

    fn check(&self, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("`{}` failed ({status})", self.shown)
    }
}

/// `cargo run` describes the package that it runs in the environment. Build scripts that watch these variables would run
/// again each time a build that was started by hand is followed by one that was started from here.
fn inherited_from_cargo_run() -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}

fn tee(from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut read = Vec::new();
        let mut from = BufReader::new(from);
        loop {
            let start = read.len();
            match from.read_until(b'\n', &mut read) {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&read).into_owned(),
                // Reading goes on even if the terminal is gone: the child would block on a full pipe.
                Ok(_) => drop(to.write_all(&read[start..])),
            }
        }
    })
}

/// A running command. Dropping it ends the process.
pub(crate) struct Child {
    inner: process::Child,
}

/// The children that this process has started and not waited for yet. All others are orphans that it has adopted.
static RUNNING: Mutex<Option<HashSet<u32>>> = Mutex::new(None);

struct Running(MutexGuard<'static, Option<HashSet<u32>>>);

fn running() -> Running {
    Running(RUNNING.lock().unwrap_or_else(PoisonError::into_inner))
}

impl Running {
    fn insert(&mut self, pid: u32) {
        self.0.get_or_insert_default().insert(pid);
    }

    fn remove(&mut self, pid: u32) {
        self.0.get_or_insert_default().remove(&pid);
    }

    #[cfg(target_os = "linux")]
    fn contains(&self, pid: u32) -> bool {
        self.0.as_ref().is_some_and(|pids| pids.contains(&pid))
    }
}

impl Child {
    /// The stdout of a child from [`Command::spawn`]; `None` the second time.
    pub(crate) fn stdout(&mut self) -> Option<ChildStdout> {
        self.inner.stdout.take()
    }

    pub(crate) fn wait(&mut self) -> io::Result<ExitStatus> {
        let status = self.inner.wait();
        running().remove(self.inner.id());
        status
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        // Both fail if the process has ended and was waited for.
        let _ = self.inner.kill();
        let _ = self.wait();
    }
}

/// Ends all children on Ctrl-C and SIGTERM, those that have left their parents as well.
pub(crate) fn end_with_this_process() -> Result<()> {
    #[cfg(target_os = "linux")]
    {
        become_subreaper()?;
        ctrlc::set_handler(move || {
            end_all();
            // Scratch folders are not dropped when the process exits.
            let _ = fs::remove_dir_all(scratch_parent());
            process::exit(130);
        })?;
    }
    Ok(())
}

/// Without `/proc`, orphans cannot be found.
#[cfg(not(target_os = "linux"))]
pub(crate) fn end_strays() {}

/// Linux lets a process adopt the orphans below it, and lists all processes in `/proc`.
#[cfg(target_os = "linux")]
mod orphans {
    use std::collections::HashSet;
    use std::time::{Duration, Instant};
    use std::{fs, process, thread};

    use anyhow::{Context, Result};
    use nix::sys::prctl::set_child_subreaper;
    use nix::sys::signal::{Signal, kill};
    use nix::sys::wait::{WaitPidFlag, waitpid};
    use nix::unistd::Pid;

    use super::running;

    /// How long a process may take to end by itself before it is killed.
    const GRACE: Duration = Duration::from_secs(3);

    /// Makes orphans below this process its own children.
    pub(super) fn become_subreaper() -> Result<()> {
        set_child_subreaper(true).context("cannot become the parent of orphaned processes")
    }

    /// Ends the orphans that finished commands have left.
    pub(crate) fn end_strays() {
        end_strays_within(GRACE);
    }

    pub(super) fn end_strays_within(grace: Duration) {
        end(strays, None, grace);
    }

    pub(super) fn end_all() {
        end(children, Some(Signal::SIGTERM), GRACE);
    }

    /// Sends each process the signal, waits, and kills what is left. The children of a process that ends become strays themselves, so
    /// that the next round finds them.
    fn end(find: impl Fn() -> Vec<u32>, signal: Option<Signal>, grace: Duration) {
        let deadline = Instant::now() + grace;
        let mut signalled = HashSet::new();
        loop {
            let found = find();
            if found.is_empty() {
                return;
            }
            for pid in found {
                let id = Pid::from_raw(pid.cast_signed());
                // Each of these fails if the process has ended in the meantime.
                let _ = waitpid(id, Some(WaitPidFlag::WNOHANG));
                if Instant::now() >= deadline {
                    let _ = kill(id, Signal::SIGKILL);
                } else if let Some(signal) = signal.filter(|_| signalled.insert(pid)) {
                    let _ = kill(id, signal);
                }
            }
            thread::sleep(Duration::from_millis(20));
        }
    }

    /// The children of this process without a [`super::Child`].
    pub(super) fn strays() -> Vec<u32> {
        let running = running();
        children().into_iter().filter(|pid| !running.contains(*pid)).collect()
    }

    fn children() -> Vec<u32> {
        let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
        let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        pids.filter(|pid| parent_of(*pid) == Some(process::id())).collect()
    }

    /// Reads `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may contain spaces and parentheses.
    fn parent_of(pid: u32) -> Option<u32> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(1)?.parse().ok()
    }
}

/// A new empty folder for the temporary files, profiles and caches of a browser. Dropping it ends the browsers that are left over and
/// removes the folder.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Browsers put sockets below it, whose paths must be short.
        let folder = scratch_parent().join(count.to_string());
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Makes the browsers that a command starts use this folder, so that they share nothing with others and leave nothing.
    pub(crate) fn contain(&self, command: Command) -> Command {
        let variables = ["TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"];
        variables.into_iter().fold(command, |command, name| command.env(name, &self.folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        end_strays();
        // What cannot be removed is in the system's folder for temporary files.
        let _ = fs::remove_dir_all(&self.folder);
        // Succeeds for the last scratch folder of this process.
        let _ = fs::remove_dir(scratch_parent());
    }
}

fn scratch_parent() -> PathBuf {
    env::temp_dir().join(format!("xtask-{}", process::id()))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::time::Duration;

    use super::orphans::{become_subreaper, end_strays_within, strays};
    use super::*;

    fn sh(script: &str) -> Command {
        Command::new("sh", Path::new("/"), &env::var_os("PATH").unwrap_or_default()).args(["-c", script])
    }

    /// One test, because strays are looked for in the whole process.
    #[test]
    fn an_orphan_of_a_finished_command_is_ended_and_a_running_command_is_not() {
        become_subreaper().unwrap();
        let mut sleeper = sh("exec sleep 1000").spawn().unwrap();
        // The shell ends at once, and the sleeper in a session of its own is an orphan.
        sh("setsid sleep 1000 & exit 0").run().unwrap();
        assert_eq!(strays().len(), 1);
        end_strays_within(Duration::ZERO);
        assert!(strays().is_empty());
        assert!(sleeper.inner.try_wait().unwrap().is_none());
        drop(sleeper);
        assert!(strays().is_empty());
    }
}

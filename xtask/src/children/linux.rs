//! Linux lets a process adopt the orphans below it, and shows who belongs to whom in `/proc`.

use std::collections::HashSet;
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use std::{fs, process, thread};

use anyhow::{Context, Result};
use nix::sys::prctl::set_child_subreaper;
use nix::sys::signal::{Signal, kill};
use nix::sys::wait::{WaitPidFlag, waitpid};
use nix::unistd::Pid;

/// How long a process may take to put its things in order before it is killed.
const GRACE: Duration = Duration::from_secs(3);

/// Children that go on running between the steps of a chore.
static KEPT: Mutex<Vec<i32>> = Mutex::new(Vec::new());

/// Whether this process was told to end, and its children are ended.
static IS_ENDING: AtomicBool = AtomicBool::new(false);

/// Makes orphans below this process its own children, so that they can be found, and ends all on Ctrl-C or SIGTERM,
/// which then calls `at_end`.
pub(crate) fn adopt(at_end: fn()) -> Result<()> {
    set_child_subreaper(true).context("cannot become the parent of orphaned processes")?;
    ctrlc::set_handler(move || {
        IS_ENDING.store(true, Ordering::SeqCst);
        end_all();
        at_end();
        process::exit(130);
    })?;
    Ok(())
}

/// Whether a child that has ended was ended from here, because of Ctrl-C or SIGTERM: its failure says nothing then.
pub(crate) fn is_ending() -> bool {
    IS_ENDING.load(Ordering::SeqCst)
}

/// Leaves a child alone in [`end_strays`].
pub(crate) fn keep(child: &Child) {
    kept().push(child.id().cast_signed());
}

/// Ends what a finished command has left behind.
pub(crate) fn end_strays() {
    end_strays_after(GRACE);
}

fn end_strays_after(grace: Duration) {
    let kept = still_kept();
    let strays = || -> Vec<i32> {
        let children = children_of(process::id().cast_signed());
        children.filter(|child| !kept.contains(child)).collect()
    };
    let deadline = Instant::now() + grace;
    while !running_below(strays()).is_empty() && Instant::now() < deadline {
        reap(strays());
        thread::sleep(Duration::from_millis(50));
    }
    // Once its parent is gone, a process that was started meanwhile shows up as a stray of its own.
    loop {
        let running = running_below(strays());
        if running.is_empty() {
            break reap(strays());
        }
        running.into_iter().for_each(|pid| signal(pid, Signal::SIGKILL));
        thread::sleep(Duration::from_millis(10));
    }
}

fn end_all() {
    let children = children_of(process::id().cast_signed()).collect();
    for pid in running_below(children) {
        signal(pid, Signal::SIGTERM);
    }
    kept().clear();
    end_strays();
}

/// Forgets those that have ended: the system may give their numbers to others, which are strays then.
fn still_kept() -> Vec<i32> {
    let children: HashSet<i32> = children_of(process::id().cast_signed()).collect();
    let mut kept = kept();
    kept.retain(|pid| children.contains(pid));
    kept.clone()
}

fn kept() -> MutexGuard<'static, Vec<i32>> {
    KEPT.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Fails when the process has ended meanwhile, which is what is wanted.
fn signal(pid: i32, signal: Signal) {
    let _ = kill(Pid::from_raw(pid), signal);
}

/// Lets ended children go. One that is still running stays as it is.
fn reap(children: Vec<i32>) {
    for pid in children {
        let _ = waitpid(Pid::from_raw(pid), Some(WaitPidFlag::WNOHANG));
    }
}

/// Those of the processes and of everything below them that are still running.
fn running_below(roots: Vec<i32>) -> HashSet<i32> {
    let mut running = HashSet::new();
    let mut unseen = roots;
    while let Some(pid) = unseen.pop() {
        unseen.extend(children_of(pid));
        if state_and_parent(pid).is_some_and(|(state, _)| state != 'Z') {
            running.insert(pid);
        }
    }
    running
}

fn children_of(parent: i32) -> impl Iterator<Item = i32> {
    let processes = fs::read_dir("/proc").into_iter().flatten().flatten();
    let pids = processes.filter_map(|entry| entry.file_name().to_str()?.parse().ok());
    pids.filter(move |pid| state_and_parent(*pid).is_some_and(|(_, its)| its == parent))
}

/// Reads `/proc/PID/stat`: `PID (NAME) STATE PARENT …`, where the name may itself hold spaces and parentheses.
fn state_and_parent(pid: i32) -> Option<(char, i32)> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    let mut fields = stat.rsplit_once(") ")?.1.split(' ');
    Some((fields.next()?.parse().ok()?, fields.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::{Duration, children_of, end_strays_after, keep, kept, set_child_subreaper};
    use crate::children::OF_ONE_TEST;

    /// One test after the other: both look at all children of this process.
    #[test]
    fn strays_are_ended_and_those_that_are_kept_are_not_until_they_have_ended() {
        let _lock = OF_ONE_TEST.lock();
        a_process_that_has_left_its_parent_is_ended();
        a_process_that_is_kept_goes_on_and_is_forgotten_when_it_has_ended();
    }

    fn a_process_that_is_kept_goes_on_and_is_forgotten_when_it_has_ended() {
        let mut sleeper = Command::new("sleep").arg("1000").spawn().unwrap();
        keep(&sleeper);
        end_strays_after(Duration::ZERO);
        assert_eq!(sleeper.try_wait().unwrap(), None);
        assert_eq!(*kept(), [sleeper.id().cast_signed()]);
        sleeper.kill().unwrap();
        sleeper.wait().unwrap();
        end_strays_after(Duration::ZERO);
        assert!(kept().is_empty());
    }

    fn a_process_that_has_left_its_parent_is_ended() {
        set_child_subreaper(true).unwrap();
        // The shell ends at once, and the sleeper in a session of its own is an orphan.
        let mut shell = Command::new("sh").args(["-c", "setsid sleep 1000 & exit 0"]).spawn().unwrap();
        shell.wait().unwrap();
        let me = std::process::id().cast_signed();
        assert_eq!(children_of(me).count(), 1);
        end_strays_after(Duration::ZERO);
        assert_eq!(children_of(me).count(), 0);
    }
}

use sysinfo::{Pid, ProcessRefreshKind, ProcessesToUpdate, System};

/// The resident memory of this process in bytes, if the system reports it.
pub(crate) fn resident_bytes() -> Option<u64> {
    let pid = Pid::from_u32(std::process::id());
    let mut system = System::new().ok()?;
    let memory = ProcessRefreshKind::nothing().with_memory().without_tasks();
    system.refresh_processes_specifics(ProcessesToUpdate::Some(&[pid]), true, memory);
    Some(system.process(pid)?.memory())
}

/// The processor time of a process as the scheduler counts it, in nanoseconds, over the threads that it has now. The count that
/// sysinfo reads has steps of 10 ms, in which a server under a light load would show nothing.
#[cfg(target_os = "linux")]
pub(super) fn cpu_nanos(pid: u32) -> Option<u64> {
    let process = procfs::process::Process::new(i32::try_from(pid).ok()?).ok()?;
    let threads = process.tasks().ok()?.flatten();
    Some(threads.filter_map(|thread| thread.schedstat().ok()).map(|count| count.sum_exec_runtime).sum())
}

#[cfg(not(target_os = "linux"))]
pub(super) fn cpu_nanos(_pid: u32) -> Option<u64> {
    None
}

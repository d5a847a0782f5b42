/// Raises the process's limit on open files to its hard limit. Many systems start programs with 1,024 and permit far more.
pub fn raise_open_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!("the system permits {limit} open files, of which each connection is one"),
        // The server works with fewer connections.
        Err(error) => tracing::warn!("the limit on open files cannot be raised: {error}"),
    }
}

/// Raises the limit as far as the system lets a program do that by itself. Many start it with 1,024 and permit far more.
pub fn raise_open_file_limit() {
    match rlimit::increase_nofile_limit(u64::MAX) {
        Ok(limit) => tracing::debug!("the system permits {limit} open files, of which each connection is one"),
        // With fewer connections it serves all the same.
        Err(error) => tracing::warn!("the limit on open files cannot be raised: {error}"),
    }
}

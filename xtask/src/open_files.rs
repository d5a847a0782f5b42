//! How many files a process may open: a server needs one for each connection.

use anyhow::{Context, Result};

/// Raises the limit of this process, and so of those that it starts, as far as the system lets a program do that by itself, and
/// tells it. Some servers do so and some do not; those that are compared are to have the same.
pub(crate) fn raise_limit() -> Result<u64> {
    rlimit::increase_nofile_limit(u64::MAX).context("cannot raise the limit on open files")
}

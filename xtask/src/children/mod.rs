//! No process that a chore started outlives it: not when the chore ends, fails or is interrupted, and not when the
//! process has left its parent, as the helpers of browsers do.

#[cfg_attr(target_os = "linux", path = "linux.rs")]
#[cfg_attr(not(target_os = "linux"), path = "elsewhere.rs")]
mod platform;

pub(crate) use platform::{adopt, end_strays, is_ending, keep};

/// Held by each test that starts processes, since one of them looks at all children of this process and ends them.
#[cfg(test)]
pub(crate) static OF_ONE_TEST: std::sync::Mutex<()> = std::sync::Mutex::new(());

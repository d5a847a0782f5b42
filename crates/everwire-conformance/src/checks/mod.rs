//! The checks, a module for each subject.

mod connection;
mod publishes;
mod sessions;
mod subscriptions;

use crate::suite::Check;

/// Returns all checks, in the order in which to read failures: a later check relies on what an earlier one has checked.
pub fn checks() -> Vec<Check> {
    [connection::checks(), subscriptions::checks(), publishes::checks(), sessions::checks()].concat()
}

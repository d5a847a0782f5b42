//! The checks, a module a subject.

mod attaching;
mod lines;
mod payloads;
mod presence;
mod publishes;
mod requests;
mod restarting;
mod resuming;
mod subscriptions;

use crate::suite::Check;

/// All checks, in the order in which they are best read: what a later one needs, an earlier one has checked.
pub fn checks() -> Vec<Check> {
    [
        attaching::checks(),
        lines::checks(),
        subscriptions::checks(),
        publishes::checks(),
        payloads::checks(),
        resuming::checks(),
        presence::checks(),
        requests::checks(),
        restarting::checks(),
    ]
    .concat()
}

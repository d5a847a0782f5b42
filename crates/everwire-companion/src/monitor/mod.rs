//! What the machine and the server do, once a second: `/monitor`.
//!
//! # Layout
//! - `watch`: the handler, and the [`Monitor`] that samples only while there are watchers
//! - `sampler`: the one task that samples for all watchers
//! - `machine`, `vmstat`: what the machine does; `traffic`: what the server does
//! - `history`: the last five minutes, for new watchers

mod history;
mod machine;
mod sampler;
mod traffic;
mod vmstat;
mod watch;

pub(crate) use machine::{Machine, tenths};
pub(crate) use traffic::{Counts, Traffic};
pub(crate) use watch::{Monitor, open};

//! What the machine and the server do, once a second: `/monitor`, and the channels of `everwire_companion_api::monitor`.
//!
//! # Layout
//! - `watch`: the handler, and the [`Monitor`] that starts the sampler
//! - `sampler`: the one task that samples for the endpoint and the channels; processes only while somebody watches
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

//! What was sent, received and told of the connection: kept within bounds, filtered, exported.

mod export;
mod filter;
mod line;
mod search;
mod store;
mod view;

pub(super) use export::export;
pub(super) use filter::Filter;
pub(super) use line::{Body, Kind, Line, Origin, Tone, Transmission};
pub(super) use store::{Limits, Log};
pub(super) use view::View;

//! The channels of `everwire.v1` at `/everwire`.
//!
//! # Layout
//! - `rules`: what clients may do, and what channels keep; `tokens`: who they are
//! - `chat`: rooms and their history
//! - `live`: the trading floor

mod chat;
mod live;
mod rules;
mod tokens;

use std::sync::Arc;

use everwire_server::Builder;

use crate::companion::Companion;
use crate::config::Config;
use rules::Rules;

pub use live::LogTap;
pub(crate) use tokens::{Tokens, token};

/// Sets the rules and the options of all channels.
pub(crate) fn configure(builder: Builder, config: &Config, tokens: &Arc<Tokens>) -> Builder {
    live::configure(builder.authorize(Rules::new(config, tokens)).channels(rules::options))
}

/// Registers the request handlers and spawns what publishes, once the server runs.
pub(crate) fn start(companion: &Companion) {
    chat::start(companion);
    live::start(companion);
}

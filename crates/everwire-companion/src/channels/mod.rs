//! The channels of `everwire.v1` at `/everwire`.
//!
//! # Layout
//! - `rules`: who may do what, and what channels keep
//! - `chat`: rooms and their history

mod chat;
mod rules;

use everwire_server::Builder;

use crate::companion::Companion;
use crate::config::Config;
use rules::Rules;

/// Sets the rules and the options of all channels.
pub(crate) fn configure(builder: Builder, config: &Config) -> Builder {
    builder.authorize(Rules::new(config)).channels(rules::options)
}

/// Registers the request handlers and spawns what publishes, once the server runs.
pub(crate) fn start(companion: &Companion) {
    chat::start(companion);
}

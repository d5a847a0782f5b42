//! The channels of `everwire.v1` at `/everwire`.
//!
//! # Layout
//! - `rules`: what clients may do, and what channels keep; `tokens`: who they are
//! - `chat`: rooms and their history; `live`: the trading floor
//! - `monitor`, `ticker`, `tracker`: what their endpoints send, as channels
//! - `state`: publishes many keys of a state channel in one step

mod chat;
mod live;
mod rules;
mod state;
mod ticker;
mod tokens;
mod tracker;

use std::sync::Arc;
use std::time::Duration;

use everwire_server::Builder;
use tokio::sync::watch;
use tokio::sync::watch::error::RecvError;
use tokio::time::sleep;

use crate::companion::Companion;
use crate::config::Config;
use crate::monitor;
use crate::tracker::Tracker;
use rules::Rules;

pub use live::LogTap;
pub(crate) use tokens::{Tokens, token};

/// How long publishing goes on without subscribers: a page that reloads or reconnects subscribes again.
const LINGER: Duration = Duration::from_secs(5);

/// Sets the rules and the options of all channels.
pub(crate) fn configure(builder: Builder, config: &Config, tokens: &Arc<Tokens>, tracker: &Arc<Tracker>) -> Builder {
    let tracker = Arc::clone(tracker);
    let builder = builder.authorize(Rules::new(config, tokens)).channels(rules::options);
    live::configure(builder).on_session(move |event| {
        tracker::session_changed(&tracker, &event);
        live::session_changed(event);
    })
}

/// Registers the request handlers and spawns what publishes, once the server runs.
pub(crate) fn start(companion: &Companion) {
    chat::start(companion);
    live::start(companion);
    monitor::start(companion);
    ticker::start(companion);
    tracker::start(companion);
}

/// Completes when there have been no subscribers for a while. An error: the server is gone.
async fn without_subscribers(subscribers: &mut watch::Receiver<usize>) -> Result<(), RecvError> {
    loop {
        subscribers.wait_for(|count| *count == 0).await?;
        tokio::select! {
            () = sleep(LINGER) => return Ok(()),
            others = subscribers.wait_for(|count| *count > 0) => drop(others?),
        }
    }
}

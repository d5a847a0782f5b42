//! The feed and the echo of the transport lab, over every transport that HTTP has.
//!
//! # Layout
//! - `log`: numbered messages that are kept for a while; `feed` fills one, and so do the answers to calls
//! - `http`, `socket`: the transports, which all read such a log; `source` finds it, `outflow` reads it
//! - `visit`: who is let in, under which conditions
//! - `meter`: the bytes that really passed, entered into the accounts of clients; `shelf` keeps those

mod feed;
mod http;
mod log;
mod meter;
mod outflow;
mod shelf;
mod socket;
mod source;
mod visit;

use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::companion::Companion;
use feed::Feeds;
use log::Log;
use meter::Account;
pub(crate) use meter::Meter;
use shelf::Shelf;
pub(crate) use socket::open;

/// Clients' accounts and calls that are kept at once. An account is under 200 bytes; calls, with messages of up to a
/// kilobyte, are more.
const ACCOUNTS: usize = 4096;
const CALLS: usize = 128;

/// The routes under `/lab` but for the WebSocket's.
pub(crate) fn routes() -> Router<Companion> {
    Router::new()
        .route("/lab/poll", get(http::poll))
        .route("/lab/long-poll", get(http::long_poll))
        .route("/lab/stream", get(http::stream))
        .route("/lab/events", get(http::events))
        .route("/lab/echo", post(http::echo))
        .route("/lab/accounts", get(http::accounts))
}

/// What the transports of the lab share.
#[derive(Debug)]
pub(crate) struct Lab {
    feeds: Feeds,
    accounts: Shelf<Account>,
    calls: Shelf<Log>,
}

impl Lab {
    fn feeds(&self) -> &Feeds {
        &self.feeds
    }

    fn account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.open(name, Account::default)
    }

    fn find_account(&self, name: &str) -> Option<Arc<Account>> {
        self.accounts.find(name)
    }

    fn calls(&self, name: &str) -> Option<Arc<Log>> {
        self.calls.open(name, || Log::after(0))
    }
}

impl Default for Lab {
    fn default() -> Self {
        Self { feeds: Feeds::default(), accounts: Shelf::new(ACCOUNTS), calls: Shelf::new(CALLS) }
    }
}

//! The feed and the echo of the transport lab, over every transport that HTTP has.
//!
//! # Layout
//! - `log`: numbered messages, the latest of which are kept; `feed`: adds messages at a rate; calls add their answers
//! - `http`, `socket`: the transports, which all read such a log; `reader`: reads it for one client
//! - `request`: checks and admits a request, and finds its log
//! - `meter`: counts the bytes on TCP for the accounts of clients; `cache`: holds accounts and calls

mod cache;
mod feed;
mod http;
mod log;
mod meter;
mod reader;
mod request;
mod socket;

use std::num::NonZero;
use std::sync::Arc;

use axum::Router;
use axum::routing::{get, post};

use crate::companion::Companion;
use cache::NamedCache;
use feed::Feeds;
use log::Log;
use meter::Account;
pub(crate) use meter::Meter;
pub(crate) use socket::open;

/// The number of accounts and of logs of calls that are kept. An account takes less than 200 bytes; calls take more, with messages of
/// up to a kilobyte.
const ACCOUNTS: NonZero<usize> = NonZero::new(4096).unwrap();
const CALLS: NonZero<usize> = NonZero::new(128).unwrap();

/// The routes under `/lab`, except for the WebSocket.
pub(crate) fn routes() -> Router<Companion> {
    Router::new()
        .route("/lab/poll", get(http::poll))
        .route("/lab/long-poll", get(http::long_poll))
        .route("/lab/stream", get(http::stream))
        .route("/lab/events", get(http::events))
        .route("/lab/echo", post(http::echo))
        .route("/lab/accounts", get(http::accounts))
}

/// The state that the transports of the lab share.
#[derive(Debug)]
pub(crate) struct Lab {
    feeds: Feeds,
    accounts: NamedCache<Account>,
    calls: NamedCache<Log>,
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
        Self { feeds: Feeds::default(), accounts: NamedCache::new(ACCOUNTS), calls: NamedCache::new(CALLS) }
    }
}

//! Where channels keep their messages, and sessions what outlives a connection.
//!
//! A [`Broker`] gives each message of a channel an offset, keeps as much history as its [`Retention`] says, and reports what it has
//! stored to its [`Listener`]s. [`Memory`] keeps everything in memory; `Journal` (feature `journal`) keeps it on disk.
//!
//! # Layout
//! - `api`: the traits; `message`, `history`, `names`, `config`, `error`: what goes in and comes out
//! - `catalog`: positions, limits and trimming, the same for all brokers; `sessions`: answers and expiry
//! - `memory`: the broker in memory; `journal`: the one on disk

mod api;
mod catalog;
mod config;
mod error;
mod history;
#[cfg(feature = "journal")]
mod journal;
mod memory;
mod message;
mod names;
mod sessions;

pub use api::{BoxFuture, Broker, Listener};
pub use config::BrokerConfig;
pub use error::BrokerError;
pub use everwire_core::protocol::Cursor;
pub use history::{EarlierPage, History, Page, PageLimits};
#[cfg(feature = "journal")]
pub use journal::{Corruption, Fsync, Journal, JournalConfig, JournalError, JournalStats};
pub use memory::Memory;
pub use message::{HistoryKind, Producer, Publication, Retention, Stored};
pub use names::{BadName, ChannelName, Key, SessionId};
pub use sessions::{SessionExpiry, StoredSession};

//! Where channels keep their messages, and sessions what outlives a connection.
//!
//! A [`Broker`] gives each message of a channel an offset, keeps as much history as its [`Retention`] says, and reports what it has
//! stored to its [`Listener`]s. [`Memory`] keeps everything in memory; `Journal` (feature `journal`) keeps it on disk.
//!
//! # Layout
//! - `api`: the traits, limits and errors; `message`: what goes in and comes out
//! - `catalog`: positions, limits, trimming and sessions, the same for all brokers
//! - `memory`: the broker in memory; `journal`: the one on disk

mod api;
mod catalog;
#[cfg(feature = "journal")]
mod journal;
mod memory;
mod message;

pub use api::{BoxFuture, Broker, BrokerConfig, BrokerError, Listener, SessionExpiry, StoredSession};
pub use everwire_core::protocol::Cursor;
#[cfg(feature = "journal")]
pub use journal::{Corruption, Fsync, Journal, JournalConfig, JournalError, JournalStats};
pub use memory::Memory;
pub use message::{
    ChannelName, EarlierPage, History, HistoryKind, InvalidName, Key, Page, PageLimits, Producer, Publication,
    Retention, SessionId, Stored,
};

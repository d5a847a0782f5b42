//! The broker on disk.

mod broker;
mod config;
mod database;
mod queue;
mod reader;
mod recent;
mod rows;
mod tables;
mod writer;

pub use broker::Journal;
pub use config::{Corruption, Fsync, JournalConfig, JournalError, JournalStats};

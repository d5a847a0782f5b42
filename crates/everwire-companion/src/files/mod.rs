//! Files that one client leaves for others for a while.
//!
//! # Layout
//! - `handler`: the protocol of a connection; `download`: files over HTTP
//! - `task`: writes the file of one upload
//! - `store`: the inventory with its group, its expiry task and its folder
//! - [`FileLimits`], `inventory`: what the store may hold and holds, without I/O
//! - `upload`: the handle of an upload, the queue of its jobs and the flow-control window
//! - `disk`: the temporary folder and the files in it; `name`: the rules for file names
//!
//! A module uses only those in the lines below it: the store knows nothing of the tasks that write into it.

mod disk;
mod download;
mod handler;
mod inventory;
mod name;
mod store;
mod task;
mod upload;

pub(crate) use handler::FilesHandler;
pub use inventory::FileLimits;
pub(crate) use store::Store;

use axum::Router;
use axum::routing::get;

use crate::companion::Companion;

/// The routes under `/files`. The WebSocket itself is an endpoint like the others.
pub(crate) fn routes() -> Router<Companion> {
    Router::new().route("/files/{id}", get(download::answer))
}

#[cfg(test)]
mod tests;

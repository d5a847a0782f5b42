//! Files that one client leaves for others for a while.
//!
//! # Layout
//! - [`FileLimits`], `inventory`: what the store may hold and holds, without I/O
//! - `store`: the inventory with its group, its expiry task and its folder
//! - `handler`: the protocol of a connection; `upload`: the task that writes one file; `download`: files over HTTP
//! - `disk`: the temporary folder and the files in it; `name`: the rules for file names

mod disk;
mod download;
mod handler;
mod inventory;
mod name;
mod store;
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

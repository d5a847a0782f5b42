//! Files that one client leaves for others, for a while.
//!
//! # Layout
//! - [`FileLimits`]: how much may be left, and for how long
//! - [`Store`]: what there is, its expiry, and where it lies; `shelf` decides what it may hold, without I/O; `no_begin`: why it
//!   holds no more
//! - `transfer`: a connection's part in it; `wire`: what is said there
//! - `upload`: the task that writes one file and answers for it; `partial`: that file on disk
//! - `download`: a file by HTTP
//! - `folder`: the temporary folder; `name`, `id`: what is checked before it is used

mod download;
mod folder;
mod id;
mod limits;
mod name;
mod no_begin;
mod partial;
mod shelf;
mod store;
mod transfer;
mod upload;
mod wire;

pub use limits::FileLimits;
pub(crate) use store::Store;
pub(crate) use transfer::FilesHandler;

use axum::Router;
use axum::routing::get;

use crate::companion::Companion;

/// The routes under `/files`. The WebSocket itself is an endpoint like the others.
pub(crate) fn routes() -> Router<Companion> {
    Router::new().route("/files/{id}", get(download::answer))
}

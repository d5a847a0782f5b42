//! What a server offers to the pages of the demos: `/faults`.

use serde::{Deserialize, Serialize};

/// The answer to `GET /faults`: what a visitor can do to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Whether `?fault=` works.
    pub faults: bool,
    /// Whether `POST /kill` works.
    pub kill: bool,
}

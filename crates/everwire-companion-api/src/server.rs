//! What a server offers to the visitors of its pages: `/token` and `/faults`.

use serde::{Deserialize, Serialize};

/// The answer to `GET /faults`: what a visitor can do to the server.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Faults {
    /// Whether `?fault=` works.
    pub faults: bool,
    /// Whether `POST /kill` works.
    pub kill: bool,
}

/// The answer to `GET /token?name=NAME`: the credentials of a client of channels. `&renew=TOKEN` keeps the user of an earlier token, also
/// of one that has expired.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IssuedToken {
    /// The token.
    pub token: String,
    /// The id of the visitor, which others see.
    pub user: String,
    /// When the token expires.
    pub expires: u64,
}

/// What the members of a channel learn of a visitor: the payload of `join`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Visitor {
    /// The name, which another visitor may have too.
    pub name: String,
    /// The id.
    pub user: String,
}

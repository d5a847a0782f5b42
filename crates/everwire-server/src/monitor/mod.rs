//! What the machine and the server do, once a second.

use axum::Router;

use crate::Everwire;

/// The routes under `/monitor`.
pub(crate) fn routes() -> Router<Everwire> {
    Router::new()
}

//! The feed and the echo of the transport lab, over every transport that HTTP has.

use axum::Router;

use crate::Everwire;

/// The routes under `/lab`.
pub(crate) fn routes() -> Router<Everwire> {
    Router::new()
}

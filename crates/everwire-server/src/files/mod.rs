//! Files that one client leaves for others.

use axum::Router;

use crate::Everwire;

/// The routes under `/files`.
pub(crate) fn routes() -> Router<Everwire> {
    Router::new()
}

//! Answers to pages of other origins. A page that may connect by WebSocket may also read what HTTP answers.

use axum::extract::{Request, State};
use axum::http::{HeaderValue, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use crate::companion::Companion;

/// Middleware: refuses pages that may not connect, and lets the others read the response.
pub(crate) async fn checked(State(companion): State<Companion>, request: Request, next: Next) -> Response {
    let origin = request.headers().get(header::ORIGIN).cloned();
    let (request, body) = request.into_parts();
    let response = match companion.everwire().check_origin(&request) {
        Ok(()) => next.run(Request::from_parts(request, body)).await,
        Err(error) => error.into_response(),
    };
    readable_by(origin, response)
}

/// Lets the page of an origin read the response, unless it was refused.
pub(crate) fn readable_by(origin: Option<HeaderValue>, mut response: Response) -> Response {
    let is_forbidden = response.status() == StatusCode::FORBIDDEN;
    let headers = response.headers_mut();
    headers.insert(header::VARY, HeaderValue::from_static("origin"));
    if let Some(origin) = origin.filter(|_| !is_forbidden) {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
    }
    response
}

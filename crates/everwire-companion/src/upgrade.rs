use axum::body::Body;
use axum::extract::{FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::{DropReason, HandshakeError, Upgrade};

use crate::companion::Companion;
use crate::fault::{Faults, GRAMMAR};
use crate::protocol::Parameters;

/// The upgrade of a request to an endpoint, with the faults that the request names.
#[derive(Debug)]
pub(crate) struct UpgradeRequest {
    pub(crate) upgrade: Upgrade,
    pub(crate) query: Parameters,
}

impl FromRequestParts<Companion> for UpgradeRequest {
    type Rejection = Response;

    async fn from_request_parts(request: &mut Parts, companion: &Companion) -> Result<Self, Response> {
        companion.everwire().check_host(request).map_err(IntoResponse::into_response)?;
        // A page of the application may have the same path as an endpoint.
        if !Upgrade::is_requested(&request.headers)
            && wants_a_page(request)
            && let Some(pages) = companion.pages()
        {
            let request = Request::from_parts(request.clone(), Body::empty());
            return Err(pages.index(companion, request).await);
        }
        let upgrade = <Upgrade as FromRequestParts<_>>::from_request_parts(request, companion)
            .await
            .map_err(IntoResponse::into_response)?;
        Self::new(upgrade, Parameters::of(&request.uri), companion).map_err(IntoResponse::into_response)
    }
}

impl UpgradeRequest {
    fn new(upgrade: Upgrade, query: Parameters, companion: &Companion) -> Result<Self, HandshakeError> {
        let upgrade = match faults(companion, &query)? {
            None => upgrade,
            Some(Faults { refuse: Some(status), .. }) => return Err(refused(status)),
            Some(faults) => upgrade.intercept(faults.injector()),
        };
        Ok(Self { upgrade, query })
    }
}

/// The faults that a request names.
pub(crate) fn faults(companion: &Companion, query: &Parameters) -> Result<Option<Faults>, HandshakeError> {
    let Some(text) = query.text("fault") else { return Ok(None) };
    if !companion.config().faults {
        return Err(HandshakeError::bad_request("Faults are off; start the server with --faults."));
    }
    match Faults::parse(text) {
        Some(faults) => Ok(Some(faults)),
        None => Err(HandshakeError::bad_request(format!("`fault={text}` is no fault. There are: {GRAMMAR}."))),
    }
}

/// The refusal that a request names as its fault.
pub(crate) fn refused(status: StatusCode) -> HandshakeError {
    HandshakeError::new(status, DropReason::Fault, "Refused, as asked by the fault parameter.")
}

fn wants_a_page(request: &Parts) -> bool {
    let accept = request.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

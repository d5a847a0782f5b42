use std::net::IpAddr;
use std::sync::Arc;

use axum::http::StatusCode;
use everwire_server::HandshakeError;

use super::cache::is_name;
use super::feed::Choice;
use super::log::Log;
use crate::companion::Companion;
use crate::endpoints::STREAMS_FULL;
use crate::parameters::Parameters;

/// The log that a request reads: the answers to the calls of one client, or a feed.
pub(super) fn log(
    companion: &Companion,
    query: &Parameters,
    address: Option<IpAddr>,
) -> Result<Arc<Log>, HandshakeError> {
    match query.text("call") {
        Some(name) => calls(companion, name),
        None => companion.lab().feeds().log(companion, Choice::from_query(query)?, address),
    }
}

/// The log of a client's calls.
pub(super) fn calls(companion: &Companion, name: &str) -> Result<Arc<Log>, HandshakeError> {
    if !is_name(name) {
        return Err(HandshakeError::bad_request("`call` is a name of up to 40 letters, digits and hyphens."));
    }
    companion.lab().calls(name).ok_or_else(|| {
        let sentence = "As many clients make calls as may; try again in a minute.";
        HandshakeError::new(StatusCode::SERVICE_UNAVAILABLE, STREAMS_FULL, sentence)
    })
}

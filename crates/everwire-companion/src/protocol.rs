//! What the endpoints have in common: paths, query parameters, JSON messages, and handshakes with their faults.

use std::fmt::Display;
use std::ops::RangeInclusive;
use std::str::FromStr;

use axum::body::Body;
use axum::extract::{FromRequestParts, Query, Request};
use axum::http::request::Parts;
use axum::http::{StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use everwire_companion_api::ErrorMessage;
use everwire_server::{Connection, DropReason, HandshakeError, Message, Upgrade};
use serde::Serialize;

use crate::companion::Companion;
use crate::fault::{Faults, GRAMMAR};

/// The paths of the WebSockets, which are also their names in the metrics.
pub(crate) const PATHS: [&str; 12] = [
    "/echo",
    "/broadcast",
    "/hello",
    "/countdown",
    "/sum",
    "/clock",
    "/ticker",
    "/tracker",
    "/monitor",
    LAB,
    FILES,
    EVERWIRE,
];
pub(crate) const EVERWIRE: &str = "/everwire";
pub(crate) const LAB: &str = "/lab/socket";
pub(crate) const FILES: &str = "/files";

/// The reason for refusing a client when there are too many streams.
pub(crate) const STREAMS_FULL: DropReason = DropReason::Application("streams_full");

/// The query parameters of a request.
///
/// They are not deserialized into a struct, whose errors would not say which numbers are valid.
#[derive(Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn of(uri: &Uri) -> Self {
        // A list of pairs takes any text: what cannot be decoded is replaced.
        Query::try_from_uri(uri).map_or_else(|_| Self::default(), |Query(pairs)| Self(pairs))
    }

    /// The value of a parameter. The last one counts.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().rev().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A number within `range`, or `default` if the parameter is absent.
    pub(crate) fn number<T>(&self, name: &str, range: RangeInclusive<T>, default: T) -> Result<T, HandshakeError>
    where
        T: FromStr + PartialOrd + Display,
    {
        let Some(text) = self.text(name) else { return Ok(default) };
        match text.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => {
                let (start, end) = range.into_inner();
                Err(HandshakeError::bad_request(format!("`{name}={text}` must be a number from {start} to {end}.")))
            }
        }
    }
}

/// `value` as JSON. Its maps must have keys that are strings.
pub(crate) fn to_json(value: &impl Serialize) -> String {
    serde_json::to_string(value).expect("structs with string keys always have a JSON form")
}

/// A text message with `value` as JSON.
pub(crate) fn json(value: &impl Serialize) -> Message {
    Message::text(to_json(value))
}

/// Sends JSON over a connection.
pub(crate) trait SendJson {
    /// Sends `value` as JSON text.
    fn send_json(&self, value: &impl Serialize);

    /// Answers a message that the endpoint did not expect.
    fn send_error(&self, what_to_do: &str) {
        self.send_json(&ErrorMessage { error: what_to_do.to_owned() });
    }
}

impl SendJson for Connection {
    fn send_json(&self, value: &impl Serialize) {
        self.send(json(value));
    }
}

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
        let upgrade = match requested_faults(companion, &query)? {
            None => upgrade,
            Some(Faults { refuse: Some(status), .. }) => return Err(fault_refusal(status)),
            Some(faults) => upgrade.intercept(faults.injector()),
        };
        Ok(Self { upgrade, query })
    }
}

/// The faults that a request names.
pub(crate) fn requested_faults(companion: &Companion, query: &Parameters) -> Result<Option<Faults>, HandshakeError> {
    let Some(text) = query.text("fault") else { return Ok(None) };
    if !companion.config().faults {
        return Err(HandshakeError::bad_request("Faults are off; start the server with --faults."));
    }
    match Faults::parse(text) {
        Some(faults) => Ok(Some(faults)),
        None => Err(HandshakeError::bad_request(format!("`fault={text}` is not a fault. Valid faults: {GRAMMAR}."))),
    }
}

/// The refusal that a request names as its fault.
pub(crate) fn fault_refusal(status: StatusCode) -> HandshakeError {
    HandshakeError::new(status, DropReason::Fault, "Refused, as the fault parameter requests.")
}

fn wants_a_page(request: &Parts) -> bool {
    let accept = request.headers.get(header::ACCEPT).and_then(|accept| accept.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/html"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parameters(text: &str) -> Parameters {
        Parameters::of(&format!("/countdown?{text}").parse().unwrap())
    }

    #[test]
    fn a_number_is_parsed_or_defaulted_or_refused_with_its_range() {
        assert_eq!(parameters("from=3").number("from", 0..=10, 7).unwrap(), 3);
        assert_eq!(parameters("").number("from", 0..=10, 7).unwrap(), 7);
        for bad in ["from=11", "from=-1", "from=x", "from=", "from=1.5"] {
            let error = parameters(bad).number("from", 0..=10, 7).unwrap_err();
            assert_eq!(error.message(), format!("`{bad}` must be a number from 0 to 10."));
        }
    }

    #[test]
    fn percent_encoding_and_plus_are_decoded() {
        assert_eq!(parameters("symbols=A%2CB+C").text("symbols"), Some("A,B C"));
    }

    #[test]
    fn the_last_value_counts_and_text_that_cannot_be_decoded_does_not_hide_others() {
        let parameters = parameters("a=1&=&a=2&b=%ff&c=%zz&&a");
        assert_eq!((parameters.text("a"), parameters.text("c")), (Some(""), Some("%zz")));
        assert_eq!(parameters.text("b"), Some("\u{fffd}"));
    }
}

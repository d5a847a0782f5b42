use axum::http::{HeaderValue, Method, StatusCode, header};
use axum::response::{IntoResponse, Response};
use everwire_server::HandshakeError;
use everwire_server::broker::{BadName, BrokerError};
use serde::Serialize;

use super::json;

/// A refusal. The code is for programs, the message for people.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct ApiError {
    #[serde(skip)]
    pub(super) status: StatusCode,
    code: Code,
    message: String,
    /// Which message of several is meant, from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    index: Option<usize>,
}

/// Why a request is refused. `docs/standalone.md` has them all.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub(crate) enum Code {
    BadRequest,
    BadName,
    Unauthorized,
    NoRule,
    NotFound,
    NoSession,
    ApiOff,
    MethodNotAllowed,
    NotAStateChannel,
    TooLarge,
    KeyReused,
    TooManyConnections,
    Unknown,
    Unavailable,
    Busy,
}

impl Code {
    fn status(self) -> StatusCode {
        match self {
            Self::BadRequest | Self::BadName => StatusCode::BAD_REQUEST,
            Self::Unauthorized => StatusCode::UNAUTHORIZED,
            Self::NoRule => StatusCode::FORBIDDEN,
            Self::NotFound | Self::NoSession | Self::ApiOff => StatusCode::NOT_FOUND,
            Self::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            Self::NotAStateChannel => StatusCode::CONFLICT,
            Self::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Self::KeyReused => StatusCode::UNPROCESSABLE_ENTITY,
            Self::TooManyConnections => StatusCode::TOO_MANY_REQUESTS,
            Self::Unknown => StatusCode::INTERNAL_SERVER_ERROR,
            Self::Unavailable | Self::Busy => StatusCode::SERVICE_UNAVAILABLE,
        }
    }
}

impl ApiError {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { status: code.status(), code, message: message.into(), index: None }
    }

    pub(super) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(Code::BadRequest, message)
    }

    pub(super) fn too_large(what: &str, limit: usize) -> Self {
        Self::new(Code::TooLarge, format!("{what} may have at most {limit} bytes"))
    }

    /// The broker failed before anything was published.
    pub(super) fn not_stored(error: &BrokerError) -> Self {
        let code = if *error == BrokerError::Busy { Code::Busy } else { Code::Unavailable };
        Self::new(code, format!("nothing was stored: {error}"))
    }

    pub(crate) fn no_route(path: &str) -> Self {
        Self::new(Code::NotFound, format!("there is nothing at {path}"))
    }

    pub(super) fn no_method(method: &Method) -> Self {
        let message = format!("{method} is not a method of this route; the header `Allow` names them");
        Self::new(Code::MethodNotAllowed, message)
    }

    /// Names the message that is meant.
    pub(super) fn at(mut self, index: usize) -> Self {
        self.index = Some(index);
        self
    }
}

/// A publish, or a read, that the broker has not done.
impl From<BrokerError> for ApiError {
    fn from(error: BrokerError) -> Self {
        match error {
            BrokerError::Undecided | BrokerError::Forgotten => Self::new(
                Code::Unknown,
                "the journal failed at the end of the write, and whether the message was stored is not known yet; repeat it if it has an \
                 Idempotency-Key, which is stored once, and otherwise read the history first",
            ),
            error => Self::not_stored(&error),
        }
    }
}

impl From<BadName> for ApiError {
    fn from(error: BadName) -> Self {
        Self::new(Code::BadName, error.to_string())
    }
}

impl From<HandshakeError> for ApiError {
    fn from(error: HandshakeError) -> Self {
        Self { status: error.status(), ..Self::new(Code::TooManyConnections, error.message()) }
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        #[derive(Serialize)]
        struct Body<'a> {
            error: &'a ApiError,
        }
        let mut response = json(self.status, &Body { error: &self });
        if matches!(self.status, StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS) {
            response.headers_mut().insert(header::RETRY_AFTER, HeaderValue::from_static("1"));
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUIDE: &str = include_str!("../../../../../../docs/standalone.md");
    const ALL: [Code; 15] = [
        Code::BadRequest,
        Code::BadName,
        Code::Unauthorized,
        Code::NoRule,
        Code::NotFound,
        Code::NoSession,
        Code::ApiOff,
        Code::MethodNotAllowed,
        Code::NotAStateChannel,
        Code::TooLarge,
        Code::KeyReused,
        Code::TooManyConnections,
        Code::Unknown,
        Code::Unavailable,
        Code::Busy,
    ];

    #[test]
    fn the_guide_has_all_codes_with_their_statuses() {
        let table = GUIDE.lines().skip_while(|line| !line.starts_with("| status | code")).skip(2);
        let mut described = Vec::new();
        for row in table.take_while(|line| line.starts_with('|')) {
            let cells: Vec<_> = row.split('|').map(str::trim).collect();
            described.extend(cells[2].split(", ").map(|code| (code.to_owned(), cells[1].to_owned())));
        }
        let name = |code| serde_json::to_string(&code).unwrap().replace('"', "`");
        let codes: Vec<_> = ALL.iter().map(|code| (name(*code), code.status().as_u16().to_string())).collect();
        assert!(
            described.iter().all(|code| codes.contains(code) || code.0 == name(Code::TooManyConnections)),
            "{described:?}"
        );
        assert_eq!(described.len(), codes.len());
    }
}

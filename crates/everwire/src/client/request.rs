//! Requests: the stream or future of the answer.

use core::{
    fmt,
    future::Future,
    marker::PhantomData,
    pin::Pin,
    task::{Context, Poll, ready},
};

use everwire_core::{
    protocol::{ErrorCode, is_name},
    session::{QueueError, RequestId},
};
use futures_core::Stream;
use thiserror::Error;

use super::{driver::Driver, options::RequestOptions, pending::ResponsePart, subscription::Decode};
use crate::{Message, threads::Pointer};

/// Why a request has no answer.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum RequestError {
    /// The server refused it, or its handler failed.
    #[error("the request failed ({code}){}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The server's explanation; empty if it gave none.
        reason: String,
    },
    /// The timeout ran out.
    #[error("there was no answer in time: repeat it if that does no harm, or raise RequestOptions::timeout")]
    Expired,
    /// The session was lost after the request was sent: whether it was executed cannot be known.
    #[error("the session was lost after the request was sent: look whether it was done before you repeat it")]
    Unknown,
    /// It was cancelled.
    #[error("the request was cancelled")]
    Cancelled,
    /// It is larger than the server accepts.
    #[error("larger than the {limit} bytes that the server accepts: send less")]
    TooLarge {
        /// The largest message, in bytes, with some 100 bytes that are added to a payload.
        limit: usize,
    },
    /// Too much waits to be sent or is unanswered.
    #[error("too much waits for the server's answers: await some of them, or raise ClientBuilder::max_pending")]
    Full,
    /// The client is over, and the request was not sent.
    #[error("the client is closed, and the request was not sent: connect another one")]
    Closed,
    /// No request can have this name.
    #[error("not the name of a request: use 1 to 128 bytes without spaces and control characters")]
    InvalidName,
    /// The answer is empty.
    #[error("the answer has no part: use Client::request_stream")]
    NoAnswer,
    /// The answer has several parts.
    #[error("the answer has several parts: use Client::request_stream")]
    SeveralParts,
    /// The answer is not of the expected type.
    #[error("the answer cannot be decoded: {0}")]
    Decode(String),
    /// The value has no JSON form.
    #[cfg(feature = "json")]
    #[error("the value cannot be encoded: {0}")]
    Encode(#[source] serde_json::Error),
    /// A Blob, which a line cannot carry.
    #[cfg(target_family = "wasm")]
    #[error("a Blob cannot be sent: read its bytes, and send these")]
    Blob,
}

/// The parts of an answer: a `Stream`, which ends after the last part or an error.
///
/// Over reconnects it goes on with the next part, as long as the server keeps the session. Dropping it before its end cancels the
/// request, unless it was [detached](Self::detach).
#[must_use = "dropping it cancels the request"]
pub struct Answers<B> {
    state: RequestState,
    decode: Decode<B>,
    value: PhantomData<fn() -> B>,
}

enum RequestState {
    Pending {
        driver: Pointer<Driver>,
        id: RequestId,
    },
    /// The request was not accepted.
    Failed(RequestError),
    Done,
}

impl<B> Answers<B> {
    pub(super) fn start(
        driver: &Pointer<Driver>,
        name: &str,
        payload: Result<Option<Message>, RequestError>,
        options: &RequestOptions,
        decode: Decode<B>,
    ) -> Self {
        let state = match payload.and_then(|payload| accept(driver, name, payload, options)) {
            Ok(id) => RequestState::Pending { driver: Pointer::clone(driver), id },
            Err(error) => RequestState::Failed(error),
        };
        Self { state, decode, value: PhantomData }
    }

    /// Cancels the request on the server. The stream ends with [`RequestError::Cancelled`], unless the answer is complete.
    pub fn cancel(&self) {
        if let RequestState::Pending { driver, id } = &self.state {
            driver.run(|core, _| core.cancel(*id));
        }
    }

    /// Lets the request go on, and drops its answer.
    pub fn detach(mut self) {
        if let RequestState::Pending { driver, id } = &self.state {
            driver.inspect(|core| core.requests.detach(*id));
        }
        self.state = RequestState::Done;
    }

    /// The next part, and whether others follow.
    fn poll_part(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<(B, bool), RequestError>>> {
        let part = match &self.state {
            RequestState::Done => return Poll::Ready(None),
            RequestState::Failed(_) => {
                let RequestState::Failed(error) = core::mem::replace(&mut self.state, RequestState::Done) else {
                    return Poll::Ready(None);
                };
                return Poll::Ready(Some(Err(error)));
            }
            RequestState::Pending { driver, id } => {
                match driver.inspect(|core| core.requests.poll_part(*id, context.waker())) {
                    None => return Poll::Pending,
                    Some(part) => part,
                }
            }
        };
        if !matches!(part, Some(ResponsePart::Part { more: true, .. })) {
            self.state = RequestState::Done;
        }
        Poll::Ready(match part {
            // An empty last part: the server sent the parts before it knew which was the last.
            Some(ResponsePart::Part { payload: None, more: false }) | None => None,
            Some(ResponsePart::Part { payload, more }) => {
                let payload = payload.unwrap_or_else(|| Message::Text(String::new()));
                Some((self.decode)(&payload).map(|value| (value, more)).map_err(RequestError::Decode))
            }
            Some(ResponsePart::Failed { code, reason, is_over }) => Some(Err(failure(code, reason, is_over))),
        })
    }
}

fn accept(
    driver: &Pointer<Driver>,
    name: &str,
    payload: Option<Message>,
    options: &RequestOptions,
) -> Result<RequestId, RequestError> {
    if !is_name(name) {
        return Err(RequestError::InvalidName);
    }
    #[cfg(target_family = "wasm")]
    if let Some(Message::Blob(_)) = payload {
        return Err(RequestError::Blob);
    }
    let accepted = driver.run(|core, now| core.request(now, name, payload, options.timeout));
    accepted.map_err(|error| match error {
        QueueError::TooLarge { limit } => RequestError::TooLarge { limit },
        QueueError::Full => RequestError::Full,
        _ => RequestError::Closed,
    })
}

fn failure(code: ErrorCode, reason: String, is_over: bool) -> RequestError {
    match code {
        ErrorCode::Unknown => RequestError::Unknown,
        ErrorCode::Expired => RequestError::Expired,
        _ if is_over => RequestError::Closed,
        ErrorCode::Cancelled => RequestError::Cancelled,
        code => RequestError::Refused { code, reason },
    }
}

impl<B> Stream for Answers<B> {
    type Item = Result<B, RequestError>;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        self.get_mut().poll_part(context).map(|part| part.map(|part| part.map(|(value, _)| value)))
    }
}

impl<B> Drop for Answers<B> {
    fn drop(&mut self) {
        if let RequestState::Pending { driver, id } = &self.state {
            driver.run(|core, _| {
                core.requests.detach(*id);
                core.cancel(*id);
            });
        }
    }
}

impl<B> fmt::Debug for Answers<B> {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Answers").finish_non_exhaustive()
    }
}

/// The future of an answer that has one part; the request was accepted when it was made.
///
/// Dropping it before its end cancels the request, unless it was [detached](Self::detach).
#[derive(Debug)]
#[must_use = "dropping it cancels the request"]
pub struct Requesting<B> {
    answers: Answers<B>,
    /// The first part, until it proves to be the only one.
    first: Option<B>,
}

impl<B> Requesting<B> {
    pub(super) fn new(answers: Answers<B>) -> Self {
        Self { answers, first: None }
    }

    /// Cancels the request on the server. The future ends with [`RequestError::Cancelled`], unless the answer has arrived.
    pub fn cancel(&self) {
        self.answers.cancel();
    }

    /// Lets the request go on, and drops its answer.
    pub fn detach(self) {
        self.answers.detach();
    }
}

impl<B: Unpin> Future for Requesting<B> {
    type Output = Result<B, RequestError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        loop {
            return Poll::Ready(match ready!(self.answers.poll_part(context)) {
                Some(Err(error)) => Err(error),
                Some(Ok(_)) if self.first.is_some() => Err(RequestError::SeveralParts),
                Some(Ok((value, false))) => Ok(value),
                Some(Ok((value, true))) => {
                    self.first = Some(value);
                    continue;
                }
                None => self.first.take().ok_or(RequestError::NoAnswer),
            });
        }
    }
}

//! Publishes: the future of the outcome.

use core::{
    future::Future,
    pin::Pin,
    task::{Context, Poll},
};

use everwire_core::{
    Channel, Time,
    protocol::{Cursor, ErrorCode, is_name},
    session::{PublishId, PublishOutcome, QueueError},
};
use thiserror::Error;

use super::{driver::Driver, options::PublishOptions, pending::PublishResult};
use crate::{Message, threads::Pointer};

/// A publish that the server has stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Published {
    /// The position after the message. The client's own copy has the same, and comes later.
    pub cursor: Cursor,
}

impl Published {
    /// Counts the messages of the channel, from 1, while its history exists.
    pub const fn offset(&self) -> u64 {
        self.cursor.offset
    }

    /// When the server stored it, since 1970.
    pub const fn time(&self) -> Time {
        Time::from_millis(self.cursor.time)
    }
}

/// Why a message was not published, or that it cannot be known.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum PublishError {
    /// Its time to live ran out before it was sent, or sent again. The server does not have it.
    #[error("its time to live ran out, and the server does not have it: publish it again if it is still of use")]
    Expired,
    /// The server refused it.
    #[error("the server refused it ({code}){}{reason}", if reason.is_empty() { "" } else { ": " })]
    Refused {
        /// Why.
        code: ErrorCode,
        /// The server's explanation; empty if it gave none.
        reason: String,
    },
    /// It is larger than the server accepts.
    #[error("larger than the {limit} bytes that the server accepts: send less")]
    TooLarge {
        /// The largest message, in bytes, with some 100 bytes that are added to a payload.
        limit: usize,
    },
    /// The session was lost after it was sent: the server may have stored it or not. It is not sent again, because that could store
    /// it twice.
    #[error("the session was lost after it was sent: look whether it is there before you publish it again")]
    Unknown,
    /// Too much waits to be sent or is unanswered.
    #[error("too much waits for the server's answers: await some of them, or raise ClientBuilder::max_pending")]
    Full,
    /// The client is over, and the message was not sent.
    #[error("the client is closed, and the message was not sent: connect another one")]
    Closed,
    /// No channel or key can have this name.
    #[error("not the name of a channel or key: use 1 to 128 bytes without spaces and control characters")]
    InvalidName,
    /// The value has no JSON form.
    #[cfg(feature = "json")]
    #[error("the value cannot be encoded: {0}")]
    Encode(#[source] serde_json::Error),
    /// A Blob, which a line cannot carry.
    #[cfg(target_family = "wasm")]
    #[error("a Blob cannot be published: read its bytes, and publish these")]
    Blob,
}

/// The future of a publish, which was accepted when it was made: [`Client::publish`](crate::Client::publish).
///
/// Dropping it withdraws nothing: the message is published, and the outcome is not reported.
#[derive(Debug)]
#[must_use = "the outcome says whether the message is stored"]
pub struct Publishing(PublishState);

#[derive(Debug)]
enum PublishState {
    Pending {
        driver: Pointer<Driver>,
        id: PublishId,
    },
    /// The error of a publish that was not accepted, until it is read; `None` once the future has completed.
    Done(Option<PublishError>),
}

impl Publishing {
    pub(super) fn start<T>(
        driver: &Pointer<Driver>,
        channel: &Channel<T>,
        payload: Result<Option<Message>, PublishError>,
        options: PublishOptions,
    ) -> Self {
        let started = payload.and_then(|payload| accept(driver, channel.name(), payload, options));
        Self(match started {
            Ok(id) => PublishState::Pending { driver: Pointer::clone(driver), id },
            Err(error) => PublishState::Done(Some(error)),
        })
    }
}

fn accept(
    driver: &Pointer<Driver>,
    channel: &str,
    payload: Option<Message>,
    options: PublishOptions,
) -> Result<PublishId, PublishError> {
    let PublishOptions { key, time_to_live } = options;
    if !is_name(channel) || key.as_deref().is_some_and(|key| !is_name(key)) {
        return Err(PublishError::InvalidName);
    }
    #[cfg(target_family = "wasm")]
    if let Some(Message::Blob(_)) = payload {
        return Err(PublishError::Blob);
    }
    let accepted = driver.run(|core, now| core.publish(now, channel, key, payload, time_to_live));
    accepted.map_err(|error| match error {
        QueueError::TooLarge { limit } => PublishError::TooLarge { limit },
        QueueError::Full => PublishError::Full,
        _ => PublishError::Closed,
    })
}

impl Future for Publishing {
    type Output = Result<Published, PublishError>;

    fn poll(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        match &mut self.0 {
            PublishState::Pending { driver, id } => {
                match driver.inspect(|core| core.publishes.poll(*id, context.waker())) {
                    None => Poll::Pending,
                    Some(result) => {
                        self.0 = PublishState::Done(None);
                        Poll::Ready(outcome(result))
                    }
                }
            }
            // A future may stay pending when it is polled again after its end.
            PublishState::Done(error) => error.take().map_or(Poll::Pending, |error| Poll::Ready(Err(error))),
        }
    }
}

impl Drop for Publishing {
    fn drop(&mut self) {
        if let PublishState::Pending { driver, id } = &self.0 {
            driver.inspect(|core| core.publishes.detach(*id));
        }
    }
}

fn outcome(result: PublishResult) -> Result<Published, PublishError> {
    let PublishResult { outcome, reason, is_over } = result;
    match outcome {
        PublishOutcome::Stored(cursor) => Ok(Published { cursor }),
        PublishOutcome::Failed(ErrorCode::Unknown) => Err(PublishError::Unknown),
        PublishOutcome::Failed(ErrorCode::Expired) => Err(PublishError::Expired),
        PublishOutcome::Failed(_) if is_over => Err(PublishError::Closed),
        PublishOutcome::Failed(code) => Err(PublishError::Refused { code, reason }),
    }
}

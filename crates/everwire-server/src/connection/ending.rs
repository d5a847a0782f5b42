use std::borrow::Cow;
use std::time::Duration;

use futures_util::StreamExt;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::time::timeout;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::error::{CapacityError, Error, ProtocolError};
use tokio_tungstenite::tungstenite::protocol::CloseFrame;

use crate::drain::Drain;
use crate::fault::Fatal;
use crate::metrics::DropReason;

/// How long a half-open connection is kept: far longer than any client should need to notice.
const HALF_OPEN: Duration = Duration::from_secs(600);

/// How a connection ends.
#[derive(Debug)]
pub(crate) enum Ending {
    /// The peer closed or vanished; nothing more can be said to it.
    Gone,
    /// We close, with a code and a reason, and count it unless the endpoint was simply done.
    Close { code: u16, reason: Cow<'static, str>, counted: Option<DropReason>, bytes_follow: bool },
    /// A fault: cut without a close frame.
    Cut,
    /// A fault: keep TCP and do nothing.
    HalfOpen,
}

impl Ending {
    /// A close that is not the peer's fault.
    pub(crate) fn done(code: u16, reason: Cow<'static, str>) -> Self {
        Self::Close { code, reason, counted: None, bytes_follow: false }
    }

    /// A close that is counted under `why`.
    pub(crate) fn refused(code: u16, why: DropReason, reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Close { code, reason: reason.into(), counted: Some(why), bytes_follow: false }
    }

    pub(crate) fn slow_reader() -> Self {
        Self::refused(1013, DropReason::SlowReader, "reading too slowly: what waited was dropped")
    }

    pub(crate) fn drained() -> Self {
        Self::refused(1001, DropReason::Draining, "the server is stopping")
    }

    /// What an error while reading or writing leads to.
    pub(crate) fn from_error(error: Error) -> Self {
        let (code, counted, reason) = match error {
            Error::Capacity(CapacityError::MessageTooLong { max_size, .. }) => {
                (1009, DropReason::MessageTooBig, format!("a message may have {max_size} bytes"))
            }
            Error::Utf8(_) => (1007, DropReason::Malformed, "text must be UTF-8".to_owned()),
            // Both are ways to say that the peer is gone, not that it broke a rule.
            Error::Protocol(ProtocolError::ResetWithoutClosingHandshake | ProtocolError::SendAfterClosing) => {
                return Self::Gone;
            }
            Error::Protocol(error) => (1002, DropReason::Malformed, error.to_string()),
            _ => return Self::Gone,
        };
        // What follows the offending header cannot be read as frames any more.
        Self::Close { code, reason: at_most_123_bytes(reason).into(), counted: Some(counted), bytes_follow: true }
    }

    pub(crate) fn from_fault(fatal: Fatal) -> Self {
        match fatal {
            Fatal::Cut => Self::Cut,
            Fatal::HalfOpen => Self::HalfOpen,
            Fatal::Close(code) => Self::refused(code, DropReason::Fault, "as asked by the fault parameter"),
        }
    }

    /// What it is counted as.
    pub(crate) fn drop_reason(&self) -> Option<DropReason> {
        match self {
            Self::Gone => None,
            Self::Close { counted, .. } => *counted,
            Self::Cut | Self::HalfOpen => Some(DropReason::Fault),
        }
    }

    /// Ends the connection; takes at most `patience`, but for a half-open one.
    pub(crate) async fn carry_out<S>(self, mut socket: WebSocketStream<S>, patience: Duration, drain: &Drain)
    where
        S: AsyncRead + AsyncWrite + Unpin,
    {
        match self {
            Self::Cut => {}
            Self::HalfOpen => {
                tokio::select! {
                    () = tokio::time::sleep(HALF_OPEN) => {}
                    () = drain.started() => {}
                }
            }
            // The peer's close frame has been answered in the library's buffer; reading on writes that out.
            Self::Gone => {
                let _ = timeout(patience, async { while let Some(Ok(_)) = socket.next().await {} }).await;
            }
            Self::Close { code, reason, bytes_follow, .. } => {
                let frame = CloseFrame { code: code.into(), reason: reason.as_ref().into() };
                // A peer that never answers, or never reads, is cut when the time is over.
                let _ = timeout(patience, close(&mut socket, frame, bytes_follow)).await;
            }
        }
    }
}

/// Sends a close frame and waits until the peer has surely been able to read it.
async fn close<S>(socket: &mut WebSocketStream<S>, frame: CloseFrame, bytes_follow: bool) -> Result<(), Error>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    socket.close(Some(frame)).await?;
    if !bytes_follow {
        // Ends with the peer's close frame; then nothing is unread, and TCP can be closed.
        while let Some(Ok(_)) = socket.next().await {}
        return Ok(());
    }
    // Closing TCP while unread bytes are in our buffer sends a reset, which can destroy the close frame before
    // the peer reads it. So we finish our side and read on until the peer has finished its own.
    let stream = socket.get_mut();
    stream.shutdown().await?;
    let mut discarded = [0; 1024];
    while stream.read(&mut discarded).await? > 0 {}
    Ok(())
}

/// RFC 6455 section 5.5: a control frame's payload has at most 125 bytes, two of which are the code.
fn at_most_123_bytes(mut reason: String) -> String {
    while reason.len() > 123 {
        reason.pop();
    }
    reason
}

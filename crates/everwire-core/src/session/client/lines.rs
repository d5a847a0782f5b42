use super::io::{ClientInput, SubscriptionId};
use crate::{
    Time,
    protocol::{Gap, NackOf, ProtocolError, ServerError, ServerLine, Welcome},
};

impl ClientInput {
    /// The input that reports a line. `subscription` finds the subscription of a channel.
    ///
    /// `None` for the lines that are reported otherwise: `msg` to [`ClientSession::receive`], `presence`, `join` and `leave` to
    /// [`ClientSession::receive_presence`], `pong` to [`Connection::handle`](crate::Connection::handle).
    ///
    /// ```
    /// use everwire_core::{protocol::{Cursor, ServerLine}, session::{ClientInput, SubscriptionId}};
    ///
    /// let chat = SubscriptionId(1);
    /// let line = ServerLine::parse("subscribed chat 9f.16.1795219150000")?;
    /// let input = ClientInput::from_line(&line, |channel| (channel == "chat").then_some(chat));
    /// let cursor = Cursor { epoch: 0x9f, offset: 16, time: 1_795_219_150_000 };
    /// assert_eq!(input, Some(ClientInput::Subscribed { subscription: Some(chat), cursor }));
    /// # Ok::<(), everwire_core::protocol::ProtocolError<'_>>(())
    /// ```
    ///
    /// [`ClientSession::receive`]: super::ClientSession::receive
    /// [`ClientSession::receive_presence`]: super::ClientSession::receive_presence
    pub fn from_line(line: &ServerLine<'_>, subscription: impl FnOnce(&str) -> Option<SubscriptionId>) -> Option<Self> {
        Some(match *line {
            ServerLine::Welcome(Welcome { acked, requests_kept, credits, message, secret, .. }) => Self::Welcome {
                is_new: secret.is_some(),
                acked,
                keeps_requests: requests_kept,
                credits,
                max_message: usize::try_from(message).unwrap_or(usize::MAX),
            },
            ServerLine::Subscribed { channel, cursor } => {
                Self::Subscribed { subscription: subscription(channel), cursor }
            }
            ServerLine::Pos { channel, cursor, live } => {
                Self::Position { subscription: subscription(channel), cursor, is_live: live }
            }
            ServerLine::Gap(Gap { channel, reason, cursor, missed, .. }) => {
                Self::Gap { subscription: subscription(channel), reason, cursor, missed }
            }
            ServerLine::Unsub { channel, code } => Self::Unsubscribed { subscription: subscription(channel), code },
            ServerLine::Ack { seq, cursor } => Self::Acked { seq, cursor },
            ServerLine::Nack { seq, code, of: NackOf::Pub } => Self::Refused { seq, code },
            ServerLine::Nack { seq, code, of: NackOf::Req } => Self::RequestRefused { seq, code },
            ServerLine::Res { seq, part, more } => Self::Response { seq, part, more },
            ServerLine::Credits { credits } => Self::Credits(credits),
            ServerLine::Drain { deadline, spread } => {
                Self::Drain { deadline: Time::from_millis(deadline), spread: Time::from_millis(spread) }
            }
            ServerLine::Error(ServerError { code, fatal, retry, .. }) => {
                Self::Error { code, is_fatal: fatal, retry: retry.map(Time::from_millis) }
            }
            ServerLine::Bye { code } => Self::Bye { code },
            ServerLine::Msg(_)
            | ServerLine::Presence { .. }
            | ServerLine::Join { .. }
            | ServerLine::Leave { .. }
            | ServerLine::Pong { .. } => return None,
        })
    }

    /// The input that reports a line, or a message, that could not be read.
    pub fn from_error(error: &ProtocolError<'_>) -> Self {
        match error {
            ProtocolError::UnknownLine(_) => Self::UnknownLine,
            ProtocolError::Malformed { .. } => Self::Malformed,
        }
    }
}

use crate::protocol::{ClientLine, ErrorCode, ProtocolError};

/// What a server's connection does with the lines that it receives, by what it received before: the table of states and lines in
/// `docs/protocol.md`.
///
/// ```
/// use everwire_core::{protocol::{ClientLine, ErrorCode}, session::{LineHandling, ServerConnection}};
///
/// let mut connection = ServerConnection::default();
/// assert_eq!(connection.receive(&ClientLine::parse("hello attempt=0")), LineHandling::Attach);
/// assert_eq!(connection.receive(&ClientLine::parse("unsub chat")), LineHandling::Handle);
/// assert_eq!(connection.receive(&ClientLine::parse("hello attempt=0")), LineHandling::Fatal(ErrorCode::Unexpected));
/// // It ends now, and nothing that still arrives has an effect.
/// assert_eq!(connection.receive(&ClientLine::parse("unsub chat")), LineHandling::Ignore);
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct ServerConnection {
    state: State,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
enum State {
    /// Before `hello`.
    #[default]
    New,
    /// After it.
    Attached,
    /// The connection is being closed, or another one has taken over.
    Closing,
}

/// What to do with a received line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum LineHandling {
    /// Attach the connection to a session.
    Attach,
    /// Do what the line asks for.
    Handle,
    /// End the session, and close the connection.
    Close,
    /// Nothing.
    Ignore,
    /// Answer with this error, and go on.
    Report(ErrorCode),
    /// Answer with this error, which is fatal, and close the connection.
    Fatal(ErrorCode),
}

impl ServerConnection {
    /// What to do with a line, or with one that could not be read.
    pub fn receive(&mut self, line: &Result<ClientLine<'_>, ProtocolError<'_>>) -> LineHandling {
        let handling = match (self.state, line) {
            (State::Closing, _) => LineHandling::Ignore,
            (_, Err(error @ ProtocolError::UnknownLine(_))) => LineHandling::Report(error.code()),
            (_, Err(error)) => LineHandling::Fatal(error.code()),
            (_, Ok(ClientLine::Bye)) => LineHandling::Close,
            (_, Ok(ClientLine::Ping { .. } | ClientLine::Error(_))) => LineHandling::Handle,
            (State::New, Ok(ClientLine::Hello(_))) => LineHandling::Attach,
            (State::New, Ok(_)) | (State::Attached, Ok(ClientLine::Hello(_))) => {
                LineHandling::Fatal(ErrorCode::Unexpected)
            }
            (State::Attached, Ok(_)) => LineHandling::Handle,
        };
        match handling {
            LineHandling::Attach => self.state = State::Attached,
            LineHandling::Close | LineHandling::Fatal(_) => self.close(),
            _ => {}
        }
        handling
    }

    /// The connection is being closed, or another one has taken over its session: what still arrives is ignored.
    pub fn close(&mut self) {
        self.state = State::Closing;
    }

    /// Whether what arrives is ignored.
    pub fn is_closing(&self) -> bool {
        self.state == State::Closing
    }
}

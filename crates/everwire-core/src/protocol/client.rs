//! The lines of a client.

use alloc::string::String;

use super::{
    error::{EncodeError, ErrorCode, ProtocolError},
    header::{self, Cursor, HeaderReader, HeaderWriter, Reason, once},
};

/// A line that a client sends, without its payload. `docs/protocol.md` defines the meaning of each.
///
/// ```
/// use everwire_core::protocol::{ClientLine, Start, Sub};
///
/// let line = ClientLine::parse("sub prices last:20 presence=1")?;
/// let ClientLine::Sub(sub) = line else { panic!("{line:?}") };
/// assert_eq!((sub.channel, sub.start, sub.presence), ("prices", Start::Last(20), true));
///
/// let mut header = String::new();
/// ClientLine::Sub(Sub::new("chat", Start::Live)).write(&mut header).expect("the name is allowed");
/// assert_eq!(header, "sub chat live");
/// # Ok::<(), everwire_core::protocol::ProtocolError<'_>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ClientLine<'a> {
    /// Attaches; the payload holds credentials.
    Hello(Hello<'a>),
    /// Subscribes to a channel.
    Sub(Sub<'a>),
    /// Ends a subscription.
    Unsub {
        /// The channel.
        channel: &'a str,
    },
    /// Publishes the payload.
    Pub(Pub<'a>),
    /// Calls a request handler with the payload.
    Req(Req<'a>),
    /// Stops a request.
    Cancel {
        /// The number of the request.
        seq: u64,
        /// Another session of the same user, if the request is one of its.
        of: Option<&'a str>,
    },
    /// Requests a `pong`.
    Ping {
        /// Any number.
        number: u64,
    },
    /// Ends the session.
    Bye,
    /// A line of the server was wrong.
    Error(ClientError<'a>),
}

impl<'a> ClientLine<'a> {
    /// The types of all lines, in the order of the specification.
    pub const TYPES: [&'static str; 9] = ["hello", "sub", "unsub", "pub", "req", "cancel", "ping", "bye", "error"];

    /// The first word of the line.
    pub const fn line_type(&self) -> &'static str {
        match self {
            Self::Hello(_) => "hello",
            Self::Sub(_) => "sub",
            Self::Unsub { .. } => "unsub",
            Self::Pub(_) => "pub",
            Self::Req(_) => "req",
            Self::Cancel { .. } => "cancel",
            Self::Ping { .. } => "ping",
            Self::Bye => "bye",
            Self::Error(_) => "error",
        }
    }

    /// Parses a header. Use [`Lines`](super::Lines) for a whole message.
    ///
    /// # Errors
    /// The type is not known, or the specification does not allow the header.
    pub fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>> {
        let malformed = |reason| header::malformed(header, reason);
        let mut reader = HeaderReader::read(header).map_err(malformed)?;
        let line = match reader.line_type() {
            "hello" => Hello::read(reader).map(Self::Hello),
            "sub" => Sub::read(reader).map(Self::Sub),
            "unsub" => reader.argument(header::name).and_then(|channel| reader.end(Self::Unsub { channel })),
            "pub" => Pub::read(reader).map(Self::Pub),
            "req" => Req::read(reader).map(Self::Req),
            "cancel" => Self::read_cancel(reader),
            "ping" => reader.argument(header::number).and_then(|number| reader.end(Self::Ping { number })),
            "bye" => reader.end(Self::Bye),
            "error" => ClientError::read(reader).map(Self::Error),
            unknown => return Err(ProtocolError::UnknownLine(unknown)),
        };
        line.map_err(malformed)
    }

    /// Appends the header, without what separates it from a payload. Use [`MessageWriter`](super::MessageWriter) for whole messages.
    ///
    /// # Errors
    /// A field is not what the specification allows; nothing was appended.
    pub fn write(&self, header: &mut String) -> Result<(), EncodeError> {
        let writer = HeaderWriter::new(header, self.line_type());
        match *self {
            Self::Hello(hello) => hello.write(writer),
            Self::Sub(sub) => sub.write(writer),
            Self::Unsub { channel } => writer.name(channel),
            Self::Pub(publish) => publish.write(writer),
            Self::Req(request) => request.write(writer),
            Self::Cancel { seq, of } => writer.seq(seq).text_option("of", of, header::id),
            Self::Ping { number } => writer.number(number),
            Self::Bye => writer,
            Self::Error(error) => error.write(writer),
        }
        .finish()
    }

    fn read_cancel(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let seq = reader.argument(header::seq)?;
        let mut of = None;
        while let Some((name, value)) = reader.option()? {
            if name == "of" {
                once(&mut of, header::id(value)?)?;
            }
        }
        Ok(Self::Cancel { seq, of })
    }
}

/// `hello`: attaches, and resumes a session if it names one. The payload, if any, holds credentials.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Hello<'a> {
    /// How many attempts were made since the last `welcome`.
    pub attempt: u64,
    /// The session to resume; `None` starts one.
    pub resume: Option<Resume<'a>>,
    /// All publishes up to this number are answered; 0 for none.
    pub acked: u64,
    /// All requests below this number are answered; 1 for none.
    pub floor: u64,
    /// The close code by which the last connection ended, from 1000 to 4999.
    pub closed: Option<u16>,
}

/// The session that a `hello` resumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Resume<'a> {
    /// The id that `welcome` gave it. Other clients may see it.
    pub session: &'a str,
    /// The secret that `welcome` gave it. Only its owner knows it.
    pub secret: &'a str,
}

impl<'a> Hello<'a> {
    /// The `hello` of a client without a session.
    pub const fn new(attempt: u64) -> Self {
        Self { attempt, resume: None, acked: 0, floor: 1, closed: None }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (mut attempt, mut session, mut secret) = (None, None, None);
        let (mut acked, mut floor, mut closed) = (None, None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "attempt" => once(&mut attempt, header::number(value)?)?,
                "session" => once(&mut session, header::id(value)?)?,
                "secret" => once(&mut secret, header::id(value)?)?,
                "acked" => once(&mut acked, header::number(value)?)?,
                "floor" => once(&mut floor, header::seq(value)?)?,
                "closed" => once(&mut closed, header::close_code(value)?)?,
                _ => {}
            }
        }
        let resume = match (session, secret) {
            (Some(session), Some(secret)) => Some(Resume { session, secret }),
            (None, None) => None,
            _ => return Err("session= and secret= occur together"),
        };
        let attempt = attempt.ok_or("attempt= is missing")?;
        Ok(Self { attempt, resume, acked: acked.unwrap_or(0), floor: floor.unwrap_or(1), closed })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let mut writer = writer.number_option("attempt", self.attempt);
        if let Some(Resume { session, secret }) = self.resume {
            writer = writer.text_option("session", Some(session), header::id);
            writer = writer.text_option("secret", Some(secret), header::id);
        }
        if self.acked > 0 {
            writer = writer.number_option("acked", self.acked);
        }
        if self.floor != 1 {
            writer = writer.seq_option("floor", self.floor);
        }
        match self.closed {
            None => writer,
            Some(code) => writer.require(header::is_close_code(code)).display_option("closed", code),
        }
    }
}

/// `sub`: subscribes to a channel. A second one of the same channel replaces the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Sub<'a> {
    /// The channel.
    pub channel: &'a str,
    /// Where it begins.
    pub start: Start,
    /// Which messages a subscriber gets that is slower than the channel.
    pub mode: Mode,
    /// Whether the session is a member of the channel and learns about the others.
    pub presence: bool,
}

/// Where a subscription begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Start {
    /// With the next message.
    Live,
    /// At the position of the channel, which is all that is sent.
    Hold,
    /// With the latest message of each key, in the order of their offsets.
    State,
    /// With so many messages of the history.
    Last(u64),
    /// With the message after this position.
    From(Cursor),
}

/// Which messages a subscriber gets that is slower than the channel.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum Mode {
    /// Each message, later.
    #[default]
    Each,
    /// Only the latest message of each key.
    Latest,
}

impl<'a> Sub<'a> {
    /// Each message from there on, without presence.
    pub const fn new(channel: &'a str, start: Start) -> Self {
        Self { channel, start, mode: Mode::Each, presence: false }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let channel = reader.argument(header::name)?;
        let start = reader.argument(Start::read)?;
        let (mut mode, mut presence) = (None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "mode" if value == "latest" => once(&mut mode, Mode::Latest)?,
                "mode" => return Err("mode is latest"),
                "presence" => once(&mut presence, header::flag(value)?)?,
                _ => {}
            }
        }
        Ok(Self { channel, start, mode: mode.unwrap_or_default(), presence: presence.is_some() })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let writer = writer.name(self.channel);
        let writer = match self.start {
            Start::Live => writer.display("live"),
            Start::Hold => writer.display("hold"),
            Start::State => writer.display("state"),
            Start::Last(count) => writer.require(header::is_number(count)).display(format_args!("last:{count}")),
            Start::From(cursor) => {
                writer.require(header::is_number(cursor.time)).display(format_args!("from:{cursor}"))
            }
        };
        let mode = (self.mode == Mode::Latest).then_some("latest");
        writer.text_option("mode", mode, Ok).flag_option("presence", self.presence)
    }
}

impl Start {
    fn read(word: &str) -> Result<Self, Reason> {
        match word.split_once(':') {
            None if word == "live" => Ok(Self::Live),
            None if word == "hold" => Ok(Self::Hold),
            None if word == "state" => Ok(Self::State),
            Some(("last", count)) => header::number(count).map(Self::Last),
            Some(("from", cursor)) => header::cursor(cursor).map(Self::From),
            _ => Err("a subscription starts at live, hold, state, last:N or from:CURSOR"),
        }
    }
}

/// `pub`: publishes the payload. With a key and without a payload, it removes the key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Pub<'a> {
    /// The channel.
    pub channel: &'a str,
    /// Counts the publishes of the session, from 1.
    pub seq: u64,
    /// The number before it: `seq - 1`, unless publishes between expired before they were sent.
    pub after: u64,
    /// The message is the latest of this key.
    pub key: Option<&'a str>,
}

impl<'a> Pub<'a> {
    /// A publish that follows the one before it, without a key.
    pub const fn new(channel: &'a str, seq: u64) -> Self {
        Self { channel, seq, after: seq.saturating_sub(1), key: None }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let channel = reader.argument(header::name)?;
        let seq = reader.argument(header::seq)?;
        let (mut after, mut key) = (None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "after" => once(&mut after, header::number(value)?)?,
                "key" => once(&mut key, header::name(value)?)?,
                _ => {}
            }
        }
        Ok(Self { channel, seq, after: header::before(after, seq)?, key })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let writer = writer.name(self.channel).seq(self.seq).after_option(self.after, self.seq);
        writer.text_option("key", self.key, header::name)
    }
}

/// `req`: calls a request handler with the payload.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Req<'a> {
    /// Which handler.
    pub name: &'a str,
    /// Counts the requests of the session, from 1.
    pub seq: u64,
    /// Milliseconds after which the answer is not wanted any more.
    pub timeout: Option<u64>,
    /// All requests below this number are answered; 1 for none.
    pub floor: u64,
    /// The part of the answer that is expected next, when the request is sent again; 0 otherwise.
    pub part: u64,
}

impl<'a> Req<'a> {
    /// A request without a time limit.
    pub const fn new(name: &'a str, seq: u64) -> Self {
        Self { name, seq, timeout: None, floor: 1, part: 0 }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let name = reader.argument(header::name)?;
        let seq = reader.argument(header::seq)?;
        let (mut timeout, mut floor, mut part) = (None, None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "timeout" => once(&mut timeout, header::number(value)?)?,
                "floor" => once(&mut floor, header::seq(value)?)?,
                "part" => once(&mut part, header::number(value)?)?,
                _ => {}
            }
        }
        Ok(Self { name, seq, timeout, floor: floor.unwrap_or(1), part: part.unwrap_or(0) })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let mut writer = writer.name(self.name).seq(self.seq);
        if let Some(timeout) = self.timeout {
            writer = writer.number_option("timeout", timeout);
        }
        if self.floor != 1 {
            writer = writer.seq_option("floor", self.floor);
        }
        if self.part == 0 { writer } else { writer.number_option("part", self.part) }
    }
}

/// `error` of a client: a line of the server was wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ClientError<'a> {
    /// What is wrong.
    pub code: ErrorCode,
    /// The type of the line.
    pub line: Option<&'a str>,
}

impl<'a> ClientError<'a> {
    /// An error, with the type of the line if it is known.
    pub const fn new(code: ErrorCode, line: Option<&'a str>) -> Self {
        Self { code, line }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let code = reader.argument(header::code)?;
        let mut line = None;
        while let Some((name, value)) = reader.option()? {
            if name == "line" {
                once(&mut line, header::line_type(value)?)?;
            }
        }
        Ok(Self { code, line })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        writer.display(self.code).text_option("line", self.line, header::line_type)
    }
}

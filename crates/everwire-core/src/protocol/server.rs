//! The lines of a server.

use alloc::string::String;

use super::{
    delivery::{Gap, Msg},
    error::{EncodeError, ErrorCode, ProtocolError},
    header::{self, Cursor, HeaderReader, HeaderWriter, Reason, once},
};

/// A line that a server sends, without its payload. `docs/protocol.md` defines the meaning of each.
///
/// ```
/// use everwire_core::protocol::{Cursor, ServerLine};
///
/// let line = ServerLine::parse("ack 2 9f.18.1795219200100")?;
/// let cursor = Cursor { epoch: 0x9f, offset: 18, time: 1_795_219_200_100 };
/// assert_eq!(line, ServerLine::Ack { seq: 2, cursor });
///
/// let mut header = String::new();
/// line.write(&mut header).expect("what was read can be written");
/// assert_eq!(header, "ack 2 9f.18.1795219200100");
/// # Ok::<(), everwire_core::protocol::ProtocolError<'_>>(())
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ServerLine<'a> {
    /// The client is attached.
    Welcome(Welcome<'a>),
    /// The messages after this cursor follow.
    Subscribed {
        /// The channel.
        channel: &'a str,
        /// Its position.
        cursor: Cursor,
    },
    /// A message, which is the payload.
    Msg(Msg<'a>),
    /// Messages up to this cursor do not come.
    Gap(Gap<'a>),
    /// Nothing up to this cursor concerns the client.
    Pos {
        /// The channel.
        channel: &'a str,
        /// The position.
        cursor: Cursor,
        /// The subscription has caught up: what follows is new.
        live: bool,
    },
    /// The server ended the subscription, or refused it.
    Unsub {
        /// The channel.
        channel: &'a str,
        /// Why.
        code: ErrorCode,
    },
    /// A publish is stored.
    Ack {
        /// The number of the publish.
        seq: u64,
        /// Its position.
        cursor: Cursor,
    },
    /// A publish or a request failed; the payload is a readable reason.
    Nack {
        /// The number of the publish or request.
        seq: u64,
        /// Why.
        code: ErrorCode,
        /// Which of the two it is.
        of: NackOf,
    },
    /// A part of the answer to a request, which is the payload.
    Res {
        /// The number of the request.
        seq: u64,
        /// The number of the part, from 0.
        part: u64,
        /// Other parts follow.
        more: bool,
    },
    /// That many `join` lines follow, which are all members.
    Presence {
        /// The channel.
        channel: &'a str,
        /// How many are present.
        members: u64,
    },
    /// A session is present; the payload is what the server knows about it.
    Join {
        /// The channel.
        channel: &'a str,
        /// The session.
        session: &'a str,
    },
    /// A session ended with `bye`, unsubscribed or expired.
    Leave {
        /// The channel.
        channel: &'a str,
        /// The session.
        session: &'a str,
    },
    /// Replaces the credits of `welcome`.
    Credits {
        /// How many publishes and requests may be unanswered.
        credits: u64,
    },
    /// Answers a `ping`.
    Pong {
        /// The number of the `ping`.
        number: u64,
        /// The server's clock, in milliseconds since 1970.
        time: u64,
    },
    /// The server is about to stop.
    Drain {
        /// Milliseconds until it closes the connection.
        deadline: u64,
        /// The client connects again at a random time within as many milliseconds.
        spread: u64,
    },
    /// A line, or the client, is refused.
    Error(ServerError<'a>),
    /// The session is over.
    Bye {
        /// Why.
        code: ErrorCode,
    },
}

impl<'a> ServerLine<'a> {
    /// The types of all lines, in the order of the specification.
    pub const TYPES: [&'static str; 17] = [
        "welcome",
        "subscribed",
        "msg",
        "gap",
        "pos",
        "unsub",
        "ack",
        "nack",
        "res",
        "presence",
        "join",
        "leave",
        "credits",
        "pong",
        "drain",
        "error",
        "bye",
    ];

    /// The first word of the line.
    pub const fn line_type(&self) -> &'static str {
        match self {
            Self::Welcome(_) => "welcome",
            Self::Subscribed { .. } => "subscribed",
            Self::Msg(_) => "msg",
            Self::Gap(_) => "gap",
            Self::Pos { .. } => "pos",
            Self::Unsub { .. } => "unsub",
            Self::Ack { .. } => "ack",
            Self::Nack { .. } => "nack",
            Self::Res { .. } => "res",
            Self::Presence { .. } => "presence",
            Self::Join { .. } => "join",
            Self::Leave { .. } => "leave",
            Self::Credits { .. } => "credits",
            Self::Pong { .. } => "pong",
            Self::Drain { .. } => "drain",
            Self::Error(_) => "error",
            Self::Bye { .. } => "bye",
        }
    }

    /// Parses a header. Use [`Lines`](super::Lines) for a whole message.
    ///
    /// # Errors
    /// The type is not known, or the specification does not allow the header.
    pub fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>> {
        let malformed = |reason| header::malformed(header, reason);
        let reader = HeaderReader::read(header).map_err(malformed)?;
        let read = match reader.line_type() {
            "welcome" => |reader| Welcome::read(reader).map(Self::Welcome),
            "subscribed" => Self::read_subscribed,
            "msg" => |reader| Msg::read(reader).map(Self::Msg),
            "gap" => |reader| Gap::read(reader).map(Self::Gap),
            "pos" => Self::read_pos,
            "unsub" => Self::read_unsub,
            "ack" => Self::read_ack,
            "nack" => Self::read_nack,
            "res" => Self::read_res,
            "presence" => Self::read_presence,
            "join" => Self::read_join,
            "leave" => Self::read_leave,
            "credits" => Self::read_credits,
            "pong" => Self::read_pong,
            "drain" => Self::read_drain,
            "error" => |reader| ServerError::read(reader).map(Self::Error),
            "bye" => Self::read_bye,
            unknown => return Err(ProtocolError::UnknownLine(unknown)),
        };
        read(reader).map_err(malformed)
    }

    /// Appends the header, without what separates it from a payload. Use [`MessageWriter`](super::MessageWriter) for whole messages.
    ///
    /// # Errors
    /// A field is not what the specification allows; nothing was appended.
    pub fn write(&self, header: &mut String) -> Result<(), EncodeError> {
        let writer = HeaderWriter::new(header, self.line_type());
        match *self {
            Self::Welcome(welcome) => welcome.write(writer),
            Self::Subscribed { channel, cursor } => writer.name(channel).cursor(cursor),
            Self::Msg(msg) => msg.write(writer),
            Self::Gap(gap) => gap.write(writer),
            Self::Pos { channel, cursor, live } => writer.name(channel).cursor(cursor).flag_option("live", live),
            Self::Unsub { channel, code } => writer.name(channel).display(code),
            Self::Ack { seq, cursor } => writer.seq(seq).cursor(cursor),
            Self::Nack { seq, code, of } => {
                let of = (of == NackOf::Req).then_some("req");
                writer.seq(seq).display(code).text_option("of", of, Ok)
            }
            Self::Res { seq, part, more } => writer.seq(seq).number(part).flag_option("more", more),
            Self::Presence { channel, members } => writer.name(channel).number(members),
            Self::Join { channel, session } | Self::Leave { channel, session } => writer.name(channel).id(session),
            Self::Credits { credits } => writer.number(credits),
            Self::Pong { number, time } => writer.number(number).number(time),
            Self::Drain { deadline, spread } => {
                writer.number_option("deadline", deadline).number_option("spread", spread)
            }
            Self::Error(error) => error.write(writer),
            Self::Bye { code } => writer.display(code),
        }
        .finish()
    }

    fn read_subscribed(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, cursor) = (reader.argument(header::name)?, reader.argument(header::cursor)?);
        reader.end(Self::Subscribed { channel, cursor })
    }

    fn read_pos(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, cursor) = (reader.argument(header::name)?, reader.argument(header::cursor)?);
        let mut live = None;
        while let Some((name, value)) = reader.option()? {
            if name == "live" {
                once(&mut live, header::flag(value)?)?;
            }
        }
        Ok(Self::Pos { channel, cursor, live: live.is_some() })
    }

    fn read_unsub(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, code) = (reader.argument(header::name)?, reader.argument(header::code)?);
        reader.end(Self::Unsub { channel, code })
    }

    fn read_ack(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (seq, cursor) = (reader.argument(header::seq)?, reader.argument(header::cursor)?);
        reader.end(Self::Ack { seq, cursor })
    }

    fn read_nack(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (seq, code) = (reader.argument(header::seq)?, reader.argument(header::code)?);
        let mut of = None;
        while let Some((name, value)) = reader.option()? {
            if name == "of" {
                once(&mut of, if value == "req" { NackOf::Req } else { return Err("of is req") })?;
            }
        }
        Ok(Self::Nack { seq, code, of: of.unwrap_or_default() })
    }

    fn read_res(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (seq, part) = (reader.argument(header::seq)?, reader.argument(header::number)?);
        let mut more = None;
        while let Some((name, value)) = reader.option()? {
            if name == "more" {
                once(&mut more, header::flag(value)?)?;
            }
        }
        Ok(Self::Res { seq, part, more: more.is_some() })
    }

    fn read_presence(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, members) = (reader.argument(header::name)?, reader.argument(header::number)?);
        reader.end(Self::Presence { channel, members })
    }

    fn read_join(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, session) = (reader.argument(header::name)?, reader.argument(header::id)?);
        reader.end(Self::Join { channel, session })
    }

    fn read_leave(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (channel, session) = (reader.argument(header::name)?, reader.argument(header::id)?);
        reader.end(Self::Leave { channel, session })
    }

    fn read_credits(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let credits = reader.argument(header::number)?;
        reader.end(Self::Credits { credits })
    }

    fn read_pong(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (number, time) = (reader.argument(header::number)?, reader.argument(header::number)?);
        reader.end(Self::Pong { number, time })
    }

    fn read_drain(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let (mut deadline, mut spread) = (None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "deadline" => once(&mut deadline, header::number(value)?)?,
                "spread" => once(&mut spread, header::number(value)?)?,
                _ => {}
            }
        }
        let (Some(deadline), Some(spread)) = (deadline, spread) else { return Err("deadline= or spread= is missing") };
        Ok(Self::Drain { deadline, spread })
    }

    fn read_bye(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let code = reader.argument(header::code)?;
        reader.end(Self::Bye { code })
    }
}

/// `welcome`: the client is attached.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct Welcome<'a> {
    /// The session's id, which other clients may see.
    pub session: &'a str,
    /// Counts the attaches of the session, from 1.
    pub generation: u64,
    /// The server's clock, in milliseconds since 1970.
    pub time: u64,
    /// Milliseconds of silence after which the client sends a `ping`.
    pub heartbeat: u64,
    /// The most bytes of a message that the server takes, all its lines together.
    pub message: u64,
    /// How many publishes and requests may be unanswered.
    pub credits: u64,
    /// How many channels the session may be subscribed to.
    pub subscriptions: u64,
    /// Milliseconds for which the server keeps the session while it is detached.
    pub expires: u64,
    /// The publishes up to this number are decided; 0 for none.
    pub acked: u64,
    /// The session is new, and this is what resumes it.
    pub secret: Option<&'a str>,
    /// Requests of the session still run, or have their answers.
    pub requests_kept: bool,
}

impl<'a> Welcome<'a> {
    /// The first `welcome` of a session, or of a resumed one without `secret`: all limits 0 but for what is set afterwards.
    pub const fn new(session: &'a str, generation: u64) -> Self {
        Self {
            session,
            generation,
            time: 0,
            heartbeat: 0,
            message: 0,
            credits: 0,
            subscriptions: 0,
            expires: 0,
            acked: 0,
            secret: None,
            requests_kept: false,
        }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let session = reader.argument(header::id)?;
        let (mut generation, mut time, mut heartbeat, mut message) = (None, None, None, None);
        let (mut credits, mut subscriptions, mut expires, mut acked) = (None, None, None, None);
        let (mut secret, mut requests) = (None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "generation" => once(&mut generation, header::seq(value)?)?,
                "time" => once(&mut time, header::number(value)?)?,
                "heartbeat" => once(&mut heartbeat, header::number(value)?)?,
                "message" => once(&mut message, header::number(value)?)?,
                "credits" => once(&mut credits, header::number(value)?)?,
                "subscriptions" => once(&mut subscriptions, header::number(value)?)?,
                "expires" => once(&mut expires, header::number(value)?)?,
                "acked" => once(&mut acked, header::number(value)?)?,
                "secret" => once(&mut secret, header::id(value)?)?,
                "requests" if value == "kept" => once(&mut requests, ())?,
                "requests" => return Err("requests is kept"),
                _ => {}
            }
        }
        Ok(Self {
            session,
            generation: generation.ok_or("generation= is missing")?,
            time: time.ok_or("time= is missing")?,
            heartbeat: heartbeat.ok_or("heartbeat= is missing")?,
            message: message.ok_or("message= is missing")?,
            credits: credits.ok_or("credits= is missing")?,
            subscriptions: subscriptions.ok_or("subscriptions= is missing")?,
            expires: expires.ok_or("expires= is missing")?,
            acked: acked.ok_or("acked= is missing")?,
            secret,
            requests_kept: requests.is_some(),
        })
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        writer
            .id(self.session)
            .seq_option("generation", self.generation)
            .number_option("time", self.time)
            .number_option("heartbeat", self.heartbeat)
            .number_option("message", self.message)
            .number_option("credits", self.credits)
            .number_option("subscriptions", self.subscriptions)
            .number_option("expires", self.expires)
            .number_option("acked", self.acked)
            .text_option("secret", self.secret, header::id)
            .text_option("requests", self.requests_kept.then_some("kept"), Ok)
    }
}

/// What a `nack` refers to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default)]
#[non_exhaustive]
pub enum NackOf {
    /// A publish.
    #[default]
    Pub,
    /// A request.
    Req,
}

/// `error` of a server: a line, or the client, is refused. The payload, if any, is a readable reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError<'a> {
    /// Why.
    pub code: ErrorCode,
    /// The connection is closed next, with the code's [close code](ErrorCode::close_code).
    pub fatal: bool,
    /// The type of the line that is refused.
    pub line: Option<&'a str>,
    /// Milliseconds that the client waits before it tries again.
    pub retry: Option<u64>,
}

impl<'a> ServerError<'a> {
    /// An error after which the connection goes on.
    pub const fn new(code: ErrorCode) -> Self {
        Self { code, fatal: false, line: None, retry: None }
    }

    /// An error after which the connection is closed. The code must be one that [ends a connection](ErrorCode::is_fatal).
    pub const fn fatal(code: ErrorCode) -> Self {
        Self { code, fatal: true, line: None, retry: None }
    }

    fn read(mut reader: HeaderReader<'a>) -> Result<Self, Reason> {
        let code = reader.argument(header::code)?;
        let (mut fatal, mut line, mut retry) = (None, None, None);
        while let Some((name, value)) = reader.option()? {
            match name {
                "fatal" => once(&mut fatal, header::flag(value)?)?,
                "line" => once(&mut line, header::line_type(value)?)?,
                "retry" => once(&mut retry, header::number(value)?)?,
                _ => {}
            }
        }
        let error = Self { code, fatal: fatal.is_some(), line, retry };
        error.check().map(|()| error)
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let writer = writer.require(self.check()).display(self.code).flag_option("fatal", self.fatal);
        let writer = writer.text_option("line", self.line, header::line_type);
        match self.retry {
            None => writer,
            Some(retry) => writer.number_option("retry", retry),
        }
    }

    fn check(self) -> Result<(), Reason> {
        if self.fatal && !self.code.is_fatal() { Err("fatal=1 needs a code that closes a connection") } else { Ok(()) }
    }
}

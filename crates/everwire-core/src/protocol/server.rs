use alloc::string::String;

use super::{
    delivery::{Gap, Msg},
    error::{EncodeError, ErrorCode, ProtocolError},
    words::{self, Cursor, HeaderWriter, Reason, Words, once},
};

/// A line that a server sends, without its payload. `docs/protocol.md` says what each means.
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
    /// A publish or a request failed; the payload says why, for people.
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
    /// A session is present; the payload is what the server knows of it.
    Join {
        /// The channel.
        channel: &'a str,
        /// The session.
        session: &'a str,
    },
    /// A session said goodbye, unsubscribed or expired.
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
    /// The server goes away.
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

    /// Reads a header. Use [`Lines`](super::Lines) for a whole message.
    ///
    /// # Errors
    /// The type is not known, or the specification does not allow the header.
    pub fn parse(header: &'a str) -> Result<Self, ProtocolError<'a>> {
        let malformed = |reason| words::malformed(header, reason);
        let words = Words::read(header).map_err(malformed)?;
        let read = match words.line_type() {
            "welcome" => |words| Welcome::read(words).map(Self::Welcome),
            "subscribed" => Self::read_subscribed,
            "msg" => |words| Msg::read(words).map(Self::Msg),
            "gap" => |words| Gap::read(words).map(Self::Gap),
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
            "error" => |words| ServerError::read(words).map(Self::Error),
            "bye" => Self::read_bye,
            unknown => return Err(ProtocolError::UnknownLine(unknown)),
        };
        read(words).map_err(malformed)
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

    fn read_subscribed(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, cursor) = (words.argument(words::name)?, words.argument(words::cursor)?);
        words.end(Self::Subscribed { channel, cursor })
    }

    fn read_pos(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, cursor) = (words.argument(words::name)?, words.argument(words::cursor)?);
        let mut live = None;
        while let Some((name, value)) = words.option()? {
            if name == "live" {
                once(&mut live, words::flag(value)?)?;
            }
        }
        Ok(Self::Pos { channel, cursor, live: live.is_some() })
    }

    fn read_unsub(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, code) = (words.argument(words::name)?, words.argument(words::code)?);
        words.end(Self::Unsub { channel, code })
    }

    fn read_ack(mut words: Words<'a>) -> Result<Self, Reason> {
        let (seq, cursor) = (words.argument(words::seq)?, words.argument(words::cursor)?);
        words.end(Self::Ack { seq, cursor })
    }

    fn read_nack(mut words: Words<'a>) -> Result<Self, Reason> {
        let (seq, code) = (words.argument(words::seq)?, words.argument(words::code)?);
        let mut of = None;
        while let Some((name, value)) = words.option()? {
            if name == "of" {
                once(&mut of, if value == "req" { NackOf::Req } else { return Err("of is req") })?;
            }
        }
        Ok(Self::Nack { seq, code, of: of.unwrap_or_default() })
    }

    fn read_res(mut words: Words<'a>) -> Result<Self, Reason> {
        let (seq, part) = (words.argument(words::seq)?, words.argument(words::number)?);
        let mut more = None;
        while let Some((name, value)) = words.option()? {
            if name == "more" {
                once(&mut more, words::flag(value)?)?;
            }
        }
        Ok(Self::Res { seq, part, more: more.is_some() })
    }

    fn read_presence(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, members) = (words.argument(words::name)?, words.argument(words::number)?);
        words.end(Self::Presence { channel, members })
    }

    fn read_join(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, session) = (words.argument(words::name)?, words.argument(words::id)?);
        words.end(Self::Join { channel, session })
    }

    fn read_leave(mut words: Words<'a>) -> Result<Self, Reason> {
        let (channel, session) = (words.argument(words::name)?, words.argument(words::id)?);
        words.end(Self::Leave { channel, session })
    }

    fn read_credits(mut words: Words<'a>) -> Result<Self, Reason> {
        let credits = words.argument(words::number)?;
        words.end(Self::Credits { credits })
    }

    fn read_pong(mut words: Words<'a>) -> Result<Self, Reason> {
        let (number, time) = (words.argument(words::number)?, words.argument(words::number)?);
        words.end(Self::Pong { number, time })
    }

    fn read_drain(mut words: Words<'a>) -> Result<Self, Reason> {
        let (mut deadline, mut spread) = (None, None);
        while let Some((name, value)) = words.option()? {
            match name {
                "deadline" => once(&mut deadline, words::number(value)?)?,
                "spread" => once(&mut spread, words::number(value)?)?,
                _ => {}
            }
        }
        let (Some(deadline), Some(spread)) = (deadline, spread) else { return Err("deadline= or spread= is missing") };
        Ok(Self::Drain { deadline, spread })
    }

    fn read_bye(mut words: Words<'a>) -> Result<Self, Reason> {
        let code = words.argument(words::code)?;
        words.end(Self::Bye { code })
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

    fn read(mut words: Words<'a>) -> Result<Self, Reason> {
        let session = words.argument(words::id)?;
        let (mut generation, mut time, mut heartbeat, mut message) = (None, None, None, None);
        let (mut credits, mut subscriptions, mut expires, mut acked) = (None, None, None, None);
        let (mut secret, mut requests) = (None, None);
        while let Some((name, value)) = words.option()? {
            match name {
                "generation" => once(&mut generation, words::seq(value)?)?,
                "time" => once(&mut time, words::number(value)?)?,
                "heartbeat" => once(&mut heartbeat, words::number(value)?)?,
                "message" => once(&mut message, words::number(value)?)?,
                "credits" => once(&mut credits, words::number(value)?)?,
                "subscriptions" => once(&mut subscriptions, words::number(value)?)?,
                "expires" => once(&mut expires, words::number(value)?)?,
                "acked" => once(&mut acked, words::number(value)?)?,
                "secret" => once(&mut secret, words::id(value)?)?,
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
            .text_option("secret", self.secret, words::id)
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

/// `error` of a server: a line, or the client, is refused. The payload, if any, is a text for people.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub struct ServerError<'a> {
    /// Why.
    pub code: ErrorCode,
    /// The connection is closed next, with the code's [close code](ErrorCode::close_code).
    pub fatal: bool,
    /// The type of the line that is refused.
    pub line: Option<&'a str>,
    /// Milliseconds before which the client does not try again.
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

    fn read(mut words: Words<'a>) -> Result<Self, Reason> {
        let code = words.argument(words::code)?;
        let (mut fatal, mut line, mut retry) = (None, None, None);
        while let Some((name, value)) = words.option()? {
            match name {
                "fatal" => once(&mut fatal, words::flag(value)?)?,
                "line" => once(&mut line, words::line_type(value)?)?,
                "retry" => once(&mut retry, words::number(value)?)?,
                _ => {}
            }
        }
        let error = Self { code, fatal: fatal.is_some(), line, retry };
        error.check().map(|()| error)
    }

    fn write<'o>(self, writer: HeaderWriter<'o>) -> HeaderWriter<'o> {
        let writer = writer.require(self.check()).display(self.code).flag_option("fatal", self.fatal);
        let writer = writer.text_option("line", self.line, words::line_type);
        match self.retry {
            None => writer,
            Some(retry) => writer.number_option("retry", retry),
        }
    }

    fn check(self) -> Result<(), Reason> {
        if self.fatal && !self.code.is_fatal() { Err("fatal=1 needs a code that closes a connection") } else { Ok(()) }
    }
}

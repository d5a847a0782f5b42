//! Makes lines with fields at and around their bounds.

use arbitrary::{Result, Unstructured};
use everwire_core::protocol::{
    ClientError, ClientLine, Cursor, ErrorCode, Gap, GapReason, Hello, MAX_ID, MAX_NAME, MAX_NUMBER, Mode, Msg, NackOf,
    Payload, Producer, Pub, Req, Resume, ServerError, ServerLine, Start, Sub, Welcome, is_id, is_name,
};

const LONGEST_NAME: &str = ascii(&[b'n'; MAX_NAME]);
const LONGEST_ID: &str = ascii(&[b'-'; MAX_ID]);
const NAMES: [&str; 6] = ["chat", "+b4", "a=b", "größe/✓", ":", "0"];

pub(crate) fn client<'a>(bytes: &mut Unstructured<'a>) -> Result<ClientLine<'a>> {
    Ok(match bytes.int_in_range(0..=8)? {
        0 => ClientLine::Hello(hello(bytes)?),
        1 => {
            let mut sub = Sub::new(name(bytes)?, start(bytes)?);
            sub.mode = *bytes.choose(&[Mode::Each, Mode::Latest])?;
            sub.presence = bytes.arbitrary()?;
            ClientLine::Sub(sub)
        }
        2 => ClientLine::Unsub { channel: name(bytes)? },
        3 => {
            let mut publish = Pub::new(name(bytes)?, seq(bytes)?);
            publish.after = before(bytes, publish.seq)?;
            publish.key = maybe(bytes, name)?;
            ClientLine::Pub(publish)
        }
        4 => {
            let mut request = Req::new(name(bytes)?, seq(bytes)?);
            request.timeout = maybe(bytes, number)?;
            request.floor = seq(bytes)?;
            request.part = number(bytes)?;
            ClientLine::Req(request)
        }
        5 => ClientLine::Cancel { seq: seq(bytes)?, of: maybe(bytes, id)? },
        6 => ClientLine::Ping { number: number(bytes)? },
        7 => ClientLine::Bye,
        _ => ClientLine::Error(ClientError::new(code(bytes)?, maybe(bytes, line_type)?)),
    })
}

pub(crate) fn server<'a>(bytes: &mut Unstructured<'a>) -> Result<ServerLine<'a>> {
    Ok(match bytes.int_in_range(0..=16)? {
        0 => ServerLine::Welcome(welcome(bytes)?),
        1 => ServerLine::Subscribed { channel: name(bytes)?, cursor: cursor(bytes)? },
        2 => ServerLine::Msg(msg(bytes)?),
        3 => {
            let mut gap = Gap::new(name(bytes)?, *bytes.choose(&GapReason::ALL)?, cursor(bytes)?);
            gap.missed = maybe(bytes, number)?;
            ServerLine::Gap(gap)
        }
        4 => ServerLine::Pos { channel: name(bytes)?, cursor: cursor(bytes)?, live: bytes.arbitrary()? },
        5 => ServerLine::Unsub { channel: name(bytes)?, code: code(bytes)? },
        6 => ServerLine::Ack { seq: seq(bytes)?, cursor: cursor(bytes)? },
        7 => {
            let of = *bytes.choose(&[NackOf::Pub, NackOf::Req])?;
            ServerLine::Nack { seq: seq(bytes)?, code: code(bytes)?, of }
        }
        8 => ServerLine::Res { seq: seq(bytes)?, part: number(bytes)?, more: bytes.arbitrary()? },
        9 => ServerLine::Presence { channel: name(bytes)?, members: number(bytes)? },
        10 => ServerLine::Join { channel: name(bytes)?, session: id(bytes)? },
        11 => ServerLine::Leave { channel: name(bytes)?, session: id(bytes)? },
        12 => ServerLine::Credits { credits: number(bytes)? },
        13 => ServerLine::Pong { number: number(bytes)?, time: number(bytes)? },
        14 => ServerLine::Drain { deadline: number(bytes)?, spread: number(bytes)? },
        15 => {
            let mut error = ServerError::new(code(bytes)?);
            error.fatal = error.code.is_fatal() && bytes.arbitrary()?;
            error.line = maybe(bytes, line_type)?;
            error.retry = maybe(bytes, number)?;
            ServerLine::Error(error)
        }
        _ => ServerLine::Bye { code: code(bytes)? },
    })
}

pub(crate) fn msg<'a>(bytes: &mut Unstructured<'a>) -> Result<Msg<'a>> {
    let mut at = cursor(bytes)?;
    at.offset = at.offset.max(1);
    let mut msg = Msg::new(name(bytes)?, at);
    msg.by = maybe(bytes, |bytes| Ok(Producer { session: id(bytes)?, seq: seq(bytes)? }))?;
    msg.key = maybe(bytes, name)?;
    msg.after = before(bytes, at.offset)?;
    Ok(msg)
}

pub(crate) fn payload<'a>(bytes: &mut Unstructured<'a>) -> Result<Payload<'a>> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => Payload::None,
        1 => Payload::Binary(bytes.arbitrary()?),
        2 => Payload::Text("\u{1e}ping 1\n"),
        _ => Payload::Text(bytes.arbitrary()?),
    })
}

fn hello<'a>(bytes: &mut Unstructured<'a>) -> Result<Hello<'a>> {
    let mut hello = Hello::new(number(bytes)?);
    hello.resume = maybe(bytes, |bytes| Ok(Resume { session: id(bytes)?, secret: id(bytes)? }))?;
    hello.acked = number(bytes)?;
    hello.floor = seq(bytes)?;
    hello.closed = maybe(bytes, |bytes| bytes.int_in_range(1_000..=4_999))?;
    Ok(hello)
}

fn welcome<'a>(bytes: &mut Unstructured<'a>) -> Result<Welcome<'a>> {
    let mut welcome = Welcome::new(id(bytes)?, seq(bytes)?);
    let fields = [
        &mut welcome.time,
        &mut welcome.heartbeat,
        &mut welcome.message,
        &mut welcome.credits,
        &mut welcome.subscriptions,
        &mut welcome.expires,
        &mut welcome.acked,
    ];
    for field in fields {
        *field = number(bytes)?;
    }
    welcome.secret = maybe(bytes, id)?;
    welcome.requests_kept = bytes.arbitrary()?;
    Ok(welcome)
}

fn start(bytes: &mut Unstructured<'_>) -> Result<Start> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => Start::Live,
        1 => Start::Hold,
        2 => Start::State,
        3 => Start::Last(number(bytes)?),
        _ => Start::From(cursor(bytes)?),
    })
}

fn maybe<'a, T>(
    bytes: &mut Unstructured<'a>,
    make: impl FnOnce(&mut Unstructured<'a>) -> Result<T>,
) -> Result<Option<T>> {
    if bytes.arbitrary()? { make(bytes).map(Some) } else { Ok(None) }
}

fn name<'a>(bytes: &mut Unstructured<'a>) -> Result<&'a str> {
    if bytes.ratio(1, 16)? {
        return Ok(LONGEST_NAME);
    }
    let text: &str = bytes.arbitrary()?;
    if is_name(text) { Ok(text) } else { Ok(*bytes.choose(&NAMES)?) }
}

fn id<'a>(bytes: &mut Unstructured<'a>) -> Result<&'a str> {
    let text: &str = bytes.arbitrary()?;
    if is_id(text) { Ok(text) } else { Ok(*bytes.choose(&["q3Zt", "0", LONGEST_ID])?) }
}

fn line_type<'a>(bytes: &mut Unstructured<'a>) -> Result<&'a str> {
    Ok(*bytes.choose(&["hug", "-", "0", "a-type-of-thirty-two-characters-"])?)
}

fn code(bytes: &mut Unstructured<'_>) -> Result<ErrorCode> {
    Ok(*bytes.choose(&ErrorCode::ALL)?)
}

fn cursor(bytes: &mut Unstructured<'_>) -> Result<Cursor> {
    Ok(Cursor { epoch: any(bytes, u64::MAX)?, offset: any(bytes, u64::MAX)?, time: number(bytes)? })
}

fn number(bytes: &mut Unstructured<'_>) -> Result<u64> {
    any(bytes, MAX_NUMBER)
}

fn seq(bytes: &mut Unstructured<'_>) -> Result<u64> {
    number(bytes).map(|number| number.max(1))
}

fn before(bytes: &mut Unstructured<'_>, own: u64) -> Result<u64> {
    if bytes.arbitrary()? { Ok(own - 1) } else { any(bytes, own - 1) }
}

/// A number of any length, most often near a bound.
fn any(bytes: &mut Unstructured<'_>, max: u64) -> Result<u64> {
    Ok(match bytes.int_in_range(0..=5)? {
        0 => max,
        1 => max - max.min(1),
        2 => max.min(bytes.int_in_range(0..=3)?),
        3 => max.min(10_u64.pow(bytes.int_in_range(0..=19)?)),
        _ => bytes.int_in_range(0..=max)? >> bytes.int_in_range(0..=63)?,
    })
}

const fn ascii(bytes: &[u8]) -> &str {
    match std::str::from_utf8(bytes) {
        Ok(text) => text,
        Err(_) => panic!("ASCII is UTF-8"),
    }
}

//! Properties of the codec, checked with generated lines whose fields are at and around their bounds.

use arbitrary::Unstructured;
use everwire_core::protocol::{
    ClientError, ClientLine, Cursor, EncodeError, ErrorCode, Gap, GapReason, Hello, MAX_ID, MAX_NAME, MAX_NUMBER,
    Message, MessageWriter, Mode, Msg, NackOf, Payload, Producer, Pub, Req, Resume, ServerError, ServerLine, Start,
    Sub, Welcome, is_id, is_name,
};
use proptest::prelude::*;

use crate::invariants::{Client, Direction, Server, check_bytes, check_header, read};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

/// Generates a line from bytes.
type Generate<D> = for<'a> fn(&mut Unstructured<'a>) -> arbitrary::Result<<D as Direction>::Line<'a>>;

/// Writes the lines that the bytes generate into messages up to a size, and reads them back.
fn write_and_read<D: Direction>(bytes: &[u8], generate: Generate<D>, max: usize) -> Vec<Message> {
    let mut source = Unstructured::new(bytes);
    let mut writer = MessageWriter::new(max);
    let mut expected = Vec::new();
    while !source.is_empty() {
        let line = generate(&mut source).expect("any bytes make a line");
        let payload = payload(&mut source).expect("any bytes make a payload");
        match writer.push(&line, payload) {
            Ok(()) => expected.push(format!("{line:?} {payload:?}")),
            Err(EncodeError::TooLarge { bytes, max: limit }) => assert!(bytes > max && limit == max),
            Err(error) => panic!("{error}: {line:?}"),
        }
    }
    let messages: Vec<Message> = std::iter::from_fn(|| writer.pop()).collect();
    assert_eq!(messages.iter().flat_map(read::<D>).collect::<Vec<_>>(), expected);
    assert!(messages.iter().all(|message| !message.is_empty() && message.len() <= max));
    messages
}

/// The bytes of messages that hold the lines.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let client = write_and_read::<Client>(bytes, client_line, usize::MAX);
    let server = write_and_read::<Server>(bytes, server_line, usize::MAX);
    let into_bytes = |message| match message {
        Message::Text(text) => text.into_bytes(),
        Message::Binary(bytes) => bytes,
    };
    client.into_iter().chain(server).map(into_bytes).collect()
}

proptest! {
    #![proptest_config(config(1_000))]

    #[test]
    fn lines_are_read_as_they_were_written(bytes in proptest::collection::vec(any::<u8>(), 1..300)) {
        let messages = write_and_read::<Client>(&bytes, client_line, usize::MAX);
        prop_assert!(messages.len() <= 2, "{messages:?}");
        let messages = write_and_read::<Server>(&bytes, server_line, usize::MAX);
        prop_assert!(messages.len() <= 2, "{messages:?}");
    }

    #[test]
    fn no_message_is_larger_than_the_limit(bytes in proptest::collection::vec(any::<u8>(), 1..300), max in 0_usize..300) {
        write_and_read::<Client>(&bytes, client_line, max);
        write_and_read::<Server>(&bytes, server_line, max);
    }

    #[test]
    fn no_bytes_are_read_as_what_they_are_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check_bytes(&bytes);
    }

    #[test]
    fn a_damaged_message_is_refused_or_read_as_what_it_says(
        bytes in proptest::collection::vec(any::<u8>(), 1..100),
        damage in proptest::collection::vec((any::<prop::sample::Index>(), 0_u8..3, any::<prop::sample::Index>()), 1..4),
    ) {
        for mut message in messages(&bytes) {
            for (at, kind, byte) in &damage {
                // Mostly what a grammar of words and numbers has a use for.
                const BYTES: &[u8] = b"0123456789 =:.+-_abt\n\x1e\x00\x7f\xc3\xff";
                let (at, byte) = (at.index(message.len() + 1), BYTES[byte.index(BYTES.len())]);
                match kind {
                    0 if at < message.len() => message[at] = byte,
                    1 if at < message.len() => drop(message.remove(at)),
                    _ => message.insert(at, byte),
                }
            }
            check_bytes(&message);
        }
    }

    #[test]
    fn a_message_encoded_for_all_is_the_line_for_each(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
        let msg = msg(&mut Unstructured::new(&bytes)).expect("any bytes make a message");
        let (mut one, mut all) = (MessageWriter::new(usize::MAX), MessageWriter::new(usize::MAX));
        one.push(&ServerLine::Msg(msg), Payload::Text("hi")).expect("the message is right");
        let encoded = msg.encode().expect("the message is right");
        prop_assert_eq!(encoded.offset(), msg.cursor.offset);
        all.push_encoded(&encoded, msg.after, Payload::Text("hi")).expect("the message is right");
        prop_assert_eq!(one.pop(), all.pop());
        all.push_encoded(&encoded, msg.cursor.offset, Payload::None).expect_err("a message is not before itself");
        prop_assert_eq!(all.pop(), None);
    }
}

#[test]
fn each_byte_of_each_vector_is_replaced_and_none_is_read_as_what_it_is_not() {
    let vectors: serde_json::Value =
        serde_json::from_str(include_str!("../vectors/protocol.json")).expect("the vectors are JSON");
    let written = vectors["written"].as_array().expect("there are vectors");
    for text in written.iter().filter_map(|vector| vector["text"].as_str()) {
        for at in 0..text.len().min(200) {
            for byte in *b"019 =.:a-\n" {
                let mut bytes = text.as_bytes().to_vec();
                bytes[at] = byte;
                let Ok(text) = std::str::from_utf8(&bytes) else { continue };
                let header = text.split(['\u{1e}', '\n']).next().unwrap_or_default();
                check_header::<Client>(header);
                check_header::<Server>(header);
            }
        }
    }
}

// The generated lines.

const LONGEST_NAME: &str = ascii(&[b'n'; MAX_NAME]);
const LONGEST_ID: &str = ascii(&[b'-'; MAX_ID]);
const NAMES: [&str; 6] = ["chat", "+b4", "a=b", "größe/✓", ":", "0"];

fn client_line<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<ClientLine<'a>> {
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
            publish.key = optional(bytes, name)?;
            ClientLine::Pub(publish)
        }
        4 => {
            let mut request = Req::new(name(bytes)?, seq(bytes)?);
            request.timeout = optional(bytes, number)?;
            request.floor = seq(bytes)?;
            request.part = number(bytes)?;
            ClientLine::Req(request)
        }
        5 => ClientLine::Cancel { seq: seq(bytes)?, of: optional(bytes, id)? },
        6 => ClientLine::Ping { number: number(bytes)? },
        7 => ClientLine::Bye,
        _ => ClientLine::Error(ClientError::new(code(bytes)?, optional(bytes, line_type)?)),
    })
}

fn server_line<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<ServerLine<'a>> {
    Ok(match bytes.int_in_range(0..=16)? {
        0 => ServerLine::Welcome(welcome(bytes)?),
        1 => ServerLine::Subscribed { channel: name(bytes)?, cursor: cursor(bytes)? },
        2 => ServerLine::Msg(msg(bytes)?),
        3 => {
            let mut gap = Gap::new(name(bytes)?, *bytes.choose(&GapReason::ALL)?, cursor(bytes)?);
            gap.missed = optional(bytes, number)?;
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
            error.line = optional(bytes, line_type)?;
            error.retry = optional(bytes, number)?;
            ServerLine::Error(error)
        }
        _ => ServerLine::Bye { code: code(bytes)? },
    })
}

fn msg<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Msg<'a>> {
    let mut at = cursor(bytes)?;
    at.offset = at.offset.max(1);
    let mut msg = Msg::new(name(bytes)?, at);
    msg.by = optional(bytes, |bytes| Ok(Producer { session: id(bytes)?, seq: seq(bytes)? }))?;
    msg.key = optional(bytes, name)?;
    msg.after = before(bytes, at.offset)?;
    Ok(msg)
}

fn payload<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Payload<'a>> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => Payload::None,
        1 => Payload::Binary(bytes.arbitrary()?),
        2 => Payload::Text("\u{1e}ping 1\n"),
        _ => Payload::Text(bytes.arbitrary()?),
    })
}

fn hello<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Hello<'a>> {
    let mut hello = Hello::new(number(bytes)?);
    hello.resume = optional(bytes, |bytes| Ok(Resume { session: id(bytes)?, secret: id(bytes)? }))?;
    hello.acked = number(bytes)?;
    hello.floor = seq(bytes)?;
    hello.closed = optional(bytes, |bytes| bytes.int_in_range(1_000..=4_999))?;
    Ok(hello)
}

fn welcome<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<Welcome<'a>> {
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
    welcome.secret = optional(bytes, id)?;
    welcome.requests_kept = bytes.arbitrary()?;
    Ok(welcome)
}

fn start(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Start> {
    Ok(match bytes.int_in_range(0..=4)? {
        0 => Start::Live,
        1 => Start::Hold,
        2 => Start::State,
        3 => Start::Last(number(bytes)?),
        _ => Start::From(cursor(bytes)?),
    })
}

fn optional<'a, T>(
    bytes: &mut Unstructured<'a>,
    generate: impl FnOnce(&mut Unstructured<'a>) -> arbitrary::Result<T>,
) -> arbitrary::Result<Option<T>> {
    if bytes.arbitrary()? { generate(bytes).map(Some) } else { Ok(None) }
}

fn name<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<&'a str> {
    if bytes.ratio(1, 16)? {
        return Ok(LONGEST_NAME);
    }
    let text: &str = bytes.arbitrary()?;
    if is_name(text) { Ok(text) } else { Ok(*bytes.choose(&NAMES)?) }
}

fn id<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<&'a str> {
    let text: &str = bytes.arbitrary()?;
    if is_id(text) { Ok(text) } else { Ok(*bytes.choose(&["q3Zt", "0", LONGEST_ID])?) }
}

fn line_type<'a>(bytes: &mut Unstructured<'a>) -> arbitrary::Result<&'a str> {
    Ok(*bytes.choose(&["hug", "-", "0", "a-type-of-thirty-two-characters-"])?)
}

fn code(bytes: &mut Unstructured<'_>) -> arbitrary::Result<ErrorCode> {
    Ok(*bytes.choose(&ErrorCode::ALL)?)
}

fn cursor(bytes: &mut Unstructured<'_>) -> arbitrary::Result<Cursor> {
    Ok(Cursor { epoch: any_number(bytes, u64::MAX)?, offset: any_number(bytes, u64::MAX)?, time: number(bytes)? })
}

fn number(bytes: &mut Unstructured<'_>) -> arbitrary::Result<u64> {
    any_number(bytes, MAX_NUMBER)
}

fn seq(bytes: &mut Unstructured<'_>) -> arbitrary::Result<u64> {
    number(bytes).map(|number| number.max(1))
}

fn before(bytes: &mut Unstructured<'_>, own: u64) -> arbitrary::Result<u64> {
    if bytes.arbitrary()? { Ok(own - 1) } else { any_number(bytes, own - 1) }
}

/// A number of any length, most often near a bound.
fn any_number(bytes: &mut Unstructured<'_>, max: u64) -> arbitrary::Result<u64> {
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

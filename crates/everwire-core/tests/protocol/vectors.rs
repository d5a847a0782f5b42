//! The vectors, which also test the implementations in other languages.

use everwire_core::protocol::{
    ClientLine, Line, Lines, Message, MessageWriter, Mode, NackOf, Payload, ProtocolError, ServerLine, Start,
};
use serde_json::{Map, Value, json};

/// The form of a line in the vectors.
trait Describe {
    fn describe(&self) -> Value;
}

impl Describe for ClientLine<'_> {
    fn describe(&self) -> Value {
        match *self {
            Self::Hello(hello) => json!({
                "attempt": hello.attempt,
                "session": hello.resume.map(|resume| resume.session),
                "secret": hello.resume.map(|resume| resume.secret),
                "acked": hello.acked,
                "floor": hello.floor,
                "closed": hello.closed,
            }),
            Self::Sub(sub) => json!({
                "channel": sub.channel,
                "start": match sub.start {
                    Start::Live => "live".to_owned(),
                    Start::Hold => "hold".to_owned(),
                    Start::State => "state".to_owned(),
                    Start::Last(count) => format!("last:{count}"),
                    Start::From(cursor) => format!("from:{cursor}"),
                    other => panic!("{other:?} has no vector"),
                },
                "latest": sub.mode == Mode::Latest,
                "presence": sub.presence,
            }),
            Self::Unsub { channel } => json!({ "channel": channel }),
            Self::Pub(publish) => json!({
                "channel": publish.channel, "seq": publish.seq, "after": publish.after, "key": publish.key,
            }),
            Self::Req(request) => json!({
                "name": request.name,
                "seq": request.seq,
                "timeout": request.timeout,
                "floor": request.floor,
                "part": request.part,
            }),
            Self::Cancel { seq, of } => json!({ "seq": seq, "of": of }),
            Self::Ping { number } => json!({ "number": number }),
            Self::Bye => json!({}),
            Self::Error(error) => json!({ "code": error.code.as_str(), "line_type": error.line }),
            other => panic!("{other:?} has no vector"),
        }
    }
}

impl Describe for ServerLine<'_> {
    fn describe(&self) -> Value {
        match *self {
            Self::Welcome(welcome) => json!({
                "session": welcome.session,
                "generation": welcome.generation,
                "time": welcome.time,
                "heartbeat": welcome.heartbeat,
                "message": welcome.message,
                "credits": welcome.credits,
                "subscriptions": welcome.subscriptions,
                "expires": welcome.expires,
                "acked": welcome.acked,
                "secret": welcome.secret,
                "requests_kept": welcome.requests_kept,
            }),
            Self::Subscribed { channel, cursor } => json!({ "channel": channel, "cursor": cursor.to_string() }),
            Self::Msg(msg) => json!({
                "channel": msg.channel,
                "cursor": msg.cursor.to_string(),
                "by": msg.by.map(|by| by.to_string()),
                "key": msg.key,
                // An offset may be larger than what JavaScript reads exactly.
                "after": msg.after.to_string(),
            }),
            Self::Gap(gap) => json!({
                "channel": gap.channel,
                "reason": gap.reason.as_str(),
                "cursor": gap.cursor.to_string(),
                "missed": gap.missed,
            }),
            Self::Pos { channel, cursor, live } => {
                json!({ "channel": channel, "cursor": cursor.to_string(), "live": live })
            }
            Self::Unsub { channel, code } => json!({ "channel": channel, "code": code.as_str() }),
            Self::Ack { seq, cursor } => json!({ "seq": seq, "cursor": cursor.to_string() }),
            Self::Nack { seq, code, of } => {
                json!({ "seq": seq, "code": code.as_str(), "of": if of == NackOf::Req { "req" } else { "pub" } })
            }
            Self::Res { seq, part, more } => json!({ "seq": seq, "part": part, "more": more }),
            Self::Presence { channel, members } => json!({ "channel": channel, "members": members }),
            Self::Join { channel, session } | Self::Leave { channel, session } => {
                json!({ "channel": channel, "session": session })
            }
            Self::Credits { credits } => json!({ "credits": credits }),
            Self::Pong { number, time } => json!({ "number": number, "time": time }),
            Self::Drain { deadline, spread } => json!({ "deadline": deadline, "spread": spread }),
            Self::Error(error) => json!({
                "code": error.code.as_str(), "fatal": error.fatal, "line_type": error.line, "retry": error.retry,
            }),
            Self::Bye { code } => json!({ "code": code.as_str() }),
            other => panic!("{other:?} has no vector"),
        }
    }
}

fn describe_item<L: Describe>(line_type: &str, line: &L, payload: Payload<'_>) -> Value {
    let Value::Object(fields) = line.describe() else { panic!("a line is an object") };
    // Fields that a line leaves out are not in its vector.
    let mut item: Map<String, Value> = fields.into_iter().filter(|(_, value)| !value.is_null()).collect();
    item.insert("line".to_owned(), line_type.into());
    match payload {
        Payload::None => None,
        Payload::Text(text) => item.insert("payload".to_owned(), json!({ "text": text })),
        Payload::Binary(bytes) => {
            let characters: String = bytes.iter().copied().map(char::from).collect();
            item.insert("payload".to_owned(), json!({ "binary": characters }))
        }
    };
    Value::Object(item)
}

fn vectors() -> Value {
    serde_json::from_str(include_str!("../vectors/protocol.json")).expect("the vectors are JSON")
}

fn list<'v>(vectors: &'v Value, name: &str) -> &'v [Value] {
    vectors[name].as_array().unwrap_or_else(|| panic!("{name} is a list in {vectors}"))
}

fn message(vector: &Value) -> Message {
    match (&vector["text"], &vector["binary"]) {
        (Value::String(text), Value::Null) => Message::Text(text.clone()),
        (Value::Null, Value::String(bytes)) => Message::Binary(binary(bytes)),
        _ => panic!("{vector} has a text or bytes"),
    }
}

fn binary(characters: &str) -> Vec<u8> {
    characters.chars().map(|byte| u8::try_from(byte).expect("a character is a byte")).collect()
}

/// The items of a message in the form of the vectors, and the messages that its lines are written as.
fn read_and_write(from: &Value, message: &Message) -> (Vec<Value>, Vec<Message>) {
    fn read<'a, L: Line<'a> + Describe>(
        message: &'a Message,
        line_type: fn(&L) -> &'static str,
    ) -> (Vec<Value>, Vec<Message>) {
        let lines = match message {
            Message::Text(text) => Lines::<L>::text(text),
            Message::Binary(bytes) => Lines::<L>::binary(bytes),
        };
        let mut writer = MessageWriter::new(usize::MAX);
        let mut items = Vec::new();
        for item in lines {
            items.push(match item {
                Ok((line, payload)) => {
                    writer.push(&line, payload).expect("what was read can be written");
                    describe_item(line_type(&line), &line, payload)
                }
                Err(error @ (ProtocolError::UnknownLine(_) | ProtocolError::Malformed { .. })) => {
                    json!({ "error": error.code().as_str(), "line": error.line() })
                }
                Err(error) => panic!("{error:?} has no vector"),
            });
        }
        (items, std::iter::from_fn(|| writer.pop()).collect())
    }
    match from.as_str() {
        Some("client") => read::<ClientLine<'_>>(message, ClientLine::line_type),
        Some("server") => read::<ServerLine<'_>>(message, ServerLine::line_type),
        _ => panic!("a message is from a client or a server, not from {from}"),
    }
}

#[test]
fn what_is_written_is_read_with_each_field() {
    for vector in list(&vectors(), "written") {
        let message = message(vector);
        let (items, written) = read_and_write(&vector["from"], &message);
        assert_eq!(items, list(vector, "items"), "{vector}");
        assert_eq!(written, [message]);
    }
}

#[test]
fn what_others_may_write_is_read_too() {
    for vector in list(&vectors(), "tolerated") {
        let message = message(vector);
        let (items, written) = read_and_write(&vector["from"], &message);
        assert_eq!(items, list(vector, "items"), "{vector}");
        assert_ne!(written, [message], "{vector} belongs to what is written");
    }
}

#[test]
fn what_the_grammar_forbids_is_malformed_and_names_the_line() {
    let mut count = 0;
    for group in list(&vectors(), "malformed") {
        let is_binary = group["binary"].is_array();
        for message in list(group, if is_binary { "binary" } else { "text" }) {
            let text = message.as_str().expect("a message is a string");
            let message = if is_binary { Message::Binary(binary(text)) } else { Message::Text(text.to_owned()) };
            let (items, _) = read_and_write(&group["from"], &message);
            assert_eq!(items, [json!({ "error": "malformed", "line": group["line"] })], "{text:?}");
            count += 1;
        }
    }
    assert!(count > 250, "{count} messages are malformed");
}

#[test]
fn each_line_has_vectors_of_each_kind() {
    let vectors = vectors();
    for (from, types) in [("client", &ClientLine::TYPES[..]), ("server", &ServerLine::TYPES[..])] {
        let written = list(&vectors, "written").iter().filter(|vector| vector["from"] == from);
        let written: Vec<&Value> = written.flat_map(|vector| list(vector, "items")).collect();
        for line_type in types {
            assert!(written.iter().any(|item| item["line"] == *line_type), "{from}: {line_type} is written");
            let is_group = |group: &Value| group["from"] == from && group["line"] == *line_type;
            assert!(list(&vectors, "malformed").iter().any(is_group), "{from}: {line_type} is malformed");
        }
    }
}

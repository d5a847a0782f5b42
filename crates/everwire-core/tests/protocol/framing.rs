//! How lines are packed into messages, and which lines are refused.

use everwire_core::protocol::{
    ClientError, ClientLine, Cursor, EncodeError, ErrorCode, Hello, Message, MessageWriter, Msg, Payload, Pub, Resume,
    SUBPROTOCOL, ServerError, ServerLine, Start, Sub,
};

fn text_message(text: &str) -> Option<Message> {
    Some(Message::Text(text.to_owned()))
}

fn binary_message(bytes: &[u8]) -> Option<Message> {
    Some(Message::Binary(bytes.to_vec()))
}

fn ping(number: u64) -> ClientLine<'static> {
    ClientLine::Ping { number }
}

#[test]
fn lines_of_text_travel_in_one_text_message() {
    let mut writer = MessageWriter::new(usize::MAX);
    assert!(writer.is_empty());
    writer.push(&ping(1), Payload::None).unwrap();
    writer.push(&ClientLine::Pub(Pub::new("chat", 1)), Payload::Text("")).unwrap();
    writer.push(&ping(2), Payload::None).unwrap();
    assert_eq!(writer.pop(), text_message("ping 1\u{1e}pub chat 1\n\u{1e}ping 2"));
    assert!(writer.is_empty());
}

#[test]
fn lines_that_follow_bytes_join_their_binary_message_so_that_the_order_is_kept() {
    let mut writer = MessageWriter::new(usize::MAX);
    writer.push(&ping(1), Payload::None).unwrap();
    writer.push(&ClientLine::Pub(Pub::new("map", 1)), Payload::Binary(b"\x00")).unwrap();
    writer.push(&ClientLine::Pub(Pub::new("chat", 2)), Payload::Text("hi")).unwrap();
    writer.push(&ping(2), Payload::None).unwrap();
    assert_eq!(writer.pop(), text_message("ping 1"));
    assert_eq!(writer.pop(), binary_message(b"+b1 pub map 1\n\x00+t2 pub chat 2\nhiping 2\n"));
    assert_eq!(writer.pop(), None);
}

#[test]
fn a_text_with_the_separator_travels_in_a_binary_message() {
    let mut writer = MessageWriter::new(usize::MAX);
    writer.push(&ClientLine::Pub(Pub::new("chat", 1)), Payload::Text("a\u{1e}b")).unwrap();
    assert_eq!(writer.pop(), binary_message(b"+t3 pub chat 1\na\x1eb"));
}

#[test]
fn a_line_that_does_not_fit_begins_the_next_message() {
    let mut writer = MessageWriter::new(13);
    for number in 1..=3 {
        writer.push(&ping(number), Payload::None).unwrap();
    }
    assert_eq!(writer.pop(), text_message("ping 1\u{1e}ping 2"));
    assert_eq!(writer.pop(), text_message("ping 3"));
}

#[test]
fn after_a_full_binary_message_texts_travel_as_text_again() {
    let mut writer = MessageWriter::new(16);
    writer.push(&ClientLine::Pub(Pub::new("map", 1)), Payload::Binary(b"12")).unwrap();
    writer.push(&ping(1), Payload::None).unwrap();
    assert_eq!(writer.pop(), binary_message(b"+b2 pub map 1\n12"));
    assert_eq!(writer.pop(), text_message("ping 1"));
}

#[test]
fn a_line_larger_than_a_message_is_refused_with_its_size_and_leaves_no_trace() {
    let mut writer = MessageWriter::new(10);
    let publish = ClientLine::Pub(Pub::new("chat", 1));
    assert_eq!(writer.push(&publish, Payload::Text("x")), Err(EncodeError::TooLarge { bytes: 12, max: 10 }));
    assert_eq!(writer.push(&publish, Payload::Binary(b"x")), Err(EncodeError::TooLarge { bytes: 16, max: 10 }));
    assert_eq!(writer.pop(), None);
    writer.set_max_bytes(12);
    writer.push(&publish, Payload::Text("x")).unwrap();
    assert_eq!(writer.pop(), text_message("pub chat 1\nx"));
}

#[test]
fn a_sent_message_lends_its_buffer_to_the_next() {
    let mut writer = MessageWriter::new(usize::MAX);
    writer.push(&ClientLine::Pub(Pub::new("chat", 1)), Payload::Text("a long text")).unwrap();
    let Some(Message::Text(sent)) = writer.pop() else { panic!("a text message") };
    let buffer = sent.as_ptr();
    writer.recycle(Message::Text(sent));
    writer.push(&ping(1), Payload::None).unwrap();
    let Some(Message::Text(next)) = writer.pop() else { panic!("a text message") };
    assert_eq!((next.as_str(), next.as_ptr()), ("ping 1", buffer));
}

#[test]
fn what_a_peer_could_not_read_is_not_written() {
    let cursor = |offset| Cursor { epoch: 1, offset, time: 0 };
    let mut late = Pub::new("chat", 2);
    late.after = 2;
    let mut closed = Hello::new(0);
    closed.closed = Some(999);
    let mut resume = Hello::new(0);
    resume.resume = Some(Resume { session: "a.b", secret: "c" });
    let client = [
        ClientLine::Unsub { channel: "" },
        ClientLine::Unsub { channel: "a b" },
        ClientLine::Unsub { channel: "a\nb" },
        ClientLine::Sub(Sub::new("chat", Start::Last(1 << 53))),
        ClientLine::Sub(Sub::new("chat", Start::From(Cursor { time: 1 << 53, ..cursor(1) }))),
        ClientLine::Pub(Pub::new("chat", 0)),
        ClientLine::Pub(Pub::new("chat", 1 << 53)),
        ClientLine::Pub(late),
        ClientLine::Ping { number: u64::MAX },
        ClientLine::Hello(closed),
        ClientLine::Hello(resume),
        ClientLine::Error(ClientError::new(ErrorCode::Malformed, Some("A"))),
    ];
    let mut header = String::from("kept");
    for line in client {
        assert!(matches!(line.write(&mut header), Err(EncodeError::Invalid(_))), "{line:?}");
        assert_eq!(header, "kept");
    }
    let server = [
        ServerLine::Msg(Msg::new("chat", cursor(0))),
        ServerLine::Ack { seq: 0, cursor: cursor(1) },
        ServerLine::Join { channel: "room", session: "" },
        ServerLine::Error(ServerError::fatal(ErrorCode::Denied)),
    ];
    for line in server {
        assert!(matches!(line.write(&mut header), Err(EncodeError::Invalid(_))), "{line:?}");
        assert_eq!(header, "kept");
    }
    assert!(Msg::new("chat", cursor(0)).encode().is_err());
}

#[test]
fn a_cursor_is_read_as_it_is_written() {
    let cursor = Cursor { epoch: u64::MAX, offset: u64::MAX, time: (1 << 53) - 1 };
    assert_eq!(cursor.to_string().parse(), Ok(cursor));
    assert!("9f.1".parse::<Cursor>().is_err());
}

#[test]
fn the_subprotocol_is_the_one_of_the_specification() {
    assert!(include_str!("../../../../docs/protocol.md").starts_with(&format!("# The protocol {SUBPROTOCOL}\n")));
}

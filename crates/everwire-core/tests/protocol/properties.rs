use arbitrary::Unstructured;
use everwire_core::protocol::{EncodeError, Message, MessageWriter, Payload, ServerLine};
use proptest::prelude::*;

use crate::{
    check::{self, Client, Direction, Server},
    make,
};

fn config(cases: u32) -> ProptestConfig {
    ProptestConfig { cases, failure_persistence: None, ..ProptestConfig::default() }
}

type Make<D> = for<'a> fn(&mut Unstructured<'a>) -> arbitrary::Result<<D as Direction>::Line<'a>>;

/// Writes the lines that the bytes make into messages up to a size, and reads them back.
fn write_and_read<D: Direction>(bytes: &[u8], make: Make<D>, max: usize) -> Vec<Message> {
    let mut source = Unstructured::new(bytes);
    let mut writer = MessageWriter::new(max);
    let mut expected = Vec::new();
    while !source.is_empty() {
        let line = make(&mut source).expect("any bytes make a line");
        let payload = make::payload(&mut source).expect("any bytes make a payload");
        match writer.push(&line, payload) {
            Ok(()) => expected.push(format!("{line:?} {payload:?}")),
            Err(EncodeError::TooLarge { bytes, max: limit }) => assert!(bytes > max && limit == max),
            Err(error) => panic!("{error}: {line:?}"),
        }
    }
    let messages: Vec<Message> = std::iter::from_fn(|| writer.pop()).collect();
    assert_eq!(messages.iter().flat_map(check::read::<D>).collect::<Vec<_>>(), expected);
    assert!(messages.iter().all(|message| !message.is_empty() && message.len() <= max));
    messages
}

/// The bytes of messages that hold the lines.
fn messages(bytes: &[u8]) -> Vec<Vec<u8>> {
    let client = write_and_read::<Client>(bytes, make::client, usize::MAX);
    let server = write_and_read::<Server>(bytes, make::server, usize::MAX);
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
        let messages = write_and_read::<Client>(&bytes, make::client, usize::MAX);
        prop_assert!(messages.len() <= 2, "{messages:?}");
        let messages = write_and_read::<Server>(&bytes, make::server, usize::MAX);
        prop_assert!(messages.len() <= 2, "{messages:?}");
    }

    #[test]
    fn no_message_is_larger_than_the_limit(bytes in proptest::collection::vec(any::<u8>(), 1..300), max in 0_usize..300) {
        write_and_read::<Client>(&bytes, make::client, max);
        write_and_read::<Server>(&bytes, make::server, max);
    }

    #[test]
    fn no_bytes_are_read_as_what_they_are_not(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        check::bytes(&bytes);
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
            check::bytes(&message);
        }
    }

    #[test]
    fn a_message_encoded_for_all_is_the_line_for_each(bytes in proptest::collection::vec(any::<u8>(), 1..100)) {
        let msg = make::msg(&mut Unstructured::new(&bytes)).expect("any bytes make a message");
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
                check::header::<Client>(header);
                check::header::<Server>(header);
            }
        }
    }
}

//! Rooms to chat in. A room is a channel of `everwire.v1` with history, `chat/ROOM`, to which everyone may publish a [`Message`]. Each
//! room has a second channel without history, `chat/ROOM/typing`, for [`Typing`].
//!
//! Pages of older messages are the answer to the request [`HISTORY`].

use serde::{Deserialize, Serialize};

/// The rooms that are always there.
pub const ROOMS: [&str; 3] = ["lobby", "help", "random"];

/// The longest text of a message, in Unicode scalar values.
pub const TEXT_CHARS: usize = 4_000;

/// The largest message that the server takes, in bytes: a text of the longest kind with every character escaped, and its author.
pub const MESSAGE_BYTES: usize = 32 << 10;

/// The name of the request for a [`HistoryPage`], whose argument is a [`HistoryRequest`].
pub const HISTORY: &str = "chat/history";

/// The most messages of a page.
pub const PAGE_MESSAGES: u32 = 200;

/// The longest name of a room, in bytes.
const ROOM_BYTES: usize = 32;

/// A message in a room.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Message {
    /// Made up by the author, and random. A message that is sent again has the same, so that a reader who has both shows one.
    pub id: String,
    /// Who wrote it. The server replaces what the client writes here.
    pub author: Author,
    /// At most [`TEXT_CHARS`], with line feeds and without markup.
    pub text: String,
}

/// Someone who writes: the visitor of the client's token. A client without a token is known by its session, and chooses a name itself.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Author {
    /// The user, which stays the same when the name changes.
    pub id: String,
    /// The name at that time.
    pub name: String,
}

/// A notice that someone is typing. It is sent again every few seconds, and has no end of its own.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Typing {
    /// Who is typing. The server replaces what the client writes here.
    pub author: Author,
}

/// A request for messages that are older than those that a page has.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryRequest {
    /// The room.
    pub room: String,
    /// Messages before this offset; the latest if it is left out.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<u64>,
    /// How many at most, from 1 to [`PAGE_MESSAGES`]. Fewer come where they are large, but at least one if there is one.
    pub limit: u32,
}

/// Messages of a room that follow one another without a hole.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HistoryPage {
    /// The epoch of the channel, as it is in a cursor. Offsets of another epoch count something else.
    pub epoch: String,
    /// The offset of the oldest message that the server still has, or that of the next one if it has none.
    pub first: u64,
    /// The offset of the latest message; 0 before the first.
    pub last: u64,
    /// The messages, oldest first.
    pub messages: Vec<Stored>,
}

/// A message as the server keeps it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Stored {
    /// Counts the messages of the room, from 1.
    pub offset: u64,
    /// When the server stored it.
    pub time: u64,
    /// What was published; `None` if that was no [`Message`].
    pub message: Option<Message>,
}

/// The channel of a room.
pub fn channel_name(room: &str) -> String {
    format!("chat/{room}")
}

/// The channel of the room's typing notices.
pub fn typing_channel_name(room: &str) -> String {
    format!("chat/{room}/typing")
}

/// Whether a room can have this name: 1 to 32 bytes of letters, digits, `-` and `_`, of any script.
pub fn is_room_name(name: &str) -> bool {
    (1..=ROOM_BYTES).contains(&name.len())
        && name.chars().all(|char| char.is_alphanumeric() || matches!(char, '-' | '_'))
}

/// The name of the room that a person means by this: in lower case, with a hyphen for each space. `None` if there is no such name.
pub fn room_name(text: &str) -> Option<String> {
    let words: Vec<_> = text.trim().trim_start_matches('#').split_whitespace().collect();
    let name = words.join("-").to_lowercase();
    is_room_name(&name).then_some(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_room_is_found_by_what_people_type() {
        for (text, name) in
            [("Lobby", "lobby"), (" #rust ", "rust"), ("two  words", "two-words"), ("Größe_2", "größe_2")]
        {
            assert_eq!(room_name(text).as_deref(), Some(name));
        }
    }

    #[test]
    fn a_name_that_could_be_another_channel_is_refused() {
        for text in ["", "#", "lobby/typing", "a.b", "x\u{7}", &"x".repeat(33)] {
            assert_eq!(room_name(text), None, "{text:?}");
        }
    }
}

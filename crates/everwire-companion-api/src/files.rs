//! `/files`: files that one client leaves for others, for a while.
//!
//! A client asks to upload ([`ClientMessage::Upload`]), and the server answers where to begin ([`ServerMessage::Ready`]). The client
//! sends binary chunks, each behind a [`ChunkHeader`], with at most a window of bytes unacknowledged, and then the checksum
//! ([`ClientMessage::Finish`]). After a lost connection it asks again with the same [`ResumeKey`], and continues at the offset that
//! the server names.

use serde::{Deserialize, Serialize};

/// A message from a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ClientMessage {
    /// Begins or resumes an upload.
    Upload {
        /// The client's number for this attempt. The server ignores chunks of any other attempt: they were still queued when the
        /// connection was lost.
        stream: u32,
        /// The file's name, without a path.
        name: String,
        /// The size of the whole file.
        size: u64,
        /// Finds the upload again.
        resume: ResumeKey,
    },
    /// All bytes have been sent.
    Finish {
        /// The attempt.
        stream: u32,
        /// The SHA-256 of the whole file, in hexadecimal digits.
        sha256: String,
    },
    /// Drops an unfinished upload.
    Cancel {
        /// The upload.
        resume: ResumeKey,
    },
    /// Removes a file of this client before it expires.
    Remove {
        /// The [`StoredFile::id`].
        id: String,
        /// The key of the file's upload, which proves that it is the client's.
        resume: ResumeKey,
    },
}

/// A message from the server.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The first message of a connection.
    Files {
        /// All files that can be downloaded.
        files: Vec<StoredFile>,
        /// What the server accepts.
        limits: Limits,
    },
    /// A file can be downloaded from now on.
    Added {
        /// The file.
        file: StoredFile,
    },
    /// Files have expired or were removed.
    Removed {
        /// Their [`StoredFile::id`]s.
        ids: Vec<String>,
    },
    /// The upload can begin.
    Ready {
        /// The attempt.
        stream: u32,
        /// Where to begin.
        offset: u64,
        /// The most bytes that may be unacknowledged.
        window: u64,
        /// The most bytes of one chunk, without its header.
        chunk: u64,
    },
    /// Bytes have been written to the file.
    Ack {
        /// The attempt.
        stream: u32,
        /// Everything before this offset is in the file.
        offset: u64,
    },
    /// The upload is complete, and its checksum is right.
    Stored {
        /// The attempt.
        stream: u32,
        /// The file, as others see it.
        file: StoredFile,
    },
    /// The checksums differ; the server has dropped the upload.
    Mismatch {
        /// The attempt.
        stream: u32,
        /// The SHA-256 of what arrived, in hexadecimal digits.
        sha256: String,
    },
    /// The upload cannot begin.
    Refused {
        /// The attempt.
        stream: u32,
        /// What to do, in a sentence.
        error: String,
        /// Whether the same request would be refused again.
        is_final: bool,
    },
    /// The upload cannot continue; the server has dropped it.
    Failed {
        /// The attempt.
        stream: u32,
        /// What to do, in a sentence.
        error: String,
    },
    /// The upload continues over another connection.
    Taken {
        /// The attempt that this ends.
        stream: u32,
    },
}

/// A file that can be downloaded from `/files/{id}`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoredFile {
    /// Identifies the file.
    pub id: String,
    /// The name to save it under, without a path.
    pub name: String,
    /// The size of the file.
    pub size: u64,
    /// The SHA-256 of the file, in hexadecimal digits.
    pub sha256: String,
    /// When the upload was complete.
    pub added: f64,
    /// When the server removes it.
    pub expires: f64,
}

/// What the server accepts.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Limits {
    /// The largest file.
    pub file_bytes: u64,
    /// The most bytes of all files together.
    pub store_bytes: u64,
    /// The most files, unfinished ones included.
    pub files: u64,
    /// How long an interrupted upload can be resumed, in milliseconds.
    pub unfinished: f64,
    /// How long a file can be downloaded, in milliseconds.
    pub finished: f64,
}

/// Identifies an upload over reconnects: 16 to 128 letters, digits, `-` and `_`.
///
/// Who knows the key may resume, cancel and remove the file, so a client makes it from a secret and from the file.
#[derive(Clone, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String")]
pub struct ResumeKey(String);

impl ResumeKey {
    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for ResumeKey {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        let is_word = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'));
        // Shorter keys can be guessed, longer ones fill the server's memory.
        if is_word && (16..=128).contains(&text.len()) { Ok(Self(text)) } else { Err("16 to 128 letters and digits") }
    }
}

/// The start of a chunk: the attempt in 4 bytes and the chunk's offset in the file in 8, both big-endian. The rest of the message
/// is the file's bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChunkHeader {
    /// The attempt.
    pub stream: u32,
    /// Where the chunk belongs in the file.
    pub offset: u64,
}

impl ChunkHeader {
    /// The bytes of a header.
    pub const SIZE: usize = 12;

    /// The header as it precedes the file's bytes.
    pub fn to_bytes(self) -> [u8; Self::SIZE] {
        let [s0, s1, s2, s3] = self.stream.to_be_bytes();
        let [o0, o1, o2, o3, o4, o5, o6, o7] = self.offset.to_be_bytes();
        [s0, s1, s2, s3, o0, o1, o2, o3, o4, o5, o6, o7]
    }

    /// The header of a message, or `None` for a message that is too short to have one. The file's bytes begin at
    /// [`SIZE`](Self::SIZE).
    pub fn parse(message: &[u8]) -> Option<Self> {
        let [s0, s1, s2, s3, offset @ ..] = *message.first_chunk::<{ Self::SIZE }>()?;
        Some(Self { stream: u32::from_be_bytes([s0, s1, s2, s3]), offset: u64::from_be_bytes(offset) })
    }
}

use serde::{Deserialize, Serialize};

use super::FileLimits;
use super::id::FileId;
use super::name::FileName;
use super::resume::ResumeKey;

/// What precedes the bytes of a chunk: the stream (4 bytes) and the offset in the file (8 bytes), both big-endian.
pub(crate) const CHUNK_HEADER: usize = 12;

/// What a client may send.
pub(crate) const GRAMMAR: &str = r#"send {"type":"upload","stream":NUMBER,"name":TEXT,"size":BYTES,"resume":KEY}, {"type":"finish","stream":NUMBER,"sha256":HEX}, {"type":"cancel","resume":KEY}, {"type":"remove","id":ID,"resume":KEY}, where KEY is 16 to 128 letters and digits, or a chunk: stream (4 bytes), offset (8 bytes), bytes"#;

/// What a client says, beside the chunks.
#[derive(Debug, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum Request {
    /// Begins or resumes; the answer says where. The stream is the client's number for what follows: chunks of another
    /// one are those of an attempt that is over, and are let go.
    Upload { stream: u32, name: String, size: u64, resume: ResumeKey },
    /// All bytes have been sent; this is what they should hash to.
    Finish { stream: u32, sha256: String },
    /// Forgets an unfinished upload.
    Cancel { resume: ResumeKey },
    /// Takes a file away before its time.
    Remove { id: String, resume: ResumeKey },
}

/// What the server says.
#[derive(Clone, Debug, Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(crate) enum News {
    /// First on each connection.
    Files {
        files: Vec<FileInfo>,
        limits: LimitInfo,
    },
    Added {
        file: FileInfo,
    },
    Removed {
        ids: Vec<FileId>,
    },
    /// Send chunks from this offset on, each of at most `chunk` bytes, with at most `window` bytes unacknowledged.
    Ready {
        stream: u32,
        offset: u64,
        window: u64,
        chunk: u64,
    },
    /// Everything before this offset is in the file.
    Ack {
        stream: u32,
        offset: u64,
    },
    /// The file is there for others.
    Stored {
        stream: u32,
        file: FileInfo,
    },
    /// What arrived is not what was sent; it was thrown away.
    Mismatch {
        stream: u32,
        sha256: String,
    },
    /// The upload cannot begin.
    Refused {
        stream: u32,
        error: String,
        /// Whether another try would be refused as well.
        is_final: bool,
    },
    /// The upload cannot go on; what there was of it is gone.
    Failed {
        stream: u32,
        error: String,
    },
    /// The upload goes on over another connection.
    Taken {
        stream: u32,
    },
}

/// A file that can be fetched.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(crate) struct FileInfo {
    pub(crate) id: FileId,
    pub(crate) name: FileName,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) added: f64,
    /// When it goes.
    pub(crate) expires: f64,
}

/// What a client should know before it sends.
#[derive(Clone, Debug, Serialize)]
pub(crate) struct LimitInfo {
    file_bytes: u64,
    store_bytes: u64,
    files: usize,
    /// How long an upload that stopped is kept, in milliseconds.
    unfinished: f64,
    /// How long files stay, in milliseconds.
    finished: f64,
}

impl From<&FileLimits> for LimitInfo {
    fn from(limits: &FileLimits) -> Self {
        Self {
            file_bytes: limits.file_bytes.min(limits.store_bytes),
            store_bytes: limits.store_bytes,
            files: limits.files,
            unfinished: limits.unfinished.as_secs_f64() * 1e3,
            finished: limits.finished.as_secs_f64() * 1e3,
        }
    }
}

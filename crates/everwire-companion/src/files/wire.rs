use everwire_companion_api::files::{Limits, StoredFile};

use super::FileLimits;
use super::id::FileId;
use super::name::FileName;

/// What a client may send.
pub(crate) const GRAMMAR: &str = r#"send {"type":"upload","stream":NUMBER,"name":TEXT,"size":BYTES,"resume":KEY}, {"type":"finish","stream":NUMBER,"sha256":HEX}, {"type":"cancel","resume":KEY}, {"type":"remove","id":ID,"resume":KEY}, where KEY is 16 to 128 letters and digits, or a chunk: stream (4 bytes), offset (8 bytes), bytes"#;

/// A file that can be fetched.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct FileInfo {
    pub(crate) id: FileId,
    pub(crate) name: FileName,
    pub(crate) size: u64,
    pub(crate) sha256: String,
    /// Milliseconds since the Unix epoch.
    pub(crate) added: f64,
    /// Milliseconds since the Unix epoch.
    pub(crate) expires: f64,
}

impl From<FileInfo> for StoredFile {
    fn from(FileInfo { id, name, size, sha256, added, expires }: FileInfo) -> Self {
        Self { id: id.to_string(), name: name.into_string(), size, sha256, added, expires }
    }
}

impl From<&FileLimits> for Limits {
    fn from(limits: &FileLimits) -> Self {
        Self {
            file_bytes: limits.file_bytes.min(limits.store_bytes),
            store_bytes: limits.store_bytes,
            files: limits.files as u64,
            unfinished: limits.unfinished.as_secs_f64() * 1e3,
            finished: limits.finished.as_secs_f64() * 1e3,
        }
    }
}

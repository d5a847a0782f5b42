use std::path::PathBuf;
use std::time::Duration;

/// Limits of `/files`. An upload over one of them is refused with a sentence that says what to do.
#[derive(Clone, Debug)]
pub struct FileLimits {
    /// Where the server creates its temporary folder; `None` for the system's temporary directory.
    pub folder: Option<PathBuf>,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files together. Unfinished uploads count with their final size.
    pub store_bytes: u64,
    /// Number of files, unfinished uploads included.
    pub files: usize,
    /// How long an interrupted upload can be resumed.
    pub unfinished: Duration,
    /// How long an interrupted upload keeps its room when another needs it. Without this limit, two requests that are never
    /// followed by a byte could fill the store for as long as `unfinished`.
    pub idle: Duration,
    /// How long a complete file is kept.
    pub finished: Duration,
}

impl Default for FileLimits {
    fn default() -> Self {
        Self {
            folder: None,
            file_bytes: 2 << 30,
            store_bytes: 4 << 30,
            files: 100,
            unfinished: Duration::from_secs(3600),
            idle: Duration::from_secs(60),
            finished: Duration::from_secs(3600),
        }
    }
}

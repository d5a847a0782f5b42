use std::path::PathBuf;
use std::time::Duration;

/// What `/files` may hold, and for how long. Whatever goes beyond is refused with a sentence that says what to do.
#[derive(Clone, Debug)]
pub struct FileLimits {
    /// Where the server makes its temporary folder; `None` is the system's folder for such.
    pub folder: Option<PathBuf>,
    /// Bytes of one file.
    pub file_bytes: u64,
    /// Bytes of all files, the unfinished ones with the size that they will have.
    pub store_bytes: u64,
    /// How many files, with the unfinished ones.
    pub files: usize,
    /// How long an upload that does not go on is kept, so that it can be resumed.
    pub unfinished: Duration,
    /// How long an upload that does not go on keeps its room from another that needs it. Otherwise two requests that are never
    /// followed by a byte would fill the store for as long as `unfinished`.
    pub idle: Duration,
    /// How long a file is there for others.
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

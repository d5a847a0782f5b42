use std::fmt::Write as _;
use std::fs::File;
use std::io::{self, Write as _};
use std::path::Path;

use bytes::Bytes;
use sha2::{Digest, Sha256};

/// A file that is being received. Its methods block on the disk.
pub(crate) struct Partial {
    file: File,
    digest: Sha256,
}

impl Partial {
    pub(crate) fn create(path: &Path) -> io::Result<Self> {
        Ok(Self { file: File::create_new(path)?, digest: Sha256::new() })
    }

    pub(crate) fn append(&mut self, chunks: &[Bytes]) -> io::Result<()> {
        for chunk in chunks {
            self.file.write_all(chunk)?;
            self.digest.update(chunk);
        }
        Ok(())
    }

    /// The SHA-256 of the received bytes in hexadecimal.
    pub(crate) fn finish(self) -> String {
        let mut text = String::with_capacity(64);
        for byte in self.digest.finalize() {
            // Writing to a String cannot fail.
            let _ = write!(text, "{byte:02x}");
        }
        text
    }
}

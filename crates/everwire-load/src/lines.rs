use std::fs::File;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use crate::RunError;
use crate::record::Record;

/// Where `--json` goes.
pub(crate) struct Lines {
    path: PathBuf,
    to: Option<Box<dyn Write>>,
}

impl Lines {
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, RunError> {
        let Some(path) = path else { return Ok(Self { path: PathBuf::new(), to: None }) };
        let to: Box<dyn Write> = if path == Path::new("-") {
            Box::new(io::stdout())
        } else {
            let file = File::create(path).map_err(|error| RunError::Write { path: path.to_owned(), error })?;
            Box::new(BufWriter::new(file))
        };
        Ok(Self { path: path.to_owned(), to: Some(to) })
    }

    pub(crate) fn are_on_stdout(&self) -> bool {
        self.path == Path::new("-")
    }

    /// Writes a line and flushes it, so that a reader can follow the run.
    pub(crate) fn write(&mut self, record: &Record) -> Result<(), RunError> {
        let Some(to) = &mut self.to else { return Ok(()) };
        let line = serde_json::to_string(record).map_err(io::Error::from);
        let written = line.and_then(|line| writeln!(to, "{line}")).and_then(|()| to.flush());
        written.map_err(|error| match error.kind() {
            ErrorKind::BrokenPipe if self.are_on_stdout() => RunError::Unread,
            _ => RunError::Write { path: self.path.clone(), error },
        })
    }
}

use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::Child;
use std::{fs, thread};

use anyhow::{Context, Result, bail};

use crate::children;
use crate::command::Command;

/// A server's process. Dropping it ends it.
pub(super) struct Process {
    child: Child,
    address: String,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    pub(super) fn start(command: Command, log: &Path) -> Result<Self> {
        let mut child = command.stderr(File::create(log)?).spawn()?;
        children::keep(&child);
        let stdout = child.stdout.take().context("the server's stdout is not piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on http://") else {
            // It fails when the server has ended already, which is what it most likely has.
            let _ = child.kill();
            let _ = child.wait();
            let said = fs::read_to_string(log).unwrap_or_default();
            bail!("it did not come up: {}", said.lines().find(|line| !line.is_empty()).unwrap_or("it said nothing"));
        };
        // The pipe has to be emptied for as long as the server may write to it.
        thread::spawn(move || std::io::copy(&mut stdout.by_ref(), &mut std::io::sink()));
        Ok(Self { child, address: address.to_owned() })
    }

    /// Host and port.
    pub(super) fn address(&self) -> &str {
        &self.address
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // It fails when the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

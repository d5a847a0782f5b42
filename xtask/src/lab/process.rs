use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::Child;
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use crate::children;
use crate::command::Command;

/// For how long a server may say nothing. It takes a second on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(30);

/// A server's process. Dropping it ends it.
pub(super) struct Process {
    child: Child,
    port: u16,
}

impl Process {
    /// Starts it and waits until it says where it listens.
    pub(super) fn start(command: Command, log: &Path) -> Result<Self> {
        let mut child = command.stderr(File::create(log)?).spawn()?;
        children::keep(&child);
        let stdout = child.stdout.take().context("the server's stdout is not piped")?;
        let line = first_line(stdout).recv_timeout(PATIENCE).unwrap_or_default();
        let Some(port) = port(&line) else {
            end(&mut child);
            let said = fs::read_to_string(log).unwrap_or_default();
            bail!("it did not come up: {}", said.lines().find(|line| !line.is_empty()).unwrap_or("it said nothing"));
        };
        Ok(Self { child, port })
    }

    /// Where it listens on this machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

fn end(child: &mut Child) {
    // It fails when the server has ended already.
    let _ = child.kill();
    let _ = child.wait();
}

/// What comes first, once it is there; an empty line where nothing comes.
fn first_line(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (tell, told) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        // What cannot be read names no port. Whoever waits no longer does not want to know.
        let _ = stdout.read_line(&mut line);
        let _ = tell.send(line);
        // The pipe has to be emptied for as long as the server may write to it.
        io::copy(&mut stdout, &mut io::sink())
    });
    told
}

fn port(line: &str) -> Option<u16> {
    line.trim().strip_prefix("listening on http://127.0.0.1:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_server_says_where_it_listens_and_may_go_on_talking() {
        let (stdout, mut server) = io::pipe().unwrap();
        let line = first_line(stdout);
        // More than fits into a pipe: this blocks where nobody reads on.
        let chatter = "x".repeat(1 << 20);
        writeln!(server, "listening on http://127.0.0.1:4711\n{chatter}").unwrap();
        assert_eq!(port(&line.recv().unwrap()), Some(4711));
    }

    #[test]
    fn a_server_that_says_nothing_is_not_waited_for_for_ever() {
        let (stdout, server) = io::pipe().unwrap();
        let line = first_line(stdout);
        assert_eq!(line.recv_timeout(Duration::from_millis(1)), Err(mpsc::RecvTimeoutError::Timeout));
        drop(server);
        assert_eq!(port(&line.recv().unwrap()), None);
    }
}

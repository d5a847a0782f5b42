//! The companion server as a process of its own.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::process::Child;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::children;
use crate::workspace::Workspace;

/// A running companion server. Dropping it ends the process; the worker of a supervisor ends with that.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// What a server is for.
pub(crate) enum Purpose<'a> {
    /// It serves the demos and keeps their messages. Where that works, a supervisor replaces it when a visitor kills it.
    Demos { dist: &'a Path, journal: &'a Path },
    /// Tests connect to it. What it logs goes to a file.
    Tests { log: &'a Path },
}

impl Server {
    /// Starts the server with its faults and its monitor on, and waits until it listens.
    pub(crate) fn start(workspace: &Workspace, program: &Path, port: u16, purpose: &Purpose<'_>) -> Result<Self> {
        let listen = format!("127.0.0.1:{port}");
        let program = program.to_string_lossy();
        // It listens to this machine alone, whose owner may know what it does. Whoever stops it is not going to use it
        // again: no client's return has to be spread out.
        let args = ["--listen", &listen, "--faults", "--monitor", "--drain", "0"];
        let mut command = workspace.command(&program).args(args);
        match purpose {
            Purpose::Demos { dist, journal } => {
                command = command.args(["--dist".as_ref(), dist.as_os_str()]);
                command = command.args(["--journal".as_ref(), journal.as_os_str()]);
                if cfg!(unix) {
                    command = command.args(["--supervise"]);
                }
            }
            Purpose::Tests { log } => {
                log.parent().map(fs::create_dir_all).transpose()?;
                command = command.stderr(File::create(log)?);
            }
        }
        let mut child = command.spawn()?;
        children::keep(&child);
        let stdout = child.stdout.take().context("the server's stdout is not piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            let _ = child.kill();
            bail!("the companion server did not come up on {listen}: it printed {line:?}");
        };
        // The pipe has to be emptied for as long as the server may write to it.
        thread::spawn(move || std::io::copy(&mut stdout.by_ref(), &mut std::io::sink()));
        Ok(Self { child, address: address.to_owned() })
    }

    /// Where to reach it: `http://…`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// Where its WebSocket endpoints are: `ws://…`.
    pub(crate) fn web_socket_address(&self) -> String {
        self.address.replacen("http", "ws", 1)
    }

    /// Waits until the server ends by itself.
    pub(crate) fn wait(mut self) -> Result<()> {
        let status = self.child.wait()?;
        if !status.success() {
            bail!("the companion server ended ({status})");
        }
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It fails when the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The port asked for if nobody listens there, else one that is free. A port that stays the same from run to run keeps
/// what was compiled with it.
pub(crate) fn free_port(preferred: u16) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", preferred))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

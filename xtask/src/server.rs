//! The companion server as a child process.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use anyhow::{Context, Result, bail};

use crate::process::Child;
use crate::workspace::Workspace;

/// A running companion server. Dropping it ends the process; the worker of a supervisor ends with that.
pub(crate) struct Server {
    child: Child,
    address: String,
}

/// What a server is for.
pub(crate) enum Purpose<'a> {
    /// It serves the demos and keeps their messages. On Unix, a supervisor replaces it when a visitor kills it.
    Demos { pages: &'a Path, journal: &'a Path },
    /// Tests connect to it. It logs to a file.
    Tests { log: &'a Path },
}

impl Server {
    /// Starts the server with its faults and its monitor on, and waits until it listens.
    pub(crate) fn start(workspace: &Workspace, program: &Path, port: u16, purpose: &Purpose<'_>) -> Result<Self> {
        let listen = format!("127.0.0.1:{port}");
        let program = program.to_string_lossy();
        // It listens on this machine only, so its monitor is not public. No client reconnects after it stops, so it need not drain.
        let args = ["--listen", &listen, "--faults", "--monitor", "--drain", "0"];
        let mut command = workspace.command(&program).args(args);
        match purpose {
            Purpose::Demos { pages, journal } => {
                command = command.args(["--dist".as_ref(), pages.as_os_str()]);
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
        let stdout = child.stdout().context("the server's stdout is not piped")?;
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        stdout.read_line(&mut line)?;
        let Some(address) = line.trim().strip_prefix("listening on ") else {
            bail!("the companion server did not start on {listen}: it printed {line:?}");
        };
        let address = address.to_owned();
        // The server would block on a full pipe.
        thread::spawn(move || std::io::copy(&mut stdout.by_ref(), &mut std::io::sink()));
        Ok(Self { child, address })
    }

    /// Its address, `http://…`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// The address of its WebSocket endpoints, `ws://…`.
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

/// The preferred port if it is free, otherwise another one. A port that stays the same from run to run keeps what was compiled with it.
pub(crate) fn free_port(preferred: u16) -> Result<u16> {
    let listener = TcpListener::bind(("127.0.0.1", preferred))
        .or_else(|_| TcpListener::bind(("127.0.0.1", 0)))
        .context("no port is free on 127.0.0.1")?;
    Ok(listener.local_addr()?.port())
}

//! The server as a process.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use tokio::io::{AsyncBufReadExt, BufReader, copy, sink};
use tokio::process::{Child, Command};
use tokio::time::{sleep, timeout};

/// How long a server may take to listen. It may have to read its journal on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// A server process, whose journal outlives it. Dropping it kills the process.
#[derive(Debug)]
pub(crate) struct Server {
    command: ServerCommand,
    child: Child,
    address: SocketAddr,
}

/// The command that starts the process each time.
#[derive(Debug)]
struct ServerCommand {
    program: PathBuf,
    flags: Vec<OsString>,
    log: PathBuf,
}

impl Server {
    /// Starts it. The directory holds the journal and the log.
    pub(crate) async fn start(program: &Path, directory: &Path, heartbeat: Duration, more: &[String]) -> Result<Self> {
        let heartbeat = heartbeat.as_secs_f64().to_string();
        let flags = ["--allow-all", "--listen", "127.0.0.1:0", "--heartbeat", &heartbeat, "--journal"];
        let mut flags: Vec<OsString> = flags.map(OsString::from).into();
        flags.push(directory.join("journal").into());
        flags.extend(more.iter().map(OsString::from));
        let command = ServerCommand { program: program.to_owned(), flags, log: directory.join("server.log") };
        let (child, address) = command.spawn().await?;
        Ok(Self { command, child, address })
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Kills the process by a signal that it cannot handle, and starts another one after a while.
    pub(crate) async fn kill(&mut self, down: Duration) -> Result<()> {
        self.check()?;
        self.child.kill().await.context("cannot kill the server")?;
        sleep(down).await;
        (self.child, self.address) = self.command.spawn().await?;
        Ok(())
    }

    /// Suspends the process for a while, on systems that support it.
    #[cfg_attr(not(unix), expect(unused_variables, reason = "there is no such signal"))]
    pub(crate) async fn freeze(&mut self, period: Duration) -> Result<()> {
        self.check()?;
        #[cfg(unix)]
        if let Some(pid) = self.child.id() {
            use nix::sys::signal::{Signal, kill};
            let pid = nix::unistd::Pid::from_raw(pid.cast_signed());
            kill(pid, Signal::SIGSTOP).context("cannot stop the server")?;
            sleep(period).await;
            kill(pid, Signal::SIGCONT).context("cannot continue the server")?;
        }
        Ok(())
    }

    /// How often the server has panicked, by its log.
    pub(crate) fn panics(&self) -> Result<usize> {
        let log = &self.command.log;
        let text = fs::read(log).with_context(|| format!("cannot read {}", log.display()))?;
        Ok(String::from_utf8_lossy(&text).matches("panicked at").count())
    }

    /// Fails if the server has exited by itself.
    pub(crate) fn check(&mut self) -> Result<()> {
        match self.child.try_wait()? {
            Some(status) => bail!("the server exited by itself ({status}); see {}", self.command.log.display()),
            None => Ok(()),
        }
    }
}

impl ServerCommand {
    async fn spawn(&self) -> Result<(Child, SocketAddr)> {
        let Self { program, flags, log } = self;
        let output = OpenOptions::new().create(true).append(true).open(log);
        let output: File = output.with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(program);
        command.args(flags).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(output).kill_on_drop(true);
        let mut child = command.spawn().with_context(|| format!("cannot start {}", program.display()))?;
        let mut output = BufReader::new(child.stdout.take().context("the server's output is not piped")?);
        let mut line = String::new();
        // After a timeout, the text that was read contains no address.
        let _ = timeout(START_TIMEOUT, output.read_line(&mut line)).await;
        let address = line.trim_end().rsplit_once("//").and_then(|(_, address)| address.parse().ok());
        let Some(address) = address else {
            bail!("the server did not start, and printed {line:?}; see {}", log.display());
        };
        // The pipe has to be drained, or the server blocks when it writes to it.
        tokio::spawn(async move { copy(&mut output, &mut sink()).await });
        Ok((child, address))
    }
}

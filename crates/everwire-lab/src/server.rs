//! The implementations that are compared, how each is started, and its processes.

use std::fs::{self, File};
use std::io::{self, BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use serde::{Deserialize, Serialize};

use crate::Workspace;

/// How long a server may take to print where it listens. It takes a second on a busy machine.
const START_TIMEOUT: Duration = Duration::from_secs(30);

/// Options of `everwire-companion` that let one computer play many clients.
const EVERWIRE: &str = "--drain 0 --max-connections 30000 --max-connections-per-address 30000 \
                        --max-messages-per-second 0 --idle-timeout 0";

/// How many threads its runtime has.
const THREADS: &str = "TOKIO_WORKER_THREADS";

/// A server under measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Implementation {
    /// Its name in command lines and file names.
    pub(crate) id: &'static str,
    /// Its name on the page.
    pub(crate) name: &'static str,
    /// Its protocol, as `everwire-load` names it.
    pub(crate) dialect: &'static str,
    /// The path of its echo endpoint.
    path: &'static str,
    /// Its port in the command lines on the page. Each has its own, so that all can run at once.
    port: u16,
}

/// How many processes and threads a server has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Processes {
    /// How many processes serve.
    pub(crate) workers: u32,
    /// How many threads each of them has, if the server has such an option. `None` leaves the choice to the server.
    pub(crate) threads: Option<u32>,
}

/// The processes of a server. Dropping it ends them.
pub(crate) struct RunningServer(Vec<ServerProcess>);

impl Implementation {
    /// In the order of the tables.
    pub(crate) const ALL: [Self; 4] = [
        Self { id: "everwire", name: "Everwire", dialect: "plain", path: "/echo", port: 9001 },
        Self { id: "ws", name: "ws", dialect: "plain", path: "/echo", port: 9002 },
        Self { id: "socket.io", name: "socket.io", dialect: "socket.io", path: "", port: 9003 },
        Self { id: "socketcluster", name: "SocketCluster", dialect: "socketcluster", path: "", port: 9004 },
    ];

    /// All of them; another one is first in each run.
    pub(crate) fn in_turn(run: u32) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().cycle().skip(run as usize % Self::ALL.len()).take(Self::ALL.len())
    }

    /// Starts it on a free port and logs to files.
    pub(crate) fn start(&self, workspace: &Workspace, processes: Processes, log: &Path) -> Result<RunningServer> {
        let mut running = RunningServer(Vec::new());
        for number in 0..self.commands(processes) {
            let mut command =
                workspace.command(if self.is_ours() { workspace.program("everwire-companion") } else { "node".into() });
            command.args(self.arguments(processes, running.port()));
            if let Some(threads) = self.threads(processes) {
                command.env(THREADS, threads.to_string());
            }
            running.0.push(ServerProcess::start(command, &log.with_extension(format!("{number}.log")))?);
        }
        Ok(running)
    }

    /// The command lines that start it by hand in the project's root.
    pub(crate) fn command_lines(&self, processes: Processes) -> String {
        let program = if self.is_ours() { "target/release/everwire-companion" } else { "node" };
        let threads = self.threads(processes).map(|threads| format!("{THREADS}={threads} ")).unwrap_or_default();
        let line = format!("{threads}{program} {}", self.arguments(processes, self.port).join(" "));
        vec![line; self.commands(processes) as usize].join("\n")
    }

    /// The address of its echo endpoint on `port`, or on the port of [`Implementation::command_lines`].
    pub(crate) fn url(&self, port: Option<u16>) -> String {
        format!("ws://127.0.0.1:{}{}", port.unwrap_or(self.port), self.path)
    }

    fn is_ours(&self) -> bool {
        self.id == "everwire"
    }

    /// How many commands start it. Node.js has a process that hands out connections to its workers; with Everwire the system
    /// does, among all processes that listen on the port.
    fn commands(&self, processes: Processes) -> u32 {
        if self.is_ours() { processes.workers } else { 1 }
    }

    /// JavaScript has one thread in any case.
    fn threads(&self, processes: Processes) -> Option<u32> {
        processes.threads.filter(|_| self.is_ours())
    }

    /// With port 0 the system chooses one.
    fn arguments(&self, Processes { workers, .. }: Processes, port: u16) -> Vec<String> {
        let arguments = if self.is_ours() {
            let shared = if workers > 1 { " --reuse-port" } else { "" };
            format!("--listen 127.0.0.1:{port}{shared} {EVERWIRE}")
        } else {
            format!("bench/reference/main.js {} --workers {workers} --port {port}", self.id)
        };
        arguments.split_whitespace().map(str::to_owned).collect()
    }
}

impl RunningServer {
    /// The port of the first process, which the others share; 0 before there is one.
    pub(crate) fn port(&self) -> u16 {
        self.0.first().map_or(0, |process| process.port)
    }

    /// The ids of the processes that were started here, separated by commas; they may have children.
    pub(crate) fn pids(&self) -> String {
        let pids: Vec<String> = self.0.iter().map(|process| process.child.id().to_string()).collect();
        pids.join(",")
    }
}

/// One process of a server. Dropping it ends the process.
struct ServerProcess {
    child: Child,
    port: u16,
}

impl ServerProcess {
    /// Starts it and waits until it prints where it listens.
    fn start(mut command: Command, log: &Path) -> Result<Self> {
        let child = command.stdout(Stdio::piped()).stderr(File::create(log)?).spawn();
        let mut process = Self { child: child.context("cannot start the server")?, port: 0 };
        let stdout = process.child.stdout.take().context("the server's stdout is not piped")?;
        let line = first_line(stdout).recv_timeout(START_TIMEOUT).unwrap_or_default();
        let Some(port) = port(&line) else {
            drop(process);
            let log = fs::read_to_string(log).unwrap_or_default();
            let reason = log.lines().find(|line| !line.is_empty()).unwrap_or("it printed nothing");
            bail!("it did not start: {reason}");
        };
        process.port = port;
        Ok(process)
    }
}

impl Drop for ServerProcess {
    fn drop(&mut self) {
        // Killing fails if the server has ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Receives the first line once it is printed, or an empty one at the end of the output.
fn first_line(stdout: impl Read + Send + 'static) -> Receiver<String> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut stdout = BufReader::new(stdout);
        let mut line = String::new();
        // A line that cannot be read names no port, and a receiver that is gone has stopped waiting.
        let _ = stdout.read_line(&mut line);
        let _ = sender.send(line);
        // The server would block on a full pipe.
        io::copy(&mut stdout, &mut io::sink())
    });
    receiver
}

fn port(line: &str) -> Option<u16> {
    line.trim().strip_prefix("listening on http://127.0.0.1:")?.parse().ok()
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn the_command_lines_start_a_server_where_the_load_generator_connects() {
        for implementation in Implementation::ALL {
            let lines = implementation.command_lines(Processes { workers: 1, threads: None });
            assert!(lines.contains(&implementation.port.to_string()), "{lines}");
            assert!(
                implementation.url(None).contains(&format!(":{}", implementation.port)),
                "{}",
                implementation.url(None)
            );
            assert_eq!(lines.lines().count(), 1);
        }
    }

    #[test]
    fn two_workers_of_ours_are_two_commands_on_one_port_with_the_requested_threads() {
        let [everwire, ws, ..] = Implementation::ALL;
        let processes = Processes { workers: 2, threads: Some(1) };
        let lines = everwire.command_lines(processes);
        let start = "TOKIO_WORKER_THREADS=1 target/release/everwire-companion --listen 127.0.0.1:9001 --reuse-port ";
        assert!(lines.lines().count() == 2 && lines.lines().all(|line| line.starts_with(start)), "{lines}");
        assert_eq!(ws.command_lines(processes), "node bench/reference/main.js ws --workers 2 --port 9002");
    }

    #[test]
    fn a_server_prints_its_address_and_may_go_on_printing() {
        let (stdout, mut server) = io::pipe().unwrap();
        let line = first_line(stdout);
        // More than fits into a pipe: this blocks unless the rest is read as well.
        let chatter = "x".repeat(1 << 20);
        writeln!(server, "listening on http://127.0.0.1:4711\n{chatter}").unwrap();
        assert_eq!(port(&line.recv().unwrap()), Some(4711));
    }

    #[test]
    fn waiting_for_a_server_that_prints_nothing_ends() {
        let (stdout, server) = io::pipe().unwrap();
        let line = first_line(stdout);
        assert_eq!(line.recv_timeout(Duration::from_millis(1)), Err(mpsc::RecvTimeoutError::Timeout));
        drop(server);
        assert_eq!(port(&line.recv().unwrap()), None);
    }
}

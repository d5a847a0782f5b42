use std::path::Path;

use anyhow::Result;

use super::process::Process;
use crate::workspace::Workspace;

/// A server under measurement.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Contender {
    /// For programs and file names.
    pub(super) id: &'static str,
    /// For people.
    pub(super) name: &'static str,
    /// As `everwire-load` calls what it speaks.
    pub(super) dialect: &'static str,
    /// Where its echo is.
    path: &'static str,
}

/// A contender's processes. Dropping it ends them.
pub(super) struct Running {
    processes: Vec<Process>,
    /// As a person would start it, a line for each process.
    pub(super) command: String,
}

/// What `everwire-server` is told, so that one computer may play many.
const EVERWIRE: &str = "--drain 0 --max-connections 30000 --max-connections-per-address 30000 \
                        --max-messages-per-second 0 --idle-timeout 0";

impl Contender {
    /// In the order of the tables.
    pub(super) const ALL: [Self; 4] = [
        Self { id: "everwire", name: "Everwire", dialect: "plain", path: "/echo" },
        Self { id: "ws", name: "ws", dialect: "plain", path: "/echo" },
        Self { id: "socket.io", name: "socket.io", dialect: "socket.io", path: "" },
        Self { id: "socketcluster", name: "SocketCluster", dialect: "socketcluster", path: "" },
    ];

    /// Starts it on a free port. What it logs goes to a file. An error is a result too: it cannot serve so.
    pub(super) fn start(&self, workspace: &Workspace, workers: u32, log: &Path) -> Result<Running> {
        if self.id == "everwire" { everwire(workspace, workers, log) } else { self.node(workspace, workers, log) }
    }

    fn node(&self, workspace: &Workspace, workers: u32, log: &Path) -> Result<Running> {
        let workers = workers.to_string();
        let args = ["bench/reference/main.js", self.id, "--workers", &workers];
        let process = Process::start(workspace.command("node").args(args), log)?;
        Ok(Running { processes: vec![process], command: format!("node {}", args.join(" ")) })
    }
}

/// Node.js has a process that hands out connections to its workers; here the system does, among all who listen on the port.
fn everwire(workspace: &Workspace, workers: u32, log: &Path) -> Result<Running> {
    let program = workspace.target()?.join("release/everwire-server");
    let shared: &[&str] = if workers > 1 { &["--reuse-port"] } else { &[] };
    let start = |listen: &str| {
        let command = workspace.command(&program.to_string_lossy()).args(["--listen", listen]).args(shared);
        Process::start(command.args(EVERWIRE.split_whitespace()), log)
    };
    let mut processes = vec![start("127.0.0.1:0")?];
    let listen = processes[0].address().to_owned();
    for _ in 1..workers {
        processes.push(start(&listen)?);
    }
    let flags: String = shared.iter().map(|flag| format!("{flag} ")).collect();
    let command = format!("everwire-server --listen {listen} {flags}{EVERWIRE}");
    Ok(Running { processes, command: vec![command; workers as usize].join("\n") })
}

impl Running {
    /// Where its echo is.
    pub(super) fn url(&self, contender: &Contender) -> String {
        format!("ws://{}{}", self.processes[0].address(), contender.path)
    }

    /// Those that were started; there may be others below them.
    pub(super) fn pids(&self) -> String {
        let pids: Vec<String> = self.processes.iter().map(|process| process.pid().to_string()).collect();
        pids.join(",")
    }
}

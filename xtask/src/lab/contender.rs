use std::path::Path;

use anyhow::Result;

use super::process::Process;
use super::shape::Shape;
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
    /// Where it listens in the command lines for people. Each has its own, so that all can be tried at once.
    port: u16,
}

/// A contender's processes. Dropping it ends them.
pub(super) struct Running(Vec<Process>);

/// What `everwire-companion` is told, so that one computer may play many.
const EVERWIRE: &str = "--drain 0 --max-connections 30000 --max-connections-per-address 30000 \
                        --max-messages-per-second 0 --idle-timeout 0";

/// By this its runtime has so many threads.
const THREADS: &str = "TOKIO_WORKER_THREADS";

impl Contender {
    /// In the order of the tables.
    pub(super) const ALL: [Self; 4] = [
        Self { id: "everwire", name: "Everwire", dialect: "plain", path: "/echo", port: 9001 },
        Self { id: "ws", name: "ws", dialect: "plain", path: "/echo", port: 9002 },
        Self { id: "socket.io", name: "socket.io", dialect: "socket.io", path: "", port: 9003 },
        Self { id: "socketcluster", name: "SocketCluster", dialect: "socketcluster", path: "", port: 9004 },
    ];

    /// Who begins changes from run to run.
    pub(super) fn in_turn(run: u32) -> impl Iterator<Item = Self> {
        Self::ALL.into_iter().cycle().skip(run as usize % Self::ALL.len()).take(Self::ALL.len())
    }

    /// Starts it on a free port. What it logs goes to files. An error is a result too: it cannot serve so.
    pub(super) fn start(&self, workspace: &Workspace, shape: Shape, log: &Path) -> Result<Running> {
        let ours = workspace.target()?.join("release/everwire-companion");
        let program = if self.is_ours() { ours.to_string_lossy() } else { "node".into() };
        let mut running = Running(Vec::new());
        for number in 0..self.commands(shape) {
            let mut command = workspace.command(&program).args(self.arguments(shape, running.port()));
            if let Some(threads) = self.threads(shape) {
                command = command.env(THREADS, threads.to_string());
            }
            running.0.push(Process::start(command, &log.with_extension(format!("{number}.log")))?);
        }
        Ok(running)
    }

    /// As a person would start it in the project's root, a line for each command.
    pub(super) fn shown(&self, shape: Shape) -> String {
        let program = if self.is_ours() { "target/release/everwire-companion" } else { "node" };
        let threads = self.threads(shape).map(|threads| format!("{THREADS}={threads} ")).unwrap_or_default();
        let line = format!("{threads}{program} {}", self.arguments(shape, self.port).join(" "));
        vec![line; self.commands(shape) as usize].join("\n")
    }

    /// Where its echo is: on a port, or where it is for people.
    pub(super) fn url(&self, port: Option<u16>) -> String {
        format!("ws://127.0.0.1:{}{}", port.unwrap_or(self.port), self.path)
    }

    fn is_ours(&self) -> bool {
        self.id == "everwire"
    }

    /// How many commands start it. Node.js has a process that hands out connections to its workers; with Everwire the system
    /// does, among all who listen on the port.
    fn commands(&self, shape: Shape) -> u32 {
        if self.is_ours() { shape.workers } else { 1 }
    }

    /// JavaScript has one thread in any case.
    fn threads(&self, shape: Shape) -> Option<u32> {
        shape.threads.filter(|_| self.is_ours())
    }

    /// With port 0 the system chooses one.
    fn arguments(&self, Shape { workers, .. }: Shape, port: u16) -> Vec<String> {
        let arguments = if self.is_ours() {
            let shared = if workers > 1 { " --reuse-port" } else { "" };
            format!("--listen 127.0.0.1:{port}{shared} {EVERWIRE}")
        } else {
            format!("bench/reference/main.js {} --workers {workers} --port {port}", self.id)
        };
        arguments.split_whitespace().map(str::to_owned).collect()
    }
}

impl Running {
    /// That of the first, which those that share it are told; 0 before there is one.
    pub(super) fn port(&self) -> u16 {
        self.0.first().map_or(0, Process::port)
    }

    /// Those that were started; there may be others below them.
    pub(super) fn pids(&self) -> String {
        let pids: Vec<String> = self.0.iter().map(|process| process.pid().to_string()).collect();
        pids.join(",")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_shown_what_starts_a_server_where_the_load_looks_for_it() {
        for contender in Contender::ALL {
            let shown = contender.shown(Shape { workers: 1, threads: None });
            assert!(shown.contains(&contender.port.to_string()), "{shown}");
            assert!(contender.url(None).contains(&format!(":{}", contender.port)), "{}", contender.url(None));
            assert_eq!(shown.lines().count(), 1);
        }
    }

    #[test]
    fn two_workers_of_ours_are_two_commands_on_one_port_with_as_many_threads_as_asked_for() {
        let [everwire, ws, ..] = Contender::ALL;
        let shape = Shape { workers: 2, threads: Some(1) };
        let shown = everwire.shown(shape);
        let start = "TOKIO_WORKER_THREADS=1 target/release/everwire-companion --listen 127.0.0.1:9001 --reuse-port ";
        assert!(shown.lines().count() == 2 && shown.lines().all(|line| line.starts_with(start)), "{shown}");
        assert_eq!(ws.shown(shape), "node bench/reference/main.js ws --workers 2 --port 9002");
    }
}

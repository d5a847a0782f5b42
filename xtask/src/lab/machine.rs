use std::fs;
use std::thread::available_parallelism;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use crate::workspace::Workspace;

/// Where and when something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    pub(super) date: String,
    pub(super) is_quick: bool,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_gib: f64,
    pub(super) kernel: String,
    pub(super) open_files: u64,
    /// Name and version.
    pub(super) versions: Vec<(String, String)>,
}

impl Machine {
    pub(super) fn of(workspace: &Workspace, is_quick: bool) -> Result<Self> {
        let printed = |program: &str, args: &[&str]| {
            let output = workspace.command(program).args(args).output();
            output.map(|text| text.trim().to_owned()).unwrap_or_else(|_| "unknown".to_owned())
        };
        let mut versions = vec![
            ("everwire-server, everwire-load".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("of the commit".to_owned(), printed("git", &["rev-parse", "--short", "HEAD"])),
            ("rustc".to_owned(), printed("rustc", &["--version"]).replacen("rustc ", "", 1)),
            ("Node.js".to_owned(), printed("node", &["--version"])),
        ];
        for package in ["ws", "socket.io", "engine.io", "socketcluster-server"] {
            let file = workspace.root().join("node_modules").join(package).join("package.json");
            let json: serde_json::Value = serde_json::from_str(&fs::read_to_string(file)?)?;
            versions.push((package.to_owned(), json["version"].as_str().unwrap_or("unknown").to_owned()));
        }
        Ok(Self {
            date: humantime::format_rfc3339_seconds(SystemTime::now()).to_string(),
            is_quick,
            cpu: field("/proc/cpuinfo", "model name").unwrap_or_else(|| std::env::consts::ARCH.to_owned()),
            cores: available_parallelism().map_or(1, usize::from),
            memory_gib: memory_kib().unwrap_or_default() / f64::from(1 << 20),
            kernel: fs::read_to_string("/proc/sys/kernel/osrelease")
                .map_or_else(|_| std::env::consts::OS.to_owned(), |text| format!("Linux {}", text.trim())),
            open_files: open_files(),
            versions,
        })
    }
}

/// How many files a process may open.
#[cfg(unix)]
pub(super) fn open_files() -> u64 {
    use nix::sys::resource::{Resource, getrlimit};
    getrlimit(Resource::RLIMIT_NOFILE).map_or(u64::MAX, |(soft, _)| soft)
}

#[cfg(not(unix))]
pub(super) fn open_files() -> u64 {
    u64::MAX
}

fn memory_kib() -> Option<f64> {
    field("/proc/meminfo", "MemTotal")?.split(' ').next()?.parse().ok()
}

/// What stands behind a name and a colon.
fn field(file: &str, name: &str) -> Option<String> {
    let text = fs::read_to_string(file).ok()?;
    let line = text.lines().find(|line| line.starts_with(name))?;
    Some(line.split_once(':')?.1.trim().to_owned())
}

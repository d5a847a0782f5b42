use std::fs;
use std::thread::available_parallelism;
use std::time::SystemTime;

use anyhow::Result;
use serde::{Deserialize, Serialize};

use super::text::{count, list};
use crate::open_files;
use crate::workspace::Workspace;

/// Where and when something was measured.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Machine {
    /// When it began, as RFC 3339 writes it.
    pub(super) date: String,
    /// Whether only for moments, with small loads.
    pub(super) is_quick: bool,
    pub(super) cpu: String,
    pub(super) cores: usize,
    pub(super) memory_gib: f64,
    pub(super) kernel: String,
    /// How many files a process may open.
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
            ("everwire-companion, everwire-load".to_owned(), env!("CARGO_PKG_VERSION").to_owned()),
            ("commit".to_owned(), printed("git", &["describe", "--always", "--dirty", "--exclude=*"])),
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
            open_files: open_files::raise_limit()?,
            versions,
        })
    }
}

impl Machine {
    pub(super) fn day(&self) -> &str {
        self.date.split('T').next().unwrap_or(&self.date)
    }

    /// Processor, memory and system.
    pub(super) fn hardware(&self) -> String {
        format!("{}, {} cores, {:.0} GiB, {}", self.cpu, self.cores, self.memory_gib, self.kernel)
    }

    /// In what a measurement differs from another, to go on after "measured"; nothing where they may be compared.
    pub(super) fn difference_from(&self, other: &Self) -> Option<String> {
        let mut parts = Vec::new();
        if self.day() != other.day() {
            parts.push(format!("on {}", self.day()));
        }
        if self.is_quick != other.is_quick {
            parts.push(if self.is_quick { "with `--quick`" } else { "without `--quick`" }.to_owned());
        }
        if self.hardware() != other.hardware() {
            parts.push(format!("on another machine ({})", self.hardware()));
        }
        if self.open_files != other.open_files {
            parts.push(format!("with at most {} open files", count(self.open_files)));
        }
        let versions = self.versions.iter().filter(|version| !other.versions.contains(version));
        parts.extend(versions.map(|(name, version)| format!("with {name} {version}")));
        (!parts.is_empty()).then(|| list(&parts))
    }
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

/// A machine for tests.
#[cfg(test)]
pub(super) fn fixture() -> Machine {
    Machine {
        date: "2026-01-02T03:04:05Z".to_owned(),
        is_quick: false,
        cpu: "a processor".to_owned(),
        cores: 2,
        memory_gib: 16.0,
        kernel: "Linux 6".to_owned(),
        open_files: 20_000,
        versions: vec![("Node.js".to_owned(), "24".to_owned())],
    }
}

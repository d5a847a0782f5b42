//! Packages of Debian.

use std::fs;

use anyhow::{Result, ensure};

use crate::workspace::Workspace;

/// Installs packages, all at once. Only root may, and only on Debian do the packages have these names.
pub(crate) fn install(workspace: &Workspace, packages: &[&str]) -> Result<()> {
    ensure!(is_debian(), "this system is not Debian");
    ensure!(is_root(), "only root may install packages");
    let apt = || {
        let apt = workspace.command("apt-get").env("DEBIAN_FRONTEND", "noninteractive");
        apt.args(["-o", "Acquire::Retries=3"])
    };
    apt().args(["update"]).run()?;
    let install = apt().args(["install", "--yes", "--no-install-recommends"]);
    install.args(packages).run()
}

fn is_debian() -> bool {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release.lines().any(|line| line.trim() == "ID=debian")
}

#[cfg(unix)]
fn is_root() -> bool {
    nix::unistd::geteuid().is_root()
}

#[cfg(not(unix))]
fn is_root() -> bool {
    false
}

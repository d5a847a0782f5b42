//! The packages that package-lock.json names.

use std::fs;
use std::path::PathBuf;

use anyhow::Result;

use crate::workspace::Workspace;

pub(super) fn is_up_to_date(workspace: &Workspace) -> bool {
    let installed = fs::read(installed_lock(workspace));
    installed.is_ok_and(|lock| fs::read(lock_file(workspace)).is_ok_and(|wanted| wanted == lock))
}

/// Installs exactly what the lock file says, and keeps a copy of it that tells next time what was installed.
pub(crate) fn install(workspace: &Workspace) -> Result<()> {
    // Every test runs in the system's browser.
    let install = workspace.command("npm").args(["ci", "--no-audit", "--no-fund"]);
    install.env("PLAYWRIGHT_SKIP_BROWSER_DOWNLOAD", "1").run()?;
    fs::copy(lock_file(workspace), installed_lock(workspace))?;
    Ok(())
}

fn lock_file(workspace: &Workspace) -> PathBuf {
    workspace.root().join("package-lock.json")
}

fn installed_lock(workspace: &Workspace) -> PathBuf {
    workspace.root().join("node_modules/.installed-lock.json")
}

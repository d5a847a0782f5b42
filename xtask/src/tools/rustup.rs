//! Parts of the Rust toolchain.

use std::path::PathBuf;

use anyhow::{Result, ensure};

use crate::workspace::Workspace;

/// A toolchain keeps `cargo-fmt` and `cargo-clippy` beside its compiler; rustup's stand-ins on PATH are always there.
pub(super) fn has_component(workspace: &Workspace, component: &str) -> bool {
    let program = match component {
        "rustfmt" => "cargo-fmt",
        _ => "cargo-clippy",
    };
    let file = format!("bin/{program}{}", std::env::consts::EXE_SUFFIX);
    printed_path(workspace, &["--print", "sysroot"]).is_some_and(|root| root.join(file).exists())
}

pub(super) fn has_target(workspace: &Workspace, target: &str) -> bool {
    let libraries = printed_path(workspace, &["--print", "target-libdir", "--target", target]);
    libraries.is_some_and(|path| path.exists())
}

fn printed_path(workspace: &Workspace, args: &[&str]) -> Option<PathBuf> {
    let printed = workspace.command("rustc").args(args).output().ok()?;
    Some(printed.trim_end().into())
}

/// Adds parts (`component` or `target`) to the toolchain in use.
pub(crate) fn add(workspace: &Workspace, kind: &str, name: &str) -> Result<()> {
    ensure!(workspace.which("rustup").is_some(), "rustup is not installed");
    workspace.command("rustup").args([kind, "add", name]).run()
}

//! Programs that `cargo install` builds.

use anyhow::Result;

use super::{parse_version, version_of};
use crate::workspace::Workspace;

/// How to look for a program and how to install it.
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// Whether the lock file that its authors published still resolves.
    pub(crate) locked: bool,
    /// Whether no other version will do; else a newer one of the same series does as well.
    pub(crate) exact: bool,
}

impl Program {
    pub(super) fn is_there(&self, workspace: &Workspace, wanted: &str) -> bool {
        let (Some(wanted), Some(found)) = (parse_version(wanted), version_of(workspace, self.name)) else {
            return false;
        };
        if self.exact {
            return found == wanted;
        }
        found[..2] == wanted[..2] && found[2] >= wanted[2]
    }

    pub(super) fn install_args(&self, package: &str, version: &str) -> Vec<String> {
        let mut args = vec!["cargo", "install", package, "--version", version];
        if self.locked {
            args.push("--locked");
        }
        args.into_iter().map(str::to_owned).collect()
    }
}

/// Installs a crate's programs beside cargo itself.
pub(crate) fn install(workspace: &Workspace, package: &str, version: &str, program: &Program) -> Result<()> {
    let args = program.install_args(package, version);
    workspace.command(&args[0]).args(&args[1..]).run()
}

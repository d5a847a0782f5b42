//! Programs that `cargo install` builds.

use std::path::Path;

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

/// These programs wait for files, browsers and the network. A quick build of them is worth more than a fast program: it
/// takes half the time.
const QUICK_BUILD: [(&str, &str); 4] = [
    ("CARGO_PROFILE_RELEASE_OPT_LEVEL", "1"),
    ("CARGO_PROFILE_RELEASE_CODEGEN_UNITS", "16"),
    ("CARGO_PROFILE_RELEASE_LTO", "off"),
    ("CARGO_PROFILE_RELEASE_DEBUG", "false"),
];

/// Installs a crate's programs beside cargo itself. What is built on the way goes to `target`, where the next one finds
/// dependencies that they share.
pub(crate) fn install(
    workspace: &Workspace,
    target: &Path,
    package: &str,
    version: &str,
    program: &Program,
) -> Result<()> {
    let args = program.install_args(package, version);
    let install = workspace.command(&args[0]).args(&args[1..]).env("CARGO_TARGET_DIR", target);
    QUICK_BUILD.into_iter().fold(install, |install, (name, value)| install.env(name, value)).run()
}

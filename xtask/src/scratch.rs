//! A folder that a browser may fill.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::{env, fs, io, process};

use crate::children;
use crate::command::Command;

/// A new empty folder for temporary files, profiles and caches. Dropping it ends the browsers that are left over and
/// removes the folder.
pub(crate) struct Scratch {
    folder: PathBuf,
}

impl Scratch {
    pub(crate) fn new() -> io::Result<Self> {
        static COUNT: AtomicUsize = AtomicUsize::new(0);
        let count = COUNT.fetch_add(1, Ordering::Relaxed);
        // Browsers put sockets below it, whose paths must be short.
        let folder = parent().join(count.to_string());
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Sees to it that the browsers below a command keep their things in this folder, so that no two share anything and
    /// nothing stays behind.
    pub(crate) fn contain(&self, command: Command) -> Command {
        let variables = ["TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME"];
        variables.into_iter().fold(command, |command, name| command.env(name, &self.folder))
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        children::end_strays();
        // A file that cannot be removed is in a folder for temporary files already.
        let _ = fs::remove_dir_all(&self.folder);
        // The last one to go takes the folder of the process with it.
        let _ = fs::remove_dir(parent());
    }
}

/// Removes the folders of this process that are left because it is interrupted.
pub(crate) fn remove_all() {
    let _ = fs::remove_dir_all(parent());
}

fn parent() -> PathBuf {
    env::temp_dir().join(format!("xtask-{}", process::id()))
}

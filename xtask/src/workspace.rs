//! Where things are: the root, the target directory, the versions in Cargo.lock.

use std::env;
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

use crate::process::Command;

/// The cargo workspace that this program belongs to.
pub(crate) struct Workspace {
    root: PathBuf,
    search_path: OsString,
}

/// A crate of the workspace.
pub(crate) struct Package {
    pub(crate) name: String,
    /// Its folder, below the root.
    pub(crate) folder: PathBuf,
    /// Sorted.
    pub(crate) features: Vec<String>,
    /// Whether its manifest does not say `publish = false`.
    pub(crate) is_published: bool,
    pub(crate) has_library: bool,
}

impl Workspace {
    /// Finds the workspace by where this program was compiled.
    pub(crate) fn find() -> Result<Self> {
        let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().context("xtask has no parent folder")?.to_path_buf();
        let search_path = search_path(&root)?;
        Ok(Self { root, search_path })
    }

    /// The same project in another folder, with the tools of this one.
    pub(crate) fn with_root(&self, root: PathBuf) -> Self {
        Self { root, search_path: self.search_path.clone() }
    }

    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// A command that runs in the root and finds the installed tools.
    pub(crate) fn command(&self, program: &str) -> Command {
        let program = self.which(program).unwrap_or_else(|| program.into());
        Command::new(program, &self.root, &self.search_path)
    }

    /// Where a program is, if it is installed.
    pub(crate) fn which(&self, program: &str) -> Option<PathBuf> {
        let file = format!("{program}{}", env::consts::EXE_SUFFIX);
        env::split_paths(&self.search_path).map(|folder| folder.join(&file)).find(|path| path.is_file())
    }

    /// The target directory that cargo is configured to use.
    pub(crate) fn target(&self) -> Result<PathBuf> {
        let metadata = self.metadata()?;
        let target = metadata["target_directory"].as_str().context("cargo metadata names no target_directory")?;
        Ok(target.into())
    }

    /// The crates of the workspace.
    pub(crate) fn packages(&self) -> Result<Vec<Package>> {
        let metadata = self.metadata()?;
        let packages = metadata["packages"].as_array().context("cargo metadata names no packages")?;
        packages.iter().map(|package| Package::read(package, &self.root)).collect()
    }

    fn metadata(&self) -> Result<serde_json::Value> {
        let metadata = self.command("cargo").args(["metadata", "--format-version", "1", "--no-deps"]).output()?;
        Ok(serde_json::from_str(&metadata)?)
    }

    /// The version of a crate in Cargo.lock.
    pub(crate) fn locked_version(&self, package: &str) -> Result<String> {
        let path = self.root.join("Cargo.lock");
        let lock = std::fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
        version_in_lock(&lock, package)
            .map(str::to_owned)
            .with_context(|| format!("Cargo.lock has no package `{package}`"))
    }
}

impl Package {
    fn read(package: &serde_json::Value, root: &Path) -> Result<Self> {
        let text = |name: &str| package[name].as_str().with_context(|| format!("a package has no {name}"));
        let manifest = Path::new(text("manifest_path")?);
        let folder = manifest.parent().and_then(|folder| folder.strip_prefix(root).ok());
        let features = package["features"].as_object().context("a package has no list of features")?;
        let targets = package["targets"].as_array().context("a package has no list of targets")?;
        let kinds = targets.iter().flat_map(|target| target["kind"].as_array()).flatten();
        Ok(Self {
            name: text("name")?.to_owned(),
            folder: folder.context("a package is not below the root")?.to_path_buf(),
            features: features.keys().cloned().collect(),
            is_published: package["publish"].is_null(),
            has_library: kinds.filter_map(|kind| kind.as_str()).any(|kind| kind.ends_with("lib")),
        })
    }
}

/// PATH, preceded by the folders where npm and cargo install programs.
fn search_path(root: &Path) -> Result<OsString> {
    let cargo_home =
        env::var_os("CARGO_HOME").map(PathBuf::from).or_else(|| env::home_dir().map(|home| home.join(".cargo")));
    let mut folders = vec![root.join("node_modules/.bin")];
    folders.extend(cargo_home.map(|home| home.join("bin")));
    folders.extend(env::split_paths(&env::var_os("PATH").unwrap_or_default()));
    env::join_paths(folders).context("PATH holds a folder with a separator in its name")
}

fn version_in_lock<'a>(lock: &'a str, package: &str) -> Option<&'a str> {
    let name = format!("name = \"{package}\"");
    let mut lines = lock.lines().skip_while(|line| *line != name).skip(1);
    let version = lines.next()?.strip_prefix("version = \"")?;
    version.strip_suffix('"')
}

#[cfg(test)]
mod tests {
    use super::version_in_lock;

    const LOCK: &str = "\
[[package]]
name = \"wasm-bindgen-shared\"
version = \"0.2.129\"

[[package]]
name = \"wasm-bindgen\"
version = \"0.2.130\"
dependencies = [
 \"cfg-if\",
]
";

    #[test]
    fn a_version_is_read_from_the_package_of_exactly_that_name() {
        assert_eq!(version_in_lock(LOCK, "wasm-bindgen"), Some("0.2.130"));
    }

    #[test]
    fn a_package_that_is_not_locked_has_no_version() {
        assert_eq!(version_in_lock(LOCK, "wasm"), None);
    }
}

//! The demos as a browser loads them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use crate::workspace::Workspace;

/// What the demos are made from, below the root.
const SOURCES: [&str; 10] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/everwire",
    "crates/everwire-core",
    "crates/everwire-yew",
    "demos",
    "index.html",
    "node_modules/.installed-lock.json",
];

/// Builds the demos, as small as they get, and returns the folder they are in. It is not the one that `trunk serve`
/// writes to, so that both can run at once. Trunk would optimise the same wasm again each time, hence the look at the
/// times of the sources.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let dist = workspace.target()?.join("demos");
    let page = dist.join("index.html");
    let started = SystemTime::now();
    if is_up_to_date(&page, SOURCES.map(|source| workspace.root().join(source))) {
        println!("The demos have not changed since they were built.");
        return Ok(dist);
    }
    let build = workspace.command("trunk").args(["build", "--release", "--skip-version-check"]);
    build.args(["--dist".as_ref(), dist.as_os_str()]).run()?;
    // A source that was changed meanwhile may have been read before.
    File::options().write(true).open(page)?.set_modified(started)?;
    Ok(dist)
}

fn is_up_to_date(product: &Path, sources: impl IntoIterator<Item = PathBuf>) -> bool {
    let built = fs::metadata(product).and_then(|product| product.modified());
    let changed = sources.into_iter().map(|source| last_change(&source));
    match (built, changed.reduce(|a, b| Ok(a?.max(b?)))) {
        (Ok(built), Some(Ok(changed))) => changed < built,
        _ => false,
    }
}

/// When a file or anything below a folder was last changed. A folder itself changes when a file in it appears or goes.
fn last_change(path: &Path) -> io::Result<SystemTime> {
    let metadata = fs::metadata(path)?;
    let mut last = metadata.modified()?;
    if metadata.is_dir() {
        for entry in fs::read_dir(path)? {
            last = last.max(last_change(&entry?.path())?);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use std::fs::{self, File};
    use std::time::{Duration, SystemTime};

    use super::is_up_to_date;

    #[test]
    fn a_product_is_old_when_a_source_below_a_folder_is_newer() {
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let (product, source) = (folder.join("product"), folder.join("sources/one"));
        fs::create_dir_all(folder.join("sources")).unwrap();
        fs::write(&source, "").unwrap();
        let sources = || [folder.join("sources")];
        assert!(!is_up_to_date(&product, sources()), "there is no product yet");

        let later = SystemTime::now() + Duration::from_secs(10);
        File::create(&product).unwrap().set_modified(later).unwrap();
        assert!(is_up_to_date(&product, sources()));

        let latest = later + Duration::from_secs(10);
        File::create(&source).unwrap().set_modified(latest).unwrap();
        assert!(!is_up_to_date(&product, sources()));
        assert!(!is_up_to_date(&product, [folder.join("missing")]));
    }
}

//! The demos as a browser loads them.

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use anyhow::Result;

use crate::workspace::Workspace;

/// What the demos are made from, below the root.
const SOURCES: [&str; 12] = [
    ".cargo/config.toml",
    "Cargo.lock",
    "Cargo.toml",
    "Trunk.toml",
    "crates/everwire",
    "crates/everwire-companion-api",
    "crates/everwire-core",
    "crates/everwire-yew",
    "demos",
    "index.html",
    "node_modules/.installed-lock.json",
    COMPRESS,
];

/// Writes compressed files beside those of a folder. Node.js brings both compressions, and brotli's in Rust would take
/// minutes in a debug build like that of this program.
const COMPRESS: &str = "xtask/src/compress.mjs";

/// Builds the demos, as small as they get and compressed beside that, and returns the folder they are in. It is not the one that `trunk serve`
/// writes to, so that both can run at once. Trunk would optimise the same wasm again each time, hence the look at the
/// times of the sources.
pub(crate) fn build(workspace: &Workspace) -> Result<PathBuf> {
    let dist = workspace.target()?.join("demos");
    // Where compressing failed, the demos are not finished.
    let page = dist.join("index.html.br");
    let started = SystemTime::now();
    if is_up_to_date(&page, SOURCES.map(|source| workspace.root().join(source))) {
        println!("The demos have not changed since they were built.");
        return Ok(dist);
    }
    let build = workspace.command("trunk").args(["build", "--release", "--skip-version-check"]);
    build.args(["--dist".as_ref(), dist.as_os_str()]).run()?;
    compress(workspace, &dist)?;
    // A source that was changed meanwhile may have been read before.
    File::options().write(true).open(page)?.set_modified(started)?;
    Ok(dist)
}

fn compress(workspace: &Workspace, folder: &Path) -> Result<()> {
    workspace.command("node").args([workspace.root().join(COMPRESS).as_path(), folder]).run()
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

    use super::{compress, is_up_to_date};
    use crate::children::OF_ONE_TEST;
    use crate::workspace::Workspace;

    #[test]
    fn a_file_that_can_be_compressed_has_both_forms_beside_it() {
        let _lock = OF_ONE_TEST.lock();
        let workspace = Workspace::find().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let folder = folder.path();
        let large = "A module of a page. ".repeat(1_000);
        fs::create_dir(folder.join("below")).unwrap();
        for (name, content) in
            [("below/page-0123.js", large.as_bytes()), ("small.css", b"a{}"), ("image.png", large.as_bytes())]
        {
            fs::write(folder.join(name), content).unwrap();
        }
        compress(&workspace, folder).unwrap();

        let program = "const z = require('node:zlib'), f = require('node:fs'), [, br, gz] = process.argv;
            const [a, b] = [z.brotliDecompressSync(f.readFileSync(br)), z.gunzipSync(f.readFileSync(gz))];
            process.stdout.write(a.equals(b) ? a : 'they differ');";
        let forms = ["br", "gz"].map(|kind| folder.join(format!("below/page-0123.js.{kind}")));
        let decoded = workspace.command("node").args(["-e", program]).args(forms).output().unwrap();
        assert!(decoded == large);
        for name in ["small.css", "image.png"] {
            assert!(["br", "gz"].iter().all(|kind| !folder.join(format!("{name}.{kind}")).exists()), "{name}");
        }
        assert_eq!(fs::read_to_string(folder.join("below/page-0123.js")).unwrap(), large);
    }

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

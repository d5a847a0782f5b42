use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, ensure};

/// Where the document goes, and its pictures: into a folder beside it that is called like it.
pub(in crate::lab) struct Place {
    document: PathBuf,
    folder: PathBuf,
}

impl Place {
    /// A document that does not end in `.md` is refused: its folder would be the document itself.
    pub(in crate::lab) fn beside(document: &Path) -> Result<Self> {
        let is_markdown = document.extension().is_some_and(|extension| extension == "md");
        ensure!(is_markdown, "{} has to end in .md", document.display());
        Ok(Self { document: document.to_owned(), folder: document.with_extension("") })
    }

    pub(super) fn document(&self) -> &Path {
        &self.document
    }

    /// How the document refers to the folder.
    pub(super) fn folder(&self) -> Result<&str> {
        let name = self.folder.file_name().and_then(OsStr::to_str);
        name.with_context(|| format!("{} cannot be named in a document", self.folder.display()))
    }

    pub(super) fn picture(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// Makes the folder one without pictures, since those of experiments that are no longer made would stay for ever. Whatever
    /// else is there is somebody else's.
    pub(super) fn clear(&self) -> Result<()> {
        fs::create_dir_all(&self.folder)
            .with_context(|| format!("cannot make the folder {}", self.folder.display()))?;
        for entry in fs::read_dir(&self.folder)? {
            let path = entry?.path();
            if path.extension().is_some_and(|extension| extension == "svg") {
                fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn of_what_is_beside_a_document_only_pictures_are_removed() {
        let folder = tempfile::tempdir().unwrap();
        let document = folder.path().join("out.md");
        let out = folder.path().join("out");
        fs::create_dir_all(out.join("source")).unwrap();
        for name in ["keep.txt", "source/main.rs", "old.svg"] {
            fs::write(out.join(name), "here").unwrap();
        }
        Place::beside(&document).unwrap().clear().unwrap();
        let is_there = |name: &str| out.join(name).exists();
        assert!(is_there("keep.txt") && is_there("source/main.rs") && !is_there("old.svg"));
    }

    #[test]
    fn a_document_without_the_name_of_one_is_refused() {
        for name in ["docs", "docs/results", "docs/results.txt", ".md"] {
            assert!(Place::beside(Path::new(name)).is_err(), "{name}");
        }
    }
}

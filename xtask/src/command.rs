//! A child process: announced, without a stdin, with an environment of its own.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ExitStatus, Stdio};
use std::{env, thread};

use anyhow::{Context, Result, bail};

use crate::children;

/// Builds up a child process and runs it in one of three ways.
pub(crate) struct Command {
    inner: std::process::Command,
    shown: String,
}

impl Command {
    pub(crate) fn new(program: impl Into<PathBuf>, folder: &Path, search_path: &OsStr) -> Self {
        let program = program.into();
        let shown = program.file_name().unwrap_or(program.as_os_str());
        let shown = shown.to_string_lossy().into_owned();
        let mut inner = std::process::Command::new(program);
        inner.current_dir(folder).stdin(Stdio::null());
        inner.env("PATH", search_path);
        for name in inherited_from_cargo_run() {
            inner.env_remove(name);
        }
        Self { inner, shown }
    }

    pub(crate) fn args<S: AsRef<OsStr>>(mut self, args: impl IntoIterator<Item = S>) -> Self {
        for arg in args {
            self.shown.push(' ');
            self.shown.push_str(&arg.as_ref().to_string_lossy());
            self.inner.arg(arg);
        }
        self
    }

    pub(crate) fn env(mut self, name: &str, value: impl AsRef<OsStr>) -> Self {
        self.inner.env(name, value);
        self
    }

    pub(crate) fn folder(mut self, folder: &Path) -> Self {
        self.inner.current_dir(folder);
        self
    }

    pub(crate) fn stderr(mut self, to: impl Into<Stdio>) -> Self {
        self.inner.stderr(to);
        self
    }

    /// Runs to the end; what the command prints is seen as it is printed.
    pub(crate) fn run(mut self) -> Result<()> {
        self.announce();
        let status = self.inner.status().with_context(|| self.cannot_start())?;
        self.judge(status)
    }

    /// Like [`Command::run`], and returns what was printed, whether it succeeded or not.
    pub(crate) fn run_and_read(mut self) -> Result<(Result<()>, String)> {
        self.announce();
        self.inner.stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = self.inner.spawn().with_context(|| self.cannot_start())?;
        let stdout = child.stdout.take().map(|pipe| tee(pipe, std::io::stdout()));
        let stderr = child.stderr.take().map(|pipe| tee(pipe, std::io::stderr()));
        let status = child.wait()?;
        // One that has inherited the pipes would keep them open.
        children::end_strays();
        let printed = [stdout, stderr].into_iter().flatten().filter_map(|reader| reader.join().ok()).collect();
        Ok((self.judge(status), printed))
    }

    /// Runs quietly and returns what was printed to stdout.
    pub(crate) fn output(self) -> Result<String> {
        Ok(String::from_utf8_lossy(&self.output_bytes()?).into_owned())
    }

    /// Like [`Command::output`], for what is not text.
    pub(crate) fn output_bytes(mut self) -> Result<Vec<u8>> {
        let output = self.inner.output().with_context(|| self.cannot_start())?;
        if !output.status.success() {
            let stderr = String::from_utf8_lossy(&output.stderr);
            bail!("`{}` failed ({}):\n{stderr}", self.shown, output.status);
        }
        Ok(output.stdout)
    }

    /// Starts it and leaves it running, its stdout to be read.
    pub(crate) fn spawn(mut self) -> Result<Child> {
        self.announce();
        self.inner.stdout(Stdio::piped());
        self.inner.spawn().with_context(|| self.cannot_start())
    }

    fn announce(&self) {
        println!("$ {}", self.shown);
    }

    fn cannot_start(&self) -> String {
        format!("cannot start `{}`", self.shown)
    }

    fn judge(&self, status: ExitStatus) -> Result<()> {
        if status.success() {
            return Ok(());
        }
        bail!("`{}` failed ({status})", self.shown)
    }
}

/// `cargo run` describes the package that it runs in the environment. Build scripts that watch these variables would run
/// again each time a build is started from here after one started by hand.
fn inherited_from_cargo_run() -> impl Iterator<Item = OsString> {
    let names = env::vars_os().map(|(name, _)| name);
    names.filter(|name| {
        let name = name.to_string_lossy();
        name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_")
    })
}

fn tee(from: impl Read + Send + 'static, mut to: impl Write + Send + 'static) -> thread::JoinHandle<String> {
    thread::spawn(move || {
        let mut read = Vec::new();
        let mut from = BufReader::new(from);
        loop {
            let start = read.len();
            match from.read_until(b'\n', &mut read) {
                Ok(0) | Err(_) => return String::from_utf8_lossy(&read).into_owned(),
                // A terminal that is gone is no reason to stop reading: the child would block on a full pipe.
                Ok(_) => drop(to.write_all(&read[start..])),
            }
        }
    })
}

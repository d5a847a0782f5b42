//! The keys of the HTTP API.

use std::path::PathBuf;
use std::{env, fs, io};

use axum::http::{HeaderMap, header};
use clap::Args;

use crate::access::Secret;

const VARIABLE: &str = "EVERWIRE_API_KEY";
/// A key with fewer characters can be guessed.
const SHORT: usize = 16;

#[derive(Args, Clone)]
pub(crate) struct KeyFlags {
    /// Key of the HTTP API, which a back end sends as `Authorization: Bearer KEY`. Can be repeated, so that a key can be replaced
    /// without an interruption. Other users of the machine can see it in the list of processes; the next flag avoids that, and so does
    /// the environment variable EVERWIRE_API_KEY. Without any key there is no API.
    #[arg(long, value_name = "KEY")]
    api_key: Vec<String>,

    /// File with keys of the HTTP API, one on each line.
    #[arg(long, value_name = "FILE")]
    api_key_file: Vec<PathBuf>,
}

/// Keys, each of which opens the HTTP API.
#[derive(Clone, Debug)]
pub(crate) struct Keys(Vec<Secret>);

/// Why keys cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum KeyError {
    #[error("cannot read the keys from {}: {error}", .path.display())]
    Unreadable { path: PathBuf, error: io::Error },
    #[error("{0} has no key; make one by `openssl rand -hex 32`")]
    Empty(String),
    #[error("{0} has a key with a space or a character that is not ASCII, which a header cannot carry")]
    Unusable(String),
}

impl KeyFlags {
    /// The keys of the flags, the files and the environment; `None` if there is none of these.
    pub(crate) fn keys(&self) -> Result<Option<Keys>, KeyError> {
        let mut keys = Vec::new();
        for key in &self.api_key {
            add(&mut keys, "--api-key", key)?;
        }
        for path in &self.api_key_file {
            let text = fs::read_to_string(path);
            let text = text.map_err(|error| KeyError::Unreadable { path: path.clone(), error })?;
            add(&mut keys, &path.display().to_string(), &text)?;
        }
        if let Some(text) = env::var_os(VARIABLE) {
            add(&mut keys, VARIABLE, &text.to_string_lossy())?;
        }
        Ok(if keys.is_empty() { None } else { Some(Keys(keys)) })
    }
}

fn add(keys: &mut Vec<Secret>, source: &str, text: &str) -> Result<(), KeyError> {
    let before = keys.len();
    for key in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        if !key.bytes().all(|byte| byte.is_ascii_graphic()) {
            return Err(KeyError::Unusable(source.to_owned()));
        }
        if key.len() < SHORT {
            tracing::warn!("{source} has a key of fewer than {SHORT} characters, which can be guessed");
        }
        keys.push(Secret::of(key.as_bytes()));
    }
    if keys.len() == before { Err(KeyError::Empty(source.to_owned())) } else { Ok(()) }
}

impl Keys {
    /// Whether a request shows one of the keys; `None` if it shows none at all.
    pub(crate) fn check(&self, headers: &HeaderMap) -> Option<bool> {
        let shown = headers.get(header::AUTHORIZATION)?.as_bytes();
        let (scheme, key) = shown.split_at_checked("Bearer ".len())?;
        if !scheme.eq_ignore_ascii_case(b"Bearer ") {
            return None;
        }
        let shown = Secret::of(key.trim_ascii());
        // All are compared, so that the time does not tell them apart.
        Some(self.0.iter().fold(false, |found, key| found | (*key == shown)))
    }
}

impl std::fmt::Debug for KeyFlags {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("KeyFlags").field("api_key_file", &self.api_key_file).finish_non_exhaustive()
    }
}

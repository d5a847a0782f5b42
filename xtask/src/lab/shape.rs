use serde::{Deserialize, Serialize};

/// How a server is spread over processes and threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Shape {
    /// How many processes serve.
    pub(super) workers: u32,
    /// How many threads each of them has, of a server that can be told. It has as many as it likes with `None`.
    pub(super) threads: Option<u32>,
}

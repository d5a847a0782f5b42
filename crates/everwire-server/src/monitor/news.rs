use serde::Serialize;

use super::processes::Processes;
use super::traffic::{EndpointTraffic, WorkerTraffic};
use super::vmstat::Row;

/// What a watcher is sent.
#[derive(Serialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum News<'a> {
    /// The first message: the machine, and what is known of the last minutes.
    Welcome {
        #[serde(skip_serializing_if = "Option::is_none")]
        machine: Option<&'a About>,
        history: Vec<&'a Point>,
        #[serde(skip_serializing_if = "Option::is_none")]
        detail: Option<&'a Detail>,
    },
    /// What a second brought.
    Sample { machine: &'a About, point: &'a Point, detail: &'a Detail },
}

/// What does not change while the machine runs.
#[derive(Clone, Debug, Serialize)]
pub(super) struct About {
    /// The operating system with its version.
    pub(super) system: String,
    pub(super) cores: usize,
    /// Bytes.
    pub(super) memory: u64,
    /// Bytes.
    pub(super) swap: u64,
    /// The process number of the server itself.
    pub(super) server_pid: u32,
}

/// What charts show: kept for newcomers.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Point {
    /// Milliseconds since the Unix epoch.
    pub(super) time: f64,
    /// How busy each core was since the point before, in percent.
    pub(super) cores: Vec<f64>,
    /// Bytes of memory that are in use and could not be had by simply asking.
    pub(super) memory: u64,
    /// Bytes of swap space in use.
    pub(super) swap: u64,
    /// The averages over one, five and fifteen minutes, on systems that have them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) load: Option<[f64; 3]>,
    /// The server's open connections.
    pub(super) connections: u64,
    /// Messages a second.
    pub(super) messages_in: f64,
    pub(super) messages_out: f64,
    /// Bytes that wait in all outbound queues together.
    pub(super) queued: u64,
    /// Bytes that wait in the fullest outbound queue.
    pub(super) largest_queue: u64,
}

/// What tables show: only the latest counts.
#[derive(Clone, Debug, Serialize)]
pub(super) struct Detail {
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) processes: Option<Processes>,
    /// What `vmstat` shows, on Linux.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) vmstat: Option<Row>,
    pub(super) endpoints: Vec<EndpointTraffic>,
    pub(super) workers: Vec<WorkerTraffic>,
}

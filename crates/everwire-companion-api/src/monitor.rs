//! The endpoint `/monitor` and the channels [`POINTS`] and [`STATUS`]: what the machine and the server do, once a second.

use everwire_core::Channel;
use serde::{Deserialize, Serialize};

use crate::ErrorMessage;

/// What charts show, with a history of [`KEPT`] points.
pub const POINTS: Channel<Point> = Channel::new("monitor");

/// What tables show: the value of the key [`LATEST`]. It is published only while the channel has subscribers.
pub const STATUS: Channel<Status> = Channel::state("monitor/detail");

/// The only key of [`STATUS`].
pub const LATEST: &str = "latest";

/// How many points are kept: five minutes.
pub const KEPT: u32 = 300;

/// The machine, and what it does at the moment.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// The machine.
    pub machine: Machine,
    /// What tables show.
    pub detail: Detail,
}

/// A message from the server. The client sends nothing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub enum ServerMessage {
    /// The first message of a connection: the last minutes. Right after the monitor has started nothing is known yet.
    Welcome {
        /// The machine, once it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        machine: Option<Machine>,
        /// One point per second, the oldest first.
        history: Vec<Point>,
        /// The latest detail, once it is known.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        detail: Option<Detail>,
    },
    /// What happened in the last second.
    Sample {
        /// The machine.
        machine: Machine,
        /// What charts show.
        point: Point,
        /// What tables show.
        detail: Detail,
    },
    /// The monitor is off. The server closes the connection.
    #[serde(untagged)]
    Off(ErrorMessage),
}

/// What does not change while the machine runs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Machine {
    /// The operating system with its version.
    pub system: String,
    /// How many processor cores there are.
    pub cores: usize,
    /// The size of the memory.
    pub memory: u64,
    /// The size of the swap space; 0 without one.
    pub swap: u64,
    /// The process id of the server.
    pub server_pid: u32,
}

/// A second of what charts show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Point {
    /// When it was measured.
    pub time: f64,
    /// How busy each core was since the point before, in percent.
    pub cores: Vec<f64>,
    /// Memory in use, without what the system could free at once.
    pub memory: u64,
    /// Swap space in use.
    pub swap: u64,
    /// The load averages over 1, 5 and 15 minutes, on systems that have them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub load: Option<[f64; 3]>,
    /// Open WebSocket connections.
    pub connections: u64,
    /// Messages received per second.
    pub messages_in: f64,
    /// Messages sent per second.
    pub messages_out: f64,
    /// Bytes that wait to be written, of all connections together.
    pub queued: u64,
    /// Bytes that wait to be written to the slowest connection.
    pub largest_queue: u64,
}

/// What tables show.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Detail {
    /// Missing while the server knows of no watcher, and on systems that it cannot read processes of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub processes: Option<Processes>,
    /// On Linux only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vmstat: Option<Vmstat>,
    /// One entry an endpoint.
    pub endpoints: Vec<EndpointTraffic>,
    /// One entry per worker thread of the server.
    pub workers: Vec<WorkerTraffic>,
}

/// The machine's processes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Processes {
    /// How many there are.
    pub count: u64,
    /// How many of them are running.
    pub running: u64,
    /// The busiest first.
    pub top: Vec<Process>,
}

/// One process.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Process {
    /// The process id.
    pub pid: u32,
    /// The name of the program.
    pub name: String,
    /// Processor time since the sample before, in percent of one core.
    pub cpu: f64,
    /// Resident memory.
    pub memory: u64,
    /// What it does, in a word.
    pub state: String,
    /// Who runs it, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// Processor time since its start, in milliseconds.
    pub time: u64,
}

/// A line of `vmstat 1`, under its names: memory in KiB, the rest per second or in percent.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Vmstat {
    /// Processes that run or wait for a core.
    #[serde(rename = "r")]
    pub running: u64,
    /// Processes that are blocked by a device.
    #[serde(rename = "b")]
    pub blocked: u64,
    /// Memory that was moved to swap space, in KiB.
    #[serde(rename = "swpd")]
    pub swap_used: u64,
    /// Unused memory, in KiB.
    pub free: u64,
    /// Memory in buffers of devices, in KiB.
    #[serde(rename = "buff")]
    pub buffers: u64,
    /// Memory in the page cache, in KiB.
    pub cache: u64,
    /// Read from swap space, in KiB per second.
    #[serde(rename = "si")]
    pub swapped_in: u64,
    /// Written to swap space, in KiB per second.
    #[serde(rename = "so")]
    pub swapped_out: u64,
    /// Read from devices, in KiB per second.
    #[serde(rename = "bi")]
    pub blocks_in: u64,
    /// Written to devices, in KiB per second.
    #[serde(rename = "bo")]
    pub blocks_out: u64,
    /// Interrupts per second.
    #[serde(rename = "in")]
    pub interrupts: u64,
    /// Context switches per second.
    #[serde(rename = "cs")]
    pub switches: u64,
    /// Time in programs, in percent of all cores.
    #[serde(rename = "us")]
    pub user: u64,
    /// Time in the kernel, in percent of all cores.
    #[serde(rename = "sy")]
    pub system: u64,
    /// Idle time, in percent of all cores.
    #[serde(rename = "id")]
    pub idle: u64,
    /// Idle time while a device was busy, in percent of all cores.
    #[serde(rename = "wa")]
    pub wait: u64,
    /// Time taken by the host of a virtual machine, in percent of all cores.
    #[serde(rename = "st")]
    pub stolen: u64,
}

/// What one endpoint does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EndpointTraffic {
    /// The path of the endpoint.
    pub path: String,
    /// Open connections.
    pub connections: u64,
    /// Messages received per second.
    pub messages_in: f64,
    /// Messages sent per second.
    pub messages_out: f64,
    /// Payload bytes received per second.
    pub bytes_in: f64,
    /// Payload bytes sent per second.
    pub bytes_out: f64,
}

/// What one worker thread of the server does.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WorkerTraffic {
    /// Connections that it served last.
    pub connections: u64,
    /// Messages received per second.
    pub messages_in: f64,
    /// Messages sent per second.
    pub messages_out: f64,
    /// Bytes that wait to be written, of all its connections together.
    pub queued: u64,
    /// Bytes that wait to be written to the slowest of its connections.
    pub largest_queue: u64,
}

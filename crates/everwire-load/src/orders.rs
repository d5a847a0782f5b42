//! What the program says to its worker processes, a JSON text a line. A worker answers [`Order::Report`] with an `Interval`.

use serde::{Deserialize, Serialize};

use crate::Plan;
use crate::window::Window;

/// The first line: what to do, and which of the processes it is.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Assignment {
    pub(crate) plan: Plan,
    pub(crate) process: u32,
}

/// The lines that follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Order {
    /// Tell what has been counted since the last time.
    Report,
    /// Send messages in this window, in microseconds since the Unix epoch.
    Load(Window<u64>),
    /// Send no more messages.
    Stop,
    /// Close the connections and exit.
    End,
}

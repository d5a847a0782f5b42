//! Tests of the companion server by a real client against a real port.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking, also in what its files share")]

mod files_client;
mod harness;

mod channels;
mod dist;
mod drain;
mod endpoints;
mod fan_out;
mod faults;
mod files;
mod files_limits;
#[cfg(unix)]
mod files_process;
mod files_resume;
mod lab;
mod lab_overhead;
mod limits;
mod live;
mod malformed;
mod metrics;
mod monitor;
mod monitor_channel;
#[cfg(target_os = "linux")]
mod monitor_machine;
mod mounted;
mod origin;
mod process;
mod replay;
mod shared_port;
mod slots;
mod slow_reader;
#[cfg(unix)]
mod stopped;
#[cfg(unix)]
mod supervisor;
mod ticker;
mod ticker_channel;
mod tls;
mod tracker;
mod tracker_channel;

use std::process::{Child, Command, ExitStatus};
use std::time::Duration;

use tokio::time::{interval, timeout};

use crate::TIMEOUT;

/// Sends a process a signal, such as `-TERM`.
pub fn signal(process: &Child, signal: &str) {
    // The shell has a `kill` of its own also where the program of that name is not installed.
    let kill = format!("kill {signal} {}", process.id());
    let sent = Command::new("sh").args(["-c", &kill]).status().unwrap();
    assert!(sent.success());
}

/// Waits until a process has ended.
pub async fn end_of(process: &mut Child) -> ExitStatus {
    let ended = async {
        let mut pace = interval(Duration::from_millis(10));
        loop {
            pace.tick().await;
            if let Some(status) = process.try_wait().unwrap() {
                return status;
            }
        }
    };
    timeout(TIMEOUT, ended).await.expect("the process ends")
}

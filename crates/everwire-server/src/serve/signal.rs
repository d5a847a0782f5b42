use std::io;

#[cfg(unix)]
use tokio::signal::unix::{Signal, SignalKind, signal};
#[cfg(windows)]
use tokio::signal::windows::{CtrlC, ctrl_c};

/// Listens for what tells a process to stop: Ctrl-C, and on Unix also SIGTERM and SIGHUP, the end of its terminal.
///
/// From the moment that it is made, these no longer end the process. Make it before telling anyone that the server
/// is there, or an early signal ends it with its sockets unclosed.
#[derive(Debug)]
pub struct StopSignal {
    #[cfg(unix)]
    interrupt: Signal,
    #[cfg(unix)]
    terminate: Signal,
    /// `None` where the process was started to outlive its terminal.
    #[cfg(unix)]
    hangup: Option<Signal>,
    #[cfg(windows)]
    interrupt: CtrlC,
}

impl StopSignal {
    /// Starts to listen. An error means that the system does not allow it.
    pub fn listen() -> io::Result<Self> {
        Ok(Self {
            #[cfg(unix)]
            interrupt: signal(SignalKind::interrupt())?,
            #[cfg(unix)]
            terminate: signal(SignalKind::terminate())?,
            #[cfg(unix)]
            hangup: if ignores_hangup() { None } else { Some(signal(SignalKind::hangup())?) },
            #[cfg(windows)]
            interrupt: ctrl_c()?,
        })
    }

    /// Completes at the next signal.
    pub async fn received(&mut self) {
        #[cfg(unix)]
        {
            let hangup = async {
                match &mut self.hangup {
                    Some(hangup) => hangup.recv().await,
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                _ = self.interrupt.recv() => {}
                _ = self.terminate.recv() => {}
                _ = hangup => {}
            }
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }

    /// Completes at the next signal by which somebody insists. The end of a terminal is not: it comes twice, by the system and by the
    /// shell, and some supervisors send it right behind SIGTERM.
    pub async fn received_again(&mut self) {
        #[cfg(unix)]
        tokio::select! {
            _ = self.interrupt.recv() => {}
            _ = self.terminate.recv() => {}
        }
        #[cfg(windows)]
        self.interrupt.recv().await;
    }
}

/// Whether `nohup` has started the process, or something like it. Only Linux tells in a file; elsewhere the server stops with its
/// terminal even then.
#[cfg(unix)]
fn ignores_hangup() -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let ignored = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let ignored = ignored.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or_default();
    ignored & 1 << (SignalKind::hangup().as_raw_value() - 1) != 0
}

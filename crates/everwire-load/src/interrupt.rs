use std::process;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::Instant;

/// What the program exits with when a signal has ended it.
pub const INTERRUPTED: u8 = 130;

/// The signals that ask the program to end (Ctrl-C, a termination). The first asks it to come to an end and tell what it knows,
/// a second ends it at once; so does the first after this was dropped.
pub(crate) struct Interrupt {
    signals: Receiver<()>,
    has_come: bool,
}

impl Interrupt {
    /// Listens from now on.
    pub(crate) fn listen() -> Result<Self, ctrlc::Error> {
        let (sender, signals) = channel();
        let mut is_first = true;
        ctrlc::set_handler(move || {
            if !core::mem::take(&mut is_first) || sender.send(()).is_err() {
                // The workers end when the pipe to them is closed.
                process::exit(INTERRUPTED.into());
            }
        })?;
        Ok(Self { signals, has_come: false })
    }

    pub(crate) fn has_come(&self) -> bool {
        self.has_come
    }

    /// Sleeps until a time, or until the signal comes. Whether it has come just now.
    pub(crate) fn pause(&mut self, until: Instant) -> bool {
        let time = until.saturating_duration_since(Instant::now());
        if self.has_come {
            thread::sleep(time);
            return false;
        }
        match self.signals.recv_timeout(time) {
            Ok(()) => self.has_come = true,
            Err(RecvTimeoutError::Timeout) => {}
            // The handler lasts as long as the program and holds the other end.
            Err(RecvTimeoutError::Disconnected) => thread::sleep(time),
        }
        self.has_come
    }
}

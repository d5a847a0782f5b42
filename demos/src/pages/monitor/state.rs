use everwire_companion_api::ErrorMessage;
use everwire_companion_api::monitor::{Detail, Machine, ServerMessage};

use super::track::Track;

/// What the page knows of the server.
#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) machine: Option<Machine>,
    pub(super) track: Track,
    pub(super) detail: Option<Detail>,
    /// What to do, from a server whose monitor is off.
    pub(super) off: Option<String>,
    /// The server's time of the latest point, and the page's.
    latest: Option<(f64, f64)>,
}

impl State {
    /// Takes a message that came at a time of the page's clock, in milliseconds.
    pub(super) fn take(&mut self, message: ServerMessage, now: f64) {
        match message {
            ServerMessage::Off(ErrorMessage { error }) => *self = Self { off: Some(error), ..Self::default() },
            ServerMessage::Welcome { machine, history, detail } => {
                self.off = None;
                self.track.fill(history);
                self.machine = machine.or(self.machine.take());
                self.detail = detail.or(self.detail.take());
                self.latest = self.track.latest().map(|point| (point.time, now));
            }
            ServerMessage::Sample { machine, point, detail } => {
                self.latest = Some((point.time, now));
                self.track.push(point);
                self.machine = Some(machine);
                // What runs is left out while nobody is known to state: the sample before tells it still.
                let processes = self.detail.take().and_then(|detail| detail.processes);
                self.detail = Some(Detail { processes: detail.processes.or(processes), ..detail });
            }
        }
    }

    /// The server's time at a time of the page. Without a line it goes on as the page's clock does.
    pub(super) fn server_time(&self, now: f64) -> f64 {
        self.latest.map_or(now, |(server, page)| server + (now - page).max(0.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample(second: u32) -> ServerMessage {
        let text = format!(
            r#"{{"type":"sample","machine":{{"system":"Linux","cores":1,"memory":10,"swap":0,"server_pid":42}},
            "point":{{"time":{},"cores":[1.0],"memory":5,"swap":0,"connections":2,"messages_in":1.0,"messages_out":2.0,
            "queued":3,"largest_queue":2}},"detail":{{"endpoints":[],"workers":[]}}}}"#,
            second * 1_000
        );
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_line_that_is_down_does_not_stop_the_clock() {
        let mut state = State::default();
        state.take(sample(100), 5_000.0);
        assert_eq!(state.server_time(5_000.0), 100_000.0);
        assert_eq!(state.server_time(65_000.0), 160_000.0);
    }

    #[test]
    fn a_monitor_that_is_switched_on_is_shown_and_one_that_is_switched_off_is_not() {
        let mut state = State::default();
        let off = || ServerMessage::Off(ErrorMessage { error: "start it".to_owned() });
        state.take(off(), 0.0);
        assert_eq!(state.off.as_deref(), Some("start it"));
        let welcome = ServerMessage::Welcome { machine: None, history: Vec::new(), detail: None };
        state.take(welcome, 0.0);
        state.take(sample(1), 0.0);
        assert!(state.off.is_none() && state.track.latest().is_some());
        state.take(off(), 0.0);
        assert!(state.track.latest().is_none() && state.machine.is_none());
    }
}

use std::collections::VecDeque;

use everwire_companion_api::monitor::{Detail, KEPT, Machine, Point, ServerMessage};
use everwire_server::Message;

use crate::protocol::json;

/// The recent samples, for new watchers. They are kept while the sampler runs.
#[derive(Debug, Default)]
pub(super) struct History {
    is_sampled: bool,
    machine: Option<Machine>,
    points: VecDeque<Point>,
    detail: Option<Detail>,
}

impl History {
    /// Returns whether the caller must start the sampler.
    pub(super) fn start(&mut self) -> bool {
        !std::mem::replace(&mut self.is_sampled, true)
    }

    /// Clears the history: the sampler ends.
    pub(super) fn end(&mut self) {
        *self = Self::default();
    }

    /// The first message for a new watcher.
    pub(super) fn welcome(&self) -> Message {
        let history = self.points.iter().cloned().collect();
        json(&ServerMessage::Welcome { machine: self.machine.clone(), history, detail: self.detail.clone() })
    }

    /// Adds a sample.
    pub(super) fn push(&mut self, machine: Machine, point: Point, detail: Detail) {
        if self.points.len() == KEPT as usize {
            self.points.pop_front();
        }
        self.points.push_back(point);
        self.machine = Some(machine);
        self.detail = Some(detail);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(time: f64) -> Point {
        Point {
            time,
            cores: vec![50.0],
            memory: 1,
            swap: 0,
            load: None,
            connections: 0,
            messages_in: 0.0,
            messages_out: 0.0,
            queued: 0,
            largest_queue: 0,
        }
    }

    fn machine() -> Machine {
        Machine { system: "Test".to_owned(), cores: 1, memory: 2, swap: 0, server_pid: 1 }
    }

    fn detail() -> Detail {
        Detail { processes: None, vmstat: None, endpoints: Vec::new(), workers: Vec::new() }
    }

    fn welcome(history: &History) -> serde_json::Value {
        let Message::Text(text) = history.welcome() else { panic!("no text") };
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn five_minutes_are_kept_and_not_more() {
        let mut history = History::default();
        for second in 0..1_000 {
            history.push(machine(), point(f64::from(second) * 1e3), detail());
        }
        let welcome = welcome(&history);
        let points = welcome["history"].as_array().unwrap();
        assert_eq!(
            (points.len(), &points[0]["time"], &points[299]["time"]),
            (300, &700_000.0.into(), &999_000.0.into())
        );
    }

    #[test]
    fn values_that_a_system_does_not_have_are_left_out() {
        let mut history = History::default();
        history.push(machine(), point(0.0), detail());
        let welcome = welcome(&history);
        assert!(welcome["history"][0].get("load").is_none(), "{welcome}");
        assert!(welcome["detail"].get("vmstat").is_none(), "{welcome}");
    }

    #[test]
    fn a_second_start_starts_no_second_sampler_until_the_first_has_ended() {
        let mut history = History::default();
        assert_eq!([history.start(), history.start()], [true, false]);
        history.end();
        assert!(history.start());
    }
}

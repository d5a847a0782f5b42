//! What the monitor's endpoint sends.

use std::collections::BTreeMap;

use serde::Deserialize;

/// A message of `/monitor`.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(untagged)]
pub(super) enum News {
    /// The monitor is off, and this is what to do.
    Off {
        error: String,
    },
    Told(Box<Told>),
}

/// A message of a monitor that is on.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
pub(super) enum Told {
    /// The first message. Right after the start of the monitor nothing is known yet.
    Welcome {
        machine: Option<Machine>,
        history: Vec<Point>,
        detail: Option<Detail>,
    },
    Sample {
        machine: Machine,
        point: Point,
        detail: Detail,
    },
}

/// What does not change. Sizes are in bytes.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Machine {
    pub(super) system: String,
    pub(super) cores: usize,
    pub(super) memory: u64,
    pub(super) swap: u64,
    pub(super) server_pid: u32,
}

/// What charts show.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Point {
    /// Milliseconds since the Unix epoch by the server's clock.
    pub(super) time: f64,
    /// In percent.
    pub(super) cores: Vec<f64>,
    pub(super) memory: u64,
    pub(super) swap: u64,
    pub(super) load: Option<[f64; 3]>,
    pub(super) connections: u64,
    /// Messages a second.
    pub(super) messages_in: f64,
    pub(super) messages_out: f64,
    /// Bytes that wait to be written, to all connections together and to the slowest.
    pub(super) queued: u64,
    pub(super) largest_queue: u64,
}

/// What tables show. What the server's system does not have is missing.
#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Detail {
    pub(super) processes: Option<Processes>,
    /// The counters by the names that `vmstat` gives them.
    pub(super) vmstat: Option<BTreeMap<String, u64>>,
    pub(super) endpoints: Vec<Endpoint>,
    pub(super) workers: Vec<Worker>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Processes {
    pub(super) count: u64,
    pub(super) running: u64,
    pub(super) top: Vec<Process>,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Process {
    pub(super) pid: u32,
    pub(super) name: String,
    /// In percent of one core.
    pub(super) cpu: f64,
    pub(super) memory: u64,
    pub(super) state: String,
    pub(super) user: Option<String>,
    /// The time that it has computed, in milliseconds.
    pub(super) time: u64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Endpoint {
    pub(super) path: String,
    pub(super) connections: u64,
    /// A second.
    pub(super) messages_in: f64,
    pub(super) messages_out: f64,
    pub(super) bytes_in: f64,
    pub(super) bytes_out: f64,
}

#[derive(Clone, Debug, PartialEq, Deserialize)]
pub(super) struct Worker {
    pub(super) connections: u64,
    /// A second.
    pub(super) messages_in: f64,
    pub(super) messages_out: f64,
    pub(super) queued: u64,
    pub(super) largest_queue: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_welcome_a_sample_and_a_refusal_are_read_as_the_server_writes_them() {
        let point = r#"{"time":1.5,"cores":[12.5,0.0],"memory":5,"swap":0,"load":[0.1,0.2,0.3],"connections":2,
            "messages_in":1.0,"messages_out":2.0,"queued":3,"largest_queue":2}"#;
        let detail = r#"{"processes":{"count":9,"running":1,"top":[{"pid":1,"name":"init","cpu":0.5,"memory":7,"state":"sleeping",
            "user":"root","time":10}]},"vmstat":{"r":1,"in":300},
            "endpoints":[{"path":"/echo","connections":1,"messages_in":1.0,"messages_out":2.0,"bytes_in":3.0,"bytes_out":4.0}],
            "workers":[{"connections":1,"messages_in":1.0,"messages_out":2.0,"queued":3,"largest_queue":2}]}"#;
        let machine = r#"{"system":"Linux","cores":2,"memory":10,"swap":0,"server_pid":42}"#;
        let sample = format!(r#"{{"type":"sample","machine":{machine},"point":{point},"detail":{detail}}}"#);
        let Ok(Told::Sample { point, detail, .. }) = serde_json::from_str(&sample) else { panic!("no sample") };
        assert!(matches!(serde_json::from_str(&sample), Ok(News::Told(_))));
        assert_eq!((point.cores, point.load), (vec![12.5, 0.0], Some([0.1, 0.2, 0.3])));
        assert_eq!(detail.vmstat.unwrap()["in"], 300);

        let first = serde_json::from_str(r#"{"type":"welcome","history":[]}"#);
        assert_eq!(
            first.ok(),
            Some(News::Told(Box::new(Told::Welcome { machine: None, history: vec![], detail: None })))
        );
        let off = serde_json::from_str(r#"{"error":"start it"}"#).ok();
        assert_eq!(off, Some(News::Off { error: "start it".to_owned() }));
    }
}

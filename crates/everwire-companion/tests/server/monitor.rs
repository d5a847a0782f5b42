//! The monitor: the endpoint `/monitor`, its channels, and what it reports about the machine.

use everwire::Delivery;
use everwire::client::{SubscribeOptions, SubscriptionError};
use everwire_companion_api::monitor::{KEPT, LATEST, POINTS, Point, STATUS};
use everwire_server::broker::ChannelName;
use everwire_test_client::{Client, TIMEOUT};
use futures_util::StreamExt;
use serde_json::Value;
use tokio::time::timeout;
use tokio_tungstenite::tungstenite::Message;

use crate::harness::{Harness, next_message};

async fn watched() -> Harness {
    Harness::start(|config| config.monitor = true).await
}

/// The next sample.
async fn sample(client: &mut Client) -> Value {
    loop {
        let message = client.json().await;
        if message["type"] == "sample" {
            return message;
        }
    }
}

/// The first sample that meets a condition.
async fn sample_with(client: &mut Client, what: &str, mut is_wanted: impl FnMut(&Value) -> bool) -> Value {
    let wanted = async {
        loop {
            let sample = sample(client).await;
            if is_wanted(&sample) {
                return sample;
            }
        }
    };
    timeout(TIMEOUT, wanted).await.unwrap_or_else(|_| panic!("no sample with {what}"))
}

fn endpoint<'a>(sample: &'a Value, path: &str) -> &'a Value {
    let endpoints = sample["detail"]["endpoints"].as_array().unwrap();
    endpoints.iter().find(|endpoint| endpoint["path"] == path).unwrap()
}

#[tokio::test]
async fn without_the_flag_the_monitor_sends_only_what_to_do() {
    let harness = Harness::start(|_| {}).await;
    let mut client = harness.client("/monitor").await;
    let answer = client.json().await;
    assert!(answer["error"].as_str().unwrap().contains("start the server with --monitor"), "{answer}");
    assert_eq!(client.closed().await, (4403, "the monitor is off".to_owned()));
}

#[tokio::test]
async fn a_sample_comes_each_second() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    assert_eq!(client.json().await["type"], "welcome");
    let times = [sample(&mut client).await, sample(&mut client).await, sample(&mut client).await];
    let [first, _, third] = times.map(|sample| sample["point"]["time"].as_f64().unwrap());
    // Two seconds pass between them, plus or minus the delays of a busy machine.
    assert!((1_000.0..10_000.0).contains(&(third - first)), "{first} {third}");
}

#[tokio::test]
async fn a_later_watcher_gets_the_history() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    let first = sample(&mut client).await;
    let second = sample(&mut client).await;
    let mut later = harness.client("/monitor").await;
    let welcome = later.json().await;
    let history = welcome["history"].as_array().unwrap();
    // There may be points from before the first watcher, and from after it.
    let start = history.iter().position(|point| *point == first["point"]).unwrap();
    assert_eq!(history[start + 1], second["point"]);
    assert_eq!(welcome["machine"], second["machine"]);
    assert!(welcome["detail"]["endpoints"].is_array(), "tables are there at once too");
}

#[tokio::test]
async fn a_reloaded_page_has_no_gap() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    let first = sample(&mut client).await;
    drop(client);
    let mut again = harness.client("/monitor").await;
    assert!(again.json().await["history"].as_array().unwrap().contains(&first["point"]));
}

#[tokio::test]
async fn every_watcher_is_sent_the_same_sample() {
    let harness = watched().await;
    let mut clients = [harness.client("/monitor").await, harness.client("/monitor").await];
    // The first watcher may have been sent samples that the second was not.
    let sent = sample(&mut clients[1]).await;
    let time = sent["point"]["time"].clone();
    let same = sample_with(&mut clients[0], "the same time", |sample| sample["point"]["time"] == time).await;
    assert_eq!(same, sent);
}

#[tokio::test]
async fn connections_and_messages_are_those_of_the_endpoint_and_of_a_worker() {
    let harness = watched().await;
    let mut monitor = harness.client("/monitor").await;
    let mut echo = harness.client("/echo").await;
    let _other = harness.client("/echo").await;
    let load = tokio::spawn(async move {
        loop {
            echo.ask("four").await;
        }
    });
    let sample = sample_with(&mut monitor, "messages", |sample| {
        endpoint(sample, "/echo")["messages_in"].as_f64().unwrap() > 100.0
    })
    .await;
    load.abort();
    let echo = endpoint(&sample, "/echo");
    assert_eq!((&echo["connections"], &endpoint(&sample, "/sum")["connections"]), (&2.into(), &0.into()));
    let number = |value: &Value| value.as_f64().unwrap();
    let each_way = (number(&echo["messages_in"]) - number(&echo["messages_out"])).abs();
    assert!(each_way <= 0.05 * number(&echo["messages_in"]), "each is answered: {echo}");
    assert!((number(&echo["bytes_in"]) / number(&echo["messages_in"]) - 4.0).abs() < 0.1, "{echo}");
    assert_eq!(sample["point"]["connections"], 3);

    let workers = sample["detail"]["workers"].as_array().unwrap();
    let sum = |key: &str| workers.iter().map(|worker| number(&worker[key])).sum::<f64>();
    assert!((sum("messages_in") - number(&sample["point"]["messages_in"])).abs() < 10.0, "{sample}");
    assert_eq!(sum("connections"), 3.0);
}

#[tokio::test]
async fn bytes_queued_for_a_slow_reader_are_reported() {
    let harness = Harness::start(|config| {
        config.monitor = true;
        config.connection.backlog_bytes = 64 << 20;
    })
    .await;
    let mut monitor = harness.client("/monitor").await;
    let mut slow = Client::with_small_buffer(harness.address(), "/broadcast").await;
    slow.ask(r#"{"ping":1}"#).await;
    let mut fast = harness.client("/broadcast").await;
    // More than the buffers of the system hold, and less than the limit of the backlog.
    for _ in 0..8 {
        fast.echoes(Message::binary(vec![0; 512 << 10])).await;
    }
    let sample = sample_with(&mut monitor, "something that waits", |sample| {
        sample["point"]["largest_queue"].as_u64().unwrap() > 64 << 10
    })
    .await;
    assert!(sample["point"]["queued"].as_u64() >= sample["point"]["largest_queue"].as_u64(), "{sample}");
}

#[tokio::test]
async fn a_message_to_the_monitor_is_answered_with_an_error() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    client.send("hello").await;
    let answered = async {
        loop {
            let message = client.json().await;
            if let Some(error) = message["error"].as_str() {
                return error.to_owned();
            }
        }
    };
    let error = timeout(TIMEOUT, answered).await.expect("an answer");
    assert!(error.contains("only sends"), "{error}");
}

#[tokio::test]
async fn a_watched_server_stops_in_time() {
    let harness = watched().await;
    let mut client = harness.client("/monitor").await;
    sample(&mut client).await;
    let closed = tokio::spawn(async move { client.closed().await });
    timeout(TIMEOUT, harness.server.stop()).await.expect("an end");
    assert_eq!(closed.await.unwrap().0, 1001);
}

/// The last five minutes, then what follows.
fn past_and_present() -> SubscribeOptions {
    SubscribeOptions::default().last(KEPT.into())
}

#[tokio::test]
async fn a_page_that_comes_late_sees_what_the_channel_has_kept() {
    let harness = watched().await;
    let early = harness.channels();
    let mut points = early.subscribe_with(&POINTS, &past_and_present());
    let seen = [next_message(&mut points).await, next_message(&mut points).await];

    let late = harness.channels();
    let mut points = late.subscribe_with(&POINTS, &past_and_present());
    let history: Vec<Point> = {
        let mut history = Vec::new();
        loop {
            match points.next().await.unwrap() {
                Delivery::Message(message) => history.push(message.value),
                Delivery::CaughtUp => break history,
                other => panic!("{other:?}"),
            }
        }
    };
    assert_eq!(&history[..2], &seen.map(|message| message.value));
}

#[tokio::test]
async fn tables_are_published_only_while_a_page_reads_them() {
    let harness = watched().await;
    let client = harness.channels();
    let mut points = client.subscribe(&POINTS);
    next_message(&mut points).await;
    next_message(&mut points).await;
    let name = ChannelName::try_from(STATUS.name()).unwrap();
    let history = harness.server.companion().everwire().broker().history(&name, 0).await.unwrap();
    assert_eq!(history.last.offset, 0);

    let mut status = client.subscribe(&STATUS);
    let status = next_message(&mut status).await;
    assert_eq!(status.key.as_deref(), Some(LATEST));
    assert!(status.value.detail.endpoints.iter().any(|endpoint| endpoint.path == "/everwire"));
    assert_eq!(status.value.detail.processes.is_some(), cfg!(target_os = "linux"));
}

#[tokio::test]
async fn the_endpoint_and_the_channel_have_the_same_points() {
    let harness = watched().await;
    let mut watcher = harness.client("/monitor").await;
    let client = harness.channels();
    let mut points = client.subscribe(&POINTS);
    let point = next_message(&mut points).await.value;
    let sample = sample_with(&mut watcher, "the time of the channel", |sample| sample["point"]["time"] == point.time);
    assert_eq!(sample.await["point"], serde_json::to_value(&point).unwrap());
}

#[tokio::test]
async fn without_the_flag_no_channel_of_the_monitor_can_be_read() {
    let harness = Harness::start(|config| config.faults = true).await;
    let client = harness.channels();
    let (mut points, mut status) = (client.subscribe(&POINTS), client.subscribe(&STATUS));
    let refusals = [points.next().await.map(refusal), status.next().await.map(refusal)];
    assert_eq!(refusals, [const { Some(true) }; 2]);
}

/// Whether the subscription was refused by the rules.
fn refusal<T>(delivery: Delivery<T>) -> bool {
    matches!(delivery, Delivery::Ended(SubscriptionError::Refused { code, .. }) if code.to_string() == "denied")
}

/// What the monitor reports about the machine, compared with what the system reports.
#[cfg(target_os = "linux")]
mod machine {
    use std::collections::HashMap;
    use std::fs;
    use std::process::Command;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};
    use std::thread;

    use everwire_test_client::Client;
    use serde_json::Value;

    use super::{sample_with, watched};
    use crate::harness::Harness;

    async fn monitor() -> (Harness, Client) {
        let harness = watched().await;
        let client = harness.client("/monitor").await;
        (harness, client)
    }

    /// A line of `/proc/meminfo`, in bytes.
    fn meminfo(name: &str) -> u64 {
        let text = fs::read_to_string("/proc/meminfo").unwrap();
        let line = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap();
        line.trim().trim_end_matches(" kB").parse::<u64>().unwrap() * 1024
    }

    #[tokio::test]
    async fn memory_cores_and_load_are_those_of_the_system() {
        let (_harness, mut client) = monitor().await;
        let sample = sample_with(&mut client, "anything", |_| true).await;
        assert_eq!(sample["machine"]["memory"], meminfo("MemTotal"));
        assert_eq!(sample["machine"]["swap"], meminfo("SwapTotal"));
        let stat = fs::read_to_string("/proc/stat").unwrap();
        let cores = stat.lines().filter(|line| line.starts_with("cpu") && !line.starts_with("cpu ")).count();
        assert_eq!(sample["point"]["cores"].as_array().unwrap().len(), cores);
        assert_eq!(sample["machine"]["cores"], cores);

        // Other processes may use the machine meanwhile.
        sample_with(&mut client, "the memory in use", |sample| {
            let used = sample["point"]["memory"].as_u64().unwrap() as f64;
            let expected = (meminfo("MemTotal") - meminfo("MemAvailable")) as f64;
            (used - expected).abs() < 0.1 * meminfo("MemTotal") as f64
        })
        .await;
        sample_with(&mut client, "the load", |sample| {
            let loadavg = fs::read_to_string("/proc/loadavg").unwrap();
            let fifteen: f64 = loadavg.split(' ').nth(2).unwrap().parse().unwrap();
            (sample["point"]["load"][2].as_f64().unwrap() - fifteen).abs() < 0.5
        })
        .await;
    }

    /// The processor time that this process has taken, in milliseconds.
    fn own_time() -> u64 {
        let stat = fs::read_to_string("/proc/self/stat").unwrap();
        let fields: Vec<&str> = stat.rsplit_once(") ").unwrap().1.split(' ').collect();
        // The system counts it in hundredths of a second (`proc_pid_stat(5)`: utime and stime).
        10 * fields[11..13].iter().map(|ticks| ticks.parse::<u64>().unwrap()).sum::<u64>()
    }

    /// The bytes of memory that this process has.
    fn own_memory() -> u64 {
        let statm = fs::read_to_string("/proc/self/statm").unwrap();
        statm.split(' ').nth(1).unwrap().parse::<u64>().unwrap() * 4096
    }

    #[tokio::test]
    async fn a_thread_that_computes_is_seen_on_a_core_in_its_process_and_in_the_counters() {
        let (_harness, mut client) = monitor().await;
        let is_busy = Arc::new(AtomicBool::new(true));
        let busy = {
            let is_busy = Arc::clone(&is_busy);
            thread::spawn(move || while is_busy.load(Ordering::Relaxed) {})
        };
        let pid = std::process::id();
        let own = |sample: &Value| {
            let top = sample["detail"]["processes"]["top"].as_array().unwrap();
            top.iter().find(|process| process["pid"] == pid).cloned()
        };
        // The scheduler decides how much of a core the thread gets; the monitor must report what it used.
        let mut before: Option<(f64, u64)> = None;
        let sample = sample_with(&mut client, "a busy process", |sample| {
            let now = (sample["point"]["time"].as_f64().unwrap(), own_time());
            let Some((time, taken)) = before.replace(now) else { return false };
            let share = (now.1 - taken) as f64 / (now.0 - time) * 100.0;
            let cores = sample["point"]["cores"].as_array().unwrap();
            let busiest = cores.iter().filter_map(Value::as_f64).fold(0.0, f64::max);
            let programs = sample["detail"]["vmstat"]["us"].as_u64().unwrap() as f64;
            let of_each = share / cores.len() as f64;
            share > 5.0
                && busiest > 0.5 * of_each
                && programs > 0.5 * of_each
                && own(sample).is_some_and(|process| {
                    let times = process["cpu"].as_f64().unwrap() / share;
                    (0.5..2.0).contains(&times) && process["memory"].as_u64().unwrap().abs_diff(own_memory()) < 32 << 20
                })
        })
        .await;
        is_busy.store(false, Ordering::Relaxed);
        busy.join().unwrap();

        let process = own(&sample).unwrap();
        let name = fs::read_to_string("/proc/self/comm").unwrap();
        assert_eq!(process["name"], name.trim());
        assert!((10..=own_time()).contains(&process["time"].as_u64().unwrap()), "{process}");
        assert_eq!(sample["machine"]["server_pid"], pid);
    }

    #[tokio::test]
    async fn the_busiest_processes_come_first_and_few_of_many() {
        let (_harness, mut client) = monitor().await;
        let sample = sample_with(&mut client, "anything", |_| true).await;
        let processes = &sample["detail"]["processes"];
        let top = processes["top"].as_array().unwrap();
        assert!(top.len() <= 30 && top.len() as u64 <= processes["count"].as_u64().unwrap(), "{processes}");
        let shares: Vec<f64> = top.iter().map(|process| process["cpu"].as_f64().unwrap()).collect();
        assert!(shares.is_sorted_by(|one, other| one >= other), "{shares:?}");
        sample_with(&mut client, "the number of processes", |sample| {
            let running = fs::read_dir("/proc").unwrap().flatten();
            let count =
                running.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count() as f64;
            let reported = sample["detail"]["processes"]["count"].as_f64().unwrap();
            (reported - count).abs() <= 10.0 + count * 0.2
        })
        .await;
    }

    /// What `vmstat` prints under each of its heads.
    fn vmstat() -> Option<HashMap<String, f64>> {
        let output = Command::new("vmstat").output().ok()?;
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<Vec<&str>> = text.lines().map(|line| line.split_whitespace().collect()).collect();
        Some(
            lines[1]
                .iter()
                .zip(&lines[2])
                .map(|(head, number)| ((*head).to_owned(), number.parse().unwrap()))
                .collect(),
        )
    }

    /// Skipped where procps is not installed.
    #[tokio::test]
    async fn the_counters_are_those_that_vmstat_prints() {
        let Some(printed) = vmstat() else { return };
        let (_harness, mut client) = monitor().await;
        let sample = sample_with(&mut client, "anything", |_| true).await;
        let reported = |sample: &Value, head: &str| {
            sample["detail"]["vmstat"][head].as_f64().unwrap_or_else(|| panic!("no {head} is reported"))
        };
        for head in [
            "r", "b", "swpd", "free", "buff", "cache", "si", "so", "bi", "bo", "in", "cs", "us", "sy", "id", "wa", "st",
        ] {
            assert!(printed.contains_key(head), "no {head} in {printed:?}");
            reported(&sample, head);
        }
        let shares: f64 = ["us", "sy", "id", "wa", "st"].map(|head| reported(&sample, head)).iter().sum();
        assert!((98.0..=102.0).contains(&shares), "{shares} %");
        // The others are rates: vmstat's first line has their means since the machine started.
        sample_with(&mut client, "the memory that vmstat prints", |sample| {
            let (printed, total) = (vmstat().unwrap(), (meminfo("MemTotal") / 1024) as f64);
            let memory = ["swpd", "free", "buff", "cache"];
            memory.iter().all(|head| (reported(sample, head) - printed[*head]).abs() <= 0.05 * total)
        })
        .await;
    }
}

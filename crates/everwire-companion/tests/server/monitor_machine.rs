//! What the monitor reports about the machine, compared with what the system reports.

use std::collections::HashMap;
use std::fs;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use everwire_test_client::Client;
use serde_json::Value;

use crate::harness::Harness;
use crate::monitor::{sample_with, watched};

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
        let count = running.filter(|entry| entry.file_name().to_string_lossy().parse::<u32>().is_ok()).count() as f64;
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
    Some(lines[1].iter().zip(&lines[2]).map(|(head, number)| ((*head).to_owned(), number.parse().unwrap())).collect())
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
    for head in
        ["r", "b", "swpd", "free", "buff", "cache", "si", "so", "bi", "bo", "in", "cs", "us", "sy", "id", "wa", "st"]
    {
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

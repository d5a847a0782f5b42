//! Runs that do not come to the end that was planned: what is known is told nevertheless.

use crate::support::{Load, Run, Told, folder, signal};

#[tokio::test]
async fn a_chart_that_cannot_be_written_takes_nothing_of_the_result() {
    let server = Load::start().await;
    let folder = folder("gone");
    let flags =
        format!("--connections 3 --duration 1s --charts {} --json {}.jsonl", folder.display(), folder.display());
    let mut run = Run::start(&format!("{} {flags}", server.url("/echo")));
    run.until_stderr("sending").await;
    std::fs::remove_dir(&folder).unwrap();
    let output = run.end().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.contains("3 sent, 3 answered"));
    assert!(output.stderr.contains("cannot write") && output.stderr.contains("throughput.svg"), "{}", output.stderr);
    let lines = folder.with_extension("jsonl");
    assert!(std::fs::read_to_string(&lines).unwrap().lines().last().unwrap().contains(r#""type":"summary""#));
    std::fs::remove_file(lines).unwrap();
}

#[tokio::test]
async fn a_run_that_is_interrupted_tells_what_is_known() {
    let server = Load::start().await;
    let folder = folder("interrupted");
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2";
    let flags = format!("{flags} --charts {} --json {}/run.jsonl", folder.display(), folder.display());
    let mut run = Run::start(&format!("{} {flags}", server.url("/echo")));
    run.until_stderr("sending").await;
    let lines = folder.join("run.jsonl");
    while !std::fs::read_to_string(&lines).unwrap().contains(r#""phase":"load""#) {
        tokio::task::yield_now().await;
    }
    run.signal("INT").await;
    let ended = run.end().await;
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(ended.stdout.contains("Interrupted") && ended.stdout.contains("Round trip"), "{}", ended.stdout);
    assert!(folder.join("latency.svg").exists());
    let Told { summary, seconds } = Told::read(&std::fs::read_to_string(&lines).unwrap());
    assert!(summary.interrupted && summary.problem.is_none());
    assert!((1.0..50.0).contains(&summary.load_s), "{}", summary.load_s);
    assert!(summary.round_trips.sent >= 150 && summary.round_trips.lost == 0, "{:?}", summary.round_trips);
    assert_eq!(seconds.iter().map(|second| second.answered).sum::<u64>(), summary.round_trips.answered);
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn a_run_that_is_interrupted_while_it_connects_or_warms_up_sends_nothing_that_counts() {
    let server = Load::start().await;
    for (flags, phase) in [("--connections 1000 --rate 10/s", "opening"), ("--warm-up 60s", "warming up")] {
        let mut run = Run::start(&format!("{} {flags} --json -", server.url("/echo")));
        run.until_stderr(phase).await;
        run.signal("INT").await;
        let ended = run.end().await;
        assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
        let summary = Told::read(&ended.stdout).summary;
        assert!(summary.interrupted);
        assert_eq!((summary.round_trips.sent, summary.load_s), (0, 0.0));
    }
}

#[tokio::test]
async fn a_run_of_which_nobody_reads_the_lines_ends() {
    let server = Load::start().await;
    let mut run = Run::start(&format!("{} --connections 1 --duration 60s --json -", server.url("/echo")));
    run.close_stdout();
    let ended = run.end().await;
    assert_eq!((ended.status.code(), ended.stderr.contains("stdout was closed")), (Some(1), true), "{}", ended.stderr);
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let server = Load::start().await;
    let flags = "--connections 1 --ping-period 1ms --duration 60s --grace 60s";
    let mut run = Run::start(&format!("{} {flags}", server.url("/echo?fault=half-open:2")));
    run.until_stderr("sending").await;
    run.signal("INT").await;
    run.until_stderr("waiting").await;
    run.signal("TERM").await;
    let ended = run.end().await;
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(130), ""));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn what_was_known_before_a_worker_was_killed_is_told_with_the_reason() {
    let server = Load::start().await;
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2 --json";
    let lines = folder("killed").with_extension("jsonl");
    let mut run = Run::start(&format!("{} {flags} {}", server.url("/echo"), lines.display()));
    run.until_stderr("sending").await;
    while !std::fs::read_to_string(&lines).unwrap().contains(r#""phase":"load""#) {
        tokio::task::yield_now().await;
    }
    let workers = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).unwrap();
    signal("KILL", workers.split_whitespace().last().unwrap()).await;
    let ended = run.end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("worker process 2 has ended (signal: 9"), "{}", ended.stderr);
    assert!(ended.stdout.contains("Incomplete") && ended.stdout.contains("Round trip"), "{}", ended.stdout);
    let summary = Told::read(&std::fs::read_to_string(&lines).unwrap()).summary;
    assert!(summary.problem.unwrap().contains("worker process 2"));
    assert!(!summary.interrupted && summary.round_trips.answered >= 100 && summary.load_s >= 1.0);
    std::fs::remove_file(lines).unwrap();
}

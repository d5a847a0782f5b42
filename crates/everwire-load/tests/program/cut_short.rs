//! Runs that end early: the result so far is reported nevertheless.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use crate::support::{Load, Report, Run, command, folder, signal};

#[tokio::test]
async fn a_chart_that_cannot_be_written_takes_nothing_of_the_result() {
    let server = Load::start().await;
    let folder = folder("unwritable");
    // A file cannot take the place of a folder.
    std::fs::create_dir_all(folder.join("throughput.svg")).unwrap();
    let lines = folder.join("run.jsonl");
    let flags = format!("--connections 3 --duration 1s --charts {} --json {}", folder.display(), lines.display());
    let output = Run::start(&format!("{} {flags}", server.url("/echo"))).end().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.contains("3 sent, 3 answered"));
    assert!(output.stderr.contains("cannot write") && output.stderr.contains("throughput.svg"), "{}", output.stderr);
    assert!(std::fs::read_to_string(&lines).unwrap().lines().last().unwrap().contains(r#""type":"summary""#));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Waits until lines in this file tell of a second of load in which something was answered, and gives how much was in all.
async fn until_answered(lines: &Path) -> u64 {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        let text = std::fs::read_to_string(lines).unwrap();
        // The last line may be half written.
        let whole = text.rsplit_once('\n').map_or("", |(whole, _)| whole);
        let answered: u64 = Report::seconds(whole).iter().map(|second| second.answered).sum();
        if answered > 0 {
            return answered;
        }
    }
}

#[tokio::test]
async fn an_interrupted_run_reports_what_is_known() {
    let server = Load::start().await;
    let folder = folder("interrupted");
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2";
    let flags = format!("{flags} --charts {} --json {}/run.jsonl", folder.display(), folder.display());
    let mut run = Run::start(&format!("{} {flags}", server.url("/echo")));
    run.until_stderr("sending").await;
    let lines = folder.join("run.jsonl");
    let answered = until_answered(&lines).await;
    run.signal("INT").await;
    let ended = run.end().await;
    assert_eq!(ended.status.code(), Some(130), "{}", ended.stderr);
    assert!(ended.stdout.contains("Interrupted") && ended.stdout.contains("Round trip"), "{}", ended.stdout);
    assert!(folder.join("latency.svg").exists());
    let Report { summary, seconds } = Report::read(&std::fs::read_to_string(&lines).unwrap());
    assert!(summary.interrupted && summary.problem.is_none());
    assert!((1.0..50.0).contains(&summary.load_s), "{}", summary.load_s);
    assert!(summary.round_trips.answered >= answered && summary.round_trips.lost == 0, "{:?}", summary.round_trips);
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
        let summary = Report::read(&ended.stdout).summary;
        assert!(summary.interrupted);
        assert_eq!((summary.round_trips.sent, summary.load_s), (0, 0.0));
    }
}

#[tokio::test]
async fn a_run_whose_lines_have_no_reader_ends() {
    let server = Load::start().await;
    let mut run = Run::start(&format!("{} --connections 1 --duration 60s --json -", server.url("/echo")));
    run.close_stdout();
    let ended = run.end().await;
    assert_eq!((ended.status.code(), ended.stderr.contains("stdout was closed")), (Some(1), true), "{}", ended.stderr);
}

#[tokio::test]
async fn a_run_whose_progress_has_no_reader_completes() {
    let server = Load::start().await;
    let mut command = command(&[&server.url("/echo"), "--connections", "1", "--duration", "1s"]);
    let (_, closed) = std::io::pipe().unwrap();
    let output = command.stdout(Stdio::piped()).stderr(closed).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 sent, 1 answered"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_result_that_finds_no_room_on_the_disk_is_no_success() {
    let server = Load::start().await;
    let mut command = command(&[&server.url("/echo"), "--connections", "1", "--duration", "1s"]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot write stdout: No space left on device"), "{said}");
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let server = Load::start().await;
    let lines = folder("twice").with_extension("jsonl");
    let flags = format!("--connections 1 --ping-period 1ms --duration 60s --grace 60s --json {}", lines.display());
    let mut run = Run::start(&format!("{} {flags}", server.url("/echo?fault=half-open:2")));
    run.until_stderr("sending").await;
    // One of the many that were sent by then is answered: there are others to wait for.
    assert_eq!(until_answered(&lines).await, 1);
    run.signal("INT").await;
    run.until_stderr("waiting").await;
    run.signal("TERM").await;
    let ended = run.end().await;
    assert_eq!((ended.status.code(), ended.stdout.as_str()), (Some(130), ""));
    std::fs::remove_file(lines).unwrap();
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_result_before_a_worker_was_killed_is_reported_with_the_reason() {
    let server = Load::start().await;
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2 --json";
    let lines = folder("killed").with_extension("jsonl");
    let mut run = Run::start(&format!("{} {flags} {}", server.url("/echo"), lines.display()));
    run.until_stderr("sending").await;
    let answered = until_answered(&lines).await;
    let workers = std::fs::read_to_string(format!("/proc/{0}/task/{0}/children", run.pid())).unwrap();
    signal("KILL", workers.split_whitespace().last().unwrap()).await;
    let ended = run.end().await;
    assert_eq!(ended.status.code(), Some(1));
    assert!(ended.stderr.contains("worker process 2 has ended (signal: 9"), "{}", ended.stderr);
    assert!(ended.stdout.contains("Incomplete") && ended.stdout.contains("Round trip"), "{}", ended.stdout);
    let summary = Report::read(&std::fs::read_to_string(&lines).unwrap()).summary;
    assert!(summary.problem.unwrap().contains("worker process 2"));
    assert!(!summary.interrupted && summary.round_trips.answered >= answered && summary.load_s >= 1.0);
    std::fs::remove_file(lines).unwrap();
}

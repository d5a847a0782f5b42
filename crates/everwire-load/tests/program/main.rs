//! The program itself, against a real server in this process: complete runs, runs that end early, and `wss://`.

// Signals end some of the runs.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod support;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use everwire_load::{Phase, Second, Summary};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

use support::{Program, ProgramOutput, Report, TestServer, command, run, signal, temporary_path};

#[tokio::test]
async fn every_message_of_every_connection_is_answered_and_reported_second_by_second() {
    let server = TestServer::start().await;
    let report = server.measure("/echo", "--connections 20 --ping-period 100ms --duration 1s --payload 100").await;
    let Summary { opening, round_trips, disconnects, failed_dials, unexpected, .. } = &report.summary;
    assert_eq!(opening.opened, 20);
    assert_eq!((round_trips.sent, round_trips.answered, round_trips.lost, round_trips.duplicates), (200, 200, 0, 0));
    assert_eq!((*disconnects, *failed_dials, *unexpected), (0, 0, 0));
    assert_eq!(round_trips.round_trip.unwrap().count, 200);
    assert_eq!(report.seconds.iter().map(|second| second.sent).sum::<u64>(), 200);
    assert_eq!(report.seconds.iter().map(|second| second.answered).sum::<u64>(), 200);
}

#[tokio::test]
async fn a_rest_shorter_than_a_second_belongs_to_the_second_before() {
    let server = TestServer::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 50ms --duration 1100ms").await;
    let load: Vec<&Second> = report.seconds.iter().filter(|second| second.phase == Phase::Load).collect();
    assert_eq!(load.len(), 1);
    assert!(load[0].lasted_s >= 1.1, "{load:?}");
}

#[tokio::test]
async fn a_warm_up_is_reported_second_by_second_and_not_counted() {
    let server = TestServer::start().await;
    let flags = "--connections 20 --ping-period 100ms --warm-up 2s --duration 1s --subscribers 50% --subscribe-url HOST/broadcast --publish-period 200ms";
    let report = server.measure("/echo?fault=delay:80", flags).await;
    let Summary { round_trips, deliveries, setting, load_s, unexpected, .. } = &report.summary;
    assert_eq!((setting.warm_up_s, *load_s, *unexpected), (2.0, 1.0, 0));
    // The answers take longer than the time from the last message of the warm-up to the first of the load.
    assert_eq!((round_trips.sent, round_trips.answered, round_trips.lost, round_trips.duplicates), (100, 100, 0, 0));
    assert_eq!((round_trips.round_trip.unwrap().count, round_trips.lag.unwrap().count), (100, 105));
    let deliveries = deliveries.as_ref().unwrap();
    assert_eq!((deliveries.published, deliveries.expected, deliveries.delivered), (5, 50, 50));
    let warm_up: Vec<&Second> = report.seconds.iter().filter(|second| second.phase == Phase::WarmUp).collect();
    assert_eq!(warm_up.len(), 2);
    assert_eq!(warm_up[0].connected, 21);
    // A late report contains what was counted by then.
    assert!(warm_up[0].lasted_s >= 2.0 || (warm_up[0].sent, warm_up[0].answered) == (0, 0), "{:?}", warm_up[0]);
    assert_eq!(report.seconds.iter().map(|second| second.answered).sum::<u64>(), 100);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_is_found_by_its_port_and_its_usage_is_reported() {
    let server = TestServer::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 20ms --duration 1s").await;
    let used = report.summary.server.unwrap();
    assert!(used.processes >= 1 && used.cpu_percent > 0.0 && used.memory_open_bytes > 1_000_000, "{used:?}");
    assert!(report.seconds.iter().all(|second| second.server_memory_bytes.is_some()));
}

#[tokio::test]
async fn two_processes_share_the_connections_and_their_results_are_one() {
    let server = TestServer::start().await;
    let flags = "--connections 30 --ping-period 100ms --duration 1s --processes 2 --subscribers 50% --publish-period 250ms --subscribe-url HOST/broadcast";
    let Summary { setting, opening, round_trips, deliveries, .. } = server.measure("/echo", flags).await.summary;
    assert_eq!((setting.processes, setting.subscribers, opening.opened), (2, 15, 31));
    assert_eq!((round_trips.sent, round_trips.answered), (150, 150));
    assert_eq!(round_trips.round_trip.unwrap().count, 150);
    let deliveries = deliveries.unwrap();
    assert_eq!((deliveries.published, deliveries.expected, deliveries.delivered, deliveries.lost), (4, 60, 60, 0));
    assert_eq!(deliveries.one_way.unwrap().count, 60);
}

#[tokio::test]
async fn cut_connections_come_back_and_their_losses_are_reported() {
    let server = TestServer::start().await;
    let report =
        server.measure("/echo?fault=drop:3", "--connections 60 --ping-period 100ms --duration 2s --grace 2s").await;
    let Summary { round_trips, disconnects, reconnects, reasons, .. } = report.summary;
    assert_eq!(round_trips.sent, 1200);
    assert!(disconnects >= 60 && reconnects > 0, "{disconnects} {reconnects}");
    assert!(round_trips.lost > 0);
    assert_eq!(round_trips.sent, round_trips.answered + round_trips.lost);
    assert!(reasons.keys().any(|reason| reason.contains("1006")), "{reasons:?}");
}

#[tokio::test]
async fn the_latency_shows_a_server_that_answers_late() {
    let server = TestServer::start().await;
    let report = server.measure("/echo?fault=delay:80", "--connections 5 --ping-period 200ms --duration 1s").await;
    let times = report.summary.round_trips.round_trip.unwrap();
    assert!(times.p50_ms >= 80.0, "{times:?}");
    assert_eq!(report.summary.round_trips.lost, 0);
}

#[tokio::test]
async fn a_result_that_misses_a_limit_has_its_own_exit_code() {
    let server = TestServer::start().await;
    let flags = "--connections 5 --ping-period 200ms --duration 1s --max-lost 0 --min-open 100% --json -";
    for (limit, code) in [("--max-p99 60s", 0), ("--max-p99 79ms", 3)] {
        let output = run(&format!("{} {flags} {limit}", server.url("/echo?fault=delay:80"))).await;
        assert_eq!(output.status.code(), Some(code));
        let missed = Report::read(&String::from_utf8(output.stdout).unwrap()).summary.missed;
        let said = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(
            (missed.len(), said.contains("limit missed: 99 % of the round trips")),
            (code.min(1) as usize, code == 3)
        );
    }
}

#[tokio::test]
async fn binary_messages_are_answered_like_text() {
    let server = TestServer::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 100ms --duration 1s --binary").await;
    assert!(report.summary.setting.binary);
    assert_eq!((report.summary.round_trips.answered, report.summary.unexpected), (50, 0));
}

/// Regression: this used to report "4 of 4 lost" and exit with 0.
#[tokio::test]
async fn messages_too_large_for_the_server_fail_the_run() {
    // The server's limit is 1 MiB by default.
    let server = TestServer::start().await;
    let args = format!("{} --connections 2 --payload 2MiB --duration 60s --json -", server.url("/echo"));
    let output = run(&args).await;
    let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(1), "{stderr}");
    assert!(stderr.contains("1009") && stderr.contains("use a smaller one"), "{stderr}");
    let summary = Report::read(&String::from_utf8(output.stdout).unwrap()).summary;
    assert_eq!(summary.problem.as_deref(), stderr.trim_end().lines().last());
    assert!(summary.round_trips.sent > 0 && summary.round_trips.answered == 0, "{:?}", summary.round_trips);
}

#[tokio::test]
async fn credentials_of_an_address_are_sent_and_not_printed() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://user:secret@{}/", listener.local_addr().unwrap());
    let mut run = Program::of(&[&url, "--connections", "1", "--json", "-"]);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(char::from(stream.read_u8().await.unwrap()));
    }
    assert!(request.contains("authorization: Basic dXNlcjpzZWNyZXQ=\r\n"), "{request}");
    run.until_stderr("opening").await;
    run.signal("INT").await;
    let ended = run.end().await;
    assert!(!ended.stdout.contains("secret") && !ended.stderr.contains("secret"), "{} {}", ended.stdout, ended.stderr);
    let Summary { setting, command, .. } = Report::read(&ended.stdout).summary;
    assert_eq!(setting.url, url.replace("user:secret@", ""));
    assert!(command.contains(&setting.url), "{command}");
    drop((stream, listener));
    let ProgramOutput { stderr, .. } = Program::of(&[&url, "--connections", "1"]).end().await;
    assert!(stderr.contains("no connection to ws://127.0.0.1") && !stderr.contains("secret"), "{stderr}");
}

/// Against a server that reads the request and does not answer.
#[tokio::test]
async fn subprotocols_and_headers_are_sent_and_header_values_are_not_in_the_result() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let args =
        [&url, "--connections", "1", "--subprotocol", "a,b", "--header", "Authorization: Bearer x", "--json", "-"];
    let mut run = Program::of(&args);
    let (mut stream, _) = listener.accept().await.unwrap();
    let mut request = String::new();
    while !request.ends_with("\r\n\r\n") {
        request.push(char::from(stream.read_u8().await.unwrap()));
    }
    let request = request.to_ascii_lowercase();
    assert!(request.contains("sec-websocket-protocol: a, b\r\n"), "{request}");
    assert!(request.contains("authorization: bearer x\r\n"), "{request}");
    run.until_stderr("opening").await;
    run.signal("INT").await;
    let command = Report::read(&run.end().await.stdout).summary.command;
    assert!(command.contains("--header 'Authorization: …'") && !command.contains("Bearer"), "{command}");
}

#[tokio::test]
async fn without_json_the_output_is_a_table_and_charts() {
    let server = TestServer::start().await;
    let folder = temporary_path("charts");
    let flags = format!("--connections 3 --ping-period 50ms --duration 1s --charts {}", folder.display());
    let output = run(&format!("{} {flags}", server.url("/echo"))).await;
    let table = String::from_utf8(output.stdout).unwrap();
    for line in ["3 of 3 open", "60 sent, 60 answered, 0 lost", "Round trip", "This program"] {
        assert!(table.contains(line), "{line} in\n{table}");
    }
    assert!(String::from_utf8_lossy(&output.stderr).contains("sending for 1 s"));
    for chart in ["throughput.svg", "latency.svg"] {
        assert!(std::fs::read_to_string(folder.join(chart)).unwrap().ends_with("</svg>\n"), "{chart}");
    }
    std::fs::remove_dir_all(folder).unwrap();
}

#[tokio::test]
async fn an_impossible_run_is_rejected_with_advice() {
    // Binding the port without listening keeps other processes off it.
    let held = TcpSocket::new_v4().unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("ws://{}/echo", held.local_addr().unwrap());
    for (args, advice) in [
        (format!("{url} --duration 1s"), "Is the server running there"),
        (format!("{url} --json /there/is/no/folder/x"), "name another place"),
        (format!("{url} --server-pid 4194305"), "leave out --server-pid"),
        ("http://127.0.0.1/".to_owned(), "write it with ws://"),
    ] {
        let output = run(&args).await;
        assert!(!output.status.success(), "{args}");
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(report.contains(advice), "{args}: {report}");
        assert!(output.stdout.is_empty());
    }
}

#[tokio::test]
async fn a_chart_that_cannot_be_written_does_not_affect_other_output() {
    let server = TestServer::start().await;
    let folder = temporary_path("unwritable");
    // A folder in the place of the file.
    std::fs::create_dir_all(folder.join("throughput.svg")).unwrap();
    let lines = folder.join("run.jsonl");
    let flags = format!("--connections 3 --duration 1s --charts {} --json {}", folder.display(), lines.display());
    let output = Program::start(&format!("{} {flags}", server.url("/echo"))).end().await;
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.contains("3 sent, 3 answered"));
    assert!(output.stderr.contains("cannot write") && output.stderr.contains("throughput.svg"), "{}", output.stderr);
    assert!(std::fs::read_to_string(&lines).unwrap().lines().last().unwrap().contains(r#""type":"summary""#));
    std::fs::remove_dir_all(folder).unwrap();
}

/// Waits until this file has a second with answers. Returns the number of all answers so far.
async fn until_answered(lines: &Path) -> u64 {
    let mut pace = tokio::time::interval(Duration::from_millis(10));
    loop {
        pace.tick().await;
        let text = std::fs::read_to_string(lines).unwrap();
        // The last line may be incomplete.
        let complete = text.rsplit_once('\n').map_or("", |(complete, _)| complete);
        let answered: u64 = Report::seconds(complete).iter().map(|second| second.answered).sum();
        if answered > 0 {
            return answered;
        }
    }
}

#[tokio::test]
async fn an_interrupted_run_reports_its_result_so_far() {
    let server = TestServer::start().await;
    let folder = temporary_path("interrupted");
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2";
    let flags = format!("{flags} --charts {} --json {}/run.jsonl", folder.display(), folder.display());
    let mut run = Program::start(&format!("{} {flags}", server.url("/echo")));
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
async fn a_run_interrupted_while_opening_or_warming_up_counts_nothing() {
    let server = TestServer::start().await;
    for (flags, phase) in [("--connections 1000 --rate 10/s", "opening"), ("--warm-up 60s", "warming up")] {
        let mut run = Program::start(&format!("{} {flags} --json -", server.url("/echo")));
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
async fn a_run_ends_if_the_reader_of_its_json_closes_stdout() {
    let server = TestServer::start().await;
    let mut run = Program::start(&format!("{} --connections 1 --duration 60s --json -", server.url("/echo")));
    run.close_stdout();
    let ended = run.end().await;
    assert_eq!((ended.status.code(), ended.stderr.contains("stdout was closed")), (Some(1), true), "{}", ended.stderr);
}

#[tokio::test]
async fn a_run_completes_with_stderr_closed() {
    let server = TestServer::start().await;
    let mut command = command(&[&server.url("/echo"), "--connections", "1", "--duration", "1s"]);
    let (_, closed) = std::io::pipe().unwrap();
    let output = command.stdout(Stdio::piped()).stderr(closed).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&output.stdout).contains("1 sent, 1 answered"));
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_result_that_does_not_fit_on_the_disk_is_a_failure() {
    let server = TestServer::start().await;
    let mut command = command(&[&server.url("/echo"), "--connections", "1", "--duration", "1s"]);
    let full = std::fs::File::options().write(true).open("/dev/full").unwrap();
    let output = command.stdout(full).stderr(Stdio::piped()).spawn().unwrap().wait_with_output().await.unwrap();
    assert_eq!(output.status.code(), Some(1));
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(said.contains("cannot write stdout: No space left on device"), "{said}");
}

#[tokio::test]
async fn a_second_signal_ends_the_program_at_once() {
    let server = TestServer::start().await;
    let lines = temporary_path("twice").with_extension("jsonl");
    let flags = format!("--connections 1 --ping-period 1ms --duration 60s --grace 60s --json {}", lines.display());
    let mut run = Program::start(&format!("{} {flags}", server.url("/echo?fault=half-open:2")));
    run.until_stderr("sending").await;
    // One of the messages was answered, so the program waits for the others.
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
    let server = TestServer::start().await;
    let flags = "--connections 10 --ping-period 50ms --duration 60s --processes 2 --json";
    let lines = temporary_path("killed").with_extension("jsonl");
    let mut run = Program::start(&format!("{} {flags} {}", server.url("/echo"), lines.display()));
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

/// Builds with one of the TLS features.
#[cfg(feature = "rustls-own-roots")]
mod tls {
    use std::path::{Path, PathBuf};

    use everwire_server::Tls;
    use rcgen::{CertifiedKey, generate_simple_self_signed};

    use crate::support::{TestServer, run, temporary_path};

    /// A server with a self-signed certificate, and the folder of the certificate.
    async fn server(name: &str) -> (TestServer, PathBuf) {
        let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
        let folder = temporary_path(name);
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(folder.join("cert.pem"), cert.pem()).unwrap();
        std::fs::write(folder.join("key.pem"), signing_key.serialize_pem()).unwrap();
        let tls = Tls::from_pem_files(&folder.join("cert.pem"), &folder.join("key.pem")).unwrap();
        (TestServer::start_with_tls(tls).await, folder)
    }

    fn file(folder: &Path, name: &str) -> String {
        folder.join(name).display().to_string()
    }

    #[tokio::test]
    async fn a_self_signed_certificate_in_a_file_is_trusted() {
        let (server, folder) = server("tls").await;
        let flags = "--connections 3 --ping-period 100ms --duration 1s --root-certificates";
        let report = server.measure("/echo", &format!("{flags} {}", file(&folder, "cert.pem"))).await;
        assert_eq!((report.summary.round_trips.sent, report.summary.round_trips.answered), (30, 30));

        let output = run(&format!("{} --connections 1", server.url("/echo"))).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success() && stderr.contains("--root-certificates"), "{stderr}");

        let output = run(&format!("wss://h/ --root-certificates {}", file(&folder, "key.pem"))).await;
        let stderr = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2));
        assert!(stderr.contains("there is no certificate in it"), "{stderr}");
        std::fs::remove_dir_all(folder).unwrap();
    }

    #[cfg(all(feature = "rustls-native-roots", target_os = "linux"))]
    #[tokio::test]
    async fn the_roots_of_the_operating_system_are_trusted() {
        let (server, folder) = server("native-tls").await;
        // OpenSSL's variable for another file than the system's.
        let mut command = tokio::process::Command::new(env!("CARGO_BIN_EXE_everwire-load"));
        command.env("SSL_CERT_FILE", file(&folder, "cert.pem"));
        let run = command.arg(server.url("/echo")).args(["--connections", "1", "--duration", "1s", "--max-lost", "0"]);
        let output = run.output().await.unwrap();
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        std::fs::remove_dir_all(folder).unwrap();
    }
}

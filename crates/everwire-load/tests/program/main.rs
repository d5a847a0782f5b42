//! The program itself, against a real server in this process.

// Runs are ended by signals.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod cut_short;
mod support;
#[cfg(feature = "rustls-own-roots")]
mod tls;

use everwire_load::{Phase, Second, Summary};

use support::{Ended, Load, Report, Run, program};
use tokio::io::AsyncReadExt;
use tokio::net::TcpSocket;

#[tokio::test]
async fn every_message_of_every_connection_is_answered_and_reported_second_by_second() {
    let server = Load::start().await;
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
async fn a_rest_that_is_too_short_to_be_a_second_belongs_to_the_one_before() {
    let server = Load::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 50ms --duration 1100ms").await;
    let load: Vec<&Second> = report.seconds.iter().filter(|second| second.phase == Phase::Load).collect();
    assert_eq!(load.len(), 1);
    assert!(load[0].lasted_s >= 1.1, "{load:?}");
}

#[tokio::test]
async fn a_warm_up_is_reported_second_by_second_and_not_counted() {
    let server = Load::start().await;
    let flags = "--connections 20 --ping-period 100ms --warm-up 2s --duration 1s --subscribers 50% --subscribe-url HOST/broadcast --publish-period 200ms";
    let report = server.measure("/echo?fault=delay:80", flags).await;
    let Summary { round_trips, deliveries, setting, load_s, unexpected, .. } = &report.summary;
    assert_eq!((setting.warm_up_s, *load_s, *unexpected), (2.0, 1.0, 0));
    // With answers that take longer than it is from the last message of the warm-up to the first of the load.
    assert_eq!((round_trips.sent, round_trips.answered, round_trips.lost, round_trips.duplicates), (100, 100, 0, 0));
    assert_eq!((round_trips.round_trip.unwrap().count, round_trips.lag.unwrap().count), (100, 105));
    let deliveries = deliveries.as_ref().unwrap();
    assert_eq!((deliveries.published, deliveries.expected, deliveries.delivered), (5, 50, 50));
    let warm_up: Vec<&Second> = report.seconds.iter().filter(|second| second.phase == Phase::WarmUp).collect();
    assert_eq!(warm_up.len(), 2);
    assert_eq!(warm_up[0].connected, 21);
    // A late report holds what was counted by then.
    assert!(warm_up[0].lasted_s >= 2.0 || (warm_up[0].sent, warm_up[0].answered) == (0, 0), "{:?}", warm_up[0]);
    assert_eq!(report.seconds.iter().map(|second| second.answered).sum::<u64>(), 100);
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn the_server_is_found_by_its_port_and_its_usage_is_reported() {
    let server = Load::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 20ms --duration 1s").await;
    let used = report.summary.server.unwrap();
    assert!(used.processes >= 1 && used.cpu_percent > 0.0 && used.memory_open_bytes > 1_000_000, "{used:?}");
    assert!(report.seconds.iter().all(|second| second.server_memory_bytes.is_some()));
}

#[tokio::test]
async fn two_processes_share_the_connections_and_their_results_are_one() {
    let server = Load::start().await;
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
    let server = Load::start().await;
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
async fn a_server_that_answers_each_message_late_shows_in_the_latency() {
    let server = Load::start().await;
    let report = server.measure("/echo?fault=delay:80", "--connections 5 --ping-period 200ms --duration 1s").await;
    let times = report.summary.round_trips.round_trip.unwrap();
    assert!(times.p50_ms >= 80.0, "{times:?}");
    assert_eq!(report.summary.round_trips.lost, 0);
}

#[tokio::test]
async fn a_result_that_does_not_keep_to_its_limits_has_an_exit_code_of_its_own() {
    let server = Load::start().await;
    let flags = "--connections 5 --ping-period 200ms --duration 1s --max-lost 0 --min-open 100% --json -";
    for (limit, code) in [("--max-p99 60s", 0), ("--max-p99 79ms", 3)] {
        let output = program(&format!("{} {flags} {limit}", server.url("/echo?fault=delay:80"))).await;
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
async fn binary_messages_are_answered_as_text_is() {
    let server = Load::start().await;
    let report = server.measure("/echo", "--connections 5 --ping-period 100ms --duration 1s --binary").await;
    assert!(report.summary.setting.binary);
    assert_eq!((report.summary.round_trips.answered, report.summary.unexpected), (50, 0));
}

/// It used to report "4 of 4 lost" and exit with 0.
#[tokio::test]
async fn messages_that_are_too_large_for_the_server_make_the_run_fail() {
    // The server's limit is 1 MiB by default.
    let server = Load::start().await;
    let args = format!("{} --connections 2 --payload 2MiB --duration 60s --json -", server.url("/echo"));
    let output = program(&args).await;
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
    let mut run = Run::of(&[&url, "--connections", "1", "--json", "-"]);
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
    let Ended { stderr, .. } = Run::of(&[&url, "--connections", "1"]).end().await;
    assert!(stderr.contains("no connection to ws://127.0.0.1") && !stderr.contains("secret"), "{stderr}");
}

/// A server that sees the requests and answers none.
#[tokio::test]
async fn subprotocols_and_headers_are_in_the_request_and_values_are_not_in_the_result() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}/", listener.local_addr().unwrap());
    let args =
        [&url, "--connections", "1", "--subprotocol", "a,b", "--header", "Authorization: Bearer x", "--json", "-"];
    let mut run = Run::of(&args);
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
async fn a_person_gets_a_table_and_charts() {
    let server = Load::start().await;
    let folder = support::folder("charts");
    let flags = format!("--connections 3 --ping-period 50ms --duration 1s --charts {}", folder.display());
    let output = program(&format!("{} {flags}", server.url("/echo"))).await;
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
async fn an_impossible_run_is_refused_with_advice() {
    // The port is held without a listener, so that no other process gets it.
    let held = TcpSocket::new_v4().unwrap();
    held.bind(([127, 0, 0, 1], 0).into()).unwrap();
    let url = format!("ws://{}/echo", held.local_addr().unwrap());
    for (args, advice) in [
        (format!("{url} --duration 1s"), "Is the server running there"),
        (format!("{url} --json /there/is/no/folder/x"), "name another place"),
        (format!("{url} --server-pid 4194305"), "leave out --server-pid"),
        ("http://127.0.0.1/".to_owned(), "write it with ws://"),
    ] {
        let output = program(&args).await;
        assert!(!output.status.success(), "{args}");
        let report = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(report.contains(advice), "{args}: {report}");
        assert!(output.stdout.is_empty());
    }
}

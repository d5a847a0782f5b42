use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use clap::Parser;
use everwire_chaos::oracle::Wrong;
use everwire_chaos::{Options, Report, Run};
use everwire_conformance::{Fault, FaultyProxy};

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// The server as it is shipped. Another package's program is not built for these tests, unless they see to it.
fn server() -> PathBuf {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    let program = PROGRAM.get_or_init(|| {
        let build = ["build", "--quiet", "--package", "everwire-server", "--features", "standalone", "--bin"];
        let built = Command::new(env!("CARGO")).args(build).arg("everwire-server").status().unwrap();
        assert!(built.success());
        // The tests are in the folder `deps` next to the programs.
        let folder = std::env::current_exe().unwrap().parent().unwrap().parent().unwrap().to_owned();
        folder.join(format!("everwire-server{}", std::env::consts::EXE_SUFFIX))
    });
    program.clone()
}

fn options(flags: &[&str]) -> Options {
    let program = server();
    let all = ["chaos", "--server", program.to_str().unwrap()];
    Cli::parse_from(all.iter().chain(flags)).options
}

#[tokio::test(flavor = "multi_thread")]
async fn over_thirty_seconds_of_faults_nothing_is_lost_or_repeated() {
    let run = Run::start(options(&["--seconds", "30", "--seed", "20"])).await.unwrap();
    let report = run.finish().await.unwrap();
    println!("{report}");
    assert!(report.is_good(), "{report}");
    assert!(report.faults() >= 150, "{report}");
    assert!(report.faults["killed"] >= 2, "{report}");
    assert!(report.verdict.published >= 1_000 && report.verdict.delivered >= 10_000, "{report}");
}

/// The flags of a short run that goes wrong.
const SHORT: [&str; 10] = ["--seconds", "3", "--seed", "3", "--clients", "20", "--faults", "40", "--patience", "5"];

/// The report of a run, whose files are of no use.
async fn finish(run: Run) -> Report {
    let report = run.finish().await.unwrap();
    println!("{report}");
    if let Some(kept) = &report.kept {
        std::fs::remove_dir_all(kept).unwrap();
    }
    report
}

/// A run against a server with a fault of its own.
async fn finish_with(fault: Fault) -> Report {
    let run = Run::start(options(&SHORT)).await.unwrap();
    let faulty = FaultyProxy::start(&everwire_conformance::Options::new(run.url()), Some(fault)).await.unwrap();
    finish(run.with_url(faulty.url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_messages_is_found() {
    let report = finish_with(Fault::LosesMessages).await;
    assert!(report.verdict.count(Wrong::Lost) > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_sessions_is_found() {
    let report = finish_with(Fault::ForgetsSessions).await;
    assert!(report.verdict.count(Wrong::Forgotten) > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_acknowledges_before_it_stores_is_found() {
    let flags = [&SHORT[..], &["--", "--fsync", "interval", "--fsync-interval", "3600"]].concat();
    let report = finish(Run::start(options(&flags)).await.unwrap()).await;
    assert!(report.faults["killed"] > 0, "{report}");
    assert!(report.verdict.count(Wrong::Lost) > 0, "{report}");
}

use std::process::{Command, Output};

use everwire_conformance::{Fault, FaultyProxy, checks};

use crate::server::{self, Server};

/// Runs the program while the server of the test answers. Returns its exit status and the lines that it prints.
async fn program(arguments: &[&str]) -> (Option<i32>, Vec<String>) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_everwire-conformance"));
    command.args(arguments).args(["--credentials", server::ADA]);
    let Output { status, stdout, .. } = tokio::task::spawn_blocking(move || command.output()).await.unwrap().unwrap();
    (status.code(), String::from_utf8(stdout).unwrap().lines().map(str::to_owned).collect())
}

#[tokio::test]
async fn the_program_prints_each_check_and_a_summary_and_skips_what_no_option_names() {
    let server = Server::in_memory();
    let url = server.options().url;
    let (status, lines) = program(&[&url, "--filter", "request"]).await;
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines[0], "ok a-request-without-a-handler-is-refused");
    assert_eq!(lines[1], "skipped a-request-is-answered-in-parts: needs --request");
    assert_eq!(lines.last().unwrap(), "passed=1 failed=0 skipped=8");
}

#[tokio::test]
async fn the_program_fails_with_what_was_expected_and_what_came() {
    let server = Server::in_memory();
    let proxy = FaultyProxy::start(&server.options(), Some(Fault::LeavesOutProducer)).await.unwrap();
    let (status, lines) = program(&[&proxy.url(), "--filter", "who-published"]).await;
    assert_eq!((status, lines.len()), (Some(1), 2), "{lines:?}");
    assert!(lines[0].starts_with("FAILED a-message-says-who-published-it: expected by="), "{lines:?}");
    assert_eq!(lines[1], "passed=0 failed=1 skipped=0");
}

#[tokio::test]
async fn the_program_gives_a_server_faults_and_says_which_are_found() {
    let server = Server::in_memory();
    let url = server.options().url;
    let (status, lines) = program(&[&url, "--faults", "--timeout", "0.2", "--request", "now"]).await;
    assert_eq!(status, Some(0), "{lines:?}");
    assert_eq!(lines.len(), Fault::ALL.len() + 1);
    let skipped = lines.iter().filter(|line| line.starts_with("skipped ")).count();
    let found = Fault::ALL.len() - skipped;
    assert_eq!(lines.last().unwrap(), &format!("found={found} missed=0 skipped={skipped}"));
}

#[tokio::test]
async fn a_command_that_fails_fails_its_check_with_what_it_printed() {
    let server = Server::in_memory();
    let command = ["--restart-command", "echo no such service >&2; exit 3", "--filter", "a-restart"];
    let (status, lines) = program(&[&[&*server.options().url], &command[..]].concat()).await;
    assert_eq!(status, Some(1), "{lines:?}");
    let reason = lines[0].strip_prefix("FAILED a-restart-neither-loses-nor-repeats-anything: --restart-command: ");
    assert!(reason.is_some_and(|reason| reason.ends_with("exit status: 3 no such service")), "{lines:?}");
}

#[tokio::test]
async fn a_filter_that_no_check_passes_is_a_failure() {
    let (status, lines) = program(&["ws://127.0.0.1:1/everwire", "--filter", "no such check"]).await;
    assert_eq!(status, Some(1), "{lines:?}");
}

#[tokio::test]
async fn the_list_has_each_name_once_each_cell_of_the_table_and_each_group_of_vectors() {
    let (status, lines) = program(&["--list"]).await;
    assert_eq!((status, lines.len()), (Some(0), checks().len()));
    let mut names = lines.clone();
    names.sort_unstable();
    names.dedup();
    assert_eq!(names.len(), lines.len());
    let count = |part: &str| lines.iter().filter(|name| name.contains(part)).count();
    assert_eq!((count("-is-treated-as-"), count("-message-closes-the-connection")), (33, 14), "{lines:?}");
}

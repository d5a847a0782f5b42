//! Chaos runs; the plan of their faults; and the oracle, by histories with one violation each.
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use clap::Parser;
use everwire::client::{Cursor, GapReason};
use everwire_chaos::oracle::{History, Item, Log, MessageId, Outcome, Publish, Verdict, ViolationKind};
use everwire_chaos::{Options, Plan, Report, Run};
use everwire_conformance::{Fault as ServerFault, FaultyProxy, Options as ConformanceOptions};

// Runs.

#[derive(Parser)]
struct Cli {
    #[command(flatten)]
    options: Options,
}

/// The server as it is shipped. Cargo does not build another package's program for these tests, so they build it themselves.
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

/// The flags of a short run that fails.
const SHORT: [&str; 10] = ["--seconds", "3", "--seed", "3", "--clients", "20", "--faults", "40", "--patience", "5"];

/// The report of a run, whose files are deleted.
async fn finish(run: Run) -> Report {
    let report = run.finish().await.unwrap();
    println!("{report}");
    if let Some(kept) = &report.kept {
        std::fs::remove_dir_all(kept).unwrap();
    }
    report
}

/// The report of a run against a faulty server.
async fn finish_with(fault: ServerFault) -> Report {
    let run = Run::start(options(&SHORT)).await.unwrap();
    let faulty = FaultyProxy::start(&ConformanceOptions::new(run.url()), Some(fault)).await.unwrap();
    finish(run.with_url(faulty.url())).await
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_loses_messages_is_detected() {
    let report = finish_with(ServerFault::LosesMessages).await;
    assert!(report.verdict.count(ViolationKind::Lost) > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_forgets_sessions_is_detected() {
    let report = finish_with(ServerFault::ForgetsSessions).await;
    assert!(report.verdict.count(ViolationKind::Forgotten) > 0, "{report}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_acknowledges_before_it_stores_is_detected() {
    let flags = [&SHORT[..], &["--", "--fsync", "interval", "--fsync-interval", "3600"]].concat();
    let report = finish(Run::start(options(&flags)).await.unwrap()).await;
    assert!(report.faults["killed"] > 0, "{report}");
    assert!(report.verdict.count(ViolationKind::Lost) > 0, "{report}");
}

// The plan.

#[test]
fn a_seed_gives_the_same_faults_at_the_same_times() {
    let faults = |seed| Plan::new(seed, 10.0).take(1_000).collect::<Vec<_>>();
    assert_eq!(faults(1), faults(1));
    assert_ne!(faults(1), faults(2));
}

#[test]
fn a_plan_has_every_kind_of_fault_and_as_many_per_second_as_requested() {
    let faults: Vec<_> = Plan::new(1, 10.0).take(3_000).collect();
    let kinds: BTreeSet<_> = faults.iter().map(|(_, fault)| fault.name()).collect();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    let seconds: f64 = faults.iter().map(|(wait, _)| wait.as_secs_f64()).sum();
    assert!((280.0..320.0).contains(&seconds), "{seconds}");
}

// The oracle. One that finds nothing proves nothing.

const CHANNEL: usize = 0;
const PUBLISHER: u32 = 7;
const READER: u32 = 9;
const MESSAGES: u64 = 10;

fn at(offset: u64) -> Cursor {
    Cursor { epoch: 0x9f, offset, time: 1_795_219_200_000 + offset }
}

fn id(number: u64) -> MessageId {
    MessageId { client: PUBLISHER, number: number as u32 }
}

fn publish(number: u64) -> Publish {
    Publish { id: id(number), channel: CHANNEL, incarnation: 0, outcome: Outcome::Stored(at(number)) }
}

fn message(number: u64) -> Item {
    Item::Message { cursor: at(number), id: id(number), is_own: false }
}

fn gap(offset: u64) -> Item {
    Item::Gap { reason: GapReason::Trimmed, cursor: at(offset) }
}

/// Ten messages, and a subscription that gets each of them.
fn history() -> History {
    let items = [Item::Started { incarnation: 0 }, Item::Established(at(0))]
        .into_iter()
        .chain((1..=MESSAGES).map(message))
        .collect();
    History {
        publishes: (1..=MESSAGES).map(publish).collect(),
        logs: vec![Log { client: READER, channel: CHANNEL, items }],
        last: vec![at(MESSAGES)],
        ..History::default()
    }
}

/// The verdict on that history after a change.
fn check(change: impl FnOnce(&mut History)) -> Verdict {
    let mut history = history();
    change(&mut history);
    history.check()
}

/// The verdict after a change of what the subscription yields. The message with number N is item N + 1.
fn check_items(change: impl FnOnce(&mut Vec<Item>)) -> Verdict {
    check(|history| change(&mut history.logs[0].items))
}

/// The kinds of violations and their numbers.
fn counts(verdict: &Verdict) -> Vec<(ViolationKind, u64)> {
    verdict.counts.iter().map(|(kind, count)| (*kind, *count)).collect()
}

#[test]
fn what_is_delivered_once_and_in_order_is_good() {
    let verdict = check(|_| {});
    assert!(verdict.is_good(), "{verdict}");
    assert_eq!((verdict.published, verdict.delivered), (MESSAGES, MESSAGES));
}

#[test]
fn an_acknowledged_message_that_is_left_out_is_lost_and_its_gap_is_unreported() {
    let verdict = check_items(|items| drop(items.remove(5)));
    assert_eq!(counts(&verdict), [(ViolationKind::Lost, 1), (ViolationKind::UnreportedGap, 1)]);
    assert_eq!(verdict.violations[0].client, READER);
    assert!(verdict.violations[0].description.contains("message 7.5"), "{:?}", verdict.violations);
}

#[test]
fn a_message_that_is_missing_at_the_end_is_lost() {
    let verdict = check_items(|items| drop(items.pop()));
    assert_eq!(counts(&verdict), [(ViolationKind::Lost, 1), (ViolationKind::Unfinished, 1)]);
}

#[test]
fn messages_behind_a_gap_are_lost_and_the_gap_is_reported() {
    let verdict = check_items(|items| drop(items.splice(5..7, [gap(5)])));
    assert_eq!(counts(&verdict), [(ViolationKind::Lost, 2)]);
}

#[test]
fn a_gap_without_a_cause_is_a_loss() {
    let verdict = check_items(|items| items.insert(5, gap(3)));
    assert_eq!(counts(&verdict), [(ViolationKind::Lost, 1)]);
}

#[test]
fn a_message_that_comes_again_is_repeated_whatever_its_position() {
    let verdict = check_items(|items| items.insert(7, message(5)));
    assert_eq!(counts(&verdict), [(ViolationKind::Repeated, 1)]);
    let stored_twice = Item::Message { cursor: at(11), id: id(5), is_own: false };
    let verdict = check_items(|items| items.push(stored_twice));
    assert_eq!(counts(&verdict), [(ViolationKind::Repeated, 1)]);
}

#[test]
fn a_message_behind_a_later_one_is_reordered() {
    let verdict = check_items(|items| items.swap(5, 6));
    assert_eq!(verdict.count(ViolationKind::Reordered), 1, "{:?}", verdict.violations);
}

#[test]
fn messages_of_one_client_that_are_stored_in_another_order_are_reordered() {
    let verdict = check(|history| {
        let items = &mut history.logs[0].items;
        for (index, number, offset) in [(5, 5, 4), (6, 4, 5)] {
            items[index] = Item::Message { cursor: at(offset), id: id(number), is_own: false };
            history.publishes[number as usize - 1].outcome = Outcome::Stored(at(offset));
        }
    });
    assert_eq!(counts(&verdict), [(ViolationKind::Reordered, 1)]);
}

#[test]
fn another_epoch_without_a_gap_is_an_unreported_gap() {
    let verdict = check(|history| {
        let other = Cursor { epoch: 0xa0, ..at(10) };
        history.logs[0].items[11] = Item::Message { cursor: other, id: id(10), is_own: false };
        history.publishes[9].outcome = Outcome::Stored(other);
    });
    assert_eq!(counts(&verdict), [(ViolationKind::UnreportedGap, 1)]);
}

#[test]
fn a_message_with_an_unknown_outcome_may_come_or_not_but_not_twice() {
    for outcome in [Outcome::Unknown, Outcome::Pending] {
        let verdict = check(|history| history.publishes[9].outcome = outcome);
        assert_eq!((verdict.count(ViolationKind::Lost), verdict.count(ViolationKind::Misreported)), (0, 0));
    }
    let absent = check(|history| {
        history.publishes[9].outcome = Outcome::Unknown;
        history.logs[0].items.pop();
        history.last = vec![at(9)];
    });
    assert!(absent.is_good(), "{absent}");
    let twice = check(|history| {
        history.publishes[9].outcome = Outcome::Unknown;
        history.logs[0].items.push(message(10));
    });
    assert_eq!(counts(&twice), [(ViolationKind::Repeated, 1)]);
}

#[test]
fn a_message_that_was_refused_or_never_published_or_is_elsewhere_is_misreported() {
    for change in [
        (|history| history.publishes[4].outcome = Outcome::NotStored) as fn(&mut History),
        |history| history.publishes.retain(|publish| publish.id != id(5)),
        |history| history.publishes[4].outcome = Outcome::Stored(Cursor { time: 1, ..at(5) }),
        |history| history.logs[0].items[6] = Item::Message { cursor: at(5), id: id(5), is_own: true },
    ] {
        assert_eq!(counts(&check(change)), [(ViolationKind::Misreported, 1)]);
    }
    let verdict = check(|history| history.publishes[4].channel = 1);
    assert_eq!(verdict.count(ViolationKind::Misreported), 1);
}

#[test]
fn a_clients_own_message_is_known_as_its_own_by_the_run_of_the_program_that_published_it() {
    let own = Item::Message { cursor: at(5), id: id(5), is_own: true };
    let verdict = check(|history| {
        history.logs[0].client = PUBLISHER;
        for item in &mut history.logs[0].items {
            if let Item::Message { is_own, .. } = item {
                *is_own = true;
            }
        }
    });
    assert!(verdict.is_good(), "{verdict}");
    let verdict = check(|history| {
        history.logs[0].client = PUBLISHER;
        history.logs[0].items.insert(2, Item::Started { incarnation: 1 });
    });
    assert!(verdict.is_good(), "{verdict}");
    let verdict = check(|history| {
        history.logs[0].client = PUBLISHER;
        history.logs[0].items.insert(2, Item::Started { incarnation: 1 });
        history.logs[0].items[7] = own;
    });
    assert_eq!(counts(&verdict), [(ViolationKind::Misreported, 1)]);
}

#[test]
fn a_subscription_gets_what_follows_its_start_and_need_not_get_what_was_before() {
    let late = |items: &mut Vec<Item>| drop(items.splice(1..5, [Item::Established(at(3))]));
    let verdict = check_items(late);
    assert!(verdict.is_good(), "{verdict}");
    let verdict = check_items(|items| {
        late(items);
        items.remove(2);
    });
    assert_eq!(counts(&verdict), [(ViolationKind::Lost, 1), (ViolationKind::UnreportedGap, 1)]);
    // The first message determines the start, too.
    let verdict = check_items(|items| drop(items.splice(1..5, [])));
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn a_subscription_that_ends_and_a_publish_without_an_outcome_are_unfinished() {
    let verdict = check_items(|items| items.push(Item::Ended("denied".to_owned())));
    assert_eq!(counts(&verdict), [(ViolationKind::Unfinished, 1)]);
    let verdict = check(|history| history.publishes[4].outcome = Outcome::Pending);
    assert_eq!(counts(&verdict), [(ViolationKind::Unfinished, 1)]);
}

#[test]
fn a_session_or_an_answer_that_was_not_kept_is_forgotten() {
    let verdict = check(|history| history.replaced.push(READER));
    assert_eq!(counts(&verdict), [(ViolationKind::Forgotten, 1)]);
    let verdict = check(|history| history.publishes[4].outcome = Outcome::Forgotten);
    assert_eq!(counts(&verdict), [(ViolationKind::Forgotten, 1)]);
}

#[test]
fn two_messages_that_were_acknowledged_with_one_position_are_misreported() {
    let verdict = check(|history| {
        let outcome = Outcome::Stored(at(10));
        history.publishes.push(Publish { id: id(11), outcome, ..publish(11) });
    });
    assert_eq!(verdict.count(ViolationKind::Misreported), 1, "{:?}", verdict.violations);
}

use std::time::Duration;

use everwire_conformance::{Fault, FaultyProxy, Verdict, run_with};

use crate::server::{Server, not_passed};

/// Whether the check that is named for a fault finds it.
async fn is_found(fault: Fault) -> bool {
    let mut options = Server::in_memory().options();
    // What is left out is found after this time.
    options.timeout = Duration::from_secs(2);
    let report = run_with(fault, &options).await.unwrap();
    let report = report.unwrap_or_else(|| panic!("{fault:?}: there is no check {}", fault.found_by()));
    println!("{fault:?}: {report}");
    matches!(report.verdict, Verdict::Failed(_))
}

#[tokio::test]
async fn each_fault_of_a_server_is_found() {
    let found: Vec<_> = Fault::ALL.iter().map(|fault| (fault, tokio::spawn(is_found(*fault)))).collect();
    let mut missed = Vec::new();
    for (fault, found) in found {
        if !found.await.unwrap() {
            missed.push(fault);
        }
    }
    assert_eq!(missed, Vec::<&Fault>::new());
}

/// So it is the fault that is found, not the proxy.
#[tokio::test]
async fn a_proxy_without_a_fault_passes_every_check() {
    let mut options = Server::in_memory().options();
    let proxy = FaultyProxy::start(&options, None).await.unwrap();
    options.url = proxy.url();
    assert_eq!(not_passed(&options).await, [""; 0]);
}

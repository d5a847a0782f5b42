use std::collections::BTreeSet;

use everwire_chaos::Plan;

#[test]
fn a_seed_gives_the_same_faults_at_the_same_times() {
    let faults = |seed| Plan::new(seed, 10.0).take(1_000).collect::<Vec<_>>();
    assert_eq!(faults(1), faults(1));
    assert_ne!(faults(1), faults(2));
}

#[test]
fn a_plan_has_every_kind_of_fault_and_as_many_a_second_as_it_should() {
    let faults: Vec<_> = Plan::new(1, 10.0).take(3_000).collect();
    let kinds: BTreeSet<_> = faults.iter().map(|(_, fault)| fault.name()).collect();
    assert_eq!(kinds.len(), 13, "{kinds:?}");
    let seconds: f64 = faults.iter().map(|(wait, _)| wait.as_secs_f64()).sum();
    assert!((280.0..320.0).contains(&seconds), "{seconds}");
}

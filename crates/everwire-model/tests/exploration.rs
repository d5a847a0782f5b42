//! The state machines keep their guarantees in every order of events, and each deliberate defect breaks one.

use everwire_model::{Defect, Report, Scenario, Violation, explore};

/// More than the small scenarios have.
const ALL: usize = 1_000_000;

fn scenario(name: &str) -> Scenario {
    Scenario::ALL.into_iter().find(|scenario| scenario.name == name).expect("there is such a scenario")
}

fn visit_all(name: &str) {
    let Report { is_complete, violation, .. } = explore(scenario(name), None, ALL, None);
    assert_eq!(violation, None);
    assert!(is_complete);
}

#[test]
fn publishes_are_stored_once_and_have_one_outcome_in_every_order_of_events() {
    visit_all("publishes");
}

#[test]
fn requests_run_once_and_have_one_outcome_in_every_order_of_events() {
    visit_all("requests");
}

#[test]
fn requests_that_time_out_at_either_side_have_one_outcome_in_every_order_of_events() {
    visit_all("timeouts");
}

#[test]
fn a_subscription_misses_nothing_without_a_gap_in_every_order_of_events() {
    visit_all("subscription");
}

#[test]
fn a_subscriber_that_pauses_misses_nothing_in_every_order_of_events() {
    visit_all("pauses");
}

#[test]
fn a_subscriber_of_values_has_the_latest_of_each_key_in_every_order_of_events() {
    visit_all("values");
}

#[test]
fn an_application_that_loads_a_snapshot_misses_nothing_after_it_in_every_order_of_events() {
    visit_all("snapshot");
}

#[test]
fn a_client_that_leaves_a_server_that_drains_loses_nothing_in_every_order_of_events() {
    visit_all("drain");
}

#[test]
fn a_publisher_gets_its_own_messages_after_their_answers_in_every_order_of_events() {
    visit_all("own messages");
}

#[test]
fn everything_together_keeps_the_guarantees_in_the_first_200_000_states() {
    let Report { states, violation, .. } = explore(scenario("together"), None, 200_000, None);
    assert_eq!(violation, None);
    assert!(states >= 200_000, "{states} states");
}

#[test]
fn each_defect_is_found() {
    let expected = [
        (Defect::AckForgotten, "publishes", Violation::NoOutcome),
        (Defect::OldGenerationAccepted, "publishes", Violation::NoOutcome),
        (Defect::CursorNotReplacedWhole, "subscription", Violation::NeedlessGap),
        (Defect::CreditKeptOverResume, "requests", Violation::ClientError),
        (Defect::ReceivedNotRestored, "publishes", Violation::StoredTwice),
        (Defect::EpochNotCompared, "subscription", Violation::Lost),
        (Defect::TrimmedTreatedAsComplete, "subscription", Violation::NotQuiescent),
        (Defect::PublishResentThoughAcked, "publishes", Violation::WrongOutcome),
        (Defect::GapSwallowed, "subscription", Violation::ServerError),
        (Defect::WelcomeBeforeUndecided, "publishes", Violation::WrongOutcome),
        (Defect::LostRequestsClaimedKept, "requests", Violation::RunTwice),
        (Defect::CopyBeforeAnswer, "together", Violation::CopyBeforeAnswer),
        (Defect::LateHelloAccepted, "publishes", Violation::SessionEnded),
        (Defect::ValuesDropped, "values", Violation::Lost),
        (Defect::PreviousPositionOmitted, "values", Violation::ServerError),
        (Defect::StateNotReadAfterGap, "values", Violation::Lost),
        (Defect::LiveAfterSnapshot, "snapshot", Violation::Lost),
        (Defect::SessionEndedByDrain, "drain", Violation::NoOutcome),
        (Defect::TimeoutNotAnswered, "timeouts", Violation::NoOutcome),
    ];
    assert_eq!(expected.map(|(defect, ..)| defect), Defect::ALL);
    for (defect, name, violation) in expected {
        let found = explore(scenario(name), Some(defect), ALL, None).violation;
        assert_eq!(found.map(|(violation, _)| violation), Some(violation), "{defect:?}");
    }
}

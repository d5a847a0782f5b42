//! The machines keep their promises in every order of events, and each deliberate defect breaks one.

use everwire_model::{Defect, Finding, Report, Scenario, explore};

/// More than the small scenarios have.
const ALL: usize = 1_000_000;

fn scenario(name: &str) -> Scenario {
    Scenario::ALL.into_iter().find(|scenario| scenario.name == name).expect("there is such a scenario")
}

fn visit_all(name: &str) {
    let Report { is_complete, finding, .. } = explore(scenario(name), None, ALL, None);
    assert_eq!(finding, None);
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
fn everything_together_keeps_the_promises_in_the_first_200_000_states() {
    let Report { states, finding, .. } = explore(scenario("together"), None, 200_000, None);
    assert_eq!(finding, None);
    assert!(states >= 200_000, "{states} states");
}

#[test]
fn each_defect_is_found() {
    let expected = [
        (Defect::AckForgotten, "publishes", Finding::NoOutcome),
        (Defect::OldGenerationAccepted, "publishes", Finding::NoOutcome),
        (Defect::CursorNotReplacedWhole, "subscription", Finding::NeedlessGap),
        (Defect::CreditKeptOverResume, "requests", Finding::ClientInError),
        (Defect::ReceivedNotRestored, "publishes", Finding::StoredTwice),
        (Defect::EpochNotCompared, "subscription", Finding::Lost),
        (Defect::TrimmedTreatedAsComplete, "subscription", Finding::NoRest),
        (Defect::PublishResentThoughAcked, "publishes", Finding::WrongOutcome),
        (Defect::GapSwallowed, "subscription", Finding::ServerInError),
        (Defect::WelcomeBeforeUndecided, "publishes", Finding::WrongOutcome),
        (Defect::RequestsSaidToBeKept, "requests", Finding::RunTwice),
        (Defect::CopyBeforeAnswer, "together", Finding::CopyBeforeAnswer),
        (Defect::LateHelloAccepted, "publishes", Finding::SessionEnded),
        (Defect::ValuesDropped, "values", Finding::Lost),
        (Defect::PositionBeforeNotSaid, "values", Finding::ServerInError),
        (Defect::StateNotReadAfterGap, "values", Finding::Lost),
        (Defect::LiveAfterSnapshot, "snapshot", Finding::Lost),
        (Defect::SessionEndedByDrain, "drain", Finding::NoOutcome),
        (Defect::TimeoutNotAnswered, "timeouts", Finding::NoOutcome),
    ];
    assert_eq!(expected.map(|(defect, ..)| defect), Defect::ALL);
    for (defect, name, finding) in expected {
        let found = explore(scenario(name), Some(defect), ALL, None).finding;
        assert_eq!(found.map(|(finding, _)| finding), Some(finding), "{defect:?}");
    }
}

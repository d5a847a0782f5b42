//! Subscriptions: which messages are delivered, and where they continue.

use everwire_core::{
    Delivery,
    protocol::{Cursor, ErrorCode, GapReason, Start},
    session::{ClientAction, ClientInput, SubscriptionId},
};

use super::{EPOCH, Harness, cursor, sub, unsub, welcome, welcome_new};

use Delivery::{Deliver, Ignore};

fn ended(subscription: SubscriptionId, code: Option<ErrorCode>) -> ClientAction {
    ClientAction::Ended { subscription, code }
}

fn gap(subscription: SubscriptionId, reason: GapReason, cursor: Cursor) -> ClientInput {
    ClientInput::Gap { subscription: Some(subscription), reason, cursor, missed: None }
}

fn reported_gap(subscription: SubscriptionId, reason: GapReason, cursor: Cursor) -> ClientAction {
    ClientAction::Gap { subscription, reason, cursor, missed: None }
}

fn repair(subscription: SubscriptionId, offset: u64) -> [ClientAction; 2] {
    let code = ErrorCode::Sequence;
    [ClientAction::ReportError { code }, sub(subscription, Start::From(cursor(offset)))]
}

#[test]
fn messages_that_continue_the_position_are_delivered_and_repetitions_ignored() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    assert_eq!(harness.receive(id, 11), Deliver);
    assert_eq!(harness.receive(id, 11), Ignore);
    assert_eq!(harness.receive(id, 9), Ignore);
    assert_eq!(harness.session.receive(Some(id), cursor(20), 11), Deliver);
    assert_eq!((harness.offset(id), harness.actions()), (Some(20), vec![]));
}

#[test]
fn offsets_may_be_as_large_as_64_bits() {
    // get-convex/convex-backend#306: rounded to 53 bits, one cursor equals the next.
    let largest = u64::MAX - 1;
    let at = |offset| Cursor { epoch: EPOCH, offset, time: 0 };
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Live);
    harness.input(ClientInput::Subscribed { subscription: Some(id), cursor: at(largest) });
    assert_eq!(harness.session.receive(Some(id), at(largest), largest - 1), Ignore);
    assert_eq!(harness.session.receive(Some(id), at(u64::MAX), largest), Deliver);
}

#[test]
fn a_message_that_leaves_one_out_is_not_delivered_and_the_subscription_repeated_from_its_position() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    assert_eq!(harness.receive(id, 12), Ignore);
    assert_eq!(harness.actions(), repair(id, 10));
    assert_eq!(harness.receive(id, 13), Ignore, "it was sent before the answer");
    assert_eq!(harness.actions(), []);
    harness.subscribed_at(id, 10);
    assert_eq!(harness.receive(id, 11), Deliver);
}

#[test]
fn a_message_of_another_epoch_is_not_delivered_whatever_its_offset() {
    // centrifugal/centrifuge-go#160: a new epoch with the old offset.
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    let other = Cursor { epoch: EPOCH + 1, ..cursor(11) };
    assert_eq!(harness.session.receive(Some(id), other, 10), Ignore);
    assert_eq!(harness.actions(), repair(id, 10));
}

#[test]
fn a_server_whose_messages_never_continue_the_position_is_left_after_three_repairs() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    for _ in 0..3 {
        assert_eq!(harness.receive(id, 12), Ignore);
        assert_eq!(harness.actions(), repair(id, 10));
        harness.subscribed_at(id, 10);
    }
    assert_eq!(harness.receive(id, 12), Ignore);
    let code = ErrorCode::Sequence;
    assert_eq!(harness.actions(), [ClientAction::ReportError { code }, ClientAction::Close { code }]);
}

#[test]
fn a_delivery_ends_the_row_of_repairs() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    for offset in 10..30 {
        assert_eq!(harness.receive(id, offset + 2), Ignore);
        harness.actions();
        harness.subscribed_at(id, offset);
        assert_eq!(harness.receive(id, offset + 1), Deliver);
    }
}

#[test]
fn what_arrives_between_sub_and_its_answer_belongs_to_the_earlier_subscription() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.session.restart(id, Start::Last(1));
    assert_eq!(harness.actions(), [sub(id, Start::Last(1))]);
    assert_eq!(harness.receive(id, 11), Ignore);
    assert_eq!(harness.position_at(id, 12, true), []);
    assert_eq!(harness.input(gap(id, GapReason::Trimmed, cursor(13))), []);
    assert_eq!(harness.session.receive_presence(Some(id)), Ignore);
    harness.subscribed_at(id, 12);
    assert_eq!(harness.receive(id, 13), Deliver);
    assert_eq!(harness.session.receive_presence(Some(id)), Deliver);
}

#[test]
fn a_subscription_that_starts_over_while_its_answer_is_outstanding_waits_for_that() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Live);
    harness.session.restart(id, Start::Last(1));
    harness.session.restart(id, Start::Last(2));
    assert_eq!(harness.actions(), [sub(id, Start::Live)]);
    assert_eq!(harness.subscribed_at(id, 10), [sub(id, Start::Last(2))]);
    assert_eq!(harness.offset(id), None);
    assert_eq!(harness.receive(id, 11), Ignore);
    harness.subscribed_at(id, 9);
    assert_eq!(harness.receive(id, 10), Deliver);
}

#[test]
fn a_refusal_of_an_earlier_start_does_not_end_the_subscription() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::State);
    harness.session.restart(id, Start::Live);
    harness.actions();
    let refusal = ClientInput::Unsubscribed { subscription: Some(id), code: ErrorCode::Denied };
    assert_eq!(harness.input(refusal), [sub(id, Start::Live)]);
    assert_eq!(harness.input(refusal), [ended(id, Some(ErrorCode::Denied))]);
}

#[test]
fn a_subscription_ended_before_its_answer_is_ended_on_the_server_when_that_comes() {
    let mut harness = Harness::new();
    let id = harness.session.subscribe(Start::Live);
    harness.connect();
    harness.session.unsubscribe(id);
    assert_eq!(harness.actions(), [], "it is unknown whether the server has a subscription");
    harness.input(welcome_new());
    assert_eq!(harness.subscribed_at(id, 10), [unsub(id), ended(id, None)]);
}

#[test]
fn a_subscription_ended_before_its_answer_goes_on_if_the_application_subscribes_again() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Live);
    harness.session.unsubscribe(id);
    harness.session.restart(id, Start::Last(3));
    harness.actions();
    assert_eq!(harness.subscribed_at(id, 10), [sub(id, Start::Last(3))]);
}

#[test]
fn a_subscription_ended_before_its_answer_is_over_when_the_connection_is() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Live);
    harness.session.unsubscribe(id);
    harness.actions();
    assert_eq!(harness.disconnect(), [ended(id, None)]);
    assert_eq!(harness.connect().len(), 1);
}

#[test]
fn an_accepted_subscription_ends_at_once() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    harness.session.unsubscribe(id);
    assert_eq!(harness.actions(), [unsub(id), ended(id, None)]);
    assert_eq!(harness.receive(id, 11), Ignore);
}

#[test]
fn a_subscription_that_the_server_ends_is_not_repeated() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    let end = ClientInput::Unsubscribed { subscription: Some(id), code: ErrorCode::Denied };
    assert_eq!(harness.input(end), [ended(id, Some(ErrorCode::Denied))]);
    harness.disconnect();
    assert_eq!(harness.connect().len(), 1);
}

#[test]
fn an_answer_for_a_channel_without_a_subscription_is_answered_by_unsub() {
    let mut harness = Harness::attached();
    let answer = ClientInput::Subscribed { subscription: None, cursor: cursor(1) };
    assert_eq!(harness.input(answer), [ClientAction::Unsubscribe { subscription: None }]);
}

#[test]
fn a_paused_subscription_goes_on_from_its_position() {
    let (mut harness, id) = Harness::subscribed(Start::Last(9), 10);
    let _ = harness.receive(id, 11);
    harness.actions();
    harness.session.pause(id);
    assert_eq!(harness.actions(), [unsub(id)]);
    assert_eq!(harness.receive(id, 12), Ignore, "the server sent it before it received the `unsub`");
    harness.session.pause(id);
    harness.session.resume(id);
    assert_eq!(harness.actions(), [sub(id, Start::From(cursor(11)))]);
    harness.session.resume(id);
    assert_eq!(harness.actions(), []);
    assert_eq!(harness.receive(id, 13), Ignore);
    harness.subscribed_at(id, 11);
    assert_eq!(harness.receive(id, 12), Deliver);
}

#[test]
fn a_paused_subscription_is_not_repeated_on_the_next_connection() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.session.pause(id);
    harness.disconnect();
    assert_eq!(harness.connect().len(), 1);
    harness.session.resume(id);
    assert_eq!(harness.actions(), [sub(id, Start::From(cursor(10)))]);
}

#[test]
fn a_hold_reports_the_position_and_delivers_nothing_until_the_snapshot_is_there() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Hold);
    assert_eq!(harness.actions(), [sub(id, Start::Hold)]);
    let held = ClientAction::Held { subscription: id, cursor: cursor(10) };
    assert_eq!(harness.subscribed_at(id, 10), [held]);
    assert_eq!((harness.receive(id, 11), harness.offset(id)), (Ignore, Some(10)));
    assert_eq!(harness.position_at(id, 11, true), []);
    harness.disconnect();
    assert_eq!(harness.connect().len(), 1, "the snapshot is still being read");
    harness.input(welcome(0));
    harness.session.restart(id, Start::From(cursor(10)));
    assert_eq!(harness.actions(), [sub(id, Start::From(cursor(10)))]);
    harness.subscribed_at(id, 10);
    assert_eq!(harness.receive(id, 11), Deliver);
}

#[test]
fn a_position_moves_forward_only() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    assert_eq!(harness.position_at(id, 15, false), []);
    assert_eq!(harness.position_at(id, 12, false), []);
    assert_eq!(harness.input(gap(id, GapReason::Trimmed, cursor(15))), []);
    assert_eq!(harness.offset(id), Some(15));
    assert_eq!(harness.receive(id, 16), Deliver);
}

#[test]
fn a_state_that_the_rules_refuse_is_reported_although_it_moves_nothing() {
    let (mut harness, id) = Harness::subscribed(Start::State, 10);
    let reason = GapReason::Refused;
    assert_eq!(harness.input(gap(id, reason, cursor(10))), [reported_gap(id, reason, cursor(10))]);
    assert_eq!(harness.input(gap(id, reason, cursor(9))), []);
    assert_eq!(harness.receive(id, 11), Deliver);
}

#[test]
fn a_position_of_another_epoch_does_not_move_the_subscription() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    let other = Cursor { epoch: EPOCH + 1, ..cursor(11) };
    let position = ClientInput::Position { subscription: Some(id), cursor: other, is_live: false };
    assert_eq!(harness.input(position), repair(id, 10));
    assert_eq!(harness.session.position(id), Some(cursor(10)));
}

#[test]
fn a_gap_is_reported_and_the_position_replaced_whole() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    let other = Cursor { epoch: EPOCH + 1, offset: 3, time: 5 };
    let reason = GapReason::Rewritten;
    assert_eq!(harness.input(gap(id, reason, other)), [reported_gap(id, reason, other)]);
    assert_eq!(harness.session.position(id), Some(other));
}

#[test]
fn a_store_that_came_back_older_does_not_hide_what_follows() {
    // Same epoch, smaller offset: ignoring the gap would ignore the next messages as repetitions.
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.disconnect();
    harness.connect();
    harness.input(welcome(0));
    harness.subscribed_at(id, 5);
    let reason = GapReason::Rewritten;
    assert_eq!(harness.input(gap(id, reason, cursor(5))), [reported_gap(id, reason, cursor(5))]);
    assert_eq!(harness.receive(id, 6), Deliver);
}

#[test]
fn a_server_that_starts_elsewhere_without_a_gap_is_not_believed() {
    let line = |id| ClientInput::Position { subscription: Some(id), cursor: cursor(20), is_live: true };
    for is_message in [true, false] {
        let (mut harness, id) = Harness::subscribed(Start::Live, 10);
        harness.resume(0);
        harness.subscribed_at(id, 20);
        let actions = if is_message {
            assert_eq!(harness.session.receive(Some(id), cursor(21), 10), Ignore);
            harness.actions()
        } else {
            harness.input(line(id))
        };
        assert_eq!(actions, repair(id, 10));
    }
}

#[test]
fn a_cursor_with_another_time_is_another_cursor() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.resume(0);
    let rewritten = Cursor { time: 1, ..cursor(10) };
    harness.input(ClientInput::Subscribed { subscription: Some(id), cursor: rewritten });
    assert_eq!(harness.receive(id, 11), Ignore);
}

#[test]
fn a_resume_that_missed_nothing_is_reported_when_it_has_caught_up() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.resume(0);
    assert_eq!(harness.subscribed_at(id, 10), []);
    let _ = harness.receive(id, 11);
    let caught_up = ClientAction::CaughtUp { subscription: id };
    assert_eq!(harness.position_at(id, 11, true), [ClientAction::Resumed { subscription: id }, caught_up]);
    assert_eq!(harness.position_at(id, 11, true), [caught_up]);
}

#[test]
fn a_resume_with_a_gap_is_not_reported_as_whole() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.resume(0);
    harness.subscribed_at(id, 20);
    harness.input(gap(id, GapReason::Trimmed, cursor(20)));
    assert_eq!(harness.position_at(id, 20, true), [ClientAction::CaughtUp { subscription: id }]);
}

#[test]
fn a_first_subscription_from_a_stored_cursor_is_not_a_resume() {
    let mut harness = Harness::new();
    let id = harness.session.subscribe(Start::From(cursor(10)));
    assert_eq!(harness.connect()[1..], [sub(id, Start::From(cursor(10)))]);
    harness.input(welcome_new());
    harness.subscribed_at(id, 10);
    assert_eq!(harness.position_at(id, 10, true), [ClientAction::CaughtUp { subscription: id }]);
}

#[test]
fn subscriptions_end_with_the_session() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.actions();
    let code = ErrorCode::Gone;
    assert_eq!(harness.input(ClientInput::Bye { code }), [ended(id, Some(code)), ClientAction::Over { code }]);
    let late = harness.session.subscribe(Start::Live);
    assert_eq!(harness.actions(), [ended(late, Some(code))]);
}

#[test]
fn a_store_that_comes_back_older_while_the_connection_lasts_does_not_hide_what_follows() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    let reason = GapReason::Rewritten;
    assert_eq!(harness.input(gap(id, reason, cursor(5))), [reported_gap(id, reason, cursor(5))]);
    assert_eq!(harness.receive(id, 6), Deliver);
}

#[test]
fn repairs_on_different_connections_are_not_in_a_row() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    for _ in 0..10 {
        for _ in 0..3 {
            assert_eq!(harness.receive(id, 12), Ignore);
            assert_eq!(harness.actions(), repair(id, 10));
            harness.subscribed_at(id, 10);
        }
        harness.resume(0);
        harness.subscribed_at(id, 10);
    }
}

#[test]
fn an_answer_that_a_paused_subscription_does_not_wait_for_is_answered_by_unsub() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.session.pause(id);
    harness.actions();
    assert_eq!(harness.subscribed_at(id, 12), [unsub(id)]);
    assert_eq!(harness.offset(id), Some(10));
}

#[test]
fn a_subscription_that_starts_over_has_nothing_to_resume() {
    let caught_up = |id| [ClientAction::CaughtUp { subscription: id }];
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.session.restart(id, Start::Last(1));
    harness.resume(0);
    harness.subscribed_at(id, 10);
    assert_eq!(harness.position_at(id, 10, true), caught_up(id), "it started over before the connection broke");
    harness.resume(0);
    harness.session.restart(id, Start::Last(1));
    harness.subscribed_at(id, 10);
    harness.subscribed_at(id, 10);
    assert_eq!(harness.position_at(id, 10, true), caught_up(id), "it started over after that");
}

#[test]
fn a_gap_after_an_answer_from_elsewhere_counts_wherever_it_ends() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    harness.resume(0);
    harness.subscribed_at(id, 5);
    let reason = GapReason::Trimmed;
    assert_eq!(harness.input(gap(id, reason, cursor(5))), [reported_gap(id, reason, cursor(5))]);
    assert_eq!(harness.receive(id, 6), Deliver);
}

#[test]
fn a_gap_into_another_epoch_counts_whatever_its_offset() {
    let (mut harness, id) = Harness::subscribed(Start::Live, 10);
    let (reason, other) = (GapReason::Trimmed, Cursor { epoch: EPOCH + 1, ..cursor(3) });
    assert_eq!(harness.input(gap(id, reason, other)), [reported_gap(id, reason, other)]);
}

#[test]
fn a_pause_does_not_keep_an_ended_subscription() {
    let mut harness = Harness::attached();
    let id = harness.session.subscribe(Start::Live);
    harness.session.unsubscribe(id);
    harness.session.pause(id);
    harness.actions();
    assert_eq!(harness.subscribed_at(id, 10), [unsub(id), ended(id, None)]);
}

use super::*;

fn at(offset: u64) -> Cursor {
    Cursor { epoch: 0x9f, offset, time: if offset == 0 { 0 } else { offset.wrapping_add(1_000) } }
}

fn time_at(offset: u64) -> Option<u64> {
    Some(at(offset).time)
}

/// Messages after the first offset up to the second one are kept.
fn history(trimmed: u64, last: u64) -> History {
    History { trimmed, last: at(last) }
}

fn start(start: Start, history: History) -> (Feed, Opening) {
    Feed::start(start, Mode::Each, true, &history, time_at)
}

fn plain(offset: u64) -> Opening {
    Opening { cursor: at(offset), gap: None }
}

fn each(after: u64, up_to: u64) -> FeedStep {
    FeedStep::Read { after, up_to, mode: Mode::Each }
}

fn latest(after: u64, up_to: u64) -> FeedStep {
    FeedStep::Read { after, up_to, mode: Mode::Latest }
}

fn live(offset: u64) -> FeedStep {
    FeedStep::Position { cursor: at(offset), is_live: true }
}

fn gap(reason: GapReason, offset: u64, missed: Option<u64>) -> FeedStep {
    FeedStep::Gap(Gap { reason, cursor: at(offset), missed })
}

/// A page with these offsets, read to its end.
fn page(feed: &mut Feed, offsets: impl IntoIterator<Item = u64>) -> Vec<Option<u64>> {
    let sent = offsets.into_iter().map(|offset| feed.paged(at(offset))).collect();
    feed.page_ended();
    sent
}

#[test]
fn a_subscription_from_now_on_is_live_at_once() {
    let (mut feed, opening) = start(Start::Live, history(3, 9));
    assert_eq!((opening, feed.is_live()), (plain(9), true));
    assert_eq!(feed.poll(&history(3, 9)), FeedStep::Idle);
    assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
}

#[test]
fn nothing_is_delivered_on_hold() {
    let (mut feed, opening) = start(Start::Hold, history(3, 9));
    assert_eq!((opening, feed.is_live()), (plain(9), false));
    assert_eq!(feed.fan_out(at(10)), Delivery::Ignore);
    feed.fell_behind();
    assert_eq!(feed.poll(&history(3, 10)), FeedStep::Idle);
}

#[test]
fn the_last_messages_come_before_what_is_new() {
    let (mut feed, opening) = start(Start::Last(2), history(3, 9));
    assert_eq!(opening, plain(7));
    assert_eq!(feed.poll(&history(3, 9)), each(7, 9));
    assert_eq!(page(&mut feed, [8, 9]), [Some(7), Some(8)]);
    assert_eq!(feed.poll(&history(3, 9)), live(9));
    assert!(feed.is_live());
}

#[test]
fn fewer_messages_come_where_fewer_are_kept() {
    for count in [6, 7, u64::MAX] {
        assert_eq!(start(Start::Last(count), history(3, 9)).1, plain(3));
    }
    assert_eq!(start(Start::Last(0), history(3, 9)).1, plain(9));
    assert_eq!(start(Start::Last(1), history(0, 0)).1, plain(0));
}

#[test]
fn a_resumed_subscription_gets_everything_after_its_position() {
    let (mut feed, opening) = start(Start::From(at(5)), history(3, 9));
    assert_eq!(opening, plain(5));
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    assert_eq!(page(&mut feed, [6]), [Some(5)]);
    assert_eq!(feed.poll(&history(3, 11)), each(6, 11));
    assert_eq!(page(&mut feed, 7..=11).len(), 5);
    assert_eq!(feed.poll(&history(3, 11)), live(11));
}

#[test]
fn a_subscription_that_missed_nothing_is_live_after_one_line() {
    let (mut feed, opening) = start(Start::From(at(9)), history(9, 9));
    assert_eq!(opening, plain(9));
    assert_eq!(feed.poll(&history(9, 9)), live(9));
}

#[test]
fn a_position_that_cannot_be_recovered_is_answered_by_the_present_one_and_a_gap() {
    let (mut feed, opening) = start(Start::From(at(1)), history(3, 9));
    let expected = Gap { reason: GapReason::Trimmed, cursor: at(9), missed: Some(8) };
    assert_eq!(opening, Opening { cursor: at(9), gap: Some(expected) });
    assert_eq!(feed.poll(&history(3, 9)), live(9));
}

#[test]
fn messages_that_are_trimmed_while_it_catches_up_are_a_gap() {
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    assert_eq!(page(&mut feed, [6]), [Some(5)]);
    assert_eq!(feed.poll(&history(7, 12)), gap(GapReason::Trimmed, 12, Some(6)));
    assert_eq!(feed.poll(&history(7, 12)), live(12));
}

#[test]
fn a_page_from_which_messages_were_trimmed_meanwhile_is_not_sent_with_a_hole() {
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    assert_eq!(page(&mut feed, [8, 9]), [None, None]);
    assert_eq!(feed.poll(&history(7, 9)), gap(GapReason::Trimmed, 9, Some(4)));
}

#[test]
fn a_page_that_the_broker_could_not_read_is_read_again() {
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    assert_eq!(page(&mut feed, []), []);
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
}

#[test]
fn a_message_of_another_page_is_not_sent() {
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    assert_eq!(feed.paged(at(6)), None);
    assert_eq!(feed.poll(&history(3, 6)), each(5, 6));
    assert_eq!(page(&mut feed, [5, 6, 7]), [None, Some(5), None]);
    assert_eq!(feed.paged(at(7)), None);
}

#[test]
fn a_history_that_is_lost_while_it_catches_up_is_a_gap() {
    let other = |offset| Cursor { epoch: 0xa0, ..at(offset) };
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    let lost = History { trimmed: 0, last: other(7) };
    let expected = Gap { reason: GapReason::Rewritten, cursor: other(7), missed: None };
    assert_eq!(feed.poll(&lost), FeedStep::Gap(expected));
    assert_eq!(feed.poll(&lost), FeedStep::Position { cursor: other(7), is_live: true });
}

#[test]
fn a_live_feed_ignores_repetitions() {
    let (mut feed, _) = start(Start::Live, history(3, 9));
    assert_eq!(feed.fan_out(at(9)), Delivery::Ignore);
    assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
    assert_eq!(feed.fan_out(at(10)), Delivery::Ignore);
    assert!(feed.is_live());
}

#[test]
fn a_live_feed_that_missed_a_message_reads_it() {
    let (mut feed, _) = start(Start::Live, history(3, 9));
    assert_eq!((feed.fan_out(at(11)), feed.is_live()), (Delivery::Ignore, false));
    assert_eq!(feed.poll(&history(3, 11)), each(9, 11));
}

#[test]
fn a_message_of_another_epoch_is_not_delivered_as_the_next_one() {
    let (mut feed, _) = start(Start::Live, history(3, 9));
    let other = |offset| Cursor { epoch: 0xa0, ..at(offset) };
    assert_eq!((feed.fan_out(other(10)), feed.is_live()), (Delivery::Ignore, false));
    let step = feed.poll(&History { trimmed: 0, last: other(10) });
    assert_eq!(step, FeedStep::Gap(Gap { reason: GapReason::Rewritten, cursor: other(10), missed: None }));
}

#[test]
fn a_slow_reader_goes_on_from_history_where_it_fell_behind() {
    let (mut feed, _) = start(Start::Live, history(3, 9));
    assert_eq!(feed.fan_out(at(10)), Delivery::Deliver);
    feed.fell_behind();
    assert_eq!(feed.fan_out(at(11)), Delivery::Ignore);
    assert_eq!(feed.poll(&history(3, 12)), each(10, 12));
    assert_eq!(page(&mut feed, [11, 12]), [Some(10), Some(11)]);
    assert_eq!(feed.poll(&history(3, 12)), live(12));
}

#[test]
fn a_feed_whose_messages_were_sent_in_a_batch_goes_on_after_the_last_of_them() {
    let (mut feed, _) = start(Start::Live, history(3, 9));
    feed.delivered(at(12));
    feed.delivered(at(11));
    assert_eq!(feed.fan_out(at(12)), Delivery::Ignore);
    feed.fell_behind();
    assert_eq!(feed.poll(&history(3, 14)), each(12, 14));
    assert_eq!(page(&mut feed, [13, 14]), [Some(12), Some(13)]);
}

#[test]
fn a_batch_does_not_move_a_feed_that_is_behind_or_in_another_history() {
    let (mut feed, _) = start(Start::From(at(5)), history(3, 9));
    feed.delivered(at(9));
    assert_eq!(feed.poll(&history(3, 9)), each(5, 9));
    let (mut feed, _) = start(Start::Live, history(3, 9));
    feed.delivered(Cursor { epoch: 0xa0, ..at(12) });
    assert_eq!(feed.position(), at(9));
}

#[test]
fn a_slow_reader_of_the_latest_values_gets_one_message_a_key() {
    let (mut feed, _) = Feed::start(Start::Live, Mode::Latest, true, &history(3, 9), time_at);
    feed.fell_behind();
    assert_eq!(feed.poll(&history(3, 20)), latest(9, 20));
    assert_eq!(page(&mut feed, [14, 20]), [Some(9), Some(14)]);
    assert_eq!(feed.poll(&history(3, 20)), live(20));
}

#[test]
fn the_latest_values_that_were_dropped_are_a_gap_of_an_unknown_number() {
    let (mut feed, _) = Feed::start(Start::Live, Mode::Latest, true, &history(3, 9), time_at);
    feed.fell_behind();
    assert_eq!(feed.poll(&history(12, 20)), gap(GapReason::Trimmed, 20, None));
}

#[test]
fn the_state_comes_first_then_what_was_published_meanwhile() {
    let (mut feed, opening) = start(Start::State, history(90, 104));
    assert_eq!(opening, Opening { cursor: Cursor { epoch: 0x9f, offset: 0, time: 0 }, gap: None });
    assert_eq!(feed.poll(&history(90, 104)), latest(0, 104));
    assert_eq!(feed.paged(at(93)), Some(0));
    assert_eq!(feed.poll(&history(91, 106)), latest(93, 104));
    assert_eq!(page(&mut feed, [99]), [Some(93)]);
    // The client is said to have 104, so that it can resume from there.
    assert_eq!(feed.poll(&history(91, 106)), FeedStep::Position { cursor: at(104), is_live: false });
    assert_eq!(feed.poll(&history(91, 106)), each(104, 106));
    assert_eq!(page(&mut feed, [105, 106]), [Some(104), Some(105)]);
    assert_eq!(feed.poll(&history(91, 106)), live(106));
}

#[test]
fn the_state_of_a_channel_without_messages_is_complete_at_once() {
    let empty = History::empty(Cursor { epoch: 0x9f, offset: 0, time: 0 });
    let (mut feed, _) = start(Start::State, empty);
    assert_eq!(feed.poll(&empty), FeedStep::Position { cursor: empty.last, is_live: true });
}

#[test]
fn a_position_is_sent_once() {
    let (mut feed, _) = Feed::start(Start::State, Mode::Latest, true, &history(0, 9), time_at);
    assert_eq!(feed.poll(&history(0, 9)), latest(0, 9));
    page(&mut feed, [7]);
    assert_eq!(feed.poll(&history(0, 9)), live(9));
    feed.fell_behind();
    assert_eq!(feed.poll(&history(0, 12)), latest(9, 12));
}

#[test]
fn what_is_published_while_the_state_is_read_and_trimmed_is_a_gap() {
    let (mut feed, _) = start(Start::State, history(90, 104));
    assert_eq!(feed.poll(&history(90, 104)), latest(0, 104));
    page(&mut feed, [93, 104]);
    assert_eq!(feed.poll(&history(105, 110)), gap(GapReason::Trimmed, 110, Some(6)));
}

#[test]
fn a_state_of_which_the_history_is_lost_is_a_gap() {
    let (mut feed, _) = start(Start::State, history(90, 104));
    assert_eq!(feed.poll(&history(3, 9)), gap(GapReason::Rewritten, 9, None));
}

/// Mercure authorises a replay with today's token; a subscriber whose rights were taken back between must not get what was published.
#[test]
fn a_subscriber_that_may_not_see_the_history_gets_none_of_it() {
    let refused = |start| Feed::start(start, Mode::Each, false, &history(3, 9), time_at).1;
    let expected = |missed| Some(Gap { reason: GapReason::Refused, cursor: at(9), missed });
    assert_eq!(refused(Start::From(at(5))), Opening { cursor: at(9), gap: expected(Some(4)) });
    assert_eq!(refused(Start::State), Opening { cursor: at(9), gap: expected(None) });
    assert_eq!(refused(Start::Last(2)), plain(9));
    assert_eq!(refused(Start::From(at(9))), plain(9));
    assert_eq!(refused(Start::Live), plain(9));
}

#[test]
fn offsets_beyond_two_to_the_53_count_on() {
    let high = (1 << 53) - 2;
    let (mut feed, _) = start(Start::From(at(high)), history(high, high + 3));
    assert_eq!(feed.poll(&history(high, high + 3)), each(high, high + 3));
    assert_eq!(page(&mut feed, high + 1..=high + 3), [high, high + 1, high + 2].map(Some));
    let (mut feed, _) = start(Start::Live, history(u64::MAX - 1, u64::MAX));
    assert_eq!(feed.fan_out(at(u64::MAX)), Delivery::Ignore);
}

//! Histories with one mistake each: an oracle that finds nothing proves nothing.

use everwire::client::{Cursor, GapReason};
use everwire_chaos::oracle::{Fate, History, Item, Log, MessageId, Publish, Verdict, Wrong};

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
    Publish { id: id(number), channel: CHANNEL, life: 0, fate: Fate::Stored(at(number)) }
}

fn message(number: u64) -> Item {
    Item::Message { cursor: at(number), id: id(number), is_own: false }
}

fn gap(offset: u64) -> Item {
    Item::Gap { reason: GapReason::Trimmed, cursor: at(offset) }
}

/// Ten messages, and a subscription that gets each of them.
fn history() -> History {
    let items =
        [Item::Started { life: 0 }, Item::Established(at(0))].into_iter().chain((1..=MESSAGES).map(message)).collect();
    History {
        publishes: (1..=MESSAGES).map(publish).collect(),
        logs: vec![Log { client: READER, channel: CHANNEL, items }],
        last: vec![at(MESSAGES)],
        ..History::default()
    }
}

/// The verdict on that history after a change.
fn judge(change: impl FnOnce(&mut History)) -> Verdict {
    let mut history = history();
    change(&mut history);
    history.judge()
}

/// The verdict after a change of what the subscription yields. The message with number N is item N + 1.
fn judge_items(change: impl FnOnce(&mut Vec<Item>)) -> Verdict {
    judge(|history| change(&mut history.logs[0].items))
}

/// All that is wrong, with how often it is.
fn wrongs(verdict: &Verdict) -> Vec<(Wrong, u64)> {
    verdict.counts.iter().map(|(wrong, count)| (*wrong, *count)).collect()
}

#[test]
fn what_is_delivered_once_and_in_order_is_good() {
    let verdict = judge(|_| {});
    assert!(verdict.is_good(), "{verdict}");
    assert_eq!((verdict.published, verdict.delivered), (MESSAGES, MESSAGES));
}

#[test]
fn an_acknowledged_message_that_is_left_out_is_lost_and_its_gap_is_unreported() {
    let verdict = judge_items(|items| drop(items.remove(5)));
    assert_eq!(wrongs(&verdict), [(Wrong::Lost, 1), (Wrong::UnreportedGap, 1)]);
    assert_eq!(verdict.violations[0].client, READER);
    assert!(verdict.violations[0].what.contains("message 7.5"), "{:?}", verdict.violations);
}

#[test]
fn a_message_that_is_missing_at_the_end_is_lost() {
    let verdict = judge_items(|items| drop(items.pop()));
    assert_eq!(wrongs(&verdict), [(Wrong::Lost, 1), (Wrong::Unfinished, 1)]);
}

#[test]
fn messages_behind_a_gap_are_lost_and_the_gap_is_reported() {
    let verdict = judge_items(|items| drop(items.splice(5..7, [gap(5)])));
    assert_eq!(wrongs(&verdict), [(Wrong::Lost, 2)]);
}

#[test]
fn a_gap_without_a_cause_is_a_loss() {
    let verdict = judge_items(|items| items.insert(5, gap(3)));
    assert_eq!(wrongs(&verdict), [(Wrong::Lost, 1)]);
}

#[test]
fn a_message_that_comes_again_is_repeated_whatever_its_position() {
    let verdict = judge_items(|items| items.insert(7, message(5)));
    assert_eq!(wrongs(&verdict), [(Wrong::Repeated, 1)]);
    let stored_twice = Item::Message { cursor: at(11), id: id(5), is_own: false };
    let verdict = judge_items(|items| items.push(stored_twice));
    assert_eq!(wrongs(&verdict), [(Wrong::Repeated, 1)]);
}

#[test]
fn a_message_behind_a_later_one_is_reordered() {
    let verdict = judge_items(|items| items.swap(5, 6));
    assert_eq!(verdict.count(Wrong::Reordered), 1, "{:?}", verdict.violations);
}

#[test]
fn messages_of_one_client_that_are_stored_in_another_order_are_reordered() {
    let verdict = judge(|history| {
        let items = &mut history.logs[0].items;
        for (index, number, offset) in [(5, 5, 4), (6, 4, 5)] {
            items[index] = Item::Message { cursor: at(offset), id: id(number), is_own: false };
            history.publishes[number as usize - 1].fate = Fate::Stored(at(offset));
        }
    });
    assert_eq!(wrongs(&verdict), [(Wrong::Reordered, 1)]);
}

#[test]
fn another_epoch_without_a_gap_is_an_unreported_gap() {
    let verdict = judge(|history| {
        let other = Cursor { epoch: 0xa0, ..at(10) };
        history.logs[0].items[11] = Item::Message { cursor: other, id: id(10), is_own: false };
        history.publishes[9].fate = Fate::Stored(other);
    });
    assert_eq!(wrongs(&verdict), [(Wrong::UnreportedGap, 1)]);
}

#[test]
fn a_message_of_unknown_fate_may_come_or_not_but_not_twice() {
    for fate in [Fate::Unknown, Fate::Pending] {
        let verdict = judge(|history| history.publishes[9].fate = fate);
        assert_eq!((verdict.count(Wrong::Lost), verdict.count(Wrong::Misreported)), (0, 0));
    }
    let absent = judge(|history| {
        history.publishes[9].fate = Fate::Unknown;
        history.logs[0].items.pop();
        history.last = vec![at(9)];
    });
    assert!(absent.is_good(), "{absent}");
    let twice = judge(|history| {
        history.publishes[9].fate = Fate::Unknown;
        history.logs[0].items.push(message(10));
    });
    assert_eq!(wrongs(&twice), [(Wrong::Repeated, 1)]);
}

#[test]
fn a_message_that_was_refused_or_never_published_or_is_elsewhere_is_misreported() {
    for change in [
        (|history| history.publishes[4].fate = Fate::NotStored) as fn(&mut History),
        |history| history.publishes.retain(|publish| publish.id != id(5)),
        |history| history.publishes[4].fate = Fate::Stored(Cursor { time: 1, ..at(5) }),
        |history| history.logs[0].items[6] = Item::Message { cursor: at(5), id: id(5), is_own: true },
    ] {
        assert_eq!(wrongs(&judge(change)), [(Wrong::Misreported, 1)]);
    }
    let verdict = judge(|history| history.publishes[4].channel = 1);
    assert_eq!(verdict.count(Wrong::Misreported), 1);
}

#[test]
fn a_clients_own_message_is_known_as_its_own_by_the_run_of_the_program_that_published_it() {
    let own = Item::Message { cursor: at(5), id: id(5), is_own: true };
    let verdict = judge(|history| {
        history.logs[0].client = PUBLISHER;
        for item in &mut history.logs[0].items {
            if let Item::Message { is_own, .. } = item {
                *is_own = true;
            }
        }
    });
    assert!(verdict.is_good(), "{verdict}");
    let verdict = judge(|history| {
        history.logs[0].client = PUBLISHER;
        history.logs[0].items.insert(2, Item::Started { life: 1 });
    });
    assert!(verdict.is_good(), "{verdict}");
    let verdict = judge(|history| {
        history.logs[0].client = PUBLISHER;
        history.logs[0].items.insert(2, Item::Started { life: 1 });
        history.logs[0].items[7] = own;
    });
    assert_eq!(wrongs(&verdict), [(Wrong::Misreported, 1)]);
}

#[test]
fn a_subscription_gets_what_follows_its_start_and_need_not_get_what_was_before() {
    let late = |items: &mut Vec<Item>| drop(items.splice(1..5, [Item::Established(at(3))]));
    let verdict = judge_items(late);
    assert!(verdict.is_good(), "{verdict}");
    let verdict = judge_items(|items| {
        late(items);
        items.remove(2);
    });
    assert_eq!(wrongs(&verdict), [(Wrong::Lost, 1), (Wrong::UnreportedGap, 1)]);
    // The first message says where it began, too.
    let verdict = judge_items(|items| drop(items.splice(1..5, [])));
    assert!(verdict.is_good(), "{verdict}");
}

#[test]
fn a_subscription_that_ends_and_a_publish_without_an_outcome_are_unfinished() {
    let verdict = judge_items(|items| items.push(Item::Ended("denied".to_owned())));
    assert_eq!(wrongs(&verdict), [(Wrong::Unfinished, 1)]);
    let verdict = judge(|history| history.publishes[4].fate = Fate::Pending);
    assert_eq!(wrongs(&verdict), [(Wrong::Unfinished, 1)]);
}

#[test]
fn a_session_or_an_answer_that_was_not_kept_is_forgotten() {
    let verdict = judge(|history| history.replaced.push(READER));
    assert_eq!(wrongs(&verdict), [(Wrong::Forgotten, 1)]);
    let verdict = judge(|history| history.publishes[4].fate = Fate::Forgotten);
    assert_eq!(wrongs(&verdict), [(Wrong::Forgotten, 1)]);
}

#[test]
fn two_messages_that_were_acknowledged_with_one_position_are_misreported() {
    let verdict = judge(|history| {
        let fate = Fate::Stored(at(10));
        history.publishes.push(Publish { id: id(11), fate, ..publish(11) });
    });
    assert_eq!(verdict.count(Wrong::Misreported), 1, "{:?}", verdict.violations);
}

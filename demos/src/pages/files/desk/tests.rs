use everwire::{Cause, Dropped, Event};
use everwire_companion_api::files::ServerMessage;

use super::*;

fn received(message: ServerMessage) -> Event<ServerMessage> {
    Event::Message(message)
}

fn dropped() -> Event<ServerMessage> {
    Event::Dropped(Dropped::new(Cause::closed(1006, "", false)))
}

fn file(id: &str, added: f64) -> StoredFile {
    StoredFile { id: id.into(), name: "a".into(), size: 100, sha256: "ab".into(), added, expires: added + 1.0 }
}

fn open() -> Desk {
    let mut desk = Desk::default();
    desk.hear(Event::Opened(Default::default()), 0.0);
    desk
}

fn key(name: &str) -> ResumeKey {
    format!("the-key-of-file-{name}").try_into().unwrap()
}

fn upload(stream: u32, name: &str) -> Order {
    Order::Say(ClientMessage::Upload { stream, name: name.into(), size: 100, resume: key(name) })
}

/// A desk with one file, of which 60 bytes are sent and 40 acknowledged.
fn sending() -> Desk {
    let mut desk = open();
    let (id, orders) = desk.add("a".into(), 100);
    assert_eq!(orders, [Order::Prepare(1)]);
    assert_eq!(desk.prepared(id, key("a")), [upload(1, "a")]);
    let ready = received(ServerMessage::Ready { stream: 1, offset: 0, window: 60, chunk: 10 });
    assert_eq!(desk.hear(ready, 0.0), [Order::Send { id: 1, stream: 1 }]);
    desk.sent(1, 1, 60);
    desk.hear(received(ServerMessage::Ack { stream: 1, offset: 40 }), 0.0);
    desk
}

fn stage(desk: &Desk, id: u32) -> &Stage {
    &desk.transfer(id).unwrap().stage
}

#[test]
fn a_file_goes_from_the_first_byte_to_an_equal_checksum() {
    let mut desk = sending();
    desk.sent(1, 1, 100);
    let finish = Order::Say(ClientMessage::Finish { stream: 1, sha256: "ab".into() });
    assert_eq!(desk.all_sent(1, 1, "ab".into()), [finish]);
    assert_eq!(stage(&desk, 1), &Stage::Comparing);
    assert_eq!(desk.hear(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0), [Order::Stop(1)]);
    assert_eq!(stage(&desk, 1), &Stage::Done(file("f", 1.0)));
    assert!(!desk.is_busy() && desk.announcement.contains("checksum is equal"));
}

#[test]
fn a_lost_connection_is_resumed_from_what_the_server_has_in_a_stream_of_its_own() {
    let mut desk = sending();
    assert_eq!(desk.hear(dropped(), 0.0), [Order::Stop(1)]);
    assert_eq!(stage(&desk, 1), &Stage::Asking);
    assert_eq!(desk.hear(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
    // What was still on its way from the attempt before changes nothing.
    desk.hear(received(ServerMessage::Ack { stream: 1, offset: 60 }), 0.0);
    assert_eq!(desk.all_sent(1, 1, "old".into()), []);
    let ready = received(ServerMessage::Ready { stream: 2, offset: 50, window: 60, chunk: 10 });
    assert_eq!(desk.hear(ready, 0.0), [Order::Send { id: 1, stream: 2 }]);
    let transfer = desk.transfer(1).unwrap();
    assert_eq!((transfer.flow.sent(), transfer.note), (50, None));
}

#[test]
fn a_server_that_lost_the_file_gets_it_from_the_start_and_the_visitor_is_told() {
    let mut desk = sending();
    desk.hear(dropped(), 0.0);
    desk.hear(Event::Opened(Default::default()), 0.0);
    desk.hear(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    let transfer = desk.transfer(1).unwrap();
    assert_eq!(transfer.flow.sent(), 0);
    assert!(transfer.note.unwrap().contains("starts over"));
}

#[test]
fn a_paused_file_lets_the_next_one_go_and_waits_for_its_turn_when_resumed() {
    let mut desk = sending();
    let (second, orders) = desk.add("b".into(), 100);
    assert_eq!((orders, stage(&desk, second)), (vec![], &Stage::Waiting));
    assert_eq!(desk.pause(1), [Order::Stop(1), Order::Prepare(second)]);
    assert_eq!(desk.resume(1), [], "the other one is under way");
    desk.prepared(second, key("b"));
    desk.hear(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    let orders = desk.hear(received(ServerMessage::Stored { stream: 2, file: file("f", 1.0) }), 0.0);
    assert_eq!(orders, [Order::Stop(second), upload(3, "a")]);
}

#[test]
fn a_file_that_was_paused_while_it_was_asked_for_does_not_begin() {
    let mut desk = open();
    let (id, _) = desk.add("a".into(), 100);
    desk.prepared(id, key("a"));
    desk.pause(id);
    assert_eq!(desk.hear(received(ServerMessage::Ready { stream: 1, offset: 0, window: 60, chunk: 10 }), 0.0), []);
    assert_eq!(stage(&desk, id), &Stage::Paused);
}

#[test]
fn a_cancelled_file_is_forgotten_here_and_there() {
    let mut desk = sending();
    let cancel = Order::Say(ClientMessage::Cancel { resume: key("a") });
    assert_eq!(desk.cancel(1), [Order::Stop(1), Order::Forget(1), cancel]);
    assert!(desk.transfers.is_empty());
}

#[test]
fn taking_a_finished_file_off_the_list_leaves_it_to_the_others() {
    let mut desk = sending();
    desk.hear(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
    assert_eq!(desk.cancel(1), [Order::Stop(1), Order::Forget(1)]);
}

#[test]
fn only_own_files_can_be_taken_back() {
    let mut desk = sending();
    desk.hear(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
    let remove = Order::Say(ClientMessage::Remove { id: "f".into(), resume: key("a") });
    assert_eq!(desk.take_back("f"), [remove]);
    assert!(desk.is_mine("f") && !desk.is_mine("g"));
    assert_eq!(desk.take_back("g"), []);
}

#[test]
fn a_refusal_is_shown_and_the_file_can_be_sent_again() {
    let mut desk = sending();
    desk.hear(received(ServerMessage::Failed { stream: 1, error: "The disk is full.".into() }), 0.0);
    assert_eq!(stage(&desk, 1), &Stage::Failed(Failure { why: "The disk is full.".into(), is_final: false }));
    assert_eq!(desk.again(1), [upload(2, "a")]);
}

#[test]
fn what_would_be_refused_again_is_not_sent_again() {
    let mut desk = sending();
    desk.hear(received(ServerMessage::Refused { stream: 1, error: "That is no name.".into(), is_final: true }), 0.0);
    assert_eq!(stage(&desk, 1), &Stage::Failed(Failure { why: "That is no name.".into(), is_final: true }));
    assert_eq!(desk.again(1), []);
}

#[test]
fn a_file_that_cannot_be_read_any_more_leaves_no_room_taken() {
    let mut desk = sending();
    let cancel = Order::Say(ClientMessage::Cancel { resume: key("a") });
    assert_eq!(desk.unreadable(1), [Order::Stop(1), cancel]);
    assert_eq!(desk.again(1), [], "it has to be chosen again");
    let (second, _) = desk.add("b".into(), 100);
    assert_eq!(desk.unreadable(second), [Order::Stop(second)], "nobody knows of it");
}

#[test]
fn another_server_gets_the_file_from_the_start() {
    let mut desk = sending();
    let limits = Limits { file_bytes: 1000, store_bytes: 1000, files: 9, unfinished: 1.0, finished: 1.0 };
    desk.hear(received(ServerMessage::Files { files: vec![file("f", 1.0)], limits }), 0.0);
    assert_eq!(desk.another_server(), [Order::Stop(1)]);
    assert_eq!((stage(&desk, 1), desk.is_open(), desk.is_told), (&Stage::Asking, false, false));
    assert_eq!((desk.limits, desk.files.len(), desk.transfer(1).unwrap().flow.acked()), (None, 0, 0));
    assert_eq!(desk.hear(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
    desk.hear(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    assert_eq!(desk.transfer(1).unwrap().note, None, "that was to be expected");
}

#[test]
fn different_checksums_are_an_error_that_offers_to_send_again() {
    let mut desk = sending();
    desk.hear(received(ServerMessage::Mismatch { stream: 1, sha256: "cd".into() }), 0.0);
    assert!(matches!(stage(&desk, 1), Stage::Failed(failure) if failure.why.contains("checksums differ")));
    assert_eq!(desk.transfer(1).unwrap().flow.acked(), 0);
    assert_eq!(desk.again(1), [upload(2, "a")]);
}

#[test]
fn a_file_that_another_page_sends_is_paused_with_the_reason() {
    let mut desk = sending();
    assert_eq!(desk.hear(received(ServerMessage::Taken { stream: 1 }), 0.0), [Order::Stop(1)]);
    assert_eq!(stage(&desk, 1), &Stage::Paused);
    assert!(desk.transfer(1).unwrap().note.unwrap().contains("another page"));
}

#[test]
fn the_same_file_twice_is_sent_once() {
    let mut desk = sending();
    let (second, _) = desk.add("a".into(), 100);
    desk.pause(1);
    desk.prepared(second, key("a"));
    assert!(matches!(stage(&desk, second), Stage::Failed(failure) if failure.why.contains("in the list already")));
}

#[test]
fn a_file_that_is_too_large_is_not_even_read() {
    let mut desk = open();
    let limits = Limits { file_bytes: 99, store_bytes: 1000, files: 9, unfinished: 1.0, finished: 1.0 };
    desk.hear(received(ServerMessage::Files { files: vec![], limits }), 0.0);
    let (id, orders) = desk.add("a".into(), 100);
    assert_eq!(orders, [Order::Stop(id)]);
    assert!(matches!(stage(&desk, id), Stage::Failed(failure) if failure.why.contains("up to 99 B")));
    assert!(desk.announcement.contains("a was not sent"));
}

#[test]
fn without_a_connection_a_file_waits_for_one() {
    let mut desk = Desk::default();
    let (id, orders) = desk.add("a".into(), 100);
    assert_eq!(orders, [Order::Prepare(id)]);
    assert_eq!(desk.prepared(id, key("a")), []);
    assert_eq!(desk.hear(Event::Opened(Default::default()), 0.0), [upload(1, "a")]);
}

#[test]
fn what_is_there_already_is_checked_before_the_rest_is_sent() {
    let mut desk = sending();
    desk.checked(1, 1, 10);
    assert_eq!(stage(&desk, 1), &Stage::Checking(10));
    desk.checked(1, 1, 40);
    assert_eq!(stage(&desk, 1), &Stage::Sending);
}

#[test]
fn the_list_follows_what_the_server_tells_with_the_newest_first() {
    let mut desk = open();
    let limits = Limits { file_bytes: 1, store_bytes: 2, files: 9, unfinished: 4.0, finished: 3.0 };
    desk.hear(received(ServerMessage::Files { files: vec![file("old", 1.0), file("new", 2.0)], limits }), 0.0);
    desk.hear(received(ServerMessage::Added { file: file("newest", 3.0) }), 0.0);
    let ids = |desk: &Desk| desk.files.iter().map(|file| file.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&desk), ["newest", "new", "old"]);
    desk.hear(received(ServerMessage::Removed { ids: vec!["new".into()] }), 0.0);
    assert_eq!(ids(&desk), ["newest", "old"]);
}

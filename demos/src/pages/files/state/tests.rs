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

fn open() -> State {
    let mut state = State::default();
    state.on_event(Event::Opened(Default::default()), 0.0);
    state
}

fn key(name: &str) -> ResumeKey {
    format!("the-key-of-file-{name}").try_into().unwrap()
}

fn upload(stream: u32, name: &str) -> Command {
    Command::SendMessage(ClientMessage::Upload { stream, name: name.into(), size: 100, resume: key(name) })
}

/// One file, of which 60 bytes are sent and 40 acknowledged.
fn sending() -> State {
    let mut state = open();
    let (id, commands) = state.add("a".into(), 100);
    assert_eq!(commands, [Command::Prepare(1)]);
    assert_eq!(state.prepared(id, key("a")), [upload(1, "a")]);
    let ready = received(ServerMessage::Ready { stream: 1, offset: 0, window: 60, chunk: 10 });
    assert_eq!(state.on_event(ready, 0.0), [Command::SendChunks { id: 1, stream: 1 }]);
    state.sent(1, 1, 60);
    state.on_event(received(ServerMessage::Ack { stream: 1, offset: 40 }), 0.0);
    state
}

fn stage(state: &State, id: u32) -> &Stage {
    &state.transfer(id).unwrap().stage
}

#[test]
fn a_file_goes_from_the_first_byte_to_an_equal_checksum() {
    let mut state = sending();
    state.sent(1, 1, 100);
    let finish = Command::SendMessage(ClientMessage::Finish { stream: 1, sha256: "ab".into() });
    assert_eq!(state.all_sent(1, 1, "ab".into()), [finish]);
    assert_eq!(stage(&state, 1), &Stage::Comparing);
    assert_eq!(
        state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0),
        [Command::Stop(1)]
    );
    assert_eq!(stage(&state, 1), &Stage::Done(file("f", 1.0)));
    assert!(!state.is_busy() && state.announcement.contains("checksum is equal"));
}

#[test]
fn a_lost_connection_is_resumed_from_what_the_server_has_in_a_stream_of_its_own() {
    let mut state = sending();
    assert_eq!(state.on_event(dropped(), 0.0), [Command::Stop(1)]);
    assert_eq!(stage(&state, 1), &Stage::Asking);
    assert_eq!(state.on_event(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
    // What was still on its way from the attempt before changes nothing.
    state.on_event(received(ServerMessage::Ack { stream: 1, offset: 60 }), 0.0);
    assert_eq!(state.all_sent(1, 1, "old".into()), []);
    let ready = received(ServerMessage::Ready { stream: 2, offset: 50, window: 60, chunk: 10 });
    assert_eq!(state.on_event(ready, 0.0), [Command::SendChunks { id: 1, stream: 2 }]);
    let transfer = state.transfer(1).unwrap();
    assert_eq!((transfer.flow.sent(), transfer.note), (50, None));
}

#[test]
fn a_server_that_lost_the_file_gets_it_from_the_start_and_the_visitor_is_told() {
    let mut state = sending();
    state.on_event(dropped(), 0.0);
    state.on_event(Event::Opened(Default::default()), 0.0);
    state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    let transfer = state.transfer(1).unwrap();
    assert_eq!(transfer.flow.sent(), 0);
    assert!(transfer.note.unwrap().contains("starts over"));
}

#[test]
fn a_paused_file_lets_the_next_one_go_and_waits_for_its_turn_when_resumed() {
    let mut state = sending();
    let (second, commands) = state.add("b".into(), 100);
    assert_eq!((commands, stage(&state, second)), (vec![], &Stage::Waiting));
    assert_eq!(state.pause(1), [Command::Stop(1), Command::Prepare(second)]);
    assert_eq!(state.resume(1), [], "the other one is under way");
    state.prepared(second, key("b"));
    state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    let commands = state.on_event(received(ServerMessage::Stored { stream: 2, file: file("f", 1.0) }), 0.0);
    assert_eq!(commands, [Command::Stop(second), upload(3, "a")]);
}

#[test]
fn a_file_that_was_paused_while_it_was_asked_for_does_not_begin() {
    let mut state = open();
    let (id, _) = state.add("a".into(), 100);
    state.prepared(id, key("a"));
    state.pause(id);
    assert_eq!(state.on_event(received(ServerMessage::Ready { stream: 1, offset: 0, window: 60, chunk: 10 }), 0.0), []);
    assert_eq!(stage(&state, id), &Stage::Paused);
}

#[test]
fn a_cancelled_file_is_forgotten_here_and_there() {
    let mut state = sending();
    let cancel = Command::SendMessage(ClientMessage::Cancel { resume: key("a") });
    assert_eq!(state.cancel(1), [Command::Stop(1), Command::Release(1), cancel]);
    assert!(state.transfers.is_empty());
}

#[test]
fn taking_a_finished_file_off_the_list_leaves_it_to_the_others() {
    let mut state = sending();
    state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
    assert_eq!(state.cancel(1), [Command::Stop(1), Command::Release(1)]);
}

#[test]
fn only_own_files_can_be_taken_back() {
    let mut state = sending();
    state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
    let remove = Command::SendMessage(ClientMessage::Remove { id: "f".into(), resume: key("a") });
    assert_eq!(state.take_back("f"), [remove]);
    assert!(state.is_mine("f") && !state.is_mine("g"));
    assert_eq!(state.take_back("g"), []);
}

#[test]
fn a_refusal_is_shown_and_the_file_can_be_sent_again() {
    let mut state = sending();
    state.on_event(received(ServerMessage::Failed { stream: 1, error: "The disk is full.".into() }), 0.0);
    assert_eq!(stage(&state, 1), &Stage::Failed(Failure { why: "The disk is full.".into(), is_final: false }));
    assert_eq!(state.again(1), [upload(2, "a")]);
}

#[test]
fn what_would_be_refused_again_is_not_sent_again() {
    let mut state = sending();
    state.on_event(
        received(ServerMessage::Refused { stream: 1, error: "That is no name.".into(), is_final: true }),
        0.0,
    );
    assert_eq!(stage(&state, 1), &Stage::Failed(Failure { why: "That is no name.".into(), is_final: true }));
    assert_eq!(state.again(1), []);
}

#[test]
fn a_file_that_cannot_be_read_any_more_leaves_no_room_taken() {
    let mut state = sending();
    let cancel = Command::SendMessage(ClientMessage::Cancel { resume: key("a") });
    assert_eq!(state.unreadable(1), [Command::Stop(1), cancel]);
    assert_eq!(state.again(1), [], "it has to be chosen again");
    let (second, _) = state.add("b".into(), 100);
    assert_eq!(state.unreadable(second), [Command::Stop(second)], "nobody knows of it");
}

#[test]
fn another_server_gets_the_file_from_the_start() {
    let mut state = sending();
    let limits = Limits { file_bytes: 1000, store_bytes: 1000, files: 9, unfinished: 1.0, finished: 1.0 };
    state.on_event(received(ServerMessage::Files { files: vec![file("f", 1.0)], limits }), 0.0);
    assert_eq!(state.another_server(), [Command::Stop(1)]);
    assert_eq!((stage(&state, 1), state.is_open(), state.has_listing), (&Stage::Asking, false, false));
    assert_eq!((state.limits, state.files.len(), state.transfer(1).unwrap().flow.acked()), (None, 0, 0));
    assert_eq!(state.on_event(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
    state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
    assert_eq!(state.transfer(1).unwrap().note, None, "that was to be expected");
}

#[test]
fn different_checksums_are_an_error_that_offers_to_send_again() {
    let mut state = sending();
    state.on_event(received(ServerMessage::Mismatch { stream: 1, sha256: "cd".into() }), 0.0);
    assert!(matches!(stage(&state, 1), Stage::Failed(failure) if failure.why.contains("checksums differ")));
    assert_eq!(state.transfer(1).unwrap().flow.acked(), 0);
    assert_eq!(state.again(1), [upload(2, "a")]);
}

#[test]
fn a_file_that_another_page_sends_is_paused_with_the_reason() {
    let mut state = sending();
    assert_eq!(state.on_event(received(ServerMessage::Taken { stream: 1 }), 0.0), [Command::Stop(1)]);
    assert_eq!(stage(&state, 1), &Stage::Paused);
    assert!(state.transfer(1).unwrap().note.unwrap().contains("another page"));
}

#[test]
fn the_same_file_twice_is_sent_once() {
    let mut state = sending();
    let (second, _) = state.add("a".into(), 100);
    state.pause(1);
    state.prepared(second, key("a"));
    assert!(matches!(stage(&state, second), Stage::Failed(failure) if failure.why.contains("in the list already")));
}

#[test]
fn a_file_that_is_too_large_is_not_even_read() {
    let mut state = open();
    let limits = Limits { file_bytes: 99, store_bytes: 1000, files: 9, unfinished: 1.0, finished: 1.0 };
    state.on_event(received(ServerMessage::Files { files: vec![], limits }), 0.0);
    let (id, commands) = state.add("a".into(), 100);
    assert_eq!(commands, [Command::Stop(id)]);
    assert!(matches!(stage(&state, id), Stage::Failed(failure) if failure.why.contains("up to 99 B")));
    assert!(state.announcement.contains("a was not sent"));
}

#[test]
fn without_a_connection_a_file_waits_for_one() {
    let mut state = State::default();
    let (id, commands) = state.add("a".into(), 100);
    assert_eq!(commands, [Command::Prepare(id)]);
    assert_eq!(state.prepared(id, key("a")), []);
    assert_eq!(state.on_event(Event::Opened(Default::default()), 0.0), [upload(1, "a")]);
}

#[test]
fn what_is_there_already_is_checked_before_the_rest_is_sent() {
    let mut state = sending();
    state.checked(1, 1, 10);
    assert_eq!(stage(&state, 1), &Stage::Checking(10));
    state.checked(1, 1, 40);
    assert_eq!(stage(&state, 1), &Stage::Sending);
}

#[test]
fn the_list_follows_what_the_server_tells_with_the_newest_first() {
    let mut state = open();
    let limits = Limits { file_bytes: 1, store_bytes: 2, files: 9, unfinished: 4.0, finished: 3.0 };
    state.on_event(received(ServerMessage::Files { files: vec![file("old", 1.0), file("new", 2.0)], limits }), 0.0);
    state.on_event(received(ServerMessage::Added { file: file("newest", 3.0) }), 0.0);
    let ids = |state: &State| state.files.iter().map(|file| file.id.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&state), ["newest", "new", "old"]);
    state.on_event(received(ServerMessage::Removed { ids: vec!["new".into()] }), 0.0);
    assert_eq!(ids(&state), ["newest", "old"]);
}

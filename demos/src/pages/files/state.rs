use everwire::Event;
use everwire_companion_api::files::{ClientMessage, Limits, ResumeKey, ServerMessage, StoredFile};

use super::transfer::{Failure, FlowControl, Stage, Transfer};
use crate::format;

/// The state of the page, without I/O: events change it, and each method returns the commands that follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) transfers: Vec<Transfer>,
    /// The files that can be downloaded, the newest first.
    pub(super) files: Vec<StoredFile>,
    pub(super) limits: Option<Limits>,
    /// The latest announcement for screen readers.
    pub(super) announcement: String,
    /// Whether the server has sent its list. Before that, an empty list means nothing.
    pub(super) has_listing: bool,
    is_open: bool,
    last_id: u32,
    last_stream: u32,
}

/// What the controller has to do after an event.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// Read the resume key of the file, and call [`State::prepared`].
    Prepare(u32),
    SendMessage(ClientMessage),
    /// Send the file's chunks in this stream, and call [`State::all_sent`].
    SendChunks {
        id: u32,
        stream: u32,
    },
    /// Stop the task of this file.
    Stop(u32),
    /// Drop the file.
    Release(u32),
}

impl State {
    /// Applies an event of the connection.
    pub(super) fn on_event(&mut self, event: Event<ServerMessage>, now: f64) -> Vec<Command> {
        match event {
            Event::Opened(_) => self.opened(),
            Event::Dropped(_) | Event::Closed(_) => self.lost(),
            Event::Message(message) => self.apply(message, now),
            _ => vec![],
        }
    }

    /// The visitor chose another server, which has no part of any file. The old connection reports no more events, not even its end.
    pub(super) fn change_server(&mut self) -> Vec<Command> {
        let commands = self.lost();
        self.files.clear();
        (self.limits, self.has_listing) = (None, false);
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_unfinished()) {
            transfer.flow = FlowControl::new(transfer.flow.size());
        }
        commands
    }

    /// Adds a file of the visitor, and returns its identifier.
    pub(super) fn add(&mut self, name: String, size: u64) -> (u32, Vec<Command>) {
        self.last_id += 1;
        let id = self.last_id;
        self.transfers.push(Transfer::new(id, name, size));
        let commands = match self.limits {
            Some(limits) if size > limits.file_bytes => {
                let most = format::bytes(limits.file_bytes);
                self.fail_finally(id, format!("It is too large: the server accepts files up to {most}."))
            }
            _ => self.advance(),
        };
        (id, commands)
    }

    pub(super) fn pause(&mut self, id: u32) -> Vec<Command> {
        let Some(transfer) = self.find(id).filter(|transfer| transfer.is_unfinished()) else { return vec![] };
        transfer.stage = Stage::Paused;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        self.then_advance(Command::Stop(id))
    }

    pub(super) fn resume(&mut self, id: u32) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if transfer.stage == Stage::Paused => {
                transfer.stage = Stage::Queued;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Sends a failed file again, from the start if the server has dropped it.
    pub(super) fn retry(&mut self, id: u32) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if matches!(&transfer.stage, Stage::Failed(failure) if !failure.is_final) => {
                transfer.stage = Stage::Queued;
                transfer.note = None;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Removes a file from the list; the server drops what it has of it, unless it is complete.
    pub(super) fn cancel(&mut self, id: u32) -> Vec<Command> {
        let Some(index) = self.transfers.iter().position(|transfer| transfer.id == id) else { return vec![] };
        let transfer = self.transfers.remove(index);
        let mut commands = vec![Command::Stop(id), Command::Release(id)];
        let key = transfer.key.clone().filter(|_| transfer.is_unfinished());
        commands.extend(key.map(|resume| Command::SendMessage(ClientMessage::Cancel { resume })));
        commands.extend(self.advance());
        commands
    }

    /// Deletes a file that this page has sent from the server.
    pub(super) fn delete(&mut self, file: &str) -> Vec<Command> {
        let key = self.key_of(file).cloned();
        key.map(|resume| Command::SendMessage(ClientMessage::Remove { id: file.to_owned(), resume }))
            .into_iter()
            .collect()
    }

    /// The resume key of a file was read.
    pub(super) fn prepared(&mut self, id: u32, key: ResumeKey) -> Vec<Command> {
        if self
            .transfers
            .iter()
            .any(|other| other.id != id && other.key.as_ref() == Some(&key) && other.is_unfinished())
        {
            return self.fail_finally(id, "This file is already in the list.".to_owned());
        }
        let Some(transfer) = self.find(id) else { return vec![] };
        transfer.key = Some(key);
        transfer.stage = Stage::Requesting;
        self.request(id)
    }

    /// The page has read up to this offset of what the server already has.
    pub(super) fn reread(&mut self, id: u32, stream: u32, position: u64) {
        if let Some(transfer) = self.find(id).filter(|transfer| transfer.stream == stream) {
            let is_done = position >= transfer.flow.acked();
            transfer.stage = if is_done { Stage::Sending } else { Stage::Rereading(position) };
        }
    }

    /// Everything before `offset` was handed to the connection.
    pub(super) fn sent(&mut self, id: u32, stream: u32, offset: u64) {
        if let Some(transfer) = self.find(id).filter(|transfer| transfer.stream == stream) {
            transfer.flow.send(offset);
        }
    }

    /// Everything was sent; the server gets the checksum to compare.
    pub(super) fn all_sent(&mut self, id: u32, stream: u32, sha256: String) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if transfer.stream == stream && transfer.needs_connection() => {
                transfer.stage = Stage::Verifying;
                vec![Command::SendMessage(ClientMessage::Finish { stream, sha256 })]
            }
            _ => vec![],
        }
    }

    /// The file cannot be read any more, so the upload is cancelled on the server too.
    pub(super) fn unreadable(&mut self, id: u32) -> Vec<Command> {
        let key = self.transfer(id).and_then(|transfer| transfer.key.clone());
        let cancel = key.map(|resume| Command::SendMessage(ClientMessage::Cancel { resume }));
        let why = "The file cannot be read. It may have been moved or changed, or it may be a folder. Choose it again.";
        let mut commands = self.fail_finally(id, why.to_owned());
        commands.extend(cancel);
        commands
    }

    /// Whether a file was sent from this page.
    pub(super) fn is_mine(&self, file: &str) -> bool {
        self.key_of(file).is_some()
    }

    pub(super) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Whether leaving the page would interrupt something.
    pub(super) fn is_busy(&self) -> bool {
        self.transfers.iter().any(Transfer::is_unfinished)
    }

    pub(super) fn transfer(&self, id: u32) -> Option<&Transfer> {
        self.transfers.iter().find(|transfer| transfer.id == id)
    }

    fn opened(&mut self) -> Vec<Command> {
        self.is_open = true;
        let requesting =
            self.transfers.iter().find(|transfer| transfer.stage == Stage::Requesting).map(|transfer| transfer.id);
        requesting.map(|id| self.request(id)).unwrap_or_default()
    }

    fn lost(&mut self) -> Vec<Command> {
        self.is_open = false;
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.needs_connection()) else {
            return vec![];
        };
        transfer.stage = Stage::Requesting;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        vec![Command::Stop(transfer.id)]
    }

    fn apply(&mut self, message: ServerMessage, now: f64) -> Vec<Command> {
        match message {
            ServerMessage::Files { files, limits } => {
                self.files = files;
                self.files.sort_by(|one, other| other.added.total_cmp(&one.added));
                (self.limits, self.has_listing) = (Some(limits), true);
            }
            ServerMessage::Added { file } => {
                self.files.retain(|known| known.id != file.id);
                self.files.insert(0, file);
            }
            ServerMessage::Removed { ids } => self.files.retain(|file| !ids.contains(&file.id)),
            ServerMessage::Ready { stream, offset, window, chunk } => {
                if let Some(transfer) = self.of_stream(stream) {
                    if transfer.flow.resume(offset, window, chunk) {
                        transfer.note = Some("The server no longer has the first part, so the upload starts over.");
                    }
                    transfer.stage = Stage::Sending;
                    transfer.meter.reset();
                    transfer.meter.sample(now, transfer.flow.acked());
                    return vec![Command::SendChunks { id: transfer.id, stream }];
                }
            }
            ServerMessage::Ack { stream, offset } => {
                if let Some(transfer) = self.of_stream(stream) {
                    transfer.flow.acknowledge(offset);
                    transfer.meter.sample(now, transfer.flow.acked());
                }
            }
            ServerMessage::Stored { stream, file } => {
                if let Some(transfer) = self.of_stream(stream) {
                    let (id, text) = (transfer.id, format!("{} was uploaded, and the checksum matches.", file.name));
                    transfer.stage = Stage::Done(file);
                    self.announcement = text;
                    return self.then_advance(Command::Stop(id));
                }
            }
            ServerMessage::Mismatch { stream, .. } => {
                let why = "The checksums differ: the file was damaged on the way, and the server has discarded it.";
                return self.fail_stream(stream, why.to_owned(), false);
            }
            ServerMessage::Refused { stream, error, is_final } => return self.fail_stream(stream, error, is_final),
            ServerMessage::Failed { stream, error } => return self.fail_stream(stream, error, false),
            ServerMessage::Taken { stream } => {
                if let Some(id) = self.of_stream(stream).map(|transfer| transfer.id) {
                    let commands = self.pause(id);
                    if let Some(transfer) = self.find(id) {
                        transfer.note = Some("The same file is being uploaded from another page.");
                    }
                    return commands;
                }
            }
        }
        vec![]
    }

    fn fail_stream(&mut self, stream: u32, why: String, is_final: bool) -> Vec<Command> {
        let id = self.of_stream(stream).map(|transfer| transfer.id);
        id.map(|id| self.fail(id, Failure { why, is_final })).unwrap_or_default()
    }

    fn key_of(&self, file: &str) -> Option<&ResumeKey> {
        let sender =
            self.transfers.iter().find(|transfer| matches!(&transfer.stage, Stage::Done(done) if done.id == file));
        sender?.key.as_ref()
    }

    fn find(&mut self, id: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.id == id)
    }

    fn of_stream(&mut self, stream: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.stream == stream && transfer.needs_connection())
    }

    /// Asks the server where to begin. Without a connection, `opened` does so later.
    fn request(&mut self, id: u32) -> Vec<Command> {
        if !self.is_open {
            return vec![];
        }
        self.last_stream += 1;
        let stream = self.last_stream;
        let Some(transfer) = self.find(id) else { return vec![] };
        let Some(resume) = transfer.key.clone() else { return vec![] };
        transfer.stream = stream;
        vec![Command::SendMessage(ClientMessage::Upload {
            stream,
            name: transfer.name.clone(),
            size: transfer.flow.size(),
            resume,
        })]
    }

    /// Fails where another attempt would fail in the same way.
    fn fail_finally(&mut self, id: u32, why: String) -> Vec<Command> {
        self.fail(id, Failure { why, is_final: true })
    }

    fn fail(&mut self, id: u32, failure: Failure) -> Vec<Command> {
        let Some(transfer) = self.find(id) else { return vec![] };
        let announcement = format!("{} was not sent. {}", transfer.name, failure.why);
        transfer.stage = Stage::Failed(failure);
        transfer.stream = 0;
        transfer.flow = FlowControl::new(transfer.flow.size());
        self.announcement = announcement;
        self.then_advance(Command::Stop(id))
    }

    fn then_advance(&mut self, command: Command) -> Vec<Command> {
        let mut commands = vec![command];
        commands.extend(self.advance());
        commands
    }

    /// Starts the next file if none is active. Sending one after another is as fast as sending all at once, and the first is done
    /// sooner.
    fn advance(&mut self) -> Vec<Command> {
        if self.transfers.iter().any(Transfer::is_active) {
            return vec![];
        }
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.stage == Stage::Queued) else {
            return vec![];
        };
        let id = transfer.id;
        if transfer.key.is_some() {
            transfer.stage = Stage::Requesting;
            return self.request(id);
        }
        transfer.stage = Stage::Preparing;
        vec![Command::Prepare(id)]
    }
}

#[cfg(test)]
mod tests {
    use everwire::{Cause, Dropped};

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
    fn a_file_is_sent_from_the_first_byte_to_a_matching_checksum() {
        let mut state = sending();
        state.sent(1, 1, 100);
        let finish = Command::SendMessage(ClientMessage::Finish { stream: 1, sha256: "ab".into() });
        assert_eq!(state.all_sent(1, 1, "ab".into()), [finish]);
        assert_eq!(stage(&state, 1), &Stage::Verifying);
        assert_eq!(
            state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0),
            [Command::Stop(1)]
        );
        assert_eq!(stage(&state, 1), &Stage::Done(file("f", 1.0)));
        assert!(!state.is_busy() && state.announcement.contains("checksum matches"));
    }

    #[test]
    fn an_upload_resumes_after_a_lost_connection_with_a_new_stream_number() {
        let mut state = sending();
        assert_eq!(state.on_event(dropped(), 0.0), [Command::Stop(1)]);
        assert_eq!(stage(&state, 1), &Stage::Requesting);
        assert_eq!(state.on_event(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
        // Late messages of the earlier attempt change nothing.
        state.on_event(received(ServerMessage::Ack { stream: 1, offset: 60 }), 0.0);
        assert_eq!(state.all_sent(1, 1, "old".into()), []);
        let ready = received(ServerMessage::Ready { stream: 2, offset: 50, window: 60, chunk: 10 });
        assert_eq!(state.on_event(ready, 0.0), [Command::SendChunks { id: 1, stream: 2 }]);
        let transfer = state.transfer(1).unwrap();
        assert_eq!((transfer.flow.sent(), transfer.note), (50, None));
    }

    #[test]
    fn a_server_that_lost_the_file_gets_it_from_the_start_and_the_visitor_sees_a_note() {
        let mut state = sending();
        state.on_event(dropped(), 0.0);
        state.on_event(Event::Opened(Default::default()), 0.0);
        state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
        let transfer = state.transfer(1).unwrap();
        assert_eq!(transfer.flow.sent(), 0);
        assert!(transfer.note.unwrap().contains("starts over"));
    }

    #[test]
    fn a_paused_file_lets_the_next_one_start_and_is_queued_when_resumed() {
        let mut state = sending();
        let (second, commands) = state.add("b".into(), 100);
        assert_eq!((commands, stage(&state, second)), (vec![], &Stage::Queued));
        assert_eq!(state.pause(1), [Command::Stop(1), Command::Prepare(second)]);
        assert_eq!(state.resume(1), [], "the other one is active");
        state.prepared(second, key("b"));
        state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
        let commands = state.on_event(received(ServerMessage::Stored { stream: 2, file: file("f", 1.0) }), 0.0);
        assert_eq!(commands, [Command::Stop(second), upload(3, "a")]);
    }

    #[test]
    fn a_file_that_was_paused_while_it_was_requested_does_not_start() {
        let mut state = open();
        let (id, _) = state.add("a".into(), 100);
        state.prepared(id, key("a"));
        state.pause(id);
        assert_eq!(
            state.on_event(received(ServerMessage::Ready { stream: 1, offset: 0, window: 60, chunk: 10 }), 0.0),
            []
        );
        assert_eq!(stage(&state, id), &Stage::Paused);
    }

    #[test]
    fn a_cancelled_file_is_removed_from_the_page_and_the_server() {
        let mut state = sending();
        let cancel = Command::SendMessage(ClientMessage::Cancel { resume: key("a") });
        assert_eq!(state.cancel(1), [Command::Stop(1), Command::Release(1), cancel]);
        assert!(state.transfers.is_empty());
    }

    #[test]
    fn dismissing_a_finished_file_leaves_it_on_the_server() {
        let mut state = sending();
        state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
        assert_eq!(state.cancel(1), [Command::Stop(1), Command::Release(1)]);
    }

    #[test]
    fn only_own_files_can_be_deleted() {
        let mut state = sending();
        state.on_event(received(ServerMessage::Stored { stream: 1, file: file("f", 1.0) }), 0.0);
        let remove = Command::SendMessage(ClientMessage::Remove { id: "f".into(), resume: key("a") });
        assert_eq!(state.delete("f"), [remove]);
        assert!(state.is_mine("f") && !state.is_mine("g"));
        assert_eq!(state.delete("g"), []);
    }

    #[test]
    fn a_failure_is_shown_and_the_file_can_be_sent_again() {
        let mut state = sending();
        state.on_event(received(ServerMessage::Failed { stream: 1, error: "The disk is full.".into() }), 0.0);
        assert_eq!(stage(&state, 1), &Stage::Failed(Failure { why: "The disk is full.".into(), is_final: false }));
        assert_eq!(state.retry(1), [upload(2, "a")]);
    }

    #[test]
    fn a_final_rejection_cannot_be_retried() {
        let mut state = sending();
        state.on_event(
            received(ServerMessage::Refused { stream: 1, error: "That is no name.".into(), is_final: true }),
            0.0,
        );
        assert_eq!(stage(&state, 1), &Stage::Failed(Failure { why: "That is no name.".into(), is_final: true }));
        assert_eq!(state.retry(1), []);
    }

    #[test]
    fn a_file_that_cannot_be_read_any_more_is_cancelled_on_the_server() {
        let mut state = sending();
        let cancel = Command::SendMessage(ClientMessage::Cancel { resume: key("a") });
        assert_eq!(state.unreadable(1), [Command::Stop(1), cancel]);
        assert_eq!(state.retry(1), [], "it has to be chosen again");
        let (second, _) = state.add("b".into(), 100);
        assert_eq!(state.unreadable(second), [Command::Stop(second)], "the server does not know it");
    }

    #[test]
    fn a_new_server_gets_the_file_from_the_start() {
        let mut state = sending();
        let limits = Limits { file_bytes: 1000, store_bytes: 1000, files: 9, unfinished: 1.0, finished: 1.0 };
        state.on_event(received(ServerMessage::Files { files: vec![file("f", 1.0)], limits }), 0.0);
        assert_eq!(state.change_server(), [Command::Stop(1)]);
        assert_eq!((stage(&state, 1), state.is_open(), state.has_listing), (&Stage::Requesting, false, false));
        assert_eq!((state.limits, state.files.len(), state.transfer(1).unwrap().flow.acked()), (None, 0, 0));
        assert_eq!(state.on_event(Event::Opened(Default::default()), 0.0), [upload(2, "a")]);
        state.on_event(received(ServerMessage::Ready { stream: 2, offset: 0, window: 60, chunk: 10 }), 0.0);
        assert_eq!(state.transfer(1).unwrap().note, None, "the visitor expects it");
    }

    #[test]
    fn a_checksum_mismatch_is_a_failure_that_can_be_retried() {
        let mut state = sending();
        state.on_event(received(ServerMessage::Mismatch { stream: 1, sha256: "cd".into() }), 0.0);
        assert!(matches!(stage(&state, 1), Stage::Failed(failure) if failure.why.contains("checksums differ")));
        assert_eq!(state.transfer(1).unwrap().flow.acked(), 0);
        assert_eq!(state.retry(1), [upload(2, "a")]);
    }

    #[test]
    fn a_file_that_another_page_sends_is_paused_with_a_note() {
        let mut state = sending();
        assert_eq!(state.on_event(received(ServerMessage::Taken { stream: 1 }), 0.0), [Command::Stop(1)]);
        assert_eq!(stage(&state, 1), &Stage::Paused);
        assert!(state.transfer(1).unwrap().note.unwrap().contains("another page"));
    }

    #[test]
    fn a_file_that_is_added_twice_is_sent_once() {
        let mut state = sending();
        let (second, _) = state.add("a".into(), 100);
        state.pause(1);
        state.prepared(second, key("a"));
        assert!(matches!(stage(&state, second), Stage::Failed(failure) if failure.why.contains("already in the list")));
    }

    #[test]
    fn a_file_that_is_too_large_is_not_read() {
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
    fn what_the_server_has_is_reread_before_the_rest_is_sent() {
        let mut state = sending();
        state.reread(1, 1, 10);
        assert_eq!(stage(&state, 1), &Stage::Rereading(10));
        state.reread(1, 1, 40);
        assert_eq!(stage(&state, 1), &Stage::Sending);
    }

    #[test]
    fn the_list_follows_the_messages_of_the_server_with_the_newest_first() {
        let mut state = open();
        let limits = Limits { file_bytes: 1, store_bytes: 2, files: 9, unfinished: 4.0, finished: 3.0 };
        state.on_event(received(ServerMessage::Files { files: vec![file("old", 1.0), file("new", 2.0)], limits }), 0.0);
        state.on_event(received(ServerMessage::Added { file: file("newest", 3.0) }), 0.0);
        let ids = |state: &State| state.files.iter().map(|file| file.id.clone()).collect::<Vec<_>>();
        assert_eq!(ids(&state), ["newest", "new", "old"]);
        state.on_event(received(ServerMessage::Removed { ids: vec!["new".into()] }), 0.0);
        assert_eq!(ids(&state), ["newest", "old"]);
    }
}

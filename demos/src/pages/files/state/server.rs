use everwire::Event;
use everwire_companion_api::files::ServerMessage;

use super::{Command, State};
use crate::pages::files::flow::Flow;
use crate::pages::files::transfer::{Failure, Stage};

/// Events of the connection and messages of the server.
impl State {
    /// Applies an event of the connection.
    pub(in crate::pages::files) fn on_event(&mut self, event: Event<ServerMessage>, now: f64) -> Vec<Command> {
        match event {
            Event::Opened(_) => self.opened(),
            Event::Dropped(_) | Event::Closed(_) => self.lost(),
            Event::Message(message) => self.apply(message, now),
            _ => vec![],
        }
    }

    /// The visitor chose another server, which has no part of any file. No more events come from the one before, not even its end.
    pub(in crate::pages::files) fn another_server(&mut self) -> Vec<Command> {
        let commands = self.lost();
        self.files.clear();
        (self.limits, self.has_listing) = (None, false);
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_unfinished()) {
            transfer.flow = Flow::new(transfer.flow.size());
        }
        commands
    }

    fn opened(&mut self) -> Vec<Command> {
        self.is_open = true;
        let asking = self.transfers.iter().find(|transfer| transfer.stage == Stage::Asking).map(|transfer| transfer.id);
        asking.map(|id| self.ask(id)).unwrap_or_default()
    }

    fn lost(&mut self) -> Vec<Command> {
        self.is_open = false;
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.is_on_line()) else { return vec![] };
        transfer.stage = Stage::Asking;
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
                        transfer.note = Some("The server no longer had what was sent, so it starts over.");
                    }
                    transfer.stage = Stage::Sending;
                    transfer.meter.reset();
                    transfer.meter.look(now, transfer.flow.acked());
                    return vec![Command::SendChunks { id: transfer.id, stream }];
                }
            }
            ServerMessage::Ack { stream, offset } => {
                if let Some(transfer) = self.of_stream(stream) {
                    transfer.flow.acknowledge(offset);
                    transfer.meter.look(now, transfer.flow.acked());
                }
            }
            ServerMessage::Stored { stream, file } => {
                if let Some(transfer) = self.of_stream(stream) {
                    let (id, text) = (transfer.id, format!("{} has arrived, and the checksum is equal.", file.name));
                    transfer.stage = Stage::Done(file);
                    self.announcement = text;
                    return self.then_advance(Command::Stop(id));
                }
            }
            ServerMessage::Mismatch { stream, .. } => {
                let why = "What arrived is not what was sent: the checksums differ, and the server threw it away.";
                return self.fail_stream(stream, why.to_owned(), false);
            }
            ServerMessage::Refused { stream, error, is_final } => return self.fail_stream(stream, error, is_final),
            ServerMessage::Failed { stream, error } => return self.fail_stream(stream, error, false),
            ServerMessage::Taken { stream } => {
                if let Some(id) = self.of_stream(stream).map(|transfer| transfer.id) {
                    let commands = self.pause(id);
                    if let Some(transfer) = self.find(id) {
                        transfer.note = Some("The same file is being sent from another page.");
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
}

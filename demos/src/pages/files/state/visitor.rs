use everwire_companion_api::files::ClientMessage;

use super::{Command, State};
use crate::format;
use crate::pages::files::transfer::{Stage, Transfer};

/// Actions of the visitor.
impl State {
    /// Adds a file, and returns its number.
    pub(in crate::pages::files) fn add(&mut self, name: String, size: u64) -> (u32, Vec<Command>) {
        self.last_id += 1;
        let id = self.last_id;
        self.transfers.push(Transfer::new(id, name, size));
        let commands = match self.limits {
            Some(limits) if size > limits.file_bytes => {
                let most = format::bytes(limits.file_bytes);
                self.fail_for_good(id, format!("It is too large: the server takes up to {most}. Split it."))
            }
            _ => self.advance(),
        };
        (id, commands)
    }

    pub(in crate::pages::files) fn pause(&mut self, id: u32) -> Vec<Command> {
        let Some(transfer) = self.find(id).filter(|transfer| transfer.is_unfinished()) else { return vec![] };
        transfer.stage = Stage::Paused;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        self.then_advance(Command::Stop(id))
    }

    pub(in crate::pages::files) fn resume(&mut self, id: u32) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if transfer.stage == Stage::Paused => {
                transfer.stage = Stage::Waiting;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Sends a failed file again, from the start if the server has dropped it.
    pub(in crate::pages::files) fn again(&mut self, id: u32) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if matches!(&transfer.stage, Stage::Failed(failure) if !failure.is_final) => {
                transfer.stage = Stage::Waiting;
                transfer.note = None;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Removes a file from the list; the server drops what it has of it, unless it is complete.
    pub(in crate::pages::files) fn cancel(&mut self, id: u32) -> Vec<Command> {
        let Some(index) = self.transfers.iter().position(|transfer| transfer.id == id) else { return vec![] };
        let transfer = self.transfers.remove(index);
        let mut commands = vec![Command::Stop(id), Command::Release(id)];
        let key = transfer.key.clone().filter(|_| transfer.is_unfinished());
        commands.extend(key.map(|resume| Command::SendMessage(ClientMessage::Cancel { resume })));
        commands.extend(self.advance());
        commands
    }

    /// Removes a file of this page from the server.
    pub(in crate::pages::files) fn take_back(&mut self, file: &str) -> Vec<Command> {
        let key = self.key_of(file).cloned();
        key.map(|resume| Command::SendMessage(ClientMessage::Remove { id: file.to_owned(), resume }))
            .into_iter()
            .collect()
    }
}

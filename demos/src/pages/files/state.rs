use everwire_companion_api::files::{ClientMessage, Limits, ResumeKey, StoredFile};

use super::flow::Flow;
use super::transfer::{Failure, Stage, Transfer};

mod server;
mod visitor;

/// The state of the page, without I/O: events change it, and each method returns the commands that follow.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct State {
    pub(super) transfers: Vec<Transfer>,
    /// The files that can be downloaded, the newest first.
    pub(super) files: Vec<StoredFile>,
    pub(super) limits: Option<Limits>,
    /// What has just happened, for screen readers.
    pub(super) announcement: String,
    /// Whether the server has listed its files. Before that an empty list says nothing.
    pub(super) has_listing: bool,
    is_open: bool,
    last_id: u32,
    last_stream: u32,
}

/// What the controller has to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Command {
    /// Read enough of the file to recognize it, and call [`State::prepared`].
    Prepare(u32),
    SendMessage(ClientMessage),
    /// Send the file's chunks in this stream, and call [`State::all_sent`].
    SendChunks {
        id: u32,
        stream: u32,
    },
    /// Stop the job of this file.
    Stop(u32),
    /// Release the file.
    Release(u32),
}

impl State {
    /// The file has a key.
    pub(super) fn prepared(&mut self, id: u32, key: ResumeKey) -> Vec<Command> {
        if self
            .transfers
            .iter()
            .any(|other| other.id != id && other.key.as_ref() == Some(&key) && other.is_unfinished())
        {
            return self.fail_for_good(id, "The same file is in the list already.".to_owned());
        }
        let Some(transfer) = self.find(id) else { return vec![] };
        transfer.key = Some(key);
        transfer.stage = Stage::Asking;
        self.ask(id)
    }

    /// The page has read up to this position of what the server already has.
    pub(super) fn checked(&mut self, id: u32, stream: u32, position: u64) {
        if let Some(transfer) = self.find(id).filter(|transfer| transfer.stream == stream) {
            let is_done = position >= transfer.flow.acked();
            transfer.stage = if is_done { Stage::Sending } else { Stage::Checking(position) };
        }
    }

    /// Everything before `offset` was handed to the connection.
    pub(super) fn sent(&mut self, id: u32, stream: u32, offset: u64) {
        if let Some(transfer) = self.find(id).filter(|transfer| transfer.stream == stream) {
            transfer.flow.send(offset);
        }
    }

    /// The last byte was sent, and this is the checksum.
    pub(super) fn all_sent(&mut self, id: u32, stream: u32, sha256: String) -> Vec<Command> {
        match self.find(id) {
            Some(transfer) if transfer.stream == stream && transfer.is_on_line() => {
                transfer.stage = Stage::Comparing;
                vec![Command::SendMessage(ClientMessage::Finish { stream, sha256 })]
            }
            _ => vec![],
        }
    }

    /// The file cannot be read any more, so the server need not keep room for it.
    pub(super) fn unreadable(&mut self, id: u32) -> Vec<Command> {
        let key = self.transfer(id).and_then(|transfer| transfer.key.clone());
        let cancel = key.map(|resume| Command::SendMessage(ClientMessage::Cancel { resume }));
        let why = "The file cannot be read: it may have been moved, changed, or be a folder. Choose it again.";
        let mut commands = self.fail_for_good(id, why.to_owned());
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

    fn key_of(&self, file: &str) -> Option<&ResumeKey> {
        let sender =
            self.transfers.iter().find(|transfer| matches!(&transfer.stage, Stage::Done(done) if done.id == file));
        sender?.key.as_ref()
    }

    fn find(&mut self, id: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.id == id)
    }

    fn of_stream(&mut self, stream: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.stream == stream && transfer.is_on_line())
    }

    /// Asks the server where to begin. Without a connection, `opened` does so later.
    fn ask(&mut self, id: u32) -> Vec<Command> {
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

    /// Fails where another try would end the same way.
    fn fail_for_good(&mut self, id: u32, why: String) -> Vec<Command> {
        self.fail(id, Failure { why, is_final: true })
    }

    fn fail(&mut self, id: u32, failure: Failure) -> Vec<Command> {
        let Some(transfer) = self.find(id) else { return vec![] };
        let announcement = format!("{} was not sent. {}", transfer.name, failure.why);
        transfer.stage = Stage::Failed(failure);
        transfer.stream = 0;
        transfer.flow = Flow::new(transfer.flow.size());
        self.announcement = announcement;
        self.then_advance(Command::Stop(id))
    }

    fn then_advance(&mut self, command: Command) -> Vec<Command> {
        let mut commands = vec![command];
        commands.extend(self.advance());
        commands
    }

    /// Starts the next file when none is active. One after another is as fast as all at once, and the first arrives sooner.
    fn advance(&mut self) -> Vec<Command> {
        if self.transfers.iter().any(Transfer::is_active) {
            return vec![];
        }
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.stage == Stage::Waiting) else {
            return vec![];
        };
        let id = transfer.id;
        if transfer.key.is_some() {
            transfer.stage = Stage::Asking;
            return self.ask(id);
        }
        transfer.stage = Stage::Preparing;
        vec![Command::Prepare(id)]
    }
}

#[cfg(test)]
mod tests;

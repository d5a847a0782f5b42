use everwire::Event;

use super::transfer::{Stage, Transfer};
use super::wire::{Limits, News, Report, StoredFile, Told};

/// Everything the page knows. Events change it as they come; what is to be done about them is what the methods return.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Desk {
    pub(super) transfers: Vec<Transfer>,
    /// What can be fetched, the newest first.
    pub(super) files: Vec<StoredFile>,
    pub(super) limits: Option<Limits>,
    /// What has just happened, for somebody who does not see it.
    pub(super) announcement: String,
    /// Whether the server has told what it has: before that an empty list says nothing.
    pub(super) is_told: bool,
    is_open: bool,
    last_id: u32,
    last_stream: u32,
}

/// What the page is to do.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Order {
    /// Read enough of the file to know it again, and say [`Desk::prepared`].
    Prepare(u32),
    /// Tell the server.
    Say(Report),
    /// Send the file's chunks in this stream, and say [`Desk::all_sent`].
    Send { id: u32, stream: u32 },
    /// Stop what was begun for this file.
    Stop(u32),
    /// Let go of the file.
    Forget(u32),
}

impl Desk {
    /// The visitor adds a file. Its number is in the orders.
    pub(super) fn add(&mut self, name: String, size: u64) -> (u32, Vec<Order>) {
        self.last_id += 1;
        let id = self.last_id;
        self.transfers.push(Transfer::new(id, name, size));
        let orders = match self.limits {
            Some(limits) if size > limits.file_bytes => {
                let most = crate::format::bytes(limits.file_bytes);
                self.fail(id, format!("It is too large: the server takes up to {most}. Split it."))
            }
            _ => self.advance(),
        };
        (id, orders)
    }

    /// The file can be told from others.
    pub(super) fn prepared(&mut self, id: u32, key: String) -> Vec<Order> {
        if self
            .transfers
            .iter()
            .any(|other| other.id != id && other.key.as_ref() == Some(&key) && other.is_unfinished())
        {
            return self.fail(id, "The same file is in the list already.".to_owned());
        }
        match self.find(id) {
            Some(transfer) if transfer.stage == Stage::Preparing => {
                transfer.key = Some(key);
                transfer.stage = Stage::Asking;
                self.ask(id)
            }
            Some(transfer) => {
                transfer.key = Some(key);
                vec![]
            }
            None => vec![],
        }
    }

    /// The connection did or brought something.
    pub(super) fn hear(&mut self, event: Event<News>, now: f64) -> Vec<Order> {
        match event {
            Event::Opened(_) => self.opened(),
            Event::Dropped(_) | Event::Closed(_) => self.lost(),
            Event::Message(News::Told(told)) => self.told(told, now),
            _ => vec![],
        }
    }

    /// So much of what the server has already has been read.
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

    /// The last byte was, and this is the checksum.
    pub(super) fn all_sent(&mut self, id: u32, stream: u32, sha256: String) -> Vec<Order> {
        match self.find(id) {
            Some(transfer) if transfer.stream == stream && transfer.is_on_line() => {
                transfer.stage = Stage::Comparing;
                vec![Order::Say(Report::Finish { stream, sha256 })]
            }
            _ => vec![],
        }
    }

    /// The file cannot be read any more.
    pub(super) fn unreadable(&mut self, id: u32) -> Vec<Order> {
        let why = "The file cannot be read: it may have been moved, changed, or be a folder. Choose it again.";
        self.fail(id, why.to_owned())
    }

    pub(super) fn pause(&mut self, id: u32) -> Vec<Order> {
        let Some(transfer) = self.find(id).filter(|transfer| transfer.is_unfinished()) else { return vec![] };
        transfer.stage = Stage::Paused;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        self.then_advance(Order::Stop(id))
    }

    pub(super) fn resume(&mut self, id: u32) -> Vec<Order> {
        match self.find(id) {
            Some(transfer) if transfer.stage == Stage::Paused => {
                transfer.stage = Stage::Waiting;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Sends a file that failed once more, from the start if the server has let go of it.
    pub(super) fn again(&mut self, id: u32) -> Vec<Order> {
        match self.find(id) {
            Some(transfer) if matches!(transfer.stage, Stage::Failed(_)) => {
                transfer.stage = Stage::Waiting;
                transfer.note = None;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Takes a file off the list; what the server has of it is let go, unless it is complete.
    pub(super) fn cancel(&mut self, id: u32) -> Vec<Order> {
        let Some(index) = self.transfers.iter().position(|transfer| transfer.id == id) else { return vec![] };
        let transfer = self.transfers.remove(index);
        let mut orders = vec![Order::Stop(id), Order::Forget(id)];
        let key = transfer.key.clone().filter(|_| transfer.is_unfinished());
        orders.extend(key.map(|resume| Order::Say(Report::Cancel { resume })));
        orders.extend(self.advance());
        orders
    }

    /// Takes an own file away from everybody.
    pub(super) fn take_back(&mut self, file: &str) -> Vec<Order> {
        let key = self.key_of(file).map(str::to_owned);
        key.map(|resume| Order::Say(Report::Remove { id: file.to_owned(), resume })).into_iter().collect()
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

    fn key_of(&self, file: &str) -> Option<&str> {
        let sender =
            self.transfers.iter().find(|transfer| matches!(&transfer.stage, Stage::Done(done) if done.id == file));
        sender?.key.as_deref()
    }

    fn find(&mut self, id: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.id == id)
    }

    fn of_stream(&mut self, stream: u32) -> Option<&mut Transfer> {
        self.transfers.iter_mut().find(|transfer| transfer.stream == stream && transfer.is_on_line())
    }

    fn opened(&mut self) -> Vec<Order> {
        self.is_open = true;
        let asking = self.transfers.iter().find(|transfer| transfer.stage == Stage::Asking).map(|transfer| transfer.id);
        asking.map(|id| self.ask(id)).unwrap_or_default()
    }

    fn lost(&mut self) -> Vec<Order> {
        self.is_open = false;
        let Some(transfer) = self.transfers.iter_mut().find(|transfer| transfer.is_on_line()) else { return vec![] };
        transfer.stage = Stage::Asking;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        vec![Order::Stop(transfer.id)]
    }

    /// Asks the server where to begin, if there is a connection; if not, `opened` does.
    fn ask(&mut self, id: u32) -> Vec<Order> {
        if !self.is_open {
            return vec![];
        }
        self.last_stream += 1;
        let stream = self.last_stream;
        let Some(transfer) = self.find(id) else { return vec![] };
        let Some(resume) = transfer.key.clone() else { return vec![] };
        transfer.stream = stream;
        vec![Order::Say(Report::Upload { stream, name: transfer.name.clone(), size: transfer.flow.size(), resume })]
    }

    fn told(&mut self, told: Told, now: f64) -> Vec<Order> {
        match told {
            Told::Files { files, limits } => {
                self.files = files;
                self.files.sort_by(|one, other| other.added.total_cmp(&one.added));
                (self.limits, self.is_told) = (Some(limits), true);
            }
            Told::Added { file } => {
                self.files.retain(|known| known.id != file.id);
                self.files.insert(0, file);
            }
            Told::Removed { ids } => self.files.retain(|file| !ids.contains(&file.id)),
            Told::Ready { stream, offset, window, chunk } => {
                if let Some(transfer) = self.of_stream(stream) {
                    if transfer.flow.resume(offset, window, chunk) {
                        transfer.note = Some("The server was started anew and had lost the file, so it starts over.");
                    }
                    transfer.stage = Stage::Sending;
                    transfer.meter.reset();
                    transfer.meter.look(now, transfer.flow.acked());
                    return vec![Order::Send { id: transfer.id, stream }];
                }
            }
            Told::Ack { stream, offset } => {
                if let Some(transfer) = self.of_stream(stream) {
                    transfer.flow.acknowledge(offset);
                    transfer.meter.look(now, transfer.flow.acked());
                }
            }
            Told::Stored { stream, file } => {
                if let Some(transfer) = self.of_stream(stream) {
                    let (id, text) = (transfer.id, format!("{} has arrived, and the checksum is equal.", file.name));
                    transfer.stage = Stage::Done(file);
                    self.announcement = text;
                    return self.then_advance(Order::Stop(id));
                }
            }
            Told::Mismatch { stream } => {
                let why = "What arrived is not what was sent: the checksums differ, and the server threw it away.";
                return self.fail_stream(stream, why.to_owned());
            }
            Told::Refused { stream, error } | Told::Failed { stream, error } => return self.fail_stream(stream, error),
            Told::Taken { stream } => {
                if let Some(id) = self.of_stream(stream).map(|transfer| transfer.id) {
                    let orders = self.pause(id);
                    if let Some(transfer) = self.find(id) {
                        transfer.note = Some("The same file is being sent from another page.");
                    }
                    return orders;
                }
            }
        }
        vec![]
    }

    fn fail_stream(&mut self, stream: u32, why: String) -> Vec<Order> {
        let id = self.of_stream(stream).map(|transfer| transfer.id);
        id.map(|id| self.fail(id, why)).unwrap_or_default()
    }

    fn fail(&mut self, id: u32, why: String) -> Vec<Order> {
        let Some(transfer) = self.find(id) else { return vec![] };
        let announcement = format!("{} was not sent. {why}", transfer.name);
        transfer.stage = Stage::Failed(why);
        transfer.stream = 0;
        transfer.flow = super::flow::Flow::new(transfer.flow.size());
        self.announcement = announcement;
        self.then_advance(Order::Stop(id))
    }

    fn then_advance(&mut self, order: Order) -> Vec<Order> {
        let mut orders = vec![order];
        orders.extend(self.advance());
        orders
    }

    /// Lets the next file begin when none is under way: one after another is as fast as all at once, and the first is
    /// there sooner.
    fn advance(&mut self) -> Vec<Order> {
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
        vec![Order::Prepare(id)]
    }
}

#[cfg(test)]
mod tests;

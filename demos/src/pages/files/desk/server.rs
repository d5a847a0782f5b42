use everwire::Event;
use everwire_companion_api::files::ServerMessage;

use super::{Desk, Order};
use crate::pages::files::flow::Flow;
use crate::pages::files::transfer::{Failure, Stage};

/// What the connection does, and what the server tells over it.
impl Desk {
    /// The connection did or brought something.
    pub(in crate::pages::files) fn hear(&mut self, event: Event<ServerMessage>, now: f64) -> Vec<Order> {
        match event {
            Event::Opened(_) => self.opened(),
            Event::Dropped(_) | Event::Closed(_) => self.lost(),
            Event::Message(message) => self.apply(message, now),
            _ => vec![],
        }
    }

    /// The visitor chose another server, which has nothing of any file. Of the one before nothing is heard any more, not
    /// even that it is gone.
    pub(in crate::pages::files) fn another_server(&mut self) -> Vec<Order> {
        let orders = self.lost();
        self.files.clear();
        (self.limits, self.is_told) = (None, false);
        for transfer in self.transfers.iter_mut().filter(|transfer| transfer.is_unfinished()) {
            transfer.flow = Flow::new(transfer.flow.size());
        }
        orders
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

    fn apply(&mut self, message: ServerMessage, now: f64) -> Vec<Order> {
        match message {
            ServerMessage::Files { files, limits } => {
                self.files = files;
                self.files.sort_by(|one, other| other.added.total_cmp(&one.added));
                (self.limits, self.is_told) = (Some(limits), true);
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
                    return vec![Order::Send { id: transfer.id, stream }];
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
                    return self.then_advance(Order::Stop(id));
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

    fn fail_stream(&mut self, stream: u32, why: String, is_final: bool) -> Vec<Order> {
        let id = self.of_stream(stream).map(|transfer| transfer.id);
        id.map(|id| self.fail(id, Failure { why, is_final })).unwrap_or_default()
    }
}

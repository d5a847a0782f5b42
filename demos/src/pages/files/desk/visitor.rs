use everwire_companion_api::files::ClientMessage;

use super::{Desk, Order};
use crate::format;
use crate::pages::files::transfer::{Stage, Transfer};

/// What the visitor does.
impl Desk {
    /// The visitor adds a file. Its number is in the orders.
    pub(in crate::pages::files) fn add(&mut self, name: String, size: u64) -> (u32, Vec<Order>) {
        self.last_id += 1;
        let id = self.last_id;
        self.transfers.push(Transfer::new(id, name, size));
        let orders = match self.limits {
            Some(limits) if size > limits.file_bytes => {
                let most = format::bytes(limits.file_bytes);
                self.fail_for_good(id, format!("It is too large: the server takes up to {most}. Split it."))
            }
            _ => self.advance(),
        };
        (id, orders)
    }

    pub(in crate::pages::files) fn pause(&mut self, id: u32) -> Vec<Order> {
        let Some(transfer) = self.find(id).filter(|transfer| transfer.is_unfinished()) else { return vec![] };
        transfer.stage = Stage::Paused;
        transfer.stream = 0;
        transfer.flow.interrupt();
        transfer.meter.reset();
        self.then_advance(Order::Stop(id))
    }

    pub(in crate::pages::files) fn resume(&mut self, id: u32) -> Vec<Order> {
        match self.find(id) {
            Some(transfer) if transfer.stage == Stage::Paused => {
                transfer.stage = Stage::Waiting;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Sends a file that failed once more, from the start if the server has let go of it.
    pub(in crate::pages::files) fn again(&mut self, id: u32) -> Vec<Order> {
        match self.find(id) {
            Some(transfer) if matches!(&transfer.stage, Stage::Failed(failure) if !failure.is_final) => {
                transfer.stage = Stage::Waiting;
                transfer.note = None;
                self.advance()
            }
            _ => vec![],
        }
    }

    /// Takes a file off the list; what the server has of it is let go, unless it is complete.
    pub(in crate::pages::files) fn cancel(&mut self, id: u32) -> Vec<Order> {
        let Some(index) = self.transfers.iter().position(|transfer| transfer.id == id) else { return vec![] };
        let transfer = self.transfers.remove(index);
        let mut orders = vec![Order::Stop(id), Order::Forget(id)];
        let key = transfer.key.clone().filter(|_| transfer.is_unfinished());
        orders.extend(key.map(|resume| Order::Say(ClientMessage::Cancel { resume })));
        orders.extend(self.advance());
        orders
    }

    /// Takes an own file away from everybody.
    pub(in crate::pages::files) fn take_back(&mut self, file: &str) -> Vec<Order> {
        let key = self.key_of(file).cloned();
        key.map(|resume| Order::Say(ClientMessage::Remove { id: file.to_owned(), resume })).into_iter().collect()
    }
}

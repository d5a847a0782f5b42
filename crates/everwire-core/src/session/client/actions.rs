use alloc::vec::Vec;

use super::io::ClientAction;

/// The actions that the driver has to take. They are taken after each input, so that a vector needs no more than a place to go on from.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(super) struct Actions {
    all: Vec<ClientAction>,
    taken: usize,
}

impl Actions {
    #[inline(never)]
    pub(super) fn push(&mut self, action: ClientAction) {
        self.all.push(action);
    }

    pub(super) fn pop(&mut self) -> Option<ClientAction> {
        let action = self.all.get(self.taken).copied();
        self.taken += 1;
        if self.taken >= self.all.len() {
            self.all.clear();
            self.taken = 0;
        }
        action
    }

    pub(super) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }
}

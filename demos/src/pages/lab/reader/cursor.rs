use everwire_companion_api::lab::Item;

/// How far a reader has read, so that it can go on there. `None` before the server has said where reading begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor(Option<u64>);

impl Cursor {
    /// Moves behind an item. Answers to calls have no numbers, so they are counted.
    pub(super) fn follow(&mut self, item: &Item) {
        self.0 = match item {
            Item::Start { cursor, .. } => Some(*cursor),
            Item::Message { seq, .. } => Some(*seq),
            Item::Call { .. } => self.0.map(|after| after + 1),
        };
    }

    /// The number of the message that was read last.
    pub(super) fn after(self) -> Option<u64> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_is_behind_the_last_item() {
        let mut cursor = Cursor::default();
        let mut after = |item| {
            cursor.follow(&item);
            cursor.after()
        };
        assert_eq!(after(Item::Call { call: 1 }), None, "no start is known");
        assert_eq!(after(Item::Start { cursor: 7, gap: 0 }), Some(7));
        assert_eq!(after(Item::Call { call: 2 }), Some(8));
        assert_eq!(after(Item::Message { seq: 12, time: 0.0 }), Some(12));
    }
}

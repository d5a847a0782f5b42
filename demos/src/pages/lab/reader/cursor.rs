use crate::pages::lab::wire::Told;

/// How far a reader has read, so that it can go on there. Nothing before the server has said where it begins.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Cursor(Option<u64>);

impl Cursor {
    /// Moves on behind what the server said. The answers to calls have no numbers: they are counted.
    pub(super) fn follow(&mut self, told: &Told) {
        self.0 = match told {
            Told::Beginning { cursor, .. } => Some(*cursor),
            Told::Message { seq, .. } => Some(*seq),
            Told::Answer { .. } => self.0.map(|after| after + 1),
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
    fn it_is_behind_whatever_was_said_last() {
        let mut cursor = Cursor::default();
        let mut after = |told| {
            cursor.follow(&told);
            cursor.after()
        };
        assert_eq!(after(Told::Answer { call: 1 }), None, "nobody knows where that was");
        assert_eq!(after(Told::Beginning { cursor: 7, gap: 0 }), Some(7));
        assert_eq!(after(Told::Answer { call: 2 }), Some(8));
        assert_eq!(after(Told::Message { seq: 12, time: 0.0 }), Some(12));
    }
}

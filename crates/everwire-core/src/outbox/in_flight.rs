use crate::{MessageId, queue::Queue};

/// The messages that were handed to the platform's socket and may still sit in its buffer.
///
/// The platform tells how many bytes it has not yet given to the network (`bufferedAmount`) only when asked, so the count
/// here is an upper bound that each answer corrects.
#[derive(Debug, Default)]
pub(crate) struct InFlight {
    messages: Queue<HandedOver>,
    handed_over: u64,
    left: u64,
    /// What the platform held when it was last asked.
    backlog: u64,
}

#[derive(Debug)]
struct HandedOver {
    id: MessageId,
    /// How many bytes had been handed over when this message's last byte was.
    end: u64,
}

impl InFlight {
    /// Notes that a message was handed to the platform. `id` is `None` for what the application did not send by name.
    pub(crate) fn hand_over(&mut self, id: Option<MessageId>, size: usize) {
        self.handed_over = self.handed_over.saturating_add(size as u64);
        if let Some(id) = id {
            self.messages.push(HandedOver { id, end: self.handed_over });
        }
    }

    /// Takes in what the platform says is still in its buffer. Returns whether that shows a link that moves: bytes have left a
    /// buffer that was backed up before and still is. Bytes that leave an empty buffer show nothing, since the operating
    /// system takes them in on a dead link too until its own buffer is full.
    pub(crate) fn measure(&mut self, buffered: u64) -> bool {
        let left = self.handed_over.saturating_sub(buffered);
        while self.messages.pop_if(|message| message.end <= left).is_some() {}
        let moves = left > self.left && self.backlog > 0 && buffered > 0;
        self.left = self.left.max(left);
        self.backlog = buffered;
        moves
    }

    /// The most bytes that may still be in the platform's buffer.
    pub(crate) fn bytes(&self) -> u64 {
        self.handed_over - self.left
    }

    /// How many messages are followed.
    pub(crate) fn len(&self) -> usize {
        self.messages.len()
    }

    /// Forgets everything and names the messages that had not left, after a last [`Self::measure`].
    pub(crate) fn abandon<Messages: FromIterator<MessageId>>(&mut self) -> Messages {
        core::mem::take(self).messages.iter().map(|message| message.id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_counts_as_left_when_its_last_byte_has() {
        let mut in_flight = InFlight::default();
        for (id, size) in [(1, 10), (2, 20), (3, 30)] {
            in_flight.hand_over(Some(MessageId(id)), size);
        }
        in_flight.measure(31);
        assert_eq!((in_flight.len(), in_flight.bytes()), (2, 31));
        in_flight.measure(30);
        assert_eq!((in_flight.len(), in_flight.bytes()), (1, 30));
        assert_eq!(in_flight.abandon::<Vec<_>>(), [MessageId(3)]);
        assert_eq!(in_flight.bytes(), 0);
    }

    #[test]
    fn only_a_buffer_that_was_backed_up_and_still_is_shows_a_link_that_moves() {
        let mut in_flight = InFlight::default();
        in_flight.hand_over(Some(MessageId(1)), 100);
        assert!(!in_flight.measure(60), "it may have left before the link died");
        assert!(in_flight.measure(50));
        assert!(!in_flight.measure(50), "nothing left");
        assert!(!in_flight.measure(0), "the operating system may have taken the rest");
        in_flight.hand_over(Some(MessageId(2)), 100);
        assert!(!in_flight.measure(10), "nor is there proof in what it took at once");
    }
}

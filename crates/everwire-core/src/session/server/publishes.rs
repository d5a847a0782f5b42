use alloc::{collections::VecDeque, vec::Vec};

use super::io::Answer;
use crate::protocol::{Cursor, ErrorCode};

/// What a received publish is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Arrival {
    /// The next one.
    New,
    /// One that was received before, with its answer.
    Repeated(Answer),
    /// One that was received before, which the broker has not decided yet.
    Undecided,
    /// A number between it and the one before is missing.
    OutOfSequence,
}

/// The publishes of a session as the server received them: each is stored once, and answered as often as it is sent.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Publishes {
    /// The greatest number received.
    received: u64,
    /// Handed to the broker and not decided.
    undecided: Vec<u64>,
    /// The latest answers, in the order of the decisions. A client misses at most as many answers as it has credits, and they are the
    /// latest, because they travel in this order.
    answers: VecDeque<(u64, Answer)>,
    /// How many answers are kept.
    max_answers: usize,
}

impl Publishes {
    pub(super) fn new(max_answers: usize) -> Self {
        Self { received: 0, undecided: Vec::new(), answers: VecDeque::new(), max_answers }
    }

    /// Continues after what a broker has stored, in any order.
    pub(super) fn restore(max_answers: usize, stored: impl IntoIterator<Item = (u64, Cursor)>) -> Self {
        let mut answers: Vec<_> = stored.into_iter().map(|(seq, cursor)| (seq, Answer::Stored(cursor))).collect();
        answers.sort_unstable_by_key(|(seq, _)| *seq);
        let received = answers.last().map_or(0, |(seq, _)| *seq);
        Self { received, undecided: Vec::new(), answers: answers.into(), max_answers }
    }

    pub(super) fn received(&self) -> u64 {
        self.received
    }

    pub(super) fn undecided(&self) -> usize {
        self.undecided.len()
    }

    /// The number of kept answers only grows: the client may miss as many as it ever had credits.
    pub(super) fn keep_at_least(&mut self, answers: usize) {
        self.max_answers = self.max_answers.max(answers);
    }

    /// The client has the answers up to this number. It may be ahead of what was restored: refusals are not stored.
    pub(super) fn acknowledged(&mut self, seq: u64) {
        self.received = self.received.max(seq);
        self.answers.retain(|(answered, _)| *answered > seq);
    }

    pub(super) fn arrived(&mut self, seq: u64, after: u64) -> Arrival {
        if seq > self.received {
            if after != self.received {
                return Arrival::OutOfSequence;
            }
            self.received = seq;
            self.undecided.push(seq);
            return Arrival::New;
        }
        if self.undecided.contains(&seq) { Arrival::Undecided } else { Arrival::Repeated(self.answer(seq)) }
    }

    /// Whether the number was undecided.
    #[must_use]
    pub(super) fn decided(&mut self, seq: u64, answer: Answer) -> bool {
        let Some(index) = self.undecided.iter().position(|undecided| *undecided == seq) else { return false };
        self.undecided.remove(index);
        self.answers.push_back((seq, answer));
        while self.answers.len() > self.max_answers {
            self.answers.pop_front();
        }
        true
    }

    /// How many answers after `acked` are not known any more. A client that waits for none of them has numbers there that expired unsent.
    pub(super) fn forgotten_after(&self, acked: u64) -> u64 {
        let known = self.answers.iter().map(|(seq, _)| seq).chain(&self.undecided).filter(|seq| **seq > acked);
        self.received.saturating_sub(acked).saturating_sub(known.count() as u64)
    }

    /// The answers to the publishes after `acked`, in their order. Where the answer to one is not known any more, it is
    /// [`ErrorCode::Unknown`].
    pub(super) fn answers_after(&self, acked: u64) -> Vec<(u64, Answer)> {
        (acked.saturating_add(1)..=self.received).map(|seq| (seq, self.answer(seq))).collect()
    }

    fn answer(&self, seq: u64) -> Answer {
        let kept = self.answers.iter().find(|(answered, _)| *answered == seq);
        kept.map_or(Answer::Refused(ErrorCode::Unknown), |(_, answer)| *answer)
    }
}

use everwire_companion_api::files::{ResumeKey, StoredFile};

use super::flow::Flow;
use super::meter::Meter;

/// A file that the visitor wants to send, and how far it is.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Transfer {
    /// The page's own number for it.
    pub(super) id: u32,
    pub(super) name: String,
    pub(super) stage: Stage,
    pub(super) flow: Flow,
    pub(super) meter: Meter,
    /// What the server knows it by; made from its bytes before it is first sent.
    pub(super) key: Option<ResumeKey>,
    /// The attempt that is under way; what belongs to another one is over.
    pub(super) stream: u32,
    /// Something that the visitor should know although it goes on.
    pub(super) note: Option<&'static str>,
}

/// What is being done with a file.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Stage {
    /// Others come first.
    Waiting,
    /// The page reads enough of it to know it again.
    Preparing,
    /// The server is asked where to begin, as soon as there is a connection.
    Asking,
    /// What the server has already is read for the checksum, up to here.
    Checking(u64),
    Sending,
    /// All is sent; the server compares the checksum.
    Comparing,
    Paused,
    Done(StoredFile),
    Failed(Failure),
}

/// Why a file was not sent, in a sentence for the visitor.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Failure {
    pub(super) why: String,
    /// Whether another try would end the same way.
    pub(super) is_final: bool,
}

impl Transfer {
    pub(super) fn new(id: u32, name: String, size: u64) -> Self {
        Self {
            id,
            name,
            stage: Stage::Waiting,
            flow: Flow::new(size),
            meter: Meter::default(),
            key: None,
            stream: 0,
            note: None,
        }
    }

    /// Whether it is its turn.
    pub(super) fn is_active(&self) -> bool {
        matches!(self.stage, Stage::Preparing) || self.is_on_line()
    }

    /// Whether it needs the connection.
    pub(super) fn is_on_line(&self) -> bool {
        matches!(self.stage, Stage::Asking | Stage::Checking(_) | Stage::Sending | Stage::Comparing)
    }

    /// Whether leaving the page would interrupt it.
    pub(super) fn is_unfinished(&self) -> bool {
        !matches!(self.stage, Stage::Done(_) | Stage::Failed(_))
    }
}

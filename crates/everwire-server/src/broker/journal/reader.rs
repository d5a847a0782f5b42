use std::collections::hash_map::{Entry, HashMap};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, mpsc};
use std::thread;

use redb::{Database, ReadTransaction, ReadableDatabase};
use tokio::sync::oneshot;

use super::database::panic_text;
use super::tables::{failed, read_page, read_time};
use crate::broker::error::BrokerError;
use crate::broker::history::{Page, PageLimits};

/// The open file. `None` while it is closed after a failure.
pub(super) type SharedDatabase = Arc<RwLock<Option<Database>>>;

/// What is read from the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Question {
    Page { channel: u64, after: u64, limits: PageLimits, is_state: bool },
    Time { channel: u64, offset: u64 },
}

#[derive(Clone, Debug)]
pub(super) enum Reply {
    /// `None`: the channel was forgotten meanwhile.
    Page(Option<Page>),
    Time(Option<u64>),
}

type Waiting = oneshot::Sender<Result<Reply, BrokerError>>;

/// Reads from the file in threads of its own. Those who ask the same while it is being read share the answer.
pub(super) struct Reader {
    questions: mpsc::Sender<Question>,
    shared: Arc<Shared>,
}

struct Shared {
    database: SharedDatabase,
    waiting: Mutex<HashMap<Question, Vec<Waiting>>>,
    reads: AtomicU64,
    /// Called when a read has failed.
    on_failure: Box<dyn Fn() + Send + Sync>,
}

/// So that a page that has to come from the disk does not hold up one that is cached.
const THREADS: usize = 2;

impl Reader {
    /// The threads end when the reader is dropped.
    pub(super) fn start(
        database: SharedDatabase,
        on_failure: impl Fn() + Send + Sync + 'static,
    ) -> std::io::Result<Self> {
        let (questions, receiver) = mpsc::channel::<Question>();
        let receiver = Arc::new(Mutex::new(receiver));
        let (waiting, reads, on_failure) = (Mutex::default(), AtomicU64::new(0), Box::new(on_failure));
        let shared = Arc::new(Shared { database, waiting, reads, on_failure });
        for number in 1..=THREADS {
            let (receiver, shared) = (Arc::clone(&receiver), Arc::clone(&shared));
            let run = move || {
                loop {
                    let next = receiver.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(question) = next else { return };
                    shared.answer(question);
                }
            };
            thread::Builder::new().name(format!("journal-read-{number}")).spawn(run)?;
        }
        Ok(Self { questions, shared })
    }

    pub(super) fn ask(&self, question: Question) -> oneshot::Receiver<Result<Reply, BrokerError>> {
        let (waiting, reply) = oneshot::channel();
        match self.shared.waiting().entry(question) {
            Entry::Occupied(mut others) => others.get_mut().push(waiting),
            Entry::Vacant(none) => {
                none.insert(vec![waiting]);
                // It fails only after the threads have ended, and they live as long as this.
                self.questions.send(question).unwrap_or_default();
            }
        }
        reply
    }

    /// How often the file was read.
    pub(super) fn reads(&self) -> u64 {
        self.shared.reads.load(Ordering::Relaxed)
    }
}

impl Shared {
    fn answer(&self, question: Question) {
        self.reads.fetch_add(1, Ordering::Relaxed);
        let reply = catch_unwind(AssertUnwindSafe(|| self.read(question)));
        let reply = reply.unwrap_or_else(|panic| Err(BrokerError::Unavailable { reason: panic_text(&*panic) }));
        if reply.is_err() {
            (self.on_failure)();
        }
        let waiting = self.waiting().remove(&question).unwrap_or_default();
        for waiting in waiting {
            drop(waiting.send(reply.clone()));
        }
    }

    fn read(&self, question: Question) -> Result<Reply, BrokerError> {
        let database = self.database.read().unwrap_or_else(PoisonError::into_inner);
        let Some(database) = &*database else {
            return Err(BrokerError::Unavailable { reason: "the journal is closed after a failure".into() });
        };
        let transaction: ReadTransaction = database.begin_read().map_err(failed)?;
        match question {
            Question::Page { channel, after, limits, is_state } => {
                read_page(&transaction, channel, after, limits, is_state).map(Reply::Page)
            }
            Question::Time { channel, offset } => read_time(&transaction, channel, offset).map(Reply::Time),
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<Question, Vec<Waiting>>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_ask_for_one_page_at_the_same_time_share_one_read() {
        let database: SharedDatabase = Arc::default();
        let reader = Reader::start(Arc::clone(&database), || ()).unwrap();
        let blocked = database.write().unwrap();
        let question = |after| {
            let limits = PageLimits::default();
            Question::Page { channel: 1, after, limits, is_state: false }
        };
        let replies: Vec<_> = (0..100).map(|number| reader.ask(question(number % 2))).collect();
        drop(blocked);
        for reply in replies {
            reply.blocking_recv().unwrap().unwrap_err();
        }
        assert_eq!(reader.reads(), 2);
    }
}

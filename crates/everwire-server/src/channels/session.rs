//! What survives a connection: the state machine of a session, its requests, and the record from which a broker restores it.

use std::collections::{BTreeSet, HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use data_encoding::BASE64URL_NOPAD;
use everwire_core::Time;
use everwire_core::protocol::{
    ErrorCode, MAX_NUMBER, MessageWriter, NackOf, Payload, ServerError, ServerLine, Welcome,
};
use everwire_core::session::{Answer, ServerAction, ServerSession};
use sha2::{Digest, Sha256};
use tokio::sync::oneshot;
use tokio::task::AbortHandle;

use super::authorize::Identity;
use super::link::{Link, MESSAGE_BYTES, payload};
use crate::broker::{ChannelName, SessionId};
use crate::message::Message;

/// A session: its state machine, and what the state machine does not hold.
#[derive(Debug)]
pub(super) struct Session {
    id: SessionId,
    secret: SecretDigest,
    state: Mutex<SessionState>,
}

#[derive(Debug)]
pub(super) struct SessionState {
    machine: ServerSession,
    identity: Identity,
    /// The connections by the generations of their attaches. All but the latest are about to be ended.
    links: Vec<(u64, Arc<Link>)>,
    /// The attach whose `welcome` is not sent yet.
    attaching: Option<Attaching>,
    /// By the numbers of the requests.
    requests: HashMap<u64, RequestState>,
    /// The channels in which the session is present.
    present_in: BTreeSet<ChannelName>,
    /// Those of them that the client has not entered again since it resumed the session.
    unconfirmed: BTreeSet<ChannelName>,
    /// Whether a task waits for the session's deadlines.
    has_timer: bool,
    /// No client was welcomed, and none will be.
    is_abandoned: bool,
}

/// An attach until the client is welcomed.
#[derive(Debug)]
struct Attaching {
    generation: u64,
    params: WelcomeParams,
    /// The session is not stored yet: nothing is sent to the client before that.
    is_held: bool,
    welcomed: oneshot::Sender<()>,
}

/// The parameters of `welcome` besides the numbers of the session.
#[derive(Debug)]
pub(super) struct WelcomeParams {
    pub(super) time: u64,
    pub(super) heartbeat: u64,
    pub(super) message: u64,
    pub(super) subscriptions: u64,
    pub(super) expires: u64,
    /// The session is new.
    pub(super) secret: Option<String>,
}

/// A request that runs, or whose answer is kept.
#[derive(Debug, Default)]
struct RequestState {
    task: Option<AbortHandle>,
    /// Its task must be aborted, also if it is set only later.
    is_stopped: bool,
    /// The number of the first part.
    first: u64,
    parts: VecDeque<Option<Message>>,
    /// Why it failed, for people.
    failure: String,
}

/// What is left to clean up of a session that has ended.
#[derive(Debug)]
#[must_use = "its presence and its record have to be removed"]
pub(super) struct EndedSession {
    pub(super) present_in: BTreeSet<ChannelName>,
    pub(super) identity: Identity,
    /// No client was welcomed to it.
    pub(super) is_abandoned: bool,
}

impl Session {
    pub(super) fn new(id: SessionId, secret: SecretDigest, machine: ServerSession, identity: Identity) -> Arc<Self> {
        let state = SessionState {
            machine,
            identity,
            links: Vec::new(),
            attaching: None,
            requests: HashMap::new(),
            present_in: BTreeSet::new(),
            unconfirmed: BTreeSet::new(),
            has_timer: false,
            is_abandoned: false,
        };
        Arc::new(Self { id, secret, state: Mutex::new(state) })
    }

    pub(super) fn id(&self) -> &SessionId {
        &self.id
    }

    pub(super) fn secret(&self) -> SecretDigest {
        self.secret
    }

    /// Changes the session, and performs the actions that follow. Returns an [`EndedSession`] if that has ended it.
    pub(super) fn update<R>(&self, change: impl FnOnce(&mut SessionState) -> R) -> (R, Option<EndedSession>) {
        let mut state = self.state();
        let result = change(&mut state);
        // Under the lock, so that lines leave in the order in which the state machine decides on them.
        let over = state.perform_actions(&self.id, None);
        (result, over)
    }

    /// Like [`update`](Self::update), with a text for people that goes with the answer to the publish with this number.
    pub(super) fn refuse(&self, seq: u64, code: ErrorCode, text: &str) {
        let mut state = self.state();
        state.machine.decided(seq, Answer::Refused(code));
        // A decision never ends a session.
        let _ = state.perform_actions(&self.id, Some((seq, text)));
    }

    /// Reads the session.
    pub(super) fn read<R>(&self, read: impl FnOnce(&SessionState) -> R) -> R {
        read(&self.state())
    }

    fn state(&self) -> MutexGuard<'_, SessionState> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl SessionState {
    /// Attaches a connection. Nothing is sent to the client until [`release`](Self::release); the receiver completes when it is welcomed.
    ///
    /// A `hello` that was delayed on its way comes from a client that has a later connection by now. It is refused with
    /// [`ErrorCode::TakenOver`]: if it took over from the later connection, the client would take that as final, and nothing would be
    /// attached.
    pub(super) fn attach(
        &mut self,
        link: &Arc<Link>,
        (acked, floor): (u64, u64),
        identity: Identity,
        params: WelcomeParams,
    ) -> Result<(u64, oneshot::Receiver<()>), ErrorCode> {
        if self.is_attached() && self.link().is_some_and(|current| link.is_before(current)) {
            return Err(ErrorCode::TakenOver);
        }
        let generation = self.machine.attach(acked, floor)?;
        self.identity = identity;
        // The session stays present until its client has had the time to enter its channels again: a reconnect is no leave.
        self.unconfirmed.clone_from(&self.present_in);
        self.links.push((generation, Arc::clone(link)));
        let (welcomed, receiver) = oneshot::channel();
        self.attaching = Some(Attaching { generation, params, is_held: true, welcomed });
        Ok((generation, receiver))
    }

    /// The session is stored: the client is welcomed.
    pub(super) fn release(&mut self, generation: u64) {
        if let Some(attaching) = self.attaching.as_mut().filter(|attaching| attaching.generation == generation) {
            attaching.is_held = false;
        }
    }

    /// Ends a session whose client was not welcomed yet, without sending it anything.
    pub(super) fn abandon(&mut self) {
        self.attaching = None;
        self.links.clear();
        self.is_abandoned = true;
        self.machine.end();
    }

    /// The connection of this generation has ended. Returns whether it was the session's.
    pub(super) fn detach(&mut self, now: Time, generation: u64) -> bool {
        let was_current = self.machine.is_current(generation);
        self.machine.detach(now, generation);
        self.links.retain(|(linked, _)| *linked != generation);
        // Dropping the sender reports to the attach that its connection has ended.
        self.attaching.take_if(|attaching| attaching.generation == generation);
        was_current
    }

    /// The client ends the session, and knows that its connection is closed.
    pub(super) fn bye(&mut self, generation: u64) {
        if self.machine.is_current(generation) {
            // The end of the session must not send `bye` to a client that has said it.
            self.links.retain(|(linked, _)| *linked != generation);
            self.machine.bye(generation);
        }
    }

    pub(super) fn machine(&mut self) -> &mut ServerSession {
        &mut self.machine
    }

    pub(super) fn identity(&self) -> &Identity {
        &self.identity
    }

    pub(super) fn generation(&self) -> u64 {
        self.machine.generation()
    }

    pub(super) fn is_attached(&self) -> bool {
        self.machine.is_current(self.machine.generation())
    }

    pub(super) fn deadline(&self) -> Option<Time> {
        self.machine.poll_deadline()
    }

    /// The connection on which the session answers.
    pub(super) fn link(&self) -> Option<&Arc<Link>> {
        self.links.last().map(|(_, link)| link)
    }

    /// Claims the task that waits for deadlines. Returns whether there was none.
    pub(super) fn start_timer(&mut self) -> bool {
        !std::mem::replace(&mut self.has_timer, true)
    }

    /// When the task is to wake; `None` ends it: the connection's own timer waits from now on.
    pub(super) fn timer_deadline(&mut self) -> Option<Time> {
        let deadline = self.machine.poll_deadline().filter(|_| !self.is_attached());
        self.has_timer = deadline.is_some();
        deadline
    }

    /// Returns whether the session can be present: it is not over.
    pub(super) fn enter(&mut self, channel: &ChannelName) -> bool {
        self.unconfirmed.remove(channel);
        let can_enter = !self.machine.is_over();
        if can_enter {
            self.present_in.insert(channel.clone());
        }
        can_enter
    }

    pub(super) fn is_over(&self) -> bool {
        self.machine.is_over()
    }

    /// The channels that the client has not entered again since it resumed the session.
    pub(super) fn take_unconfirmed(&mut self) -> BTreeSet<ChannelName> {
        std::mem::take(&mut self.unconfirmed)
    }

    /// Returns whether the session was present.
    pub(super) fn leave(&mut self, channel: &ChannelName) -> bool {
        self.unconfirmed.remove(channel);
        self.present_in.remove(channel)
    }

    /// A request runs.
    pub(super) fn started(&mut self, seq: u64) {
        self.requests.insert(seq, RequestState::default());
    }

    /// The request's task, unless it is done already.
    pub(super) fn set_task(&mut self, seq: u64, task: AbortHandle) {
        match self.requests.get_mut(&seq) {
            Some(request) if !request.is_stopped => request.task = Some(task),
            // The request was cancelled before its task was known here.
            _ => task.abort(),
        }
    }

    /// A part of the answer to a request. Returns whether more is wanted.
    pub(super) fn responded(&mut self, seq: u64, part: Option<Message>, more: bool) -> bool {
        let size = part.as_ref().map_or(0, Message::len);
        if self.machine.responded(seq, size, more).is_none() {
            return false;
        }
        if let Some(request) = self.requests.get_mut(&seq) {
            request.parts.push_back(part);
            if !more {
                request.task = None;
            }
        }
        true
    }

    /// The request failed.
    pub(super) fn failed(&mut self, seq: u64, code: ErrorCode, text: &str) {
        if let Some(request) = self.requests.get_mut(&seq) {
            text.clone_into(&mut request.failure);
            request.task = None;
        }
        self.machine.failed(seq, code, text.len());
    }

    /// Performs the actions of the state machine.
    fn perform_actions(&mut self, id: &SessionId, text: Option<(u64, &str)>) -> Option<EndedSession> {
        if self.attaching.as_ref().is_some_and(|attaching| attaching.is_held) && !self.machine.is_over() {
            return None;
        }
        let mut over = None;
        // Answers to publishes that are decided together are sent by one write to the queue.
        let mut answers = MessageWriter::new(MESSAGE_BYTES);
        while let Some(action) = self.machine.poll_action() {
            if let ServerAction::Answer { seq, answer } = action {
                write_answer(&mut answers, seq, answer, text);
                continue;
            }
            // No other line may overtake the answers before it.
            self.send_all(&mut answers);
            if action == ServerAction::Over {
                over = Some(self.end());
            } else {
                self.perform(action, id);
            }
        }
        self.send_all(&mut answers);
        over
    }

    fn perform(&mut self, action: ServerAction, id: &SessionId) {
        match action {
            ServerAction::TakeOver { generation } => {
                let earlier = self.links.extract_if(.., |(linked, _)| *linked == generation);
                earlier.for_each(|(_, link)| link.end(ServerError::fatal(ErrorCode::TakenOver), ""));
            }
            ServerAction::Welcome { generation, acked, keeps_requests, credits } => {
                // Without an attach, its connection has ended already.
                let Some(Attaching { params, welcomed, .. }) = self.attaching.take() else { return };
                let mut welcome = Welcome::new(id.as_str(), generation);
                welcome.time = params.time;
                welcome.heartbeat = params.heartbeat;
                welcome.message = params.message;
                welcome.credits = (credits as u64).min(MAX_NUMBER);
                welcome.subscriptions = params.subscriptions;
                welcome.expires = params.expires;
                welcome.acked = acked;
                welcome.secret = params.secret.as_deref();
                welcome.requests_kept = keeps_requests && params.secret.is_none();
                self.send(&ServerLine::Welcome(welcome), Payload::None);
                // The connection may have ended meanwhile.
                let _ = welcomed.send(());
            }
            ServerAction::Respond { seq, part, more } => {
                let kept = self.requests.get(&seq).and_then(|request| {
                    let index = part.checked_sub(request.first)?;
                    request.parts.get(usize::try_from(index).ok()?)
                });
                // A part that the client has acknowledged meanwhile is forgotten.
                let Some(kept) = kept else { return };
                self.send(&ServerLine::Res { seq, part, more }, payload(kept.as_ref()));
            }
            ServerAction::FailRequest { seq, code } => {
                let failure = self.requests.get(&seq).map(|request| request.failure.as_str()).unwrap_or_default();
                let payload = if failure.is_empty() { Payload::None } else { Payload::Text(failure) };
                self.send(&ServerLine::Nack { seq, code, of: NackOf::Req }, payload);
            }
            ServerAction::Credits(credits) => {
                self.send(&ServerLine::Credits { credits: (credits as u64).min(MAX_NUMBER) }, Payload::None);
            }
            ServerAction::Drain { deadline, spread } => {
                let millis = |time: Time| (time.as_millis_f64() as u64).min(MAX_NUMBER);
                self.send(&ServerLine::Drain { deadline: millis(deadline), spread: millis(spread) }, Payload::None);
            }
            ServerAction::Stop { seq } => {
                if let Some(request) = self.requests.get_mut(&seq) {
                    request.is_stopped = true;
                    request.task.take().inspect(AbortHandle::abort);
                }
            }
            ServerAction::Release { seq, below } => self.forget(seq, below),
            _ => tracing::error!(?action, "an action that this version does not know"),
        }
    }

    /// Forgets the parts of an answer below `below`.
    fn forget(&mut self, seq: u64, below: u64) {
        if below == u64::MAX {
            self.requests.remove(&seq);
            return;
        }
        let Some(request) = self.requests.get_mut(&seq) else { return };
        while request.first < below && request.parts.pop_front().is_some() {
            request.first += 1;
        }
    }

    fn send_all(&self, lines: &mut MessageWriter) {
        if let Some(link) = self.link().filter(|_| !lines.is_empty()) {
            link.send_all(lines);
        }
    }

    fn send(&self, line: &ServerLine<'_>, payload: Payload<'_>) {
        if let Some(link) = self.link() {
            link.send(line, payload);
        }
    }

    fn end(&mut self) -> EndedSession {
        self.attaching = None;
        for (_, link) in self.links.drain(..) {
            link.send_bye(ErrorCode::Gone);
        }
        EndedSession {
            present_in: std::mem::take(&mut self.present_in),
            identity: self.identity.clone(),
            is_abandoned: self.is_abandoned,
        }
    }
}

/// Writes the answer to a publish. `text` goes with that to the publish with its number.
fn write_answer(lines: &mut MessageWriter, seq: u64, answer: Answer, text: Option<(u64, &str)>) {
    let written = match answer {
        Answer::Stored(cursor) => lines.push(&ServerLine::Ack { seq, cursor }, Payload::None),
        Answer::Refused(code) => {
            let text = text.filter(|(refused, _)| *refused == seq).map(|(_, text)| text);
            lines.push(&ServerLine::Nack { seq, code, of: NackOf::Pub }, text.map_or(Payload::None, Payload::Text))
        }
    };
    if let Err(error) = written {
        tracing::error!(%error, "the answer to a publish was not sent");
    }
}

/// The digest of the secret that resumes a session. A broker never stores the secret itself, and comparing digests leaks no timing
/// information about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct SecretDigest([u8; 32]);

impl SecretDigest {
    pub(super) fn of(secret: &str) -> Self {
        Self(Sha256::digest(secret.as_bytes()).into())
    }
}

/// The id of a session: 72 random bits. Every message that the session publishes carries it to each subscriber, so that it is short: a
/// billion new sessions collide with one of a million others with a probability of 1 in 4 million.
pub(super) fn random_id() -> Result<String, getrandom::Error> {
    random_word::<9>()
}

/// The secret of a session: 128 random bits.
pub(super) fn random_secret() -> Result<String, getrandom::Error> {
    random_word::<16>()
}

/// `BYTES` random bytes of the system, encoded as an id of the protocol.
fn random_word<const BYTES: usize>() -> Result<String, getrandom::Error> {
    let mut bytes = [0; BYTES];
    getrandom::fill(&mut bytes)?;
    Ok(BASE64URL_NOPAD.encode(&bytes))
}

/// What a broker keeps of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct SessionRecord {
    pub(super) generation: u64,
    pub(super) secret: SecretDigest,
    pub(super) user: Option<String>,
}

/// The version of the encoding of a record.
const VERSION: u8 = 1;

impl SessionRecord {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut bytes = vec![VERSION];
        bytes.extend_from_slice(&self.generation.to_be_bytes());
        bytes.extend_from_slice(&self.secret.0);
        if let Some(user) = &self.user {
            bytes.push(b'=');
            bytes.extend_from_slice(user.as_bytes());
        }
        bytes
    }

    /// `None` for what another version has written.
    pub(super) fn decode(bytes: &[u8]) -> Option<Self> {
        let (generation, bytes) = bytes.strip_prefix(&[VERSION])?.split_first_chunk()?;
        let (secret, user) = bytes.split_first_chunk()?;
        let user = match user.split_first() {
            None => None,
            Some((b'=', user)) => Some(String::from_utf8(user.to_vec()).ok()?),
            Some(_) => return None,
        };
        Some(Self { generation: u64::from_be_bytes(*generation), secret: SecretDigest(*secret), user })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_record_comes_back_as_it_was_stored() {
        for user in [None, Some(String::new()), Some("Zo\u{eb}".to_owned())] {
            let record = SessionRecord { generation: 7, secret: SecretDigest::of("secret"), user };
            assert_eq!(SessionRecord::decode(&record.encode()), Some(record));
        }
    }

    #[test]
    fn a_record_that_is_cut_or_of_another_version_is_none() {
        let record = SessionRecord { generation: 7, secret: SecretDigest::of("secret"), user: None }.encode();
        assert!((0..record.len()).all(|length| SessionRecord::decode(&record[..length]).is_none()));
        assert_eq!(SessionRecord::decode(&[&[9], &record[1..]].concat()), None);
    }

    #[test]
    fn random_words_are_ids_of_the_protocol_and_differ() {
        for random in [random_id, random_secret] {
            let words = [random().unwrap(), random().unwrap()];
            assert!(words.iter().all(|word| everwire_core::protocol::is_id(word)), "{words:?}");
            assert_ne!(words[0], words[1]);
        }
    }
}

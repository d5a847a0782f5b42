//! The hub connects the sessions of a server with the broker and its channels, and knows which sessions are present in which channels.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::future::Future;
use std::mem::replace;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwire_core::Time;
use everwire_core::protocol::{Cursor, ErrorCode, MessageWriter, Payload, ServerLine};
use everwire_core::session::{Answer, ServerSession, SessionLimits};
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio::task::yield_now;
use tokio::time::{Instant, sleep_until};

use super::authorize::{DenyAll, DynAuthorize, Identity};
use super::config::{ChannelLimits, ChannelOptionsMap, ChannelsConfig, SessionChange, SessionEvent, SessionObserver};
use super::link::{Link, payload, to_message};
use super::open_channels::{LiveChannel, OpenChannels};
use super::requests::RequestHandlers;
use super::session::{EndedSession, SecretDigest, Session, SessionRecord, SessionState, random_id, random_secret};
use crate::broker::{
    Broker, BrokerError, ChannelName, Listener, Memory, Publication, SessionExpiry, SessionId, Stored, StoredSession,
};
use crate::connection::OutboundQueue;
use crate::message::Message;
use crate::time::Clock;

/// Attaches of a worker between two yields: about a millisecond of work.
const ATTACHES_PER_WORKER: usize = 16;

/// The channels of a server: its sessions, the subscribers of its channels, and what connects them with the broker.
pub(crate) struct Hub {
    broker: Arc<dyn Broker>,
    authorizer: Arc<dyn DynAuthorize>,
    limits: ChannelLimits,
    options: ChannelOptionsMap,
    clock: Clock,
    channels: Arc<OpenChannels>,
    attach_limiter: Arc<AttachLimiter>,
    presence: Presence,
    handlers: RequestHandlers,
    observer: Option<SessionObserver>,
    sessions: Mutex<HashMap<SessionId, Arc<Session>>>,
    started: Instant,
}

/// Why a client gets no session.
#[derive(Debug)]
pub(super) struct Unavailable {
    pub(super) reason: String,
}

/// Passes stored messages to the hub. The broker owns it, so that a strong reference would keep the hub alive.
#[derive(Debug)]
struct HubListener(Weak<Hub>);

impl Hub {
    pub(crate) fn new(config: ChannelsConfig, clock: Clock) -> Arc<Self> {
        let ChannelsConfig { broker, authorizer, options, limits, observer } = config;
        let broker = broker.unwrap_or_else(|| Arc::new(Memory::default()));
        let hub = Arc::new(Self {
            channels: OpenChannels::new(Arc::clone(&broker)),
            attach_limiter: AttachLimiter::new(),
            authorizer: authorizer.unwrap_or_else(|| Arc::new(DenyAll)),
            limits,
            options,
            clock,
            presence: Presence::default(),
            handlers: RequestHandlers::default(),
            observer,
            sessions: Mutex::default(),
            started: Instant::now(),
            broker,
        });
        hub.broker.listen(Arc::new(HubListener(Arc::downgrade(&hub))));
        hub
    }

    pub(super) fn broker(&self) -> &Arc<dyn Broker> {
        &self.broker
    }

    pub(super) fn authorizer(&self) -> &Arc<dyn DynAuthorize> {
        &self.authorizer
    }

    pub(super) fn limits(&self) -> &ChannelLimits {
        &self.limits
    }

    pub(super) fn options(&self) -> &ChannelOptionsMap {
        &self.options
    }

    pub(super) fn channels(&self) -> &Arc<OpenChannels> {
        &self.channels
    }

    pub(super) fn attach_limiter(&self) -> &Arc<AttachLimiter> {
        &self.attach_limiter
    }

    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    pub(super) fn handlers(&self) -> &RequestHandlers {
        &self.handlers
    }

    /// The time of the sessions' state machines.
    pub(super) fn now(&self) -> Time {
        self.started.elapsed().into()
    }

    /// The instant of a deadline of a session's state machine.
    pub(super) fn instant(&self, time: Time) -> Instant {
        // Centuries are far enough.
        self.started.checked_add(time.into()).unwrap_or_else(|| self.started + Duration::from_secs(1 << 32))
    }

    /// Milliseconds since 1970.
    pub(super) fn time_of_day(&self) -> u64 {
        self.clock.now_ms() as u64
    }

    /// What other members see of a session, unless it is too large.
    pub(super) fn shown(&self, identity: &Identity) -> Option<Message> {
        let shown = identity.presence()?;
        if shown.len() > self.limits.presence_bytes {
            tracing::warn!(bytes = shown.len(), "what is shown of a session is larger than `presence_bytes`");
            return None;
        }
        Some(shown.clone())
    }

    pub(super) fn find_session(&self, id: &SessionId) -> Option<Arc<Session>> {
        self.sessions().get(id).cloned()
    }

    /// All sessions.
    pub(super) fn all_sessions(&self) -> Vec<Arc<Session>> {
        self.sessions().values().cloned().collect()
    }

    /// How many sessions there are.
    #[cfg(feature = "metrics")]
    pub(crate) fn session_count(&self) -> usize {
        self.sessions().len()
    }

    /// The sessions of a user.
    pub(super) fn sessions_of(&self, user: &str) -> Vec<Arc<Session>> {
        let sessions = self.all_sessions();
        let is_of_user = |session: &Arc<Session>| session.read(|state| state.identity().user_name() == Some(user));
        sessions.into_iter().filter(is_of_user).collect()
    }

    /// Starts a session. Also returns its secret.
    pub(super) fn start_session(&self, identity: Identity) -> Result<(Arc<Session>, String), Unavailable> {
        let random = |word: Result<String, getrandom::Error>| {
            word.map_err(|error| Unavailable { reason: format!("no random numbers: {error}") })
        };
        let (id, secret) = (random(random_id())?, random(random_secret())?);
        let id = SessionId::try_from(id.as_str()).map_err(|error| Unavailable { reason: error.to_string() })?;
        let machine = ServerSession::new(self.session_limits());
        let session = Session::new(id.clone(), SecretDigest::of(&secret), machine, identity);
        let mut sessions = self.sessions();
        if sessions.len() >= self.limits.sessions {
            let reason = format!("the server holds {} sessions, as many as it may", self.limits.sessions);
            return Err(Unavailable { reason });
        }
        sessions.insert(id, Arc::clone(&session));
        Ok((session, secret))
    }

    /// The session with this id, from memory or from the broker.
    pub(super) async fn load_session(self: &Arc<Self>, id: &SessionId) -> Result<Option<Arc<Session>>, BrokerError> {
        if let Some(session) = self.find_session(id) {
            return Ok(Some(session));
        }
        let Some(StoredSession { record, answers, .. }) = self.broker.load_session(id).await? else { return Ok(None) };
        let Some(record) = SessionRecord::decode(&record) else { return Ok(None) };
        let identity = record.user.map(Identity::user).unwrap_or_default();
        let machine = ServerSession::restore(self.now(), self.session_limits(), record.generation, answers);
        let restored = Session::new(id.clone(), record.secret, machine, identity);
        // Two connections may load the session at once, and must get the same one.
        let session = Arc::clone(self.sessions().entry(id.clone()).or_insert(restored));
        self.wait_for_deadlines(&session);
        Ok(Some(session))
    }

    /// Stores a session, so that a broker on disk has it after a restart.
    pub(super) fn store_session(
        &self,
        session: &Session,
        is_attached: bool,
    ) -> impl Future<Output = Result<(), BrokerError>> + Send + use<> {
        let (generation, user) =
            session.read(|state| (state.generation(), state.identity().user_name().map(str::to_owned)));
        let record = SessionRecord { generation, secret: session.secret(), user };
        let keep = self.limits.expires_after;
        let expiry = if is_attached { SessionExpiry::Attached(keep) } else { SessionExpiry::Detached(keep) };
        self.broker.store_session(session.id().clone(), record.encode().into(), expiry)
    }

    /// Changes a session, and performs the actions that follow.
    pub(super) fn update<R>(&self, session: &Session, change: impl FnOnce(&mut SessionState) -> R) -> R {
        let (result, ended) = session.update(change);
        // Without the lock of the session: presence and the broker have locks of their own.
        if let Some(ended) = ended {
            self.forget_session(session, ended);
        }
        result
    }

    /// The connection of this generation has ended.
    pub(super) fn detach(self: &Arc<Self>, session: &Arc<Session>, generation: u64) {
        let now = self.now();
        // If another connection has taken over, the session stays attached.
        if !self.update(session, |state| state.detach(now, generation)) {
            return;
        }
        let stored = self.store_session(session, false);
        run_or_spawn(async move {
            if let Err(error) = stored.await {
                tracing::warn!(%error, "a detached session was not stored");
            }
        });
        self.observe(session, SessionChange::Detached);
        self.wait_for_deadlines(session);
    }

    pub(super) fn observe(&self, session: &Session, change: SessionChange) {
        if let Some(observer) = &self.observer {
            let identity = session.read(|state| state.identity().clone());
            observer.observe(SessionEvent { session: session.id().clone(), identity, change });
        }
    }

    /// Wakes a session at its deadlines while it has no connection.
    fn wait_for_deadlines(self: &Arc<Self>, session: &Arc<Session>) {
        if !self.update(session, SessionState::start_timer) {
            return;
        }
        let (hub, session) = (Arc::downgrade(self), Arc::clone(session));
        spawn(async move {
            loop {
                let Some(hub_now) = hub.upgrade() else { return };
                let Some(deadline) = hub_now.update(&session, SessionState::timer_deadline) else { return };
                let deadline = hub_now.instant(deadline);
                // A server that is dropped meanwhile must not be kept alive by its sessions.
                drop(hub_now);
                sleep_until(deadline).await;
                let Some(hub) = hub.upgrade() else { return };
                let now = hub.now();
                hub.update(&session, |state| state.machine().wake(now));
            }
        });
    }

    /// Removes what is left of an ended session.
    fn forget_session(&self, session: &Session, ended: EndedSession) {
        let EndedSession { present_in, identity, is_abandoned } = ended;
        self.sessions().remove(session.id());
        present_in.iter().for_each(|channel| self.presence.leave(channel, session.id()));
        let removed = self.broker.remove_session(session.id());
        run_or_spawn(async move {
            if let Err(error) = removed.await {
                tracing::warn!(%error, "a session that is over was not removed from the broker");
            }
        });
        if let Some(observer) = self.observer.as_ref().filter(|_| !is_abandoned) {
            let change = SessionChange::Ended;
            observer.observe(SessionEvent { session: session.id().clone(), identity, change });
        }
    }

    /// Asks all clients to connect again at a random time within `spread`, because their connections are closed after `deadline`. Returns
    /// the connections of these clients.
    pub(crate) fn drain(&self, deadline: Duration, spread: Duration) -> Vec<Arc<OutboundQueue>> {
        let sessions: Vec<_> = self.sessions().values().cloned().collect();
        let asked = sessions.iter().filter_map(|session| {
            self.update(session, |state| {
                state.machine().drain(deadline.into(), spread.into());
                state.link().filter(|_| state.is_attached()).map(|link| Arc::clone(link.queue()))
            })
        });
        asked.collect()
    }

    fn session_limits(&self) -> SessionLimits {
        let ChannelLimits { credits, answer_bytes, expires_after, .. } = self.limits;
        SessionLimits::default().credits(credits).answer_bytes(answer_bytes).expires_after(expires_after)
    }

    fn sessions(&self) -> MutexGuard<'_, HashMap<SessionId, Arc<Session>>> {
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends stored messages: first the acknowledgements to the publishers, then the messages to the subscribers, so that a publisher
    /// gets its `ack` before its own copy.
    fn stored(&self, messages: &[Arc<Stored>]) {
        // One update for consecutive messages of a publisher, so that their answers leave in one write.
        for messages in messages.chunk_by(|a, b| publisher(a) == publisher(b)) {
            let Some(session) = publisher(&messages[0]).and_then(|id| self.find_session(id)) else { continue };
            let answers = messages.iter().filter_map(|message| Some((message.by.as_ref()?.seq, message.cursor)));
            self.update(&session, |state| {
                answers.for_each(|(seq, cursor)| state.machine().decided(seq, Answer::Stored(cursor)));
            });
        }
        let mut touched: SmallVec<[LiveChannel; 4]> = SmallVec::new();
        for messages in messages.chunk_by(|a, b| a.channel == b.channel) {
            let Some(channel) = self.channels.find(&messages[0].channel) else { continue };
            channel.enqueue(messages);
            if !touched.iter().any(|other| other.name() == channel.name()) {
                touched.push(channel);
            }
        }
        touched.iter().for_each(LiveChannel::flush);
    }

    /// Publishes the messages of a session, and answers each when the broker has decided it.
    pub(super) fn publish(self: &Arc<Self>, session: &Arc<Session>, publications: Vec<Publication>) {
        let producers = publications.iter().filter_map(|publication| publication.by.as_ref());
        let seqs: SmallVec<[u64; 16]> = producers.map(|by| by.seq).collect();
        let mut decided = Vec::new();
        for (seq, mut stored) in seqs.into_iter().zip(self.broker.publish_all(publications)) {
            match poll_once(&mut stored) {
                // A broker in memory has decided already. A task for each publish would cost more than the publish.
                Poll::Ready(result) => decided.push((seq, result)),
                Poll::Pending => {
                    let (hub, session) = (Arc::clone(self), Arc::clone(session));
                    spawn(async move { hub.decide(&session, [(seq, stored.await)]) });
                }
            }
        }
        if !decided.is_empty() {
            self.decide(session, decided);
        }
    }

    /// Answers publishes by their results.
    fn decide(&self, session: &Session, results: impl IntoIterator<Item = (u64, Result<Cursor, BrokerError>)>) {
        let mut failed = Vec::new();
        self.update(session, |state| {
            for (seq, result) in results {
                match result {
                    // The listener has decided it already, unless it was stored earlier.
                    Ok(cursor) => state.machine().decided(seq, Answer::Stored(cursor)),
                    Err(error) => failed.push((seq, error)),
                }
            }
        });
        for (seq, error) in failed {
            let code = match error {
                BrokerError::Forgotten | BrokerError::Undecided => ErrorCode::Unknown,
                _ => ErrorCode::Unavailable,
            };
            session.refuse(seq, code, &error.to_string());
        }
    }

    /// The channel of a line that was parsed, and so has a valid name.
    pub(super) fn channel_name(word: &str) -> Option<ChannelName> {
        ChannelName::try_from(word).ok()
    }
}

fn publisher(message: &Stored) -> Option<&SessionId> {
    message.by.as_ref().map(|by| &by.session)
}

impl Listener for HubListener {
    fn stored(&self, messages: &[Arc<Stored>]) {
        if let Some(hub) = self.0.upgrade() {
            hub.stored(messages);
        }
    }
}

impl fmt::Debug for Hub {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Hub").field("broker", &self.broker).field("limits", &self.limits).finish_non_exhaustive()
    }
}

/// Polls a future once, and spawns a task for the rest only if it is pending. Most futures of a broker in memory are ready at once, and a
/// task would cost more than they do.
pub(super) fn run_or_spawn(future: impl Future<Output = ()> + Send + 'static) {
    let mut future = Box::pin(future);
    if poll_once(&mut future).is_pending() {
        spawn(future);
    }
}

fn poll_once<T>(future: &mut (impl Future<Output = T> + Unpin)) -> Poll<T> {
    Pin::new(future).poll(&mut Context::from_waker(Waker::noop()))
}

/// Spawns a task, unless the runtime is gone: a session may be the last that the runtime drops.
fn spawn(future: impl Future<Output = ()> + Send + 'static) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(future);
    }
}

/// Limits how many connections are attached at a time. When thousands of clients send `hello` together, all of them are ready at once,
/// and the messages of others would wait until their sessions are resumed and their history is sent.
#[derive(Debug)]
pub(super) struct AttachLimiter {
    free: Semaphore,
    /// Whether a task refills the semaphore. It ends when no permit was used since the last refill.
    has_task: Mutex<bool>,
}

impl AttachLimiter {
    pub(super) fn new() -> Arc<Self> {
        Arc::new(Self { free: Semaphore::new(ATTACHES_PER_WORKER), has_task: Mutex::default() })
    }

    /// Waits for a permit.
    pub(super) async fn acquire(self: &Arc<Self>) {
        // The semaphore is never closed.
        if let Ok(permit) = self.free.acquire().await {
            permit.forget();
        }
        if replace(&mut *self.has_task(), true) {
            return;
        }
        let limiter = Arc::clone(self);
        tokio::spawn(async move {
            loop {
                yield_now().await;
                if !limiter.refill() {
                    return;
                }
            }
        });
    }

    /// Returns the permits that were used to the semaphore, and whether there were any.
    fn refill(&self) -> bool {
        let permits = ATTACHES_PER_WORKER * Handle::current().metrics().num_workers();
        // Under the lock, so that an attach from now on finds either this task or none.
        let mut has_task = self.has_task();
        let used = permits.saturating_sub(self.free.available_permits());
        self.free.add_permits(used);
        *has_task = used > 0;
        *has_task
    }

    fn has_task(&self) -> MutexGuard<'_, bool> {
        self.has_task.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Which sessions are present in which channels. Sessions, and not connections: a reconnect changes nothing.
#[derive(Debug, Default)]
pub(super) struct Presence {
    channels: Mutex<HashMap<ChannelName, BTreeMap<SessionId, PresenceEntry>>>,
}

#[derive(Debug)]
struct PresenceEntry {
    shown: Option<Message>,
    /// The client that is notified of joins and leaves.
    link: Arc<Link>,
}

/// A session that is present in a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct PresentSession {
    /// The session.
    pub session: SessionId,
    /// The name of its user, while the server holds the session. Other clients do not see it.
    pub user: Option<Arc<str>>,
    /// What [`Identity::with_presence`](super::Identity::with_presence) shows of it.
    pub shown: Option<Message>,
}

impl Presence {
    /// Adds a session, and sends its client the present members. Notifies the others, unless they know it already.
    pub(super) fn enter(&self, channel: &ChannelName, session: &SessionId, shown: Option<Message>, link: &Arc<Link>) {
        // Held while the lines are queued, so that all members see joins and leaves in the same order.
        let mut channels = self.channels();
        let present = channels.entry(channel.clone()).or_default();
        let before = present.insert(session.clone(), PresenceEntry { shown: shown.clone(), link: Arc::clone(link) });
        let mut writer = MessageWriter::new(usize::MAX);
        let members = present.len() as u64;
        push(&mut writer, &ServerLine::Presence { channel: channel.as_str(), members }, Payload::None);
        for (session, PresenceEntry { shown, .. }) in &*present {
            let join = ServerLine::Join { channel: channel.as_str(), session: session.as_str() };
            push(&mut writer, &join, payload(shown.as_ref()));
        }
        link.send_all(&mut writer);
        if before.is_none_or(|before| before.shown != shown) {
            let join = ServerLine::Join { channel: channel.as_str(), session: session.as_str() };
            send_to_others(present, session, &join, payload(shown.as_ref()));
        }
    }

    /// Removes a session, and notifies the others.
    pub(super) fn leave(&self, channel: &ChannelName, session: &SessionId) {
        let mut channels = self.channels();
        let Some(present) = channels.get_mut(channel) else { return };
        if present.remove(session).is_none() {
            return;
        }
        let leave = ServerLine::Leave { channel: channel.as_str(), session: session.as_str() };
        send_to_others(present, session, &leave, Payload::None);
        if present.is_empty() {
            channels.remove(channel);
        }
    }

    /// The sessions that are present, by their ids, with what is shown of them.
    pub(super) fn list(&self, channel: &str) -> Vec<(SessionId, Option<Message>)> {
        let Ok(channel) = ChannelName::try_from(channel) else { return Vec::new() };
        let channels = self.channels();
        let present = channels.get(&channel).into_iter().flatten();
        present.map(|(session, PresenceEntry { shown, .. })| (session.clone(), shown.clone())).collect()
    }

    fn channels(&self) -> MutexGuard<'_, HashMap<ChannelName, BTreeMap<SessionId, PresenceEntry>>> {
        self.channels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Sends a line, encoded once, to all members except one.
fn send_to_others(
    present: &BTreeMap<SessionId, PresenceEntry>,
    except: &SessionId,
    line: &ServerLine<'_>,
    payload: Payload<'_>,
) {
    let mut writer = MessageWriter::new(usize::MAX);
    push(&mut writer, line, payload);
    let Some(lines) = writer.pop().map(to_message) else { return };
    for (_, PresenceEntry { link, .. }) in present.iter().filter(|(session, _)| *session != except) {
        link.send_lines(&lines);
    }
}

fn push(writer: &mut MessageWriter, line: &ServerLine<'_>, payload: Payload<'_>) {
    if let Err(error) = writer.push(line, payload) {
        tracing::error!(%error, line = line.line_type(), "a line was not sent");
    }
}

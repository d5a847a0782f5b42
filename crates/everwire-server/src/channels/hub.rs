use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use everwire_core::Time;
use everwire_core::protocol::{Cursor, ErrorCode};
use everwire_core::session::{Answer, ServerSession, SessionLimits};
use smallvec::SmallVec;
use tokio::runtime::Handle;
use tokio::time::{Instant, sleep_until};

use super::authorize::{Authorize, DenyAll, Identity, Rules};
use super::config::{ChannelLimits, ChannelTable};
use super::events::{SessionChange, SessionEvent, SessionObserver};
use super::live::LiveChannel;
use super::open_channels::OpenChannels;
use super::presence::Presence;
use super::requests::RequestHandlers;
use super::secret::{SecretDigest, SessionRecord, random_id, random_secret};
use super::session::{Inner, Over, Session};
use super::turns::Turns;
use crate::broker::{
    Broker, BrokerError, ChannelName, Listener, Memory, Publication, SessionExpiry, SessionId, Stored, StoredSession,
};
use crate::connection::OutboundQueue;
use crate::message::Message;
use crate::time::Clock;

/// What an application sets for channels.
#[derive(Clone, Default)]
pub(crate) struct HubConfig {
    pub(crate) broker: Option<Arc<dyn Broker>>,
    rules: Option<Arc<dyn Rules>>,
    pub(crate) table: ChannelTable,
    pub(crate) limits: ChannelLimits,
    pub(crate) observer: Option<SessionObserver>,
}

/// The channels of a server: its sessions, the subscribers of its channels, and what connects them with the broker.
pub(crate) struct Hub {
    broker: Arc<dyn Broker>,
    rules: Arc<dyn Rules>,
    limits: ChannelLimits,
    table: ChannelTable,
    clock: Clock,
    channels: Arc<OpenChannels>,
    turns: Arc<Turns>,
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

/// Hands what the broker has stored to the hub. The broker keeps it, so that it must not keep the hub.
#[derive(Debug)]
struct HubListener(Weak<Hub>);

impl HubConfig {
    pub(crate) fn set_rules(&mut self, rules: impl Authorize) {
        self.rules = Some(Arc::new(rules));
    }
}

impl Hub {
    pub(crate) fn new(config: HubConfig, clock: Clock) -> Arc<Self> {
        let HubConfig { broker, rules, table, limits, observer } = config;
        let broker = broker.unwrap_or_else(|| Arc::new(Memory::default()));
        let hub = Arc::new(Self {
            channels: OpenChannels::new(Arc::clone(&broker)),
            turns: Turns::new(),
            rules: rules.unwrap_or_else(|| Arc::new(DenyAll)),
            limits,
            table,
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

    pub(super) fn rules(&self) -> &Arc<dyn Rules> {
        &self.rules
    }

    pub(super) fn limits(&self) -> &ChannelLimits {
        &self.limits
    }

    pub(super) fn table(&self) -> &ChannelTable {
        &self.table
    }

    pub(super) fn channels(&self) -> &Arc<OpenChannels> {
        &self.channels
    }

    /// When a connection is attached.
    pub(super) fn turns(&self) -> &Arc<Turns> {
        &self.turns
    }

    pub(super) fn presence(&self) -> &Presence {
        &self.presence
    }

    pub(super) fn handlers(&self) -> &RequestHandlers {
        &self.handlers
    }

    /// The time of the sessions' machines.
    pub(super) fn now(&self) -> Time {
        self.started.elapsed().into()
    }

    /// When a deadline of a session's machine comes.
    pub(super) fn instant(&self, time: Time) -> Instant {
        // Centuries are far enough.
        self.started.checked_add(time.into()).unwrap_or_else(|| self.started + Duration::from_secs(1 << 32))
    }

    /// Milliseconds since 1970.
    pub(super) fn time_of_day(&self) -> u64 {
        self.clock.now_ms() as u64
    }

    /// What the limits allow others to see of a session.
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
        let is_of_user = |session: &Arc<Session>| session.read(|inner| inner.identity().user_name() == Some(user));
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
            session.read(|inner| (inner.generation(), inner.identity().user_name().map(str::to_owned)));
        let record = SessionRecord { generation, secret: session.secret(), user };
        let keep = self.limits.expires_after;
        let expiry = if is_attached { SessionExpiry::Attached(keep) } else { SessionExpiry::Detached(keep) };
        self.broker.store_session(session.id().clone(), record.encode().into(), expiry)
    }

    /// Changes a session, and does what follows of it.
    pub(super) fn update<R>(&self, session: &Session, change: impl FnOnce(&mut Inner) -> R) -> R {
        let (result, over) = session.update(change);
        if let Some(over) = over {
            self.forget_session(session, over);
        }
        result
    }

    /// The connection of this generation has ended.
    pub(super) fn detach(self: &Arc<Self>, session: &Arc<Session>, generation: u64) {
        let now = self.now();
        if !self.update(session, |inner| inner.detach(now, generation)) {
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
            let identity = session.read(|inner| inner.identity().clone());
            observer.observe(SessionEvent { session: session.id().clone(), identity, change });
        }
    }

    /// Wakes a session at its deadlines while it has no connection.
    fn wait_for_deadlines(self: &Arc<Self>, session: &Arc<Session>) {
        if !self.update(session, Inner::start_timer) {
            return;
        }
        let (hub, session) = (Arc::downgrade(self), Arc::clone(session));
        spawn(async move {
            loop {
                let Some(hub_now) = hub.upgrade() else { return };
                let Some(deadline) = hub_now.update(&session, Inner::timer_deadline) else { return };
                let deadline = hub_now.instant(deadline);
                // A server that is dropped meanwhile must not be kept by its sessions.
                drop(hub_now);
                sleep_until(deadline).await;
                let Some(hub) = hub.upgrade() else { return };
                let now = hub.now();
                hub.update(&session, |inner| inner.machine().wake(now));
            }
        });
    }

    /// Removes what is left of a session that is over.
    fn forget_session(&self, session: &Session, over: Over) {
        let Over { present_in, identity, is_abandoned } = over;
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
            self.update(session, |inner| {
                inner.machine().drain(deadline.into(), spread.into());
                inner.link().filter(|_| inner.is_attached()).map(|link| Arc::clone(link.queue()))
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

    /// Sends what the broker has stored: first the answers to the publishers, then the messages to the subscribers.
    fn stored(&self, messages: &[Arc<Stored>]) {
        for messages in messages.chunk_by(|a, b| publisher(a) == publisher(b)) {
            let Some(session) = publisher(&messages[0]).and_then(|id| self.find_session(id)) else { continue };
            let answers = messages.iter().filter_map(|message| Some((message.by.as_ref()?.seq, message.cursor)));
            self.update(&session, |inner| {
                answers.for_each(|(seq, cursor)| inner.machine().decided(seq, Answer::Stored(cursor)));
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

    /// Publishes what a session has sent, and answers each when the broker has decided it.
    pub(super) fn publish(self: &Arc<Self>, session: &Arc<Session>, publications: Vec<Publication>) {
        let producers = publications.iter().filter_map(|publication| publication.by.as_ref());
        let seqs: SmallVec<[u64; 16]> = producers.map(|by| by.seq).collect();
        let mut decided = Vec::new();
        for (seq, mut stored) in seqs.into_iter().zip(self.broker.publish_all(publications)) {
            match poll_once(&mut stored) {
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

    /// The answers to publishes, by what became of them.
    fn decide(&self, session: &Session, results: impl IntoIterator<Item = (u64, Result<Cursor, BrokerError>)>) {
        let mut failed = Vec::new();
        self.update(session, |inner| {
            for (seq, result) in results {
                match result {
                    // The listener has decided it already, unless it was stored earlier.
                    Ok(cursor) => inner.machine().decided(seq, Answer::Stored(cursor)),
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

    /// A channel by a word that was checked to be a name.
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

impl fmt::Debug for HubConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HubConfig").field("broker", &self.broker).field("table", &self.table).finish_non_exhaustive()
    }
}

/// Runs a future here as far as it gets without waiting, and the rest in a task. Most futures of a broker in memory are ready at
/// once, and a task would cost more than they do.
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

//! The protocol of one connection: its lines in their order, and the attach to a session, from `hello` to `welcome`.

use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use everwire_core::protocol::{
    ClientLine, ErrorCode, Hello, Lines, Payload, ProtocolError, Pub, Req, ServerError, ServerLine, Sub,
};
use everwire_core::session::{LineHandling, Receipt, Request, ServerConnection};
use smallvec::SmallVec;
use tokio::time::{Instant, timeout};

use super::authorize::{Action, Authentication, ClientPublish, Identity, RequestHead};
use super::config::SessionChange;
use super::hub::{Hub, Unavailable, run_or_spawn};
use super::link::{Link, owned_payload};
use super::open_channels::LiveChannel;
use super::requests::RequestContext;
use super::session::{SecretDigest, Session, SessionState, WelcomeParams};
use super::subscription::Subscription;
use crate::broker::{ChannelName, Key, Publication, SessionId};
use crate::connection::{Closed, Connection, Handler};
use crate::message::Message;

/// The delay after which a refused client tries again, in milliseconds.
const RETRY: u64 = 2_000;

/// The protocol of one connection.
pub(super) struct ChannelsHandler {
    hub: Arc<Hub>,
    link: Arc<Link>,
    protocol: ServerConnection,
    phase: Phase,
    /// Messages that arrived while the connection was being attached, each with the number of its lines that are handled already.
    deferred: VecDeque<(Message, usize)>,
    subscriptions: HashMap<ChannelName, ActiveSubscription>,
    /// Publishes that the broker does not have yet: those that arrive together are stored together.
    publishes: Vec<Publication>,
    /// Channels over their high-water mark: nothing is read until they have room.
    full_channels: Vec<LiveChannel>,
    message_bytes: usize,
    timer: Option<Instant>,
    /// When the session leaves the channels that the client has not entered again since its resume.
    confirmed_by: Option<Instant>,
}

enum Phase {
    /// Before `hello`.
    New {
        head: Arc<RequestHead>,
    },
    Attaching(Pin<Box<dyn Future<Output = Result<AttachedSession, AttachError>> + Send>>),
    Attached {
        attached: AttachedSession,
        identity: Identity,
    },
    Closed,
}

struct ActiveSubscription {
    subscription: Arc<Subscription>,
    is_present: bool,
}

impl ChannelsHandler {
    pub(super) fn new(hub: &Arc<Hub>, connection: &Connection, head: RequestHead, message_bytes: usize) -> Self {
        Self {
            timer: Some(Instant::now() + hub.limits().hello),
            hub: Arc::clone(hub),
            link: Link::new(connection),
            protocol: ServerConnection::default(),
            phase: Phase::New { head: Arc::new(head) },
            deferred: VecDeque::new(),
            subscriptions: HashMap::new(),
            publishes: Vec::new(),
            full_channels: Vec::new(),
            message_bytes,
            confirmed_by: None,
        }
    }

    /// Handles the lines of a message, except for the first ones, which are handled already.
    fn receive(&mut self, message: Message, handled: usize) {
        let rest = match &message {
            Message::Text(text) => self.receive_lines(Lines::text(text), handled),
            Message::Binary(bytes) => self.receive_lines(Lines::binary(bytes), handled),
        };
        if let Some(handled) = rest {
            self.deferred.push_front((message, handled));
        }
    }

    /// Returns how many lines are handled if the others have to wait.
    fn receive_lines(&mut self, lines: Lines<'_, ClientLine<'_>>, handled: usize) -> Option<usize> {
        for (index, line) in lines.enumerate().skip(handled) {
            // What follows `bye` or a fatal error is ignored.
            if self.protocol.is_closing() {
                return None;
            }
            let (line, payload) = match line {
                Ok((line, payload)) => (Ok(line), payload),
                Err(error) => (Err(error), Payload::None),
            };
            if !matches!(line, Ok(ClientLine::Pub(_))) {
                // The line may depend on the publishes before it.
                self.flush_publishes();
            }
            match (self.protocol.receive(&line), line) {
                (LineHandling::Ignore, _) => {}
                (LineHandling::Attach, Ok(ClientLine::Hello(hello))) => {
                    let Phase::New { head } = &self.phase else { return None };
                    let mut attach = AttachRequest::new(&self.hub, &self.link, Arc::clone(head), &hello);
                    attach.credentials = owned_payload(payload);
                    attach.message_bytes = self.message_bytes;
                    self.phase = Phase::Attaching(Box::pin(attach.run()));
                    self.timer = None;
                    // The lines behind `hello` wait until the session is attached.
                    return Some(index + 1);
                }
                (LineHandling::Handle, Ok(line)) => self.handle(line, payload),
                (LineHandling::Close, _) => self.bye(),
                (LineHandling::Report(code), line) => {
                    let mut error = ServerError::new(code);
                    error.line = line.as_ref().err().and_then(ProtocolError::line);
                    self.link.send(&ServerLine::Error(error), Payload::None);
                }
                (LineHandling::Fatal(code), line) => {
                    let (name, text) = match &line {
                        Ok(line) => (Some(line.line_type()), String::new()),
                        Err(error) => (error.line(), error.to_string()),
                    };
                    self.fail(code, name, &text);
                }
                // Only lines that were read are handled.
                (LineHandling::Attach | LineHandling::Handle, _) => {}
            }
        }
        None
    }

    fn handle(&mut self, line: ClientLine<'_>, payload: Payload<'_>) {
        match line {
            ClientLine::Ping { number } => {
                let time = self.hub.time_of_day();
                self.link.send(&ServerLine::Pong { number, time }, Payload::None);
            }
            ClientLine::Error(error) => {
                tracing::debug!(code = %error.code, line = error.line, "a client reports an error");
            }
            ClientLine::Sub(sub) => self.subscribe(sub),
            ClientLine::Unsub { channel } => self.unsubscribe(channel),
            ClientLine::Pub(publish) => self.publish(publish, payload),
            ClientLine::Req(request) => self.request(request, payload),
            ClientLine::Cancel { seq, of } => self.cancel(seq, of),
            _ => {}
        }
    }

    fn subscribe(&mut self, sub: Sub<'_>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let Some(name) = Hub::channel_name(sub.channel) else { return };
        let rules = self.hub.authorizer();
        let may_subscribe = rules.allows(identity, Action::Subscribe(sub.channel))
            && (!sub.presence || rules.allows(identity, Action::Presence(sub.channel)));
        let earlier = self.subscriptions.remove(&name);
        if let Some(earlier) = &earlier {
            // It must send nothing after the answer to this `sub`.
            earlier.subscription.end();
        }
        let code = if !may_subscribe {
            Some(ErrorCode::Denied)
        } else if self.subscriptions.len() >= self.hub.limits().subscriptions {
            Some(ErrorCode::Limit)
        } else {
            None
        };
        let session = Arc::clone(&attached.session);
        if !sub.presence || code.is_some() {
            self.leave(&session, &name, earlier.as_ref());
        }
        let reply_lock = earlier.map(|earlier| Arc::clone(earlier.subscription.reply_lock())).unwrap_or_default();
        if let Some(code) = code {
            let (link, channel) = (Arc::clone(&self.link), name);
            run_or_spawn(async move {
                let _answering = reply_lock.lock_owned().await;
                link.send(&ServerLine::Unsub { channel: channel.as_str(), code }, Payload::None);
            });
            return;
        }
        let channel = self.hub.channels().open(&name);
        let subscription = Subscription::new(&self.link, channel, sub.mode, reply_lock);
        let has_history = self.hub.options().get(sub.channel).has_history;
        let present =
            sub.presence.then(|| (Arc::clone(&self.hub), Arc::clone(&self.link), session, self.hub.shown(identity)));
        let entered = name.clone();
        let opened = move || {
            if let Some((hub, link, session, shown)) = present {
                if !hub.update(&session, |state| state.enter(&entered)) {
                    return;
                }
                hub.presence().enter(&entered, session.id(), shown, &link);
                // The session may have ended between the two calls, and has left its channels then.
                if session.read(SessionState::is_over) {
                    hub.presence().leave(&entered, session.id());
                }
            }
        };
        run_or_spawn(Arc::clone(&subscription).run(sub.start, has_history, opened));
        self.subscriptions.insert(name, ActiveSubscription { subscription, is_present: sub.presence });
    }

    fn unsubscribe(&mut self, channel: &str) {
        let Phase::Attached { attached, .. } = &self.phase else { return };
        let Some(name) = Hub::channel_name(channel) else { return };
        let Some(subscribed) = self.subscriptions.remove(&name) else { return };
        subscribed.subscription.end();
        self.leave(&attached.session, &name, Some(&subscribed));
    }

    /// The session is not present in the channel any more.
    fn leave(&self, session: &Session, channel: &ChannelName, subscribed: Option<&ActiveSubscription>) {
        let is_present = self.hub.update(session, |state| state.leave(channel));
        if is_present || subscribed.is_some_and(|subscribed| subscribed.is_present) {
            self.hub.presence().leave(channel, session.id());
        }
    }

    fn publish(&mut self, publish: Pub<'_>, payload: Payload<'_>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let (session, generation) = (&attached.session, attached.generation);
        let (seq, after) = (publish.seq, publish.after);
        match self.hub.update(session, |state| state.machine().publish(generation, seq, after)) {
            Receipt::Process => {}
            Receipt::Ignore => return,
            Receipt::Fatal(code) => return self.fail(code, Some("pub"), ""),
        }
        if !self.hub.authorizer().allows(identity, Action::Publish(publish.channel)) {
            return session.refuse(seq, ErrorCode::Denied, "you may not publish to this channel");
        }
        let options = self.hub.options().get(publish.channel);
        if payload.as_bytes().len() > options.message_bytes {
            let text = format!("at most {} bytes", options.message_bytes);
            return session.refuse(seq, ErrorCode::TooLarge, &text);
        }
        let Pub { channel, key, .. } = publish;
        let mut checked = ClientPublish { session: session.id(), channel, key, payload: owned_payload(payload) };
        if let Err(denied) = self.hub.authorizer().check_publish(identity, &mut checked) {
            return session.refuse(seq, ErrorCode::Denied, &denied.to_string());
        }
        let payload = checked.payload;
        let latest = self.publishes.last().map(|latest| &latest.channel);
        let name = latest.filter(|latest| latest.as_str() == channel).cloned();
        // A line that was parsed holds only valid names.
        let Some(name) = name.or_else(|| Hub::channel_name(channel)) else { return };
        let mut publication = Publication::without_payload(name);
        publication.is_removed = key.is_some() && payload.is_none();
        publication.payload = payload;
        publication.key = key.and_then(|key| Key::try_from(key).ok());
        self.publishes.push(publication.by(session.id().clone(), seq).with_retention(options.retention));
        // Those that wait here are unanswered, and a client without credits waits for their answers.
        if self.publishes.len() >= self.hub.limits().credits {
            self.flush_publishes();
        }
    }

    /// Passes the pending publishes to the broker.
    fn flush_publishes(&mut self) {
        let Phase::Attached { attached, .. } = &self.phase else { return };
        if self.publishes.is_empty() {
            return;
        }
        let publications = std::mem::take(&mut self.publishes);
        let mut names: SmallVec<[ChannelName; 4]> = SmallVec::new();
        for Publication { channel, .. } in &publications {
            if !names.contains(channel) {
                names.push(channel.clone());
            }
        }
        self.hub.publish(&attached.session, publications);
        let channels = names.iter().filter_map(|name| self.hub.channels().find(name));
        self.full_channels.extend(channels.filter(|channel| !channel.has_room()));
    }

    fn request(&mut self, request: Req<'_>, payload: Payload<'_>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let (session, generation) = (&attached.session, attached.generation);
        let Req { name, seq, floor, part, .. } = request;
        let timeout = request.timeout.map(Duration::from_millis);
        let (now, received) = (self.hub.now(), Request { seq, timeout: timeout.map(Into::into), floor, part });
        let receipt = self.hub.update(session, |state| {
            let receipt = state.machine().request(now, generation, received);
            if receipt == Receipt::Process {
                state.started(seq);
            }
            receipt
        });
        match receipt {
            Receipt::Process => {}
            Receipt::Ignore => return,
            Receipt::Fatal(code) => return self.fail(code, Some("req"), ""),
        }
        if !self.hub.authorizer().allows(identity, Action::Request(name)) {
            let text = "you may not make this request";
            self.hub.update(session, |state| state.failed(seq, ErrorCode::Denied, text));
            return;
        }
        let context = RequestContext { identity: identity.clone(), session: session.id().clone(), timeout };
        self.hub.handlers().run(session, (name, seq), context, owned_payload(payload));
    }

    fn cancel(&mut self, seq: u64, of: Option<&str>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let Some(other) = of.filter(|of| *of != attached.session.id().as_str()) else {
            let generation = Some(attached.generation);
            return self.hub.update(&attached.session, |state| state.machine().cancel(generation, seq));
        };
        let other = SessionId::try_from(other).ok().and_then(|id| self.hub.find_session(&id));
        let user = identity.user_name();
        // The sessions of other users do not exist for this one.
        if let Some(other) =
            other.filter(|other| user.is_some() && other.read(|state| state.identity().user_name() == user))
        {
            self.hub.update(&other, |state| state.machine().cancel(None, seq));
        }
    }

    fn bye(&mut self) {
        if let Phase::Attached { attached, .. } = &self.phase {
            self.hub.update(&attached.session, |state| state.bye(attached.generation));
        }
        self.link.connection().close(1000, "");
        self.close();
    }

    /// Ends the connection after a protocol error of the client.
    fn fail(&mut self, code: ErrorCode, line: Option<&str>, text: &str) {
        self.flush_publishes();
        let mut error = ServerError::fatal(code);
        error.line = line;
        self.link.end(error, text);
        self.close();
    }

    /// Detaches the session. Further messages are ignored.
    fn close(&mut self) {
        // A publish that is not decided would delay the next attach.
        self.flush_publishes();
        self.protocol.close();
        for (_, subscribed) in self.subscriptions.drain() {
            subscribed.subscription.end();
        }
        self.deferred.clear();
        self.full_channels.clear();
        self.phase = Phase::Closed;
        self.timer = None;
    }

    /// Polls the attach, and then handles the messages that waited for it.
    fn poll_attached(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Phase::Attaching(attach) = &mut self.phase {
                match ready!(attach.as_mut().poll(context)) {
                    Ok(attached) => {
                        let identity = attached.session.read(|state| state.identity().clone());
                        self.phase = Phase::Attached { attached, identity };
                        self.confirmed_by = Some(Instant::now() + self.hub.limits().expires_after);
                    }
                    Err(AttachError { error, text }) => {
                        self.link.end(error, &text);
                        self.close();
                    }
                }
            }
            let Some((message, handled)) = self.deferred.pop_front() else { return Poll::Ready(()) };
            self.receive(message, handled);
            self.on_batch_end();
        }
    }

    /// The timer of an attached connection drives the deadlines of its session.
    fn set_timer(&mut self) {
        if let Phase::Attached { attached, .. } = &self.phase {
            let deadline = attached.session.read(SessionState::deadline).map(|deadline| self.hub.instant(deadline));
            self.timer = [deadline, self.confirmed_by].into_iter().flatten().min();
        }
    }
}

impl Handler for ChannelsHandler {
    fn on_message(&mut self, message: Message) {
        if matches!(self.phase, Phase::Attaching(_)) || !self.deferred.is_empty() {
            self.deferred.push_back((message, 0));
            return;
        }
        self.receive(message, 0);
    }

    fn on_batch_end(&mut self) {
        self.flush_publishes();
        self.set_timer();
    }

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<()> {
        ready!(self.poll_attached(context));
        while let Some(channel) = self.full_channels.last() {
            ready!(channel.poll_ready(context));
            self.full_channels.pop();
        }
        self.hub.broker().poll_ready(context)
    }

    fn timer(&self) -> Option<Instant> {
        self.timer
    }

    fn on_timer(&mut self) {
        match &self.phase {
            Phase::Attached { attached, .. } => {
                let now = self.hub.now();
                self.hub.update(&attached.session, |state| state.machine().wake(now));
                if self.confirmed_by.take_if(|due| *due <= Instant::now()).is_some() {
                    let left = self.hub.update(&attached.session, SessionState::take_unconfirmed);
                    left.iter().for_each(|channel| self.leave(&attached.session, channel, None));
                }
                self.set_timer();
            }
            Phase::New { .. } => self.fail(ErrorCode::Unexpected, None, "no hello in time"),
            _ => self.timer = None,
        }
    }

    fn on_close(&mut self, closed: &Closed) {
        tracing::trace!(?closed, "a connection of channels ended");
        self.close();
    }
}

impl Drop for ChannelsHandler {
    /// A runtime that ends calls no [`Handler::on_close`]. A live subscription and its channel hold each other until one is ended.
    fn drop(&mut self) {
        self.close();
    }
}

/// A connection that waits to be attached to a session.
#[derive(Debug)]
pub(super) struct AttachRequest {
    pub(super) hub: Arc<Hub>,
    pub(super) link: Arc<Link>,
    pub(super) head: Arc<RequestHead>,
    pub(super) credentials: Option<Message>,
    /// The session to resume, and the digest of the secret that the client presented.
    pub(super) resume: Option<(SessionId, SecretDigest)>,
    pub(super) acked: u64,
    pub(super) floor: u64,
    /// The largest message that the server accepts.
    pub(super) message_bytes: usize,
}

/// A connection that is attached. Dropping it detaches the session.
#[derive(Debug)]
pub(super) struct AttachedSession {
    pub(super) hub: Arc<Hub>,
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
}

/// Why a connection is not attached.
#[derive(Debug)]
pub(super) struct AttachError {
    pub(super) error: ServerError<'static>,
    pub(super) text: String,
}

impl AttachRequest {
    pub(super) fn new(hub: &Arc<Hub>, link: &Arc<Link>, head: Arc<RequestHead>, hello: &Hello<'_>) -> Self {
        let resume = hello
            .resume
            .and_then(|resume| Some((SessionId::try_from(resume.session).ok()?, SecretDigest::of(resume.secret))));
        Self {
            hub: Arc::clone(hub),
            link: Arc::clone(link),
            head,
            credentials: None,
            resume,
            acked: hello.acked,
            floor: hello.floor,
            message_bytes: 0,
        }
    }

    /// Returns when the client is welcomed.
    pub(super) async fn run(mut self) -> Result<AttachedSession, AttachError> {
        let identity = self.authenticate().await?;
        self.hub.attach_limiter().acquire().await;
        if let Some((id, digest)) = self.resume.take()
            && let Some(session) = self.hub.load_session(&id).await.map_err(|error| unavailable(error.to_string()))?
        {
            // The secret alone is not enough: a session belongs to its user.
            let is_owner = session.secret() == digest
                && session.read(|state| state.identity().user_name() == identity.user_name());
            if is_owner && let Some(attached) = self.attach(&session, identity.clone(), None).await? {
                return Ok(attached);
            }
        }
        let (session, secret) =
            self.hub.start_session(identity.clone()).map_err(|Unavailable { reason }| unavailable(reason))?;
        // The acknowledgements of an earlier session do not apply to a new one.
        (self.acked, self.floor) = (0, 1);
        let attached = self.attach(&session, identity, Some(secret)).await?;
        attached.ok_or_else(|| unavailable("the session has ended".to_owned()))
    }

    async fn authenticate(&mut self) -> Result<Identity, AttachError> {
        let request = Authentication::new(Arc::clone(&self.head), self.credentials.take());
        match timeout(self.hub.limits().hello, self.hub.authorizer().authenticate(request)).await {
            Ok(Ok(identity)) => Ok(identity),
            Ok(Err(denied)) => {
                Err(AttachError { error: ServerError::fatal(ErrorCode::Unauthorized), text: denied.to_string() })
            }
            Err(_) => Err(unavailable("the credentials were not checked in time".to_owned())),
        }
    }

    /// `None` if the session has ended meanwhile.
    async fn attach(
        &self,
        session: &Arc<Session>,
        identity: Identity,
        secret: Option<String>,
    ) -> Result<Option<AttachedSession>, AttachError> {
        let hub = &self.hub;
        let is_new = secret.is_some();
        let params = self.welcome_params(secret);
        let attach = |state: &mut SessionState| state.attach(&self.link, (self.acked, self.floor), identity, params);
        let (generation, welcomed) = match hub.update(session, attach) {
            Ok(attached) => attached,
            Err(ErrorCode::Gone) => return Ok(None),
            Err(code) => return Err(AttachError { error: ServerError::fatal(code), text: String::new() }),
        };
        let attached = AttachedSession { hub: Arc::clone(hub), session: Arc::clone(session), generation };
        // A client that is welcomed may rely on its session after a restart of the server.
        if let Err(error) = hub.store_session(session, true).await {
            if is_new {
                hub.update(session, SessionState::abandon);
                return Err(unavailable(error.to_string()));
            }
            tracing::warn!(%error, "a resumed session was not stored");
        }
        hub.update(session, |state| state.release(generation));
        // The sender is dropped when another connection takes over, or the session ends.
        if welcomed.await.is_err() {
            return Ok(Some(attached));
        }
        hub.observe(session, if is_new { SessionChange::Started } else { SessionChange::Resumed });
        Ok(Some(attached))
    }

    fn welcome_params(&self, secret: Option<String>) -> WelcomeParams {
        let limits = self.hub.limits();
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let most = everwire_core::protocol::MAX_NUMBER;
        WelcomeParams {
            time: self.hub.time_of_day(),
            heartbeat: millis(limits.heartbeat).min(most),
            message: (self.message_bytes as u64).min(most),
            subscriptions: (limits.subscriptions as u64).min(most),
            expires: millis(limits.expires_after).min(most),
            secret,
        }
    }
}

impl Drop for AttachedSession {
    fn drop(&mut self) {
        self.hub.detach(&self.session, self.generation);
    }
}

fn unavailable(text: String) -> AttachError {
    let mut error = ServerError::fatal(ErrorCode::Unavailable);
    error.retry = Some(RETRY);
    AttachError { error, text }
}

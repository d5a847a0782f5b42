use std::collections::{HashMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use everwire_core::protocol::{
    ClientLine, ErrorCode, Lines, Payload, ProtocolError, Pub, Req, ServerError, ServerLine, Sub,
};
use everwire_core::session::{LineHandling, Receipt, Request, ServerConnection};
use smallvec::SmallVec;
use tokio::time::Instant;

use super::attach::{Attach, Attached, Refusal};
use super::authorize::{Action, ClientPublish, Identity, RequestHead};
use super::hub::{Hub, run_or_spawn};
use super::link::{Link, owned_payload};
use super::live::LiveChannel;
use super::requests::RequestContext;
use super::session::{Inner, Session};
use super::subscription::Subscription;
use crate::broker::{ChannelName, Key, Publication, SessionId};
use crate::connection::{Closed, Connection, Handler};
use crate::message::Message;

/// The protocol of one connection.
pub(super) struct ChannelsHandler {
    hub: Arc<Hub>,
    link: Arc<Link>,
    lines: ServerConnection,
    phase: Phase,
    /// What arrived while the connection was being attached, with the number of lines that are handled.
    deferred: VecDeque<(Message, usize)>,
    subscriptions: HashMap<ChannelName, Subscribed>,
    /// What the client has published and the broker does not have yet: what arrives together is stored together.
    publishes: Vec<Publication>,
    /// Channels that were published to faster than their subscribers can be sent to.
    full: Vec<LiveChannel>,
    message_bytes: usize,
    timer: Option<Instant>,
    /// When the session leaves the channels in which the client has not entered again.
    confirmed_by: Option<Instant>,
}

enum Phase {
    /// Before `hello`.
    New {
        head: Arc<RequestHead>,
    },
    Attaching(Pin<Box<dyn Future<Output = Result<Attached, Refusal>> + Send>>),
    Attached {
        attached: Attached,
        identity: Identity,
    },
    Closed,
}

struct Subscribed {
    subscription: Arc<Subscription>,
    is_present: bool,
}

impl ChannelsHandler {
    pub(super) fn new(hub: &Arc<Hub>, connection: &Connection, head: RequestHead, message_bytes: usize) -> Self {
        Self {
            timer: Some(Instant::now() + hub.limits().hello),
            hub: Arc::clone(hub),
            link: Link::new(connection),
            lines: ServerConnection::default(),
            phase: Phase::New { head: Arc::new(head) },
            deferred: VecDeque::new(),
            subscriptions: HashMap::new(),
            publishes: Vec::new(),
            full: Vec::new(),
            message_bytes,
            confirmed_by: None,
        }
    }

    /// Handles the lines of a message, without the first ones.
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
            if self.lines.is_closing() {
                return None;
            }
            let (line, payload) = match line {
                Ok((line, payload)) => (Ok(line), payload),
                Err(error) => (Err(error), Payload::None),
            };
            if !matches!(line, Ok(ClientLine::Pub(_))) {
                // It may depend on what was published before it.
                self.flush_publishes();
            }
            match (self.lines.receive(&line), line) {
                (LineHandling::Ignore, _) => {}
                (LineHandling::Attach, Ok(ClientLine::Hello(hello))) => {
                    let Phase::New { head } = &self.phase else { return None };
                    let mut attach = Attach::new(&self.hub, &self.link, Arc::clone(head), &hello);
                    attach.credentials = owned_payload(payload);
                    attach.message_bytes = self.message_bytes;
                    self.phase = Phase::Attaching(Box::pin(attach.run()));
                    self.timer = None;
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
        let rules = self.hub.rules();
        let may_subscribe = rules.allows(identity, Action::Subscribe(sub.channel))
            && (!sub.presence || rules.allows(identity, Action::Presence(sub.channel)));
        let earlier = self.subscriptions.remove(&name);
        if let Some(earlier) = &earlier {
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
        let turn = earlier.map(|earlier| Arc::clone(earlier.subscription.turn())).unwrap_or_default();
        if let Some(code) = code {
            let (link, channel) = (Arc::clone(&self.link), name);
            run_or_spawn(async move {
                let _turn = turn.lock_owned().await;
                link.send(&ServerLine::Unsub { channel: channel.as_str(), code }, Payload::None);
            });
            return;
        }
        let channel = self.hub.channels().open(&name);
        let subscription = Subscription::new(&self.link, channel, sub.mode, turn);
        let has_history = self.hub.table().options(sub.channel).has_history;
        let present =
            sub.presence.then(|| (Arc::clone(&self.hub), Arc::clone(&self.link), session, self.hub.shown(identity)));
        let entered = name.clone();
        let opened = move || {
            if let Some((hub, link, session, shown)) = present {
                if !hub.update(&session, |inner| inner.enter(&entered)) {
                    return;
                }
                hub.presence().enter(&entered, session.id(), shown, &link);
                if session.read(Inner::is_over) {
                    hub.presence().leave(&entered, session.id());
                }
            }
        };
        run_or_spawn(Arc::clone(&subscription).run(sub.start, has_history, opened));
        self.subscriptions.insert(name, Subscribed { subscription, is_present: sub.presence });
    }

    fn unsubscribe(&mut self, channel: &str) {
        let Phase::Attached { attached, .. } = &self.phase else { return };
        let Some(name) = Hub::channel_name(channel) else { return };
        let Some(subscribed) = self.subscriptions.remove(&name) else { return };
        subscribed.subscription.end();
        self.leave(&attached.session, &name, Some(&subscribed));
    }

    /// The session is not present in the channel any more.
    fn leave(&self, session: &Session, channel: &ChannelName, subscribed: Option<&Subscribed>) {
        let is_present = self.hub.update(session, |inner| inner.leave(channel));
        if is_present || subscribed.is_some_and(|subscribed| subscribed.is_present) {
            self.hub.presence().leave(channel, session.id());
        }
    }

    fn publish(&mut self, publish: Pub<'_>, payload: Payload<'_>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let (session, generation) = (&attached.session, attached.generation);
        let (seq, after) = (publish.seq, publish.after);
        match self.hub.update(session, |inner| inner.machine().publish(generation, seq, after)) {
            Receipt::Process => {}
            Receipt::Ignore => return,
            Receipt::Fatal(code) => return self.fail(code, Some("pub"), ""),
        }
        if !self.hub.rules().allows(identity, Action::Publish(publish.channel)) {
            return session.refuse(seq, ErrorCode::Denied, "you may not publish to this channel");
        }
        let options = self.hub.table().options(publish.channel);
        if payload.as_bytes().len() > options.message_bytes {
            let text = format!("at most {} bytes", options.message_bytes);
            return session.refuse(seq, ErrorCode::TooLarge, &text);
        }
        let Pub { channel, key, .. } = publish;
        let mut checked = ClientPublish { session: session.id(), channel, key, payload: owned_payload(payload) };
        if let Err(denied) = self.hub.rules().check_publish(identity, &mut checked) {
            return session.refuse(seq, ErrorCode::Denied, &denied.to_string());
        }
        let payload = checked.payload;
        let latest = self.publishes.last().map(|latest| &latest.channel);
        let name = latest.filter(|latest| latest.as_str() == channel).cloned();
        // A line holds only names that are allowed.
        let Some(name) = name.or_else(|| Hub::channel_name(channel)) else { return };
        let mut publication = Publication::without_payload(name);
        publication.is_removed = key.is_some() && payload.is_none();
        publication.payload = payload;
        publication.key = key.and_then(|key| Key::try_from(key).ok());
        self.publishes.push(publication.by(session.id().clone(), seq).with_retention(options.retention));
        // Those that wait here are unanswered: a client that has used up its credits may get others by the answers.
        if self.publishes.len() >= self.hub.limits().credits {
            self.flush_publishes();
        }
    }

    /// Hands the broker what the client has published.
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
        self.full.extend(channels.filter(|channel| !channel.has_room()));
    }

    fn request(&mut self, request: Req<'_>, payload: Payload<'_>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let (session, generation) = (&attached.session, attached.generation);
        let Req { name, seq, floor, part, .. } = request;
        let timeout = request.timeout.map(Duration::from_millis);
        let (now, received) = (self.hub.now(), Request { seq, timeout: timeout.map(Into::into), floor, part });
        let receipt = self.hub.update(session, |inner| {
            let receipt = inner.machine().request(now, generation, received);
            if receipt == Receipt::Process {
                inner.started(seq);
            }
            receipt
        });
        match receipt {
            Receipt::Process => {}
            Receipt::Ignore => return,
            Receipt::Fatal(code) => return self.fail(code, Some("req"), ""),
        }
        if !self.hub.rules().allows(identity, Action::Request(name)) {
            let text = "you may not make this request";
            self.hub.update(session, |inner| inner.failed(seq, ErrorCode::Denied, text));
            return;
        }
        let context = RequestContext { identity: identity.clone(), session: session.id().clone(), timeout };
        self.hub.handlers().run(session, (name, seq), context, owned_payload(payload));
    }

    fn cancel(&mut self, seq: u64, of: Option<&str>) {
        let Phase::Attached { attached, identity } = &self.phase else { return };
        let Some(other) = of.filter(|of| *of != attached.session.id().as_str()) else {
            let generation = Some(attached.generation);
            return self.hub.update(&attached.session, |inner| inner.machine().cancel(generation, seq));
        };
        let other = SessionId::try_from(other).ok().and_then(|id| self.hub.find_session(&id));
        let user = identity.user_name();
        // What belongs to another user does not exist for this one.
        if let Some(other) =
            other.filter(|other| user.is_some() && other.read(|inner| inner.identity().user_name() == user))
        {
            self.hub.update(&other, |inner| inner.machine().cancel(None, seq));
        }
    }

    fn bye(&mut self) {
        if let Phase::Attached { attached, .. } = &self.phase {
            self.hub.update(&attached.session, |inner| inner.bye(attached.generation));
        }
        self.link.connection().close(1000, "");
        self.close();
    }

    /// Ends the connection for an error of the client.
    fn fail(&mut self, code: ErrorCode, line: Option<&str>, text: &str) {
        self.flush_publishes();
        let mut error = ServerError::fatal(code);
        error.line = line;
        self.link.end(error, text);
        self.close();
    }

    /// What still arrives is ignored. Detaches the session.
    fn close(&mut self) {
        // A publish that is not decided would hold up the next attach.
        self.flush_publishes();
        self.lines.close();
        for (_, subscribed) in self.subscriptions.drain() {
            subscribed.subscription.end();
        }
        self.deferred.clear();
        self.full.clear();
        self.phase = Phase::Closed;
        self.timer = None;
    }

    /// Goes on with the attach, and then with what has waited for it.
    fn poll_attached(&mut self, context: &mut Context<'_>) -> Poll<()> {
        loop {
            if let Phase::Attaching(attach) = &mut self.phase {
                match ready!(attach.as_mut().poll(context)) {
                    Ok(attached) => {
                        let identity = attached.session.read(|inner| inner.identity().clone());
                        self.phase = Phase::Attached { attached, identity };
                        self.confirmed_by = Some(Instant::now() + self.hub.limits().expires_after);
                    }
                    Err(Refusal { error, text }) => {
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

    /// While the session has a connection, the connection waits for its deadlines.
    fn set_timer(&mut self) {
        if let Phase::Attached { attached, .. } = &self.phase {
            let deadline = attached.session.read(Inner::deadline).map(|deadline| self.hub.instant(deadline));
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
        while let Some(channel) = self.full.last() {
            ready!(channel.poll_ready(context));
            self.full.pop();
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
                self.hub.update(&attached.session, |inner| inner.machine().wake(now));
                if self.confirmed_by.take_if(|due| *due <= Instant::now()).is_some() {
                    let left = self.hub.update(&attached.session, Inner::take_unconfirmed);
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

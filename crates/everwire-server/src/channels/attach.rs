use std::sync::Arc;

use everwire_core::protocol::{ErrorCode, Hello, ServerError};
use tokio::time::timeout;

use super::authorize::{Authentication, Identity, RequestHead};
use super::events::SessionChange;
use super::hub::{Hub, Unavailable};
use super::link::Link;
use super::secret::SecretDigest;
use super::session::{Inner, Session, WelcomeTerms};
use crate::broker::SessionId;
use crate::message::Message;

/// When a client that found the server busy tries again, in milliseconds.
const RETRY: u64 = 2_000;

/// A connection that waits to be attached to a session.
#[derive(Debug)]
pub(super) struct Attach {
    pub(super) hub: Arc<Hub>,
    pub(super) link: Arc<Link>,
    pub(super) head: Arc<RequestHead>,
    pub(super) credentials: Option<Message>,
    /// The session to resume, and the digest of the secret that the client showed.
    pub(super) resume: Option<(SessionId, SecretDigest)>,
    pub(super) acked: u64,
    pub(super) floor: u64,
    /// The largest message that the server takes.
    pub(super) message_bytes: usize,
}

/// A connection that is attached. Dropping it detaches the session.
#[derive(Debug)]
pub(super) struct Attached {
    pub(super) hub: Arc<Hub>,
    pub(super) session: Arc<Session>,
    pub(super) generation: u64,
}

/// Why a connection is not attached.
#[derive(Debug)]
pub(super) struct Refusal {
    pub(super) error: ServerError<'static>,
    pub(super) text: String,
}

impl Attach {
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
    pub(super) async fn run(mut self) -> Result<Attached, Refusal> {
        let identity = self.authenticate().await?;
        self.hub.turns().take().await;
        if let Some((id, digest)) = self.resume.take()
            && let Some(session) = self.hub.load_session(&id).await.map_err(|error| unavailable(error.to_string()))?
        {
            let is_owner = session.secret() == digest
                && session.read(|inner| inner.identity().user_name() == identity.user_name());
            if is_owner && let Some(attached) = self.attach(&session, identity.clone(), None).await? {
                return Ok(attached);
            }
        }
        let (session, secret) =
            self.hub.start_session(identity.clone()).map_err(|Unavailable { reason }| unavailable(reason))?;
        // What an earlier session has acknowledged says nothing about this one.
        (self.acked, self.floor) = (0, 1);
        let attached = self.attach(&session, identity, Some(secret)).await?;
        attached.ok_or_else(|| unavailable("the session has ended".to_owned()))
    }

    async fn authenticate(&mut self) -> Result<Identity, Refusal> {
        let request = Authentication::new(Arc::clone(&self.head), self.credentials.take());
        match timeout(self.hub.limits().hello, self.hub.rules().authenticate(request)).await {
            Ok(Ok(identity)) => Ok(identity),
            Ok(Err(denied)) => {
                Err(Refusal { error: ServerError::fatal(ErrorCode::Unauthorized), text: denied.to_string() })
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
    ) -> Result<Option<Attached>, Refusal> {
        let hub = &self.hub;
        let is_new = secret.is_some();
        let terms = self.terms(secret);
        let attach = |inner: &mut Inner| inner.attach(&self.link, (self.acked, self.floor), identity, terms);
        let (generation, welcomed) = match hub.update(session, attach) {
            Ok(attached) => attached,
            Err(ErrorCode::Gone) => return Ok(None),
            Err(code) => return Err(Refusal { error: ServerError::fatal(code), text: String::new() }),
        };
        let attached = Attached { hub: Arc::clone(hub), session: Arc::clone(session), generation };
        // A client that is welcomed may count on its session after a restart of the server.
        if let Err(error) = hub.store_session(session, true).await {
            if is_new {
                hub.update(session, Inner::abandon);
                return Err(unavailable(error.to_string()));
            }
            tracing::warn!(%error, "a resumed session was not stored");
        }
        hub.update(session, |inner| inner.release(generation));
        // It is dropped unused when another connection takes over, or the session ends.
        if welcomed.await.is_err() {
            return Ok(Some(attached));
        }
        hub.observe(session, if is_new { SessionChange::Started } else { SessionChange::Resumed });
        Ok(Some(attached))
    }

    fn terms(&self, secret: Option<String>) -> WelcomeTerms {
        let limits = self.hub.limits();
        let millis = |duration: std::time::Duration| u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
        let most = everwire_core::protocol::MAX_NUMBER;
        WelcomeTerms {
            time: self.hub.time_of_day(),
            heartbeat: millis(limits.heartbeat).min(most),
            message: (self.message_bytes as u64).min(most),
            subscriptions: (limits.subscriptions as u64).min(most),
            expires: millis(limits.expires_after).min(most),
            secret,
        }
    }
}

impl Drop for Attached {
    fn drop(&mut self) {
        self.hub.detach(&self.session, self.generation);
    }
}

fn unavailable(text: String) -> Refusal {
    let mut error = ServerError::fatal(ErrorCode::Unavailable);
    error.retry = Some(RETRY);
    Refusal { error, text }
}

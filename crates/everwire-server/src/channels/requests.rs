use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use everwire_core::protocol::ErrorCode;
use futures_core::Stream;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::authorize::Identity;
use super::session::Session;
use crate::broker::SessionId;
use crate::message::Message;

/// Parts of an answer are read from a handler's stream while no more than this waits in the outbound queue.
const LOW_WATER_MARK: usize = 64 << 10;

/// The caller of a request handler.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct RequestContext {
    /// Who the client is.
    pub identity: Identity,
    /// Its session.
    pub session: SessionId,
    /// The client's time limit, after which the handler's future is dropped.
    pub timeout: Option<Duration>,
}

/// Why a request handler failed. The client gets the text with the code `failed`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct RequestError(Cow<'static, str>);

impl RequestError {
    /// A failure with a message for people.
    pub fn new(text: impl Into<Cow<'static, str>>) -> Self {
        Self(text.into())
    }
}

type HandlerFuture = Pin<Box<dyn Future<Output = ()> + Send>>;
type ErasedHandler = dyn Fn(RequestContext, Option<Message>, Responder) -> HandlerFuture + Send + Sync;

/// The request handlers of an application, by name.
#[derive(Default)]
pub(super) struct RequestHandlers(RwLock<HashMap<String, Arc<ErasedHandler>>>);

/// Answers one request.
#[derive(Debug)]
pub(super) struct Responder {
    session: Arc<Session>,
    seq: u64,
    is_done: bool,
}

impl RequestHandlers {
    /// Adds a handler that answers once.
    pub(super) fn add<A, B, F, R>(&self, name: &str, handler: F)
    where
        A: DeserializeOwned + Send + 'static,
        B: Serialize,
        F: Fn(RequestContext, A) -> R + Send + Sync + 'static,
        R: Future<Output = Result<B, RequestError>> + Send + 'static,
    {
        self.insert(name, move |context, argument, mut responder| {
            let result = parse_argument(argument.as_ref()).map(|argument| handler(context, argument));
            Box::pin(async move {
                let answer = match result {
                    Ok(answer) => answer.await.and_then(|answer| encode_answer(&answer)),
                    Err(error) => Err(error),
                };
                match answer {
                    Ok(answer) => drop(responder.respond(Some(answer), false)),
                    Err(error) => responder.fail(ErrorCode::Failed, &error.0),
                }
            })
        });
    }

    /// Adds a handler that answers in parts.
    pub(super) fn add_stream<A, B, F, S>(&self, name: &str, handler: F)
    where
        A: DeserializeOwned + Send + 'static,
        B: Serialize,
        F: Fn(RequestContext, A) -> S + Send + Sync + 'static,
        S: Stream<Item = Result<B, RequestError>> + Send + 'static,
    {
        self.insert(name, move |context, argument, mut responder| {
            let parts = parse_argument(argument.as_ref()).map(|argument| handler(context, argument));
            Box::pin(async move {
                let mut parts = match parts {
                    Ok(parts) => Box::pin(parts),
                    Err(error) => return responder.fail(ErrorCode::Failed, &error.0),
                };
                loop {
                    let next = poll_fn(|context| {
                        let next = parts.as_mut().poll_next(context);
                        next.map(|part| part.map(|part| part.and_then(|part| encode_answer(&part))))
                    });
                    let Some(part) = next.await else { break };
                    let part = match part {
                        Ok(part) => part,
                        Err(error) => return responder.fail(ErrorCode::Failed, &error.0),
                    };
                    if !responder.respond(Some(part), true) {
                        return;
                    }
                    responder.drained().await;
                }
                responder.respond(None, false);
            })
        });
    }

    fn insert(
        &self,
        name: &str,
        handler: impl Fn(RequestContext, Option<Message>, Responder) -> HandlerFuture + Send + Sync + 'static,
    ) {
        let mut handlers = self.0.write().unwrap_or_else(PoisonError::into_inner);
        handlers.insert(name.to_owned(), Arc::new(handler));
    }

    fn find(&self, name: &str) -> Option<Arc<ErasedHandler>> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    /// Runs the handler of a request that the session has accepted.
    pub(super) fn run(
        &self,
        session: &Arc<Session>,
        (name, seq): (&str, u64),
        context: RequestContext,
        argument: Option<Message>,
    ) {
        let mut responder = Responder { session: Arc::clone(session), seq, is_done: false };
        let Some(handler) = self.find(name) else {
            return responder.fail(ErrorCode::NoHandler, &format!("there is no request {name:?}"));
        };
        // The handler runs in the task, so that its panic does not end the connection.
        let task = tokio::spawn(async move { handler(context, argument, responder).await });
        let abort = task.abort_handle();
        // An answer never ends a session, here and below.
        let _ = session.update(|state| state.set_task(seq, abort));
    }
}

impl Responder {
    /// Sends a part of the answer. Returns whether the next one is wanted.
    fn respond(&mut self, part: Option<Message>, more: bool) -> bool {
        self.is_done = !more;
        let (is_wanted, _) = self.session.update(|state| state.responded(self.seq, part, more));
        is_wanted && more
    }

    fn fail(&mut self, code: ErrorCode, text: &str) {
        self.is_done = true;
        let _ = self.session.update(|state| state.failed(self.seq, code, text));
    }

    /// Waits until the client has read most of what was sent to it.
    async fn drained(&self) {
        let link = self.session.read(|state| state.link().cloned());
        if let Some(link) = link {
            link.connection().drained(LOW_WATER_MARK).await;
        }
    }
}

impl Drop for Responder {
    /// Answers for a handler that panicked. If the handler was stopped, the session ignores it.
    fn drop(&mut self) {
        if !self.is_done {
            self.fail(ErrorCode::Failed, "the handler ended without an answer");
        }
    }
}

fn parse_argument<A: DeserializeOwned>(argument: Option<&Message>) -> Result<A, RequestError> {
    let json = argument.map_or(&b"null"[..], Message::as_bytes);
    serde_json::from_slice(json).map_err(|error| RequestError::new(format!("the argument cannot be read: {error}")))
}

fn encode_answer(answer: &impl Serialize) -> Result<Message, RequestError> {
    let json = serde_json::to_string(answer);
    json.map(Message::from).map_err(|error| RequestError::new(format!("the answer cannot be written: {error}")))
}

impl fmt::Debug for RequestHandlers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("RequestHandlers")
    }
}

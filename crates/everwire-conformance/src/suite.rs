//! A check, what it has at hand, and its result.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::client::{Client, Outcome, Session, Stop, failed, require};
use crate::options::{Hook, Options};

type Run = dyn Fn(Context) -> Pin<Box<dyn Future<Output = Outcome> + Send>> + Send + Sync;

/// A requirement for a server of `everwire.v1`, which can be run.
#[derive(Clone)]
pub struct Check {
    name: String,
    run: Arc<Run>,
}

impl Check {
    pub(crate) fn new<F>(name: impl Into<String>, run: impl Fn(Context) -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Outcome> + Send + 'static,
    {
        Self { name: name.into(), run: Arc::new(move |context| Box::pin(run(context))) }
    }

    /// A sentence in words separated by `-`.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Check {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Check").field("name", &self.name).finish_non_exhaustive()
    }
}

/// The options and the channel of a check, and the clients that it starts from.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    pub(crate) options: Arc<Options>,
    channel: String,
}

impl Context {
    fn new(options: &Options) -> Self {
        // A server that keeps its messages must not answer one run with the messages of another.
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        Self { options: Arc::new(options.clone()), channel: format!("{}{now:x}", options.prefix) }
    }

    /// The channel of this check, which has no messages yet.
    pub(crate) fn channel(&self) -> &str {
        &self.channel
    }

    /// Returns an option, or skips the check without it.
    pub(crate) fn need<'o>(&self, option: &'o Option<String>, flag: &str) -> Outcome<&'o str> {
        option.as_deref().ok_or_else(|| Stop::Skipped(format!("needs {flag}")))
    }

    /// Runs a hook, or skips the check without it.
    pub(crate) async fn run(&self, hook: &Option<Hook>, flag: &str) -> Outcome {
        let hook = hook.as_ref().ok_or_else(|| Stop::Skipped(format!("needs {flag}")))?;
        hook.run().await.map_err(|error| Stop::Failed(format!("{flag}: {error}")))
    }

    /// A connection that has sent nothing.
    pub(crate) async fn connect(&self) -> Outcome<Client> {
        Client::connect(&self.options).await
    }

    /// A client with a new session.
    pub(crate) async fn attach(&self) -> Outcome<(Client, Session)> {
        let mut client = self.connect().await?;
        client.hello("hello attempt=0", "").await?;
        let session = client.welcome().await?;
        match session.secret.is_empty() {
            true => failed("a secret in the welcome of a new session", "none"),
            false => Ok((client, session)),
        }
    }

    /// A client of another user, with a session of its own.
    pub(crate) async fn attach_other_user(&self) -> Outcome<Client> {
        let credentials = self.need(&self.options.other_credentials, "--other-credentials")?;
        let mut client = self.connect().await?;
        client.send(&format!("hello attempt=0\n{credentials}")).await?;
        client.welcome().await?;
        Ok(client)
    }

    /// A client with a new session that is subscribed to the channel of this check.
    pub(crate) async fn subscribed(&self) -> Outcome<(Client, Session)> {
        let (mut client, session) = self.attach().await?;
        let channel = self.channel();
        client.ask(&format!("sub {channel} live"), &format!("subscribed {channel}")).await?;
        Ok((client, session))
    }

    /// A client that has requested to resume a session, with options of the `hello` and lines after it.
    pub(crate) async fn resuming(&self, session: &Session, options: &str, lines: &str) -> Outcome<Client> {
        let mut client = self.connect().await?;
        let Session { id, secret, .. } = session;
        client.hello(&format!("hello attempt=1 session={id} secret={secret}{options}"), lines).await?;
        Ok(client)
    }

    /// A client that has resumed its session.
    pub(crate) async fn resume(&self, session: &Session, options: &str, lines: &str) -> Outcome<(Client, Session)> {
        let mut client = self.resuming(session, options, lines).await?;
        let welcome = client.welcome().await?;
        require(welcome.id == session.id, format_args!("the session {} to be resumed", session.id), &welcome.line)?;
        Ok((client, welcome))
    }
}

/// How a check ended.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub enum Verdict {
    /// The server meets the requirement.
    Passed,
    /// It does not: what was expected, and what came instead.
    Failed(String),
    /// The check did not run, because an option is missing.
    Skipped(String),
}

/// The result of one check. It displays as one line.
#[derive(Debug, Clone, PartialEq, Eq)]
#[non_exhaustive]
pub struct Report {
    /// The name of the check.
    pub name: String,
    /// How it ended.
    pub verdict: Verdict,
}

impl fmt::Display for Report {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, verdict } = self;
        match verdict {
            Verdict::Passed => write!(formatter, "ok {name}"),
            Verdict::Failed(reason) => write!(formatter, "FAILED {name}: {reason}"),
            Verdict::Skipped(reason) => write!(formatter, "skipped {name}: {reason}"),
        }
    }
}

/// Runs one check. It opens connections of its own, and closes them.
pub async fn run(check: &Check, options: &Options) -> Report {
    let verdict = match (check.run)(Context::new(options)).await {
        Ok(()) => Verdict::Passed,
        Err(Stop::Failed(reason)) => Verdict::Failed(reason),
        Err(Stop::Skipped(reason)) => Verdict::Skipped(reason),
    };
    Report { name: check.name.clone(), verdict }
}

//! The options of the checks: the server, its features, and operations on it.

use std::{fmt, future::Future, path::PathBuf, pin::Pin, sync::Arc, time::Duration};

use clap::Args;
use tokio::process::Command;

/// The server to check, and the features that it offers. Everything but the address has a default; a feature that is not named is not
/// checked.
#[derive(Debug, Clone, Args)]
#[non_exhaustive]
pub struct Options {
    /// The address of the server, for example `ws://127.0.0.1:9001/everwire`. A command line has it as an argument of its own.
    /// `wss://` is TLS.
    #[arg(skip)]
    pub url: String,
    /// A file with certificates to trust in addition to those of browsers, for a wss:// address
    #[arg(long, value_name = "FILE")]
    pub ca: Option<PathBuf>,
    /// Seconds to wait for each answer
    #[arg(long, default_value = "5", value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Duration,
    /// Credentials to send with each hello
    #[arg(long, value_name = "TEXT")]
    pub credentials: Option<String>,
    /// Credentials that the server refuses
    #[arg(long, value_name = "TEXT")]
    pub refused_credentials: Option<String>,
    /// Credentials of another user
    #[arg(long, value_name = "TEXT")]
    pub other_credentials: Option<String>,
    /// The prefix of the channels that the checks publish to
    #[arg(long, default_value = "conformance-", value_name = "TEXT")]
    pub prefix: String,
    /// A request that is answered at once
    #[arg(long, value_name = "NAME")]
    pub request: Option<String>,
    /// The payload of each request
    #[arg(long, value_name = "TEXT")]
    pub request_payload: Option<String>,
    /// A request that is not answered within the timeout
    #[arg(long, value_name = "NAME")]
    pub slow_request: Option<String>,
    /// A channel that the client may neither subscribe to nor publish to
    #[arg(long, value_name = "CHANNEL")]
    pub denied: Option<String>,
    /// A channel that keeps the latest message of each key
    #[arg(long, value_name = "CHANNEL")]
    pub state: Option<String>,
    /// A channel that keeps at most 16 messages
    #[arg(long, value_name = "CHANNEL")]
    pub short_history: Option<String>,
    /// A channel whose history clients may not see
    #[arg(long, value_name = "CHANNEL")]
    pub no_history: Option<String>,
    /// A channel that accepts at most 1,000 bytes per message
    #[arg(long, value_name = "CHANNEL")]
    pub small_messages: Option<String>,
    /// Seconds after which the server closes a connection without hello
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub hello_timeout: Option<Duration>,
    /// A command that restarts a server whose messages and sessions survive that, and returns when clients can connect
    #[arg(long, value_name = "COMMAND", value_parser = command)]
    pub restart_command: Option<Hook>,
    /// A command that makes the server drain and returns at once, after which --restart-command starts it again
    #[arg(long, value_name = "COMMAND", value_parser = command, requires = "restart_command")]
    pub drain_command: Option<Hook>,
}

impl Options {
    /// The defaults for the server at an address.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            ca: None,
            timeout: Duration::from_secs(5),
            credentials: None,
            refused_credentials: None,
            other_credentials: None,
            prefix: "conformance-".to_owned(),
            request: None,
            request_payload: None,
            slow_request: None,
            denied: None,
            state: None,
            short_history: None,
            no_history: None,
            small_messages: None,
            hello_timeout: None,
            restart_command: None,
            drain_command: None,
        }
    }
}

fn command(text: &str) -> Result<Hook, String> {
    if text.trim().is_empty() { Err("pass a command".to_owned()) } else { Ok(Hook::command(text)) }
}

fn seconds(text: &str) -> Result<Duration, String> {
    let seconds = text.parse().ok().and_then(|seconds| Duration::try_from_secs_f64(seconds).ok());
    seconds.filter(|time| !time.is_zero()).ok_or_else(|| "pass a number of seconds above zero".to_owned())
}

type Done = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// An operation on the server that no client can perform, such as a restart.
#[derive(Clone)]
pub struct Hook {
    run: Arc<dyn Fn() -> Done + Send + Sync>,
}

impl Hook {
    /// Runs a function, which fails with a readable reason.
    pub fn new<F>(run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { run: Arc::new(move || Box::pin(run())) }
    }

    /// Runs a command by `sh`. If the command fails, so does the hook, with the command's error output.
    pub fn command(command: &str) -> Self {
        let command = command.to_owned();
        Self::new(move || {
            let command = command.clone();
            async move {
                let output = Command::new("sh").args(["-c", &command]).kill_on_drop(true).output().await;
                let output = output.map_err(|error| format!("sh: {error}"))?;
                let errors = String::from_utf8_lossy(&output.stderr);
                if output.status.success() { Ok(()) } else { Err(format!("{command}: {} {errors}", output.status)) }
            }
        })
    }

    pub(crate) async fn run(&self) -> Result<(), String> {
        (self.run)().await
    }
}

impl fmt::Debug for Hook {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Hook").finish_non_exhaustive()
    }
}

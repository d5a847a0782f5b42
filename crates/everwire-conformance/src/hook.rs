use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use tokio::process::Command;

type Done = Pin<Box<dyn Future<Output = Result<(), String>> + Send>>;

/// Does something with the server that no client can do, such as a restart.
#[derive(Clone)]
pub struct Hook {
    run: Arc<dyn Fn() -> Done + Send + Sync>,
}

impl Hook {
    /// Runs a function, which fails with a reason for people.
    pub fn new<F>(run: impl Fn() -> F + Send + Sync + 'static) -> Self
    where
        F: Future<Output = Result<(), String>> + Send + 'static,
    {
        Self { run: Arc::new(move || Box::pin(run())) }
    }

    /// Runs a command by `sh`. It fails if the command does, with what that prints as errors.
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

use std::sync::Arc;

use everwire_server::Everwire;
use everwire_server::broker::{Journal, JournalConfig};
use tokio_util::task::TaskTracker;

use crate::channels::{self, Tokens};
use crate::config::Config;
use crate::endpoints::Groups;
use crate::files::Store;
use crate::lab::Lab;
use crate::monitor::Monitor;
use crate::pages::Pages;
use crate::server::StartError;
use crate::ticker::Streams;
use crate::tracker::Tracker;

/// Files of the journal, which connections must not use up.
const JOURNAL_FILES: usize = 16;

/// The state behind the routes. A clone is cheap and shares the state.
#[derive(Clone, Debug)]
pub struct Companion(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    everwire: Everwire,
    tokens: Arc<Tokens>,
    groups: Groups,
    streams: Streams,
    monitor: Monitor,
    lab: Lab,
    files: Arc<Store>,
    tracker: Arc<Tracker>,
    pages: Option<Pages>,
    tasks: TaskTracker,
}

impl Companion {
    /// The state of a server without connections.
    ///
    /// # Errors
    /// If [`Config::journal`] names a folder that cannot be used.
    pub fn new(config: Config) -> Result<Self, StartError> {
        let tracker = Arc::new(Tracker::new(config.clock.clone()));
        let mut everwire = Everwire::builder()
            .origins(config.origins.clone())
            .limits(|limits| *limits = config.limits.clone())
            .connection_limits(|limits| *limits = config.connection.clone())
            .clock(config.clock.clone())
            // Uploads are files that stay open.
            .reserved_files(config.files.files + JOURNAL_FILES);
        if let Some(folder) = &config.journal {
            let mut settings = JournalConfig::default();
            settings.broker.clock = config.clock.clone();
            everwire = everwire.broker(Journal::open_with(folder, settings)?);
        }
        let tokens = Arc::new(Tokens::new(&config)?);
        let everwire = channels::configure(everwire, &config, &tokens, &tracker);
        Ok(Self(Arc::new(Shared {
            everwire: everwire.build(),
            tokens,
            pages: config.dist.as_deref().map(Pages::new),
            groups: Groups::default(),
            streams: Streams::default(),
            monitor: Monitor::default(),
            lab: Lab::default(),
            tracker,
            tasks: TaskTracker::new(),
            files: Store::new(config.files.clone(), config.clock.clone()),
            config,
        })))
    }

    /// The connections, their limits and counters.
    pub fn everwire(&self) -> &Everwire {
        &self.0.everwire
    }

    /// Runs a task until the server has stopped.
    pub fn spawn(&self, task: impl Future<Output = ()> + Send + 'static) {
        let everwire = self.0.everwire.clone();
        self.0.tasks.spawn(async move {
            tokio::select! {
                () = task => {}
                () = everwire.drained() => {}
            }
        });
    }

    /// Completes when all tasks have ended, which they do once the server is drained: until then they keep the journal open.
    pub(crate) async fn tasks_ended(&self) {
        self.0.tasks.close();
        self.0.tasks.wait().await;
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
    }

    pub(crate) fn tokens(&self) -> &Tokens {
        &self.0.tokens
    }

    pub(crate) fn groups(&self) -> &Groups {
        &self.0.groups
    }

    pub(crate) fn streams(&self) -> &Streams {
        &self.0.streams
    }

    pub(crate) fn monitor(&self) -> &Monitor {
        &self.0.monitor
    }

    pub(crate) fn lab(&self) -> &Lab {
        &self.0.lab
    }

    pub(crate) fn files(&self) -> &Arc<Store> {
        &self.0.files
    }

    pub(crate) fn tracker(&self) -> &Arc<Tracker> {
        &self.0.tracker
    }

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }
}

use std::sync::Arc;

use everwire_server::Everwire;
use everwire_server::channels::AllowAll;

use crate::config::Config;
use crate::endpoints::Groups;
use crate::files::Store;
use crate::lab::Lab;
use crate::monitor::Monitor;
use crate::pages::Pages;
use crate::ticker::Streams;

/// The state behind the routes. A clone is cheap and shares the state.
#[derive(Clone, Debug)]
pub struct Companion(Arc<Shared>);

#[derive(Debug)]
struct Shared {
    config: Config,
    everwire: Everwire,
    groups: Groups,
    streams: Streams,
    monitor: Monitor,
    lab: Lab,
    files: Arc<Store>,
    pages: Option<Pages>,
}

impl Companion {
    /// The state of a server without connections.
    pub fn new(config: Config) -> Self {
        let mut everwire = Everwire::builder()
            .origins(config.origins.clone())
            .limits(|limits| *limits = config.limits.clone())
            .connection_limits(|limits| *limits = config.connection.clone())
            .clock(config.clock.clone())
            // Uploads are files that stay open.
            .reserved_files(config.files.files);
        if config.faults {
            // A server for tests: their clients have no names, and may use every channel.
            everwire = everwire.authorize(AllowAll);
        }
        Self(Arc::new(Shared {
            everwire: everwire.build(),
            pages: config.dist.as_deref().map(Pages::new),
            groups: Groups::default(),
            streams: Streams::default(),
            monitor: Monitor::default(),
            lab: Lab::default(),
            files: Store::new(config.files.clone(), config.clock.clone()),
            config,
        }))
    }

    /// The connections, their limits and counters.
    pub fn everwire(&self) -> &Everwire {
        &self.0.everwire
    }

    pub(crate) fn config(&self) -> &Config {
        &self.0.config
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

    pub(crate) fn pages(&self) -> Option<&Pages> {
        self.0.pages.as_ref()
    }
}

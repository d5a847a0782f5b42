use core::{future::Future, pin::pin, time::Duration};
use std::time::Instant;

use tokio::{
    runtime::Handle,
    select,
    sync::watch,
    task::AbortHandle,
    time::{sleep, sleep_until},
};

/// When the timer fires next. Dropping or ending it ends the task that waits for it.
pub(super) struct Timer {
    setting: watch::Sender<Setting>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    Off,
    At(Instant),
    Ended,
}

impl Timer {
    pub(super) fn new() -> Self {
        Self { setting: watch::Sender::new(Setting::Off) }
    }

    pub(super) fn set(&self, deadline: Option<Instant>) {
        let setting = deadline.map_or(Setting::Off, Setting::At);
        self.setting.send_if_modified(|current| {
            let is_new = *current != setting && *current != Setting::Ended;
            if is_new {
                *current = setting;
            }
            is_new
        });
    }

    pub(super) fn end(&self) {
        self.setting.send_replace(Setting::Ended);
    }

    /// Calls `fire` whenever the timer fires, until that returns false or the timer is ended.
    pub(super) fn serve<F: Fn() -> bool + Send>(&self, fire: F) -> impl Future<Output = ()> + Send + use<F> {
        let mut setting = self.setting.subscribe();
        async move {
            loop {
                let current = *setting.borrow_and_update();
                let fired = match current {
                    Setting::Ended => return,
                    Setting::Off => setting.changed().await.map(|()| false),
                    Setting::At(at) => {
                        let sleep = pin!(sleep_until(at.into()));
                        select! {
                            changed = setting.changed() => changed.map(|()| false),
                            () = sleep => Ok(true),
                        }
                    }
                };
                let Ok(fired) = fired else { return };
                if fired && !fire() {
                    return;
                }
            }
        }
    }
}

/// A timer that fires once. Dropping it ends the task that waits for it.
pub(crate) struct Timeout(AbortHandle);

impl Timeout {
    pub(super) fn start(runtime: &Handle, after: Duration, fire: impl FnOnce() + Send + 'static) -> Self {
        let task = runtime.spawn(async move {
            sleep(after).await;
            fire();
        });
        Self(task.abort_handle())
    }
}

impl Drop for Timeout {
    fn drop(&mut self) {
        self.0.abort();
    }
}

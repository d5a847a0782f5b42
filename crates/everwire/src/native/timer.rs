use core::{future::Future, panic::AssertUnwindSafe, pin::pin};
use std::{
    panic::catch_unwind,
    sync::{Arc, Weak},
    time::Instant,
};

use tokio::{select, sync::watch, time::sleep_until};

use super::{alive, cause_of_panic};
use crate::shared::Shared;

/// The time at which the core is woken next. Dropping or ending it ends the task that waits for it.
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

    /// Wakes the core whenever the timer fires, until it is ended.
    pub(super) fn serve(&self, shared: Weak<Shared>) -> impl Future<Output = ()> + Send + use<> {
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
                if fired {
                    let Some(shared) = alive(&shared) else { return };
                    fire(&shared);
                }
            }
        }
    }
}

/// Wakes the core. A custom heartbeat may panic: that drops the connection, and the timer goes on.
fn fire(shared: &Arc<Shared>) {
    let platform = &shared.platform;
    // Where nothing is due, the timer is not set again.
    platform.timer.set(None);
    let woken = catch_unwind(AssertUnwindSafe(|| shared.timer_fired()));
    if let Err(panic) = woken
        && let Some(socket) = platform.socket()
    {
        let buffered = platform.buffered_amount();
        platform.detach();
        let cause = cause_of_panic(&*panic);
        // A reconnect policy may panic, too.
        let _ = catch_unwind(AssertUnwindSafe(|| shared.dropped(socket, cause, buffered)));
    }
}

use core::{future::Future, panic::AssertUnwindSafe, pin::pin};
use std::{
    panic::catch_unwind,
    sync::{Arc, Weak},
    time::Instant,
};

use everwire_core::Input;
use tokio::{select, sync::watch, time::sleep_until};

use super::{alive, cause_of_panic};
use crate::shared::Shared;

/// The time at which the core is woken next. Dropping or ending it ends the task that waits for it.
pub(super) struct Alarm {
    setting: watch::Sender<Setting>,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Setting {
    Off,
    At(Instant),
    Ended,
}

impl Alarm {
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

    /// Wakes the core whenever the alarm rings, until it is ended.
    pub(super) fn serve(&self, shared: Weak<Shared>) -> impl Future<Output = ()> + Send + use<> {
        let mut setting = self.setting.subscribe();
        async move {
            loop {
                let current = *setting.borrow_and_update();
                let rung = match current {
                    Setting::Ended => return,
                    Setting::Off => setting.changed().await.map(|()| false),
                    Setting::At(at) => {
                        let ring = pin!(sleep_until(at.into()));
                        select! {
                            changed = setting.changed() => changed.map(|()| false),
                            () = ring => Ok(true),
                        }
                    }
                };
                let Ok(rung) = rung else { return };
                if rung {
                    let Some(shared) = alive(&shared) else { return };
                    ring(&shared);
                }
            }
        }
    }
}

/// Wakes the core. A custom heartbeat may panic: that drops the connection, and the alarm goes on.
fn ring(shared: &Arc<Shared>) {
    let wall = shared.platform.wall();
    let woken = catch_unwind(AssertUnwindSafe(|| shared.handle(Input::Wake { wall })));
    if let Err(panic) = woken
        && let Some(socket) = shared.platform.socket()
    {
        let buffered = shared.platform.buffered_amount();
        shared.platform.abandon();
        let dropped = Input::Dropped { socket, cause: cause_of_panic(&*panic), buffered };
        // A close policy may panic, too.
        let _ = catch_unwind(AssertUnwindSafe(|| shared.handle(dropped)));
    }
}

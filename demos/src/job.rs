use core::future::Future;

use futures_channel::oneshot;
use futures_util::future::{AbortHandle, abortable};
use wasm_bindgen_futures::spawn_local;

/// Something that goes on in the background. Dropping it stops it at its next wait.
pub(crate) struct Job(AbortHandle);

impl Job {
    #[must_use = "dropping the job stops it"]
    pub(crate) fn start(work: impl Future<Output = ()> + 'static) -> Self {
        let (work, handle) = abortable(work);
        spawn_local(async {
            // Whether it ended or was stopped, nobody waits for it.
            let _ = work.await;
        });
        Self(handle)
    }
}

impl Drop for Job {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Does work that stays on this thread, as a browser's promises do, and returns a future of its result that may leave it. `None` if the
/// work was given up.
pub(crate) fn here<T: Send + 'static>(
    work: impl Future<Output = T> + 'static,
) -> impl Future<Output = Option<T>> + Send {
    let (result, received) = oneshot::channel();
    spawn_local(async move {
        // An attempt that was given up has no use for it.
        let _ = result.send(work.await);
    });
    async move { received.await.ok() }
}

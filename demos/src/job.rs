use core::future::Future;

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

//! Times of day, and deadlines for peers that hold although the process was stopped meanwhile.

use std::fmt;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use hyper::rt::{Sleep as HyperSleep, Timer};
use tokio::time::{Instant, Sleep, sleep_until};

/// The clock for times of day in messages. Intervals and deadlines use tokio's monotonic clock instead.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> f64 + Send + Sync>);

impl Clock {
    /// The system's clock.
    pub fn system() -> Self {
        Self::from_fn(|| {
            // A clock that is set before 1970 reads as 1970; panicking would be worse.
            let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
            since_epoch.as_micros() as f64 / 1000.0
        })
    }

    /// A clock for tests: `read` returns milliseconds since the Unix epoch.
    pub fn from_fn(read: impl Fn() -> f64 + Send + Sync + 'static) -> Self {
        Self(Arc::new(read))
    }

    /// Milliseconds since the Unix epoch, with microsecond digits.
    pub fn now_ms(&self) -> f64 {
        (self.0)()
    }
}

impl Default for Clock {
    fn default() -> Self {
        Self::system()
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Clock").field(&self.now_ms()).finish()
    }
}

/// Time after a deadline in which data that arrived before it is still read.
///
/// A process that was stopped (SIGSTOP, a debugger, a suspended machine) sees its timers elapse before it sees what its
/// sockets have received: on Linux `epoll_wait` returns `EINTR`, and the runtime goes on to its timers. The runtime polls for
/// events before each look at its timers, so data that arrived in time is read before a second timer elapses.
pub(crate) const GRACE: Duration = Duration::from_millis(100);

/// A deadline for a peer: a timer that elapses [`GRACE`] late, and never before the runtime has polled the sockets.
///
/// The first of its two timers wakes the task, which must then try to read.
#[derive(Debug)]
pub(crate) struct Deadline {
    timer: Pin<Box<Sleep>>,
    is_in_grace: bool,
}

impl Deadline {
    pub(crate) fn at(deadline: Instant) -> Self {
        Self { timer: Box::pin(sleep_until(deadline)), is_in_grace: false }
    }

    pub(crate) fn after(time: Duration) -> Self {
        Self::at(Instant::now() + time)
    }
}

impl Future for Deadline {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        loop {
            ready!(self.timer.as_mut().poll(cx));
            if self.is_in_grace {
                return Poll::Ready(());
            }
            self.is_in_grace = true;
            self.timer.as_mut().reset(Instant::now() + GRACE);
        }
    }
}

/// Returns the output of `future`, or `None` if it misses its deadline.
pub async fn within<F: Future>(time: Duration, future: F) -> Option<F::Output> {
    tokio::select! {
        biased;
        output = future => Some(output),
        () = Deadline::after(time) => None,
    }
}

/// Makes hyper's own time limits [`Deadline`]s.
#[derive(Clone, Copy, Debug)]
pub(crate) struct DeadlineTimer;

impl Timer for DeadlineTimer {
    fn sleep(&self, time: Duration) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Deadline::after(time))
    }

    fn sleep_until(&self, deadline: std::time::Instant) -> Pin<Box<dyn HyperSleep>> {
        Box::pin(Deadline::at(deadline.into()))
    }
}

impl HyperSleep for Deadline {}

#[cfg(test)]
mod tests {
    use std::future::{pending, poll_fn};
    use std::pin::pin;

    use tokio::time::advance;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_deadline_that_passed_while_the_process_was_stopped_elapses_after_a_second_timer() {
        let mut deadline = pin!(Deadline::after(Duration::from_secs(10)));
        // Nothing runs while the process is stopped.
        advance(Duration::from_secs(60)).await;
        assert!(poll_fn(|cx| Poll::Ready(deadline.as_mut().poll(cx))).await.is_pending());
        let resumed = Instant::now();
        deadline.await;
        assert_eq!(resumed.elapsed(), GRACE);
    }

    #[tokio::test(start_paused = true)]
    async fn a_future_that_is_ready_within_the_grace_is_in_time() {
        let late = Duration::from_secs(10) + GRACE / 2;
        assert_eq!(within(Duration::from_secs(10), async { tokio::time::sleep(late).await }).await, Some(()));
        assert_eq!(within(Duration::from_secs(10), pending::<()>()).await, None);
    }
}

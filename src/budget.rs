//! Work budgets: long work yields when it has done as many bytes of work as its budget allows.
//!
//! ```text
//! background job   yields to its poller, slice by slice
//! long call        (recovery, compact_range, verify ...) yields to its host, which may run other
//!                  tasks on the thread
//! ```

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// A host whose thread has other tasks too, such as an event loop.
pub trait Pause {
    /// Called between two parts of a long call.
    ///
    /// `None` to continue, else a future to wait for first.
    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>>;
}

/// Bytes of work between two pauses of a long call.
const BETWEEN_PAUSES: u64 = 64 << 10;

/// The host's pause, if there is a host.
pub(crate) type Host = Option<Rc<dyn Pause>>;

/// Bytes of work that a long call does between two pauses.
pub(crate) fn slice_size(host: &Host) -> u64 {
    if host.is_some() { BETWEEN_PAUSES } else { 1 << 20 }
}

/// Lets the host run other tasks.
pub(crate) async fn pause(host: &Host) {
    if let Some(wait) = host.as_ref().and_then(|host| host.pause()) {
        wait.await;
    }
}

/// The work that may still be done before the next pause.
#[derive(Default)]
pub(crate) struct Budget {
    left: Cell<i64>,
    exhausted: Cell<bool>,
    /// Whether the work continues by itself, because no caller polls it budget by budget.
    of_call: bool,
    host: Host,
}

impl Budget {
    /// The budget of a long call: it pauses where its host requests it.
    pub(crate) fn of_call(host: &Host) -> Budget {
        let budget = Budget { of_call: true, host: host.clone(), ..Budget::default() };
        budget.start(slice_size(host));
        budget
    }

    /// Starts a budget of `bytes` of work.
    pub(crate) fn start(&self, bytes: u64) {
        self.left.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.exhausted.set(false);
    }

    /// Whether the budget was used up. A pending job without this waits for its storage.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Counts work done, without yielding.
    #[inline]
    pub(crate) fn spend(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }

    /// Whether [`give_way`](Budget::give_way) would yield.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() <= 0
    }

    /// Counts work done, and yields if the budget is used up.
    pub(crate) async fn spent(&self, bytes: usize) {
        self.spend(bytes);
        if self.is_spent() {
            self.give_way().await;
        }
    }

    /// Yields if the budget is used up; continues when the job is polled with the next budget.
    pub(crate) async fn give_way(&self) {
        if self.of_call {
            if self.is_spent() {
                pause(&self.host).await;
                self.start(slice_size(&self.host));
            }
            return;
        }
        let mut gave_way = false;
        poll_fn(|_| {
            if gave_way || !self.is_spent() {
                return Poll::Ready(());
            }
            gave_way = true;
            self.exhausted.set(true);
            Poll::Pending
        })
        .await;
    }
}

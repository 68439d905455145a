//! Work budgets: long work gives way when it has done the bytes of work that its budget allows.
//!
//! ```text
//! background job   gives way to whoever polls it, slice by slice
//! long call        (recovery, compact_range, verify ...) gives way to its host, who may have others on the thread
//! ```

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

/// A host whose thread others need too, such as an event loop.
pub trait Pause {
    /// Between two slices of a long call: `None` to go on, else what to wait for before.
    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>>;
}

/// Bytes of work between two pauses of a long call.
const BETWEEN_PAUSES: u64 = 64 << 10;

/// The host's, if there is one.
pub(crate) type Host = Option<Rc<dyn Pause>>;

/// Bytes of work that a long call does at once.
pub(crate) fn slice_size(host: &Host) -> u64 {
    if host.is_some() { BETWEEN_PAUSES } else { 1 << 20 }
}

/// Gives the host its chance.
pub(crate) async fn pause(host: &Host) {
    if let Some(wait) = host.as_ref().and_then(|host| host.pause()) {
        wait.await;
    }
}

/// How much work the current slice may still do.
#[derive(Default)]
pub(crate) struct Budget {
    left: Cell<i64>,
    exhausted: Cell<bool>,
    /// Nobody polls slice by slice: it goes on by itself.
    of_call: bool,
    host: Host,
}

impl Budget {
    /// Of a long call: it pauses where its host wants it.
    pub(crate) fn of_call(host: &Host) -> Budget {
        let budget = Budget { of_call: true, host: host.clone(), ..Budget::default() };
        budget.start(slice_size(host));
        budget
    }

    /// Begins a slice of `bytes` of work.
    pub(crate) fn start(&self, bytes: u64) {
        self.left.set(i64::try_from(bytes).unwrap_or(i64::MAX));
        self.exhausted.set(false);
    }

    /// Whether the slice ended for want of budget. A job that is pending without this waits for its storage.
    pub(crate) fn is_exhausted(&self) -> bool {
        self.exhausted.get()
    }

    /// Notes work done without giving way.
    #[inline]
    pub(crate) fn spend(&self, bytes: usize) {
        self.left.set(self.left.get().saturating_sub(i64::try_from(bytes).unwrap_or(i64::MAX)));
    }

    /// Whether [`give_way`](Budget::give_way) would.
    #[inline]
    pub(crate) fn is_spent(&self) -> bool {
        self.left.get() <= 0
    }

    /// Notes work done, and gives way where that was all that the slice may do.
    pub(crate) async fn spent(&self, bytes: usize) {
        self.spend(bytes);
        if self.is_spent() {
            self.give_way().await;
        }
    }

    /// Ends the slice if its budget is spent; goes on when the job is polled in the next.
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

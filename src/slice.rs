//! Background work in slices: a job is a future that gives way when its bytes of work are used up.

use std::cell::Cell;
use std::future::poll_fn;
use std::task::Poll;

/// How much work the current slice may still do.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    left: Cell<i64>,
    exhausted: Cell<bool>,
}

impl Budget {
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

    /// Ends the slice if its budget is spent; goes on when the job is polled in the next.
    pub(crate) async fn give_way(&self) {
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

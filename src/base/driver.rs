//! One future that several tasks drive: if one task is dropped, the next one to poll continues.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Wake, Waker};

pub(crate) type Work = Pin<Box<dyn Future<Output = ()>>>;

/// The result of polling the driver.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Driven {
    /// There was no work to start.
    Idle,
    /// The future has finished.
    Finished,
    /// The future is pending.
    Pending,
}

/// The future and the tasks that wait for it.
///
/// Invariant: while the future is polled it is out of `work`, so that its own code may call the
/// driver.
pub(crate) struct Driver<T> {
    /// Makes the next future if work is due. Set at opening, so that the queue need not import
    /// commit.
    make: fn(&T) -> Option<Work>,
    work: RefCell<Option<Work>>,
    polling: Cell<bool>,
    /// The number of futures that have finished.
    finished: Cell<u64>,
    waiting: Arc<Waiting>,
    waker: Waker,
}

impl<T> Driver<T> {
    pub(crate) fn new(make: fn(&T) -> Option<Work>) -> Driver<T> {
        let waiting = Arc::new(Waiting::default());
        let waker = Waker::from(waiting.clone());
        Driver { make, work: RefCell::new(None), polling: Cell::new(false), finished: Cell::new(0), waker, waiting }
    }

    /// Polls the future; starts one for `target` first if none is running.
    pub(crate) fn poll(&self, cx: &mut Context<'_>, target: &T) -> Driven {
        self.poll_or(cx, || (self.make)(target))
    }

    /// Polls the future; starts another if none is running.
    pub(crate) fn poll_or(&self, cx: &mut Context<'_>, make: impl FnOnce() -> Option<Work>) -> Driven {
        if self.polling.get() {
            return Driven::Idle;
        }
        let taken = self.work.borrow_mut().take();
        let Some(mut work) = taken.or_else(make) else { return Driven::Idle };
        self.polling.set(true);
        self.waiting.woken.store(false, Ordering::Release);
        let poll = work.as_mut().poll(&mut Context::from_waker(&self.waker));
        self.polling.set(false);
        match poll {
            Poll::Ready(()) => {
                self.finished.set(self.finished.get().wrapping_add(1));
                self.waiting.wake_all();
                Driven::Finished
            }
            Poll::Pending => {
                self.work.replace(Some(work));
                self.waiting.add(cx.waker());
                Driven::Pending
            }
        }
    }

    /// Marks the driver busy until the guard is dropped, for work that needs no future.
    pub(crate) fn hold(&self) -> Held<'_> {
        debug_assert!(!self.is_busy());
        self.polling.set(true);
        Held(&self.polling)
    }

    /// Starts a future; none may be running.
    pub(crate) fn start(&self, work: Work) {
        debug_assert!(!self.is_busy());
        self.work.replace(Some(work));
    }

    /// The number of futures that have finished.
    pub(crate) fn finished(&self) -> u64 {
        self.finished.get()
    }

    /// Returns whether a future is running.
    pub(crate) fn is_busy(&self) -> bool {
        self.polling.get() || self.work.borrow().is_some()
    }

    /// Drops the future.
    pub(crate) fn cancel(&self) {
        let work = self.work.borrow_mut().take();
        drop(work);
        self.waiting.wake_all();
    }
}

/// See [`Driver::hold`].
pub(crate) struct Held<'a>(&'a Cell<bool>);

impl Drop for Held<'_> {
    fn drop(&mut self) {
        self.0.set(false);
    }
}

/// Invariant: `woken` is set before `waited_for` is read, and the other way round, in one order for
/// all threads, so that one of the two sees the other.
#[derive(Default)]
struct Waiting {
    woken: AtomicBool,
    /// Whether there may be wakers. Usually there are none, and the lock is not taken.
    waited_for: AtomicBool,
    wakers: Mutex<Vec<Waker>>,
}

impl Waiting {
    fn add(&self, waker: &Waker) {
        if waker.will_wake(Waker::noop()) {
            return;
        }
        let mut wakers = self.wakers.lock().unwrap_or_else(PoisonError::into_inner);
        if !wakers.iter().any(|w| w.will_wake(waker)) {
            wakers.push(waker.clone());
        }
        self.waited_for.store(true, Ordering::SeqCst);
        drop(wakers);
        if self.woken.load(Ordering::SeqCst) {
            self.wake_all();
        }
    }

    fn wake_all(&self) {
        if !self.waited_for.swap(false, Ordering::SeqCst) {
            return;
        }
        let wakers = std::mem::take(&mut *self.wakers.lock().unwrap_or_else(PoisonError::into_inner));
        wakers.into_iter().for_each(Waker::wake);
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_by_ref();
    }

    fn wake_by_ref(self: &Arc<Self>) {
        self.woken.store(true, Ordering::SeqCst);
        self.wake_all();
    }
}

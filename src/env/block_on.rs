//! Runs a future to completion on this thread, without an executor.

use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

/// The output of a future that depends on nothing else, polled for as long as it wakes itself.
///
/// Returns `None`, and drops the future, if it is still pending after that: for example, if its
/// storage answers later. `StdFsEnv::new` does so when it syncs a table, for example in
/// [`Db::flush`](crate::Db::flush); `StdFsEnv::with_threads(directory, false)` never does.
///
/// With a storage that answers at once, this is one poll and no allocation.
pub fn try_now<F: Future>(future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        return Some(output);
    }
    let woken = Arc::new(Woken(AtomicBool::new(true)));
    let waker = Waker::from(Arc::clone(&woken));
    while woken.0.swap(false, Ordering::Acquire) {
        if let Poll::Ready(output) = future.as_mut().poll(&mut Context::from_waker(&waker)) {
            return Some(output);
        }
    }
    None
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

/// Runs a future to completion; this thread sleeps while the future is pending.
///
/// With a storage that answers at once, this is one poll and no allocation. Not available in
/// WebAssembly, which cannot block: use [`try_now`] or await there.
///
/// ```
/// assert_eq!(varve::env::block_on(async { 2 + 2 }), 4);
/// ```
#[cfg(not(target_arch = "wasm32"))]
pub fn block_on<F: Future>(future: F) -> F::Output {
    let mut future = pin!(future);
    match future.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(output) => output,
        Poll::Pending => parker::block(future),
    }
}

#[cfg(not(target_arch = "wasm32"))]
mod parker {
    use super::{Arc, AtomicBool, Context, Future, Ordering, Poll, Wake, Waker};
    use std::cell::Cell;
    use std::pin::Pin;
    use std::thread::{self, Thread};

    thread_local! {
        /// One parker per thread is kept for the next call; a nested call creates its own.
        static SPARE: Cell<Option<Arc<Parker>>> = const { Cell::new(None) };
    }

    struct Parker {
        woken: AtomicBool,
        thread: Thread,
    }

    impl Wake for Parker {
        fn wake(self: Arc<Self>) {
            self.wake_by_ref();
        }

        fn wake_by_ref(self: &Arc<Self>) {
            self.woken.store(true, Ordering::Release);
            self.thread.unpark();
        }
    }

    /// Polls until the future is ready.
    ///
    /// The first poll is immediate: the one before it had no waker to call.
    pub(super) fn block<F: Future>(mut future: Pin<&mut F>) -> F::Output {
        let new = || Arc::new(Parker { woken: AtomicBool::new(false), thread: thread::current() });
        let parker = SPARE.take().unwrap_or_else(new);
        let waker = Waker::from(Arc::clone(&parker));
        let mut context = Context::from_waker(&waker);
        loop {
            if let Poll::Ready(output) = future.as_mut().poll(&mut context) {
                SPARE.set(Some(parker));
                return output;
            }
            while !parker.woken.swap(false, Ordering::Acquire) {
                thread::park();
            }
        }
    }
}

//! A helper thread that syncs or compresses while the engine continues.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::thread::{Builder, JoinHandle};

use crate::env::Io;
use crate::error::{Error, Result};

type Job = Box<dyn FnOnce() + Send>;

/// Runs jobs one after the other, in order. Dropping it waits for the last one.
pub(super) struct HelperThread {
    name: &'static str,
    running: RefCell<Option<(Sender<Job>, JoinHandle<()>)>>,
}

impl HelperThread {
    /// A helper thread of that name. It starts with the first job.
    pub(super) fn new(name: &'static str) -> HelperThread {
        HelperThread { name, running: RefCell::new(None) }
    }

    /// Queues `work`. It runs even if the result is dropped; without a thread it runs here.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Io<T> {
        let slot = Arc::new(Slot::default());
        let promise = Promise(Arc::clone(&slot));
        let refused = self.send(Box::new(move || promise.0.set(work())));
        if let Some(job) = refused {
            job();
        }
        Io::pending(Answer(slot))
    }

    /// Waits until all queued jobs are done.
    pub(super) fn drain(&self) {
        if self.running.borrow().is_none() {
            return;
        }
        let (done, wait) = channel();
        let refused = self.send(Box::new(move || {
            let _ = done.send(());
        }));
        drop(refused);
        // An error means that the job was dropped, so the thread has ended: there is nothing to
        // wait for.
        let _ = wait.recv();
    }

    /// Returns the job if there is no thread to run it.
    fn send(&self, job: Job) -> Option<Job> {
        let mut running = self.running.borrow_mut();
        if running.is_none() {
            *running = start(self.name);
        }
        match &*running {
            Some((sender, _)) => sender.send(job).err().map(|refused| refused.0),
            None => Some(job),
        }
    }
}

/// This thread belongs to the storage, not to the engine, which never spawns.
fn start(name: &str) -> Option<(Sender<Job>, JoinHandle<()>)> {
    let (sender, jobs) = channel::<Job>();
    let work = move || jobs.into_iter().for_each(|job| job());
    let thread = Builder::new().name(name.to_string()).spawn(work).ok()?;
    Some((sender, thread))
}

impl Drop for HelperThread {
    fn drop(&mut self) {
        if let Some((sender, thread)) = self.running.take() {
            drop(sender);
            // A job that panicked has reported it to its waiter (see `Promise`).
            let _ = thread.join();
        }
    }
}

impl fmt::Debug for HelperThread {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("HelperThread")
            .field("name", &self.name)
            .field("running", &self.running.borrow().is_some())
            .finish()
    }
}

/// The slot for the thread's result.
struct Slot<T>(Mutex<State<T>>);

struct State<T> {
    answered: bool,
    answer: Option<Result<T>>,
    waker: Option<Waker>,
}

impl<T> Default for Slot<T> {
    fn default() -> Slot<T> {
        Slot(Mutex::new(State { answered: false, answer: None, waker: None }))
    }
}

impl<T> Slot<T> {
    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets the result, unless it is already set.
    fn set(&self, answer: Result<T>) {
        let waker = {
            let mut state = self.state();
            if std::mem::replace(&mut state.answered, true) {
                return;
            }
            state.answer = Some(answer);
            state.waker.take()
        };
        if let Some(waker) = waker {
            waker.wake();
        }
    }
}

/// The sending end: it sets a result even if the work panicked or never ran.
struct Promise<T>(Arc<Slot<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.0.state().answered {
            self.0.set(Err(Error::io(
                "",
                "work",
                ErrorKind::Other,
                "a helper thread stopped before its work was done",
            )));
        }
    }
}

struct Answer<T>(Arc<Slot<T>>);

impl<T> Future for Answer<T> {
    type Output = Result<T>;

    fn poll(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        let mut state = self.0.state();
        match state.answer.take() {
            Some(answer) => Poll::Ready(answer),
            None => {
                state.waker = Some(cx.waker().clone());
                Poll::Pending
            }
        }
    }
}

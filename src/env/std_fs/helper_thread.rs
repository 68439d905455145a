//! A helper thread, so that the engine's need not wait for the disk, or not compute it all by itself.

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

/// Does jobs one after the other, in the order given. Dropping it waits for the last one.
pub(super) struct HelperThread {
    name: &'static str,
    running: RefCell<Option<(Sender<Job>, JoinHandle<()>)>>,
}

impl HelperThread {
    /// One of that name. It starts with the first work.
    pub(super) fn new(name: &'static str) -> HelperThread {
        HelperThread { name, running: RefCell::new(None) }
    }

    /// Hands `work` over. It is done even if the answer is dropped; without a thread it is done here.
    pub(super) fn run<T: Send + 'static>(&self, work: impl FnOnce() -> Result<T> + Send + 'static) -> Io<T> {
        let slot = Arc::new(Slot::default());
        let promise = Promise(Arc::clone(&slot));
        let refused = self.send(Box::new(move || promise.0.set(work())));
        if let Some(job) = refused {
            job();
        }
        Io::pending(Answer(slot))
    }

    /// Waits until everything handed over so far is done.
    pub(super) fn drain(&self) {
        if self.running.borrow().is_none() {
            return;
        }
        let (done, wait) = channel();
        let refused = self.send(Box::new(move || {
            let _ = done.send(());
        }));
        drop(refused);
        // An error says that the job is gone undone, hence the thread too: nothing is left to wait for.
        let _ = wait.recv();
    }

    /// The job back if there is no thread to take it.
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

/// This is the storage's thread, not the engine's, which never spawns.
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
            // A job that panicked has told whoever waits for it (see `Promise`).
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

/// Where the thread leaves an answer.
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

    /// The answer, unless there was one already.
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

/// The end that owes the answer: it sets one even if the work panicked, or was never done.
struct Promise<T>(Arc<Slot<T>>);

impl<T> Drop for Promise<T> {
    fn drop(&mut self) {
        if !self.0.state().answered {
            self.0.set(Err(Error::io("", "work", ErrorKind::Other, "a helper thread gave its work up")));
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

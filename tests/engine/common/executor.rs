//! Runs several futures on this thread, in a random order from a seed.
//!
//! Only a future that was woken is polled, so that a lost wake-up shows as a deadlock.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, Wake, Waker};

use super::random::Random;

pub struct Executor<'a> {
    tasks: Vec<Option<Pin<Box<dyn Future<Output = ()> + 'a>>>>,
    woken: Vec<Arc<Woken>>,
    random: Random,
}

struct Woken(AtomicBool);

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.0.store(true, Ordering::Release);
    }
}

impl<'a> Executor<'a> {
    pub fn new(seed: u64) -> Executor<'a> {
        Executor { tasks: Vec::new(), woken: Vec::new(), random: Random::new(seed) }
    }

    pub fn spawn(&mut self, task: impl Future<Output = ()> + 'a) -> usize {
        self.tasks.push(Some(Box::pin(task)));
        self.woken.push(Arc::new(Woken(AtomicBool::new(true))));
        self.tasks.len() - 1
    }

    /// Polls one of the woken tasks. False if there is none.
    pub fn turn(&mut self) -> bool {
        let ready = |i: &usize| self.tasks[*i].is_some() && self.woken[*i].0.load(Ordering::Acquire);
        let ready: Vec<usize> = (0..self.tasks.len()).filter(ready).collect();
        if ready.is_empty() {
            return false;
        }
        let at = *self.random.pick(&ready);
        self.woken[at].0.store(false, Ordering::Release);
        let waker = Waker::from(self.woken[at].clone());
        if let Some(task) = &mut self.tasks[at]
            && let Poll::Ready(()) = task.as_mut().poll(&mut Context::from_waker(&waker))
        {
            self.tasks[at] = None;
        }
        true
    }

    /// Drops the task in any state.
    pub fn cancel(&mut self, task: usize) {
        self.tasks[task] = None;
    }

    pub fn is_done(&self) -> bool {
        self.tasks.iter().all(Option::is_none)
    }

    /// Runs until all are done; an error if some wait and none was woken.
    pub fn run(&mut self) -> Result<(), String> {
        while self.turn() {}
        if self.is_done() { Ok(()) } else { Err("tasks wait, but nobody will wake them".to_owned()) }
    }
}

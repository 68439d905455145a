//! State shared by a storage with faults and its files.
//!
//! The plans, the trace, and the calls in progress.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;

use super::rule::{FaultKind, FaultRule, Operation};
use super::trace::{Call, Trace};
use crate::env::testing::random::Seeded;
use crate::env::{Durability, Io};
use crate::error::Error;

/// Shared by the storage and its files; a file does not keep the storage, and so the lock, alive.
pub(super) struct Control {
    pub(super) durability: Durability,
    pub(super) rules: RefCell<Vec<FaultRule>>,
    pub(super) trace: RefCell<Trace>,
    pub(super) rng: RefCell<Seeded>,
    pub(super) faults: Cell<u64>,
    pub(super) stopped: Cell<bool>,
    pub(super) pending_percent: Cell<u8>,
    pub(super) exact: Cell<Option<bool>>,
    pub(super) stale: RefCell<Vec<u8>>,
    pub(super) open_files: Cell<usize>,
    pub(super) open_files_max: Cell<usize>,
}

impl Control {
    /// No faults so far.
    pub(super) fn new(durability: Durability, seed: u64) -> Control {
        Control {
            durability,
            rules: RefCell::default(),
            trace: RefCell::default(),
            rng: RefCell::new(Seeded::new(seed)),
            faults: Cell::new(0),
            stopped: Cell::new(false),
            pending_percent: Cell::new(0),
            exact: Cell::new(None),
            stale: RefCell::default(),
            open_files: Cell::new(0),
            open_files_max: Cell::new(usize::MAX),
        }
    }

    /// Counts and records a call, and finds its fault.
    pub(super) fn begin(
        self: &Rc<Self>,
        operation: Operation,
        name: &str,
        offset: u64,
        length: u64,
        checksum: u32,
    ) -> Turn {
        let call = Call { operation, name: name.to_string(), offset, length, checksum, outcome: "" };
        let at = self.trace.borrow_mut().begin(call);
        let turn = |fault| Turn { control: Rc::clone(self), at, operation, name: name.to_string(), fault };
        if self.stopped.get() {
            return turn(Some(Fault::Stopped));
        }
        let mut found = None;
        for rule in self.rules.borrow_mut().iter_mut() {
            let met = rule.meet(operation, name);
            found = found.or(met);
        }
        let Some((kind, stop)) = found else { return turn(None) };
        self.faults.set(self.faults.get().saturating_add(1));
        self.stopped.set(stop);
        turn(Some(Fault::Planned(kind)))
    }

    /// Makes the call now or, in pending mode, possibly after some polls.
    pub(super) fn soon<T: 'static>(&self, call: impl FnOnce() -> Io<T> + 'static) -> Io<T> {
        let polls = {
            let mut rng = self.rng.borrow_mut();
            let pending = self.pending_percent.get();
            if pending > 0 && rng.chance(pending) { rng.up_to(2).saturating_add(1) } else { 0 }
        };
        if polls == 0 {
            return call();
        }
        Io::pending(async move {
            polled_again(polls).await;
            call().await
        })
    }
}

/// Counts one open file.
pub(super) struct OpenFile(Rc<Control>);

impl OpenFile {
    pub(super) fn new(control: &Rc<Control>) -> OpenFile {
        control.open_files.set(control.open_files.get().saturating_add(1));
        OpenFile(Rc::clone(control))
    }
}

impl Drop for OpenFile {
    fn drop(&mut self) {
        self.0.open_files.set(self.0.open_files.get().saturating_sub(1));
    }
}

/// One call in progress.
pub(super) struct Turn {
    pub(super) control: Rc<Control>,
    pub(super) at: usize,
    pub(super) operation: Operation,
    pub(super) name: String,
    pub(super) fault: Option<Fault>,
}

pub(super) enum Fault {
    Planned(FaultKind),
    Stopped,
}

impl Turn {
    /// The call, with the faults that apply to every operation.
    pub(super) fn plainly<T: 'static>(self, call: impl FnOnce() -> Io<T>) -> Io<T> {
        let io = match &self.fault {
            Some(Fault::Stopped) => {
                let message = "the storage was stopped by a planned fault";
                Io::ready(Err(Error::io(&self.name, self.operation.name(), ErrorKind::Other, message)))
            }
            Some(Fault::Planned(FaultKind::Fail(kind))) => Io::ready(Err(self.error(*kind))),
            Some(Fault::Planned(FaultKind::Fenced)) => Io::ready(Err(Error::Fenced("as planned".to_string()))),
            Some(Fault::Planned(FaultKind::FailAfter(kind))) => {
                let error = self.error(*kind);
                call().map(|done| done.and(Err(error)))
            }
            _ => call(),
        };
        self.end(io)
    }

    /// Records the result.
    pub(super) fn end<T: 'static>(self, io: Io<T>) -> Io<T> {
        io.map(move |result| {
            let outcome = result.as_ref().map_or_else(|error| error.code(), |_| "ok");
            self.control.trace.borrow_mut().end(self.at, outcome);
            result
        })
    }

    pub(super) fn error(&self, kind: ErrorKind) -> Error {
        Error::io(&self.name, self.operation.name(), kind, format!("planned fault ({kind})"))
    }
}

/// Ready at poll number `polls + 1`; wakes itself until then.
async fn polled_again(polls: usize) {
    let mut left = polls;
    poll_fn(move |cx| {
        if left == 0 {
            return Poll::Ready(());
        }
        left = left.saturating_sub(1);
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

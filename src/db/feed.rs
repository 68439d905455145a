//! What was committed, kept for watches until they have read it.
//!
//! ```text
//! commit -> [ batch | batch | clear | batch ] -> watches, each at its own position
//!           '--- 1 MiB, shared by all ------'
//! ```
//! While a range is being deleted, everything from its beginning on is held back, and the batches
//! of single deletions are hidden: when all of them are committed, the range is told in their place.

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::rc::{Rc, Weak};
use std::task::Waker;

use crate::base::SequenceNumber;
use crate::batch::WriteBatch;

/// Bytes kept. The newest batch stays, whatever its size.
const KEPT_MAX: usize = 1 << 20;
/// Bytes counted for a batch in addition to its own.
const OVERHEAD: usize = 64;

/// Keys from the first to before the second.
pub(crate) type OwnedRange = (Option<Vec<u8>>, Option<Vec<u8>>);

/// What one commit did.
#[derive(Clone)]
pub(crate) enum Committed {
    Batch(Rc<WriteBatch>),
    /// Everything in the range was deleted.
    Clear(Rc<OwnedRange>),
}

struct Kept {
    last: SequenceNumber,
    /// The hidden batches that belong to it end here.
    until: SequenceNumber,
    bytes: usize,
    committed: Committed,
}

/// The newest commits, and the watches that wait for more.
#[derive(Default)]
pub(crate) struct Feed {
    /// The only field that a write reads while nobody watches.
    watches: Cell<usize>,
    state: RefCell<State>,
}

/// Invariants:
/// 1. `kept` is in order, and each of its entries ends after `start`.
/// 2. Every commit after `start` is in `kept`, or hidden by an entry in it.
#[derive(Default)]
struct State {
    start: SequenceNumber,
    kept: VecDeque<Kept>,
    bytes: usize,
    /// The end of the last hidden batch.
    hidden: SequenceNumber,
    /// For each deletion of a range under way: the last commit before it.
    held: Vec<SequenceNumber>,
    wakers: Vec<Waker>,
}

impl Feed {
    #[inline]
    pub(crate) fn is_watched(&self) -> bool {
        self.watches.get() > 0
    }

    /// Adds a watch. `last` is the last sequence number.
    pub(crate) fn enter(&self, last: SequenceNumber) {
        if !self.is_watched() {
            self.state.borrow_mut().start = last;
        }
        self.watches.set(self.watches.get() + 1);
    }

    pub(crate) fn leave(&self) {
        self.watches.set(self.watches.get().saturating_sub(1));
        if !self.is_watched() {
            self.state.borrow_mut().forget();
        }
    }

    /// Keeps a batch that was committed; call it only while it is watched.
    pub(crate) fn push(&self, last: SequenceNumber, batch: WriteBatch) {
        self.state.borrow_mut().push(last, last, batch);
        self.wake();
    }

    /// Begins to hold back: `batch`, of one deletion after `before`, is the first of `hold`'s.
    pub(crate) fn begin(&self, hold: &Weak<Hold>, before: SequenceNumber, last: SequenceNumber, batch: WriteBatch) {
        match hold.upgrade() {
            Some(hold) => hold.place.set(Some((before, last))),
            // It was given up during the commit: this is a deletion like any other.
            None if self.is_watched() => return self.push(last, batch),
            None => return,
        }
        let mut state = self.state.borrow_mut();
        state.held.push(before);
        if self.is_watched() {
            state.push(last, SequenceNumber::MAX, batch);
        }
    }

    /// Adds a further batch of single deletions.
    pub(crate) fn go_on(&self, first: SequenceNumber, last: SequenceNumber, batch: WriteBatch) {
        let mut state = self.state.borrow_mut();
        if state.kept.iter().any(|kept| kept.last == first && kept.until == SequenceNumber::MAX) {
            state.hidden = last;
        } else if self.is_watched() {
            state.push(last, last, batch);
        }
    }

    /// Returns the last commit that may be told; `last` is the last sequence number.
    pub(crate) fn end(&self, last: SequenceNumber) -> SequenceNumber {
        self.state.borrow().held.iter().copied().min().unwrap_or(last)
    }

    /// All commits after this one are kept.
    pub(crate) fn start(&self) -> SequenceNumber {
        self.state.borrow().start
    }

    /// Returns the first commit that ends after `position`, and its end.
    pub(crate) fn after(&self, position: SequenceNumber) -> Option<(SequenceNumber, Committed)> {
        let state = self.state.borrow();
        let at = state.kept.partition_point(|kept| kept.last <= position);
        state.kept.get(at).map(|kept| (kept.last, kept.committed.clone()))
    }

    /// Wakes the task once more was committed.
    pub(crate) fn wait(&self, waker: &Waker) {
        let mut state = self.state.borrow_mut();
        if !state.wakers.iter().any(|known| known.will_wake(waker)) {
            state.wakers.push(waker.clone());
        }
    }

    pub(crate) fn wake(&self) {
        let wakers = std::mem::take(&mut self.state.borrow_mut().wakers);
        for waker in wakers {
            waker.wake();
        }
    }
}

impl State {
    fn push(&mut self, last: SequenceNumber, until: SequenceNumber, batch: WriteBatch) {
        let bytes = batch.byte_size().saturating_add(OVERHEAD);
        self.kept.push_back(Kept { last, until, bytes, committed: Committed::Batch(Rc::new(batch)) });
        self.bytes = self.bytes.saturating_add(bytes);
        while self.bytes > KEPT_MAX && self.kept.len() > 1 {
            let Some(oldest) = self.kept.pop_front() else { return };
            self.bytes = self.bytes.saturating_sub(oldest.bytes);
            // Without it, the batches that it hides would be missing.
            self.start = oldest.until.min(last.max(self.hidden));
            while let Some(next) = self.kept.front().filter(|next| next.last <= self.start) {
                self.bytes = self.bytes.saturating_sub(next.bytes);
                self.kept.pop_front();
            }
        }
    }

    fn forget(&mut self) {
        self.kept.clear();
        self.bytes = 0;
    }

    /// Ends a deletion of a range.
    fn release(&mut self, (before, first): (SequenceNumber, SequenceNumber), cleared: Option<Rc<OwnedRange>>) {
        if let Some(at) = self.held.iter().position(|held| *held == before) {
            self.held.swap_remove(at);
        }
        let newest = self.kept.back().map_or(self.start, |kept| kept.last);
        let hidden = self.hidden;
        let Some(kept) = self.kept.iter_mut().find(|kept| kept.last == first && kept.until == SequenceNumber::MAX)
        else {
            return;
        };
        match cleared {
            Some(range) => {
                kept.until = hidden.max(first);
                kept.committed = Committed::Clear(range);
            }
            // Some of it was deleted: the logs may tell what.
            None => {
                self.forget();
                self.start = newest.max(hidden);
            }
        }
    }
}

/// A deletion of a range under way.
pub(crate) struct Hold {
    feed: Rc<Feed>,
    pub(crate) range: Rc<OwnedRange>,
    /// The last commit before it, and its first.
    place: Cell<Option<(SequenceNumber, SequenceNumber)>>,
    is_done: Cell<bool>,
}

impl Hold {
    pub(crate) fn new(feed: &Rc<Feed>, range: OwnedRange) -> Rc<Hold> {
        let (place, is_done) = (Cell::new(None), Cell::new(false));
        Rc::new(Hold { feed: feed.clone(), range: Rc::new(range), place, is_done })
    }

    /// Notes that everything in the range was deleted.
    pub(crate) fn done(&self) {
        self.is_done.set(true);
    }
}

impl Drop for Hold {
    fn drop(&mut self) {
        if let Some(place) = self.place.get() {
            let cleared = self.is_done.get().then(|| self.range.clone());
            self.feed.state.borrow_mut().release(place, cleared);
            self.feed.wake();
        }
    }
}

#[cfg(test)]
mod tests;

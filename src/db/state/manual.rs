//! A compaction that the user requested, and its progress.

use std::cell::{Cell, RefCell};

use crate::base::FileNumber;
use crate::error::{Error, Result};
use crate::version::UserRange;

/// What a manual compaction aims at, decided when it begins.
#[derive(Clone, Copy)]
pub(crate) struct Goal {
    /// The deepest level with keys of the range: the others are merged into it, and its tables are
    /// rewritten.
    pub(crate) last_level: usize,
    /// Tables numbered from here on are new, and are not rewritten.
    pub(crate) since: FileNumber,
}

/// A range that the user asked to compact, level by level.
pub(crate) struct ManualCompaction {
    begin: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    level: Cell<usize>,
    /// Start of the next round in this level.
    next: RefCell<Option<Vec<u8>>>,
    goal: Cell<Option<Goal>>,
    done: Cell<bool>,
    /// Damage that kept a part of the range from being compacted.
    error: RefCell<Option<Error>>,
}

impl ManualCompaction {
    pub(crate) fn new((begin, end): UserRange<'_>) -> ManualCompaction {
        ManualCompaction {
            begin: begin.map(<[u8]>::to_vec),
            end: end.map(<[u8]>::to_vec),
            level: Cell::new(0),
            next: RefCell::new(begin.map(<[u8]>::to_vec)),
            goal: Cell::new(None),
            done: Cell::new(false),
            error: RefCell::new(None),
        }
    }

    pub(crate) fn range(&self) -> UserRange<'_> {
        (self.begin.as_deref(), self.end.as_deref())
    }

    /// Returns the goal; `decide` is called if there is none yet.
    pub(super) fn goal_or(&self, decide: impl FnOnce() -> Goal) -> Goal {
        let goal = self.goal.get().unwrap_or_else(decide);
        self.goal.set(Some(goal));
        goal
    }

    /// Returns the level to compact into the next, or to rewrite if it is the last; none if all are
    /// done.
    pub(super) fn level(&self, goal: Goal) -> Option<usize> {
        Some(self.level.get()).filter(|level| *level <= goal.last_level)
    }

    /// Returns the number from which tables are new, if `level` is to be rewritten.
    pub(super) fn rewrites(&self, level: usize) -> Option<FileNumber> {
        self.goal.get().filter(|goal| goal.last_level == level).map(|goal| goal.since)
    }

    /// Returns the number from which tables are new.
    pub(super) fn since(&self) -> Option<FileNumber> {
        self.goal.get().map(|goal| goal.since)
    }

    pub(crate) fn is_rewriting(&self, level: usize) -> bool {
        self.rewrites(level).is_some()
    }

    /// Returns the start of the next round in this level.
    pub(crate) fn next(&self) -> Option<Vec<u8>> {
        self.next.borrow().clone()
    }

    /// Sets the start of the next round; returns whether that is progress.
    pub(crate) fn reached(&self, key: Vec<u8>) -> bool {
        let is_new = self.next.borrow().as_ref() != Some(&key);
        self.next.replace(Some(key));
        is_new
    }

    /// Finishes this level.
    pub(crate) fn descend(&self) {
        self.level.set(self.level.get() + 1);
        self.next.replace(self.begin.clone());
    }

    /// Records that a part of the range cannot be compacted; the first reason is kept.
    pub(crate) fn note_damage(&self, error: impl FnOnce() -> Error) {
        self.error.borrow_mut().get_or_insert_with(error);
    }

    pub(crate) fn is_done(&self) -> bool {
        self.done.get()
    }

    pub(super) fn finish(&self) {
        self.done.set(true);
    }

    pub(super) fn fail(&self, error: &Error) {
        self.error.replace(Some(error.clone()));
        self.done.set(true);
    }

    /// Returns the result.
    pub(crate) fn result(&self) -> Result<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

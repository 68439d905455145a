//! Iterates over a memtable that may grow meanwhile.

use std::cell::{Cell, OnceCell};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::arena::Link;
use super::node::Target;
use super::tree::{Place, Tree};
use super::{MemTable, Position, place_now};
use crate::error::Result;
use crate::iter::{InternalIterator, Step};

/// The buffer for values is kept for reuse up to this capacity.
const BUFFER_KEPT_MAX: usize = 64 << 10;

/// An iterator over the internal keys of a memtable. Every move is `Done` at once.
///
/// Invariant: `key`, and `value` once it was read, are copies of the entry at `position`;
/// `value_len` is its value's length.
pub(crate) struct MemTableIterator {
    table: Rc<MemTable>,
    position: Option<Position>,
    key: Vec<u8>,
    /// Filled on demand: a merge skips many values unread.
    value: OnceCell<Vec<u8>>,
    spare: Cell<Vec<u8>>,
    value_len: usize,
}

impl std::fmt::Debug for MemTableIterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MemTableIterator").field("position", &self.position).finish_non_exhaustive()
    }
}

impl MemTable {
    /// An iterator over internal keys. It sees entries inserted meanwhile.
    pub(crate) fn iter(self: &Rc<Self>) -> MemTableIterator {
        MemTableIterator::new(Rc::clone(self))
    }
}

impl MemTableIterator {
    fn new(table: Rc<MemTable>) -> MemTableIterator {
        let (value, spare) = (OnceCell::new(), Cell::default());
        MemTableIterator { table, position: None, key: Vec::new(), value, spare, value_len: 0 }
    }

    /// Moves to the entry that `find` returns.
    #[inline]
    fn go(&mut self, find: impl FnOnce(&Tree, Option<Position>) -> Option<(Place, Link)>) -> Step {
        if let Some(mut value) = self.value.take()
            && value.capacity() <= BUFFER_KEPT_MAX
        {
            value.clear();
            self.spare.set(value);
        }
        self.key.clear();
        self.value_len = 0;
        let tree = self.table.tree.borrow();
        self.position =
            find(&tree, self.position).map(|(place, link)| Position { link, place, version: tree.version() });
        if let Some(position) = self.position {
            let (key, value) = tree.entry(position.link);
            self.key.extend_from_slice(key);
            self.value_len = value.len();
        }
        Step::Done
    }
}

impl InternalIterator for MemTableIterator {
    fn valid(&self) -> bool {
        self.position.is_some()
    }

    fn key(&self) -> &[u8] {
        &self.key
    }

    fn value(&self) -> &[u8] {
        let Some(position) = self.position else { return &[] };
        self.value.get_or_init(|| {
            let mut value = self.spare.take();
            value.extend_from_slice(self.table.tree.borrow().entry(position.link).1);
            value
        })
    }

    #[inline]
    fn value_len(&self) -> usize {
        self.value_len
    }

    fn status(&self) -> Result<()> {
        Ok(())
    }

    fn seek_to_first(&mut self) -> Step {
        self.go(|tree, _| tree.first())
    }

    fn seek_to_last(&mut self) -> Step {
        self.go(|tree, _| tree.last())
    }

    fn seek(&mut self, target: &[u8]) -> Step {
        self.go(|tree, _| tree.seek(Target::new(target)))
    }

    fn next(&mut self) -> Step {
        self.go(|tree, position| tree.next(place_now(tree, position?)?))
    }

    fn prev(&mut self) -> Step {
        self.go(|tree, position| tree.previous(place_now(tree, position?)?))
    }

    fn poll_fill(&mut self, _: &mut Context<'_>) -> Poll<()> {
        Poll::Ready(())
    }

    fn resume(&mut self) -> Step {
        Step::Done
    }
}

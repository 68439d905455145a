//! The sorted write buffer: what was written and is not yet in a table.
//!
//! ```text
//! put, delete -> MemTable -> tree.rs (order, in nodes of node.rs) -> arena.rs (bytes)
//! ```
//! Entries are added and never changed or removed; a later write of the same key is another entry with a higher sequence,
//! which sorts first. Room is reserved before the log is written ([`MemTable::reserve`]), so that the insert after it cannot
//! fail.

mod arena;
mod iter;
mod node;
mod tree;

#[cfg(test)]
#[expect(clippy::cast_possible_truncation, reason = "test numbers are small")]
mod tests;

pub(crate) use iter::MemTableIterator;

use std::cell::RefCell;
use std::fmt;

use crate::base::{InternalKeyComparator, LookupKey, SequenceNumber, Tag, ValueType};
use crate::error::Result;
use arena::Link;
use node::Target;
use tree::{Place, Tree};

/// Bytes of a tag.
const TAG_SIZE: usize = 8;
/// What an entry counts in [`MemTable::logical_size`] beside its key, tag and value: about what link, head and lengths take
/// (8 + 12 / 0.7 with leaves 70 % full), and what LevelDB's skip list takes.
pub(crate) const ENTRY_OVERHEAD: usize = 24;

/// Entries in the order of their internal keys. Shared: the writer and all iterators hold the same one.
///
/// Invariant: no borrow of `tree` outlives a call, and no call makes one while it holds another.
pub(crate) struct MemTable {
    tree: RefCell<Tree>,
    size: std::cell::Cell<usize>,
}

/// What a memtable knows of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemGet {
    /// It has this value.
    Value(Vec<u8>),
    /// It was deleted.
    Deleted,
}

/// An entry, and where the tree of that version has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Position {
    link: Link,
    place: Place,
    version: u64,
}

impl fmt::Debug for MemTable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MemTable").field("len", &self.len()).field("logical_size", &self.logical_size()).finish()
    }
}

impl MemTable {
    /// An empty memtable, sorted by `order`.
    pub(crate) fn new(order: InternalKeyComparator) -> MemTable {
        MemTable { tree: RefCell::new(Tree::new(order)), size: std::cell::Cell::new(0) }
    }

    /// Makes room so that the next `entries` inserts, with `bytes` bytes of keys and values together (or fewer), cannot fail.
    pub(crate) fn reserve(&self, entries: u32, bytes: usize) -> Result<()> {
        let tags = usize::try_from(entries).unwrap_or(usize::MAX).saturating_mul(TAG_SIZE);
        self.tree.borrow_mut().reserve(entries, bytes.saturating_add(tags))
    }

    /// Adds an entry, for which room was reserved. No two entries have the same key and sequence.
    pub(crate) fn insert(&self, sequence: SequenceNumber, value_type: ValueType, key: &[u8], value: &[u8]) {
        let tag = Tag::new(sequence, value_type).packed();
        let inserted = self.tree.borrow_mut().insert(Target { user_key: key, tag }, value);
        debug_assert!(inserted.is_some(), "no room was reserved");
        let size = key.len().saturating_add(value.len()).saturating_add(TAG_SIZE + ENTRY_OVERHEAD);
        self.size.set(self.size.get().saturating_add(size));
    }

    /// The newest entry of the key at or before the sequence looked for; without `copy`, its value is left out.
    pub(crate) fn get(&self, lookup: &LookupKey, copy: bool) -> Option<MemGet> {
        let tree = self.tree.borrow();
        let (tag, value) = tree.get(Target::new(lookup.internal_key()))?;
        let [type_byte, ..] = tag.to_le_bytes();
        match ValueType::from_byte(type_byte)? {
            ValueType::Value => Some(MemGet::Value(if copy { value.to_vec() } else { Vec::new() })),
            ValueType::Deletion => Some(MemGet::Deleted),
        }
    }

    /// Bytes of keys, tags and values, and [`ENTRY_OVERHEAD`] for each entry: the same on all platforms.
    pub(crate) fn logical_size(&self) -> usize {
        self.size.get()
    }

    /// Bytes of keys and values of the entries from `begin` to before `end`, overwritten and deleted ones too. `begin` must
    /// not be behind `end`.
    pub(crate) fn size_between(&self, begin: &[u8], end: &[u8]) -> usize {
        let tree = self.tree.borrow();
        let first_of = |user_key| {
            let tag = Tag::new(SequenceNumber::MAX, ValueType::Value).packed();
            tree.seek(Target { user_key, tag })
        };
        let stop = first_of(end).map(|(_, link)| link);
        let mut at = first_of(begin);
        let mut size = 0usize;
        while let Some((place, link)) = at.filter(|(_, link)| Some(*link) != stop) {
            let (key, value) = tree.entry(link);
            size = size.saturating_add(key.len()).saturating_add(value.len());
            at = tree.next(place);
        }
        size
    }

    /// How many entries.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.tree.borrow().count()).unwrap_or(usize::MAX)
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.borrow().count() == 0
    }
}

/// Where the entry is, in the tree as it is now.
#[inline]
fn place_now(tree: &Tree, position: Position) -> Option<Place> {
    if position.version == tree.version() {
        return Some(position.place);
    }
    let (key, _) = tree.entry(position.link);
    tree.seek(Target::new(key)).map(|(place, _)| place)
}

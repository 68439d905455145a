//! The sorted write buffer: writes that are not in a table yet.
//!
//! ```text
//! put, delete -> MemTable -> tree.rs (order, in nodes of node.rs) -> arena.rs (bytes)
//! ```
//! Entries are added and never changed or removed; a later write of the same key is another entry
//! with a higher sequence number, which sorts first. Room is reserved before the log is written
//! ([`MemTable::reserve`]), so that the insert after it cannot fail.

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

/// Size of a tag.
const TAG_SIZE: usize = 8;
/// Bytes counted per entry in [`MemTable::logical_size`] besides its key, tag and value.
///
/// About the size of link, head and lengths (8 + 12 / 0.7 with leaves 70 % full), which is about
/// that of a node of LevelDB's skip list.
pub(crate) const ENTRY_OVERHEAD: usize = 24;

/// Entries in the order of their internal keys. Shared by the writer and all iterators.
///
/// Invariant: a borrow of `tree` ends with the call, and no call nests one in another.
pub(crate) struct MemTable {
    tree: RefCell<Tree>,
    size: std::cell::Cell<usize>,
}

/// The result of looking up a key in a memtable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum MemGet {
    /// It has this value.
    Value(Vec<u8>),
    /// It was deleted.
    Deleted,
}

/// An entry, and its position in this version of the tree.
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
    /// An empty memtable with this order of keys.
    pub(crate) fn new(order: InternalKeyComparator) -> MemTable {
        MemTable { tree: RefCell::new(Tree::new(order)), size: std::cell::Cell::new(0) }
    }

    /// Reserves room so that the next `entries` inserts cannot fail.
    ///
    /// They may have up to `bytes` bytes of keys and values in total.
    pub(crate) fn reserve(&self, entries: u32, bytes: usize) -> Result<()> {
        let tags = usize::try_from(entries).unwrap_or(usize::MAX).saturating_mul(TAG_SIZE);
        self.tree.borrow_mut().reserve(entries, bytes.saturating_add(tags))
    }

    /// Adds an entry, for which room was reserved. Key and sequence number together must be unique.
    pub(crate) fn insert(&self, sequence: SequenceNumber, value_type: ValueType, key: &[u8], value: &[u8]) {
        let tag = Tag::new(sequence, value_type).packed();
        let inserted = self.tree.borrow_mut().insert(Target { user_key: key, tag }, value);
        debug_assert!(inserted.is_some(), "no room was reserved");
        let size = key.len().saturating_add(value.len()).saturating_add(TAG_SIZE + ENTRY_OVERHEAD);
        self.size.set(self.size.get().saturating_add(size));
    }

    /// The newest entry of the key at or before the requested sequence number.
    ///
    /// Without `copy`, its value is omitted.
    pub(crate) fn get(&self, lookup: &LookupKey, copy: bool) -> Option<MemGet> {
        let tree = self.tree.borrow();
        let (tag, value) = tree.get(Target::new(lookup.internal_key()))?;
        let [type_byte, ..] = tag.to_le_bytes();
        match ValueType::from_byte(type_byte)? {
            ValueType::Value => Some(MemGet::Value(if copy { value.to_vec() } else { Vec::new() })),
            ValueType::Deletion => Some(MemGet::Deleted),
        }
    }

    /// The sequence number of the newest entry of the key.
    pub(crate) fn newest(&self, user_key: &[u8]) -> Option<SequenceNumber> {
        let tag = Tag::new(SequenceNumber::MAX, ValueType::Value).packed();
        let tree = self.tree.borrow();
        let (tag, _) = tree.get(Target { user_key, tag })?;
        Some(Tag::decode(tag).ok()?.0)
    }

    /// Bytes of keys, tags and values, plus [`ENTRY_OVERHEAD`] per entry.
    ///
    /// The same on all platforms.
    pub(crate) fn logical_size(&self) -> usize {
        self.size.get()
    }

    /// Bytes of keys and values of the entries from `begin` to before `end`.
    ///
    /// Overwritten and deleted ones are included. `begin` must not be after `end`.
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

    /// The number of entries.
    pub(crate) fn len(&self) -> usize {
        usize::try_from(self.tree.borrow().count()).unwrap_or(usize::MAX)
    }

    /// Whether there are no entries.
    pub(crate) fn is_empty(&self) -> bool {
        self.tree.borrow().count() == 0
    }
}

/// The position of the entry in the current tree.
#[inline]
fn place_now(tree: &Tree, position: Position) -> Option<Place> {
    if position.version == tree.version() {
        return Some(position.place);
    }
    let (key, _) = tree.entry(position.link);
    tree.seek(Target::new(key)).map(|(place, _)| place)
}

//! An arena B+tree: entries stay at their address in the arena, nodes hold links to them in order.
//!
//! For each link, a node stores eight bytes of the entry's user key: its **head**, big-endian and
//! padded with zeros. A search compares these adjacent integers, and reads an entry itself only if
//! heads are equal. Heads begin after the common prefix of a node's keys. This prefix is known
//! without reading entries: the keys of a subtree lie between two **fences**, the separators beside
//! it, and share the prefix that these share. At the left and right edge, where a fence is missing,
//! it is the common prefix of all keys of the tree.
//!
//! ```text
//! inner     head   head   head            separator i is the first key that child i + 1 ever had
//!           tail   tail   tail            the eight bytes after the head
//!           link   link   link
//!        child  child  child  child
//! leaf      head   head   head            -> next leaf, <- leaf before
//!           link   link   link
//! ```
//! In a tree of `user/01` and `user/02`, both heads begin after `user/0`: `31 00 00 00 00 00 00 00`
//! and `32 00 ...`.
//!
//! In any order but bytewise, all heads are 0 and every comparison reads the entry.
//!
//! A full node is split in the middle. One exception: if the last leaf is full and a key comes
//! after it, a new leaf is begun, so that ascending keys fill their leaves.

#[cfg(test)]
mod check;
mod grow;

use std::cmp::Ordering;

use super::arena::{Arena, ENTRY_OVERHEAD_MAX, Link};
use super::node::{FANOUT, Inner, Leaf, NONE, Target};
use crate::base::{HEAD_SIZE, InternalKeyComparator, UserComparator, compare_from, head_at};
use crate::error::{Error, Result};

/// No tree of 2^32 entries is higher.
///
/// Inner nodes, except those at the right edge, have 32 children or more.
const HEIGHT_MAX: usize = 10;
/// The position of an entry in the current tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    leaf: u32,
    index: usize,
}

/// The path from the root to a leaf.
#[derive(Default)]
struct Path {
    /// Node and index of its child.
    steps: [(u32, usize); HEIGHT_MAX],
    low: Option<Link>,
    high: Option<Link>,
}

/// The entries in order.
///
/// Invariants:
/// 1. Links of a leaf are in ascending order of their entries; so are the leaves, by `next`.
/// 2. Every key below child i of an inner node is at or after separator i - 1 and before separator
///    i.
/// 3. All keys of the tree begin with the first `common` bytes of the user key of `sample`.
/// 4. All keys that lie between a node's fences agree in the first `skip` bytes.
#[derive(Debug)]
pub(super) struct Tree {
    arena: Arena,
    leaves: Vec<Leaf>,
    inners: Vec<Inner>,
    /// An inner node if `height` is above 0, else a leaf.
    root: u32,
    height: usize,
    last_leaf: u32,
    /// Fewer than 2^31: an entry takes 16 bytes of the arena's 16 GiB or more.
    count: u32,
    /// Increases with every insert.
    version: u64,
    sample: Link,
    common: usize,
    order: InternalKeyComparator,
    bytewise: bool,
}

fn at<T>(items: &[T], index: u32) -> Option<&T> {
    usize::try_from(index).ok().and_then(|index| items.get(index))
}

fn at_mut<T>(items: &mut [T], index: u32) -> Option<&mut T> {
    usize::try_from(index).ok().and_then(|index| items.get_mut(index))
}

/// The index that the next pushed item will have.
fn next_index<T>(items: &[T]) -> u32 {
    u32::try_from(items.len()).unwrap_or(NONE)
}

impl Tree {
    /// An empty tree.
    pub(super) fn new(order: InternalKeyComparator) -> Tree {
        let bytewise = matches!(order.user(), UserComparator::Bytewise);
        Tree {
            arena: Arena::default(),
            leaves: Vec::new(),
            inners: Vec::new(),
            root: 0,
            height: 0,
            last_leaf: 0,
            count: 0,
            version: 0,
            sample: 0,
            common: 0,
            order,
            bytewise,
        }
    }

    /// The number of entries.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Changes whenever the tree does: positions of another version are invalid.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The internal key and value of an entry.
    #[inline]
    pub(super) fn entry(&self, link: Link) -> (&[u8], &[u8]) {
        self.arena.entry(link)
    }

    /// Reserves room so that `entries` inserts cannot fail.
    ///
    /// They may have up to `bytes` bytes of internal keys and values in total.
    #[inline]
    pub(super) fn reserve(&mut self, entries: u32, bytes: usize) -> Result<()> {
        let count = usize::try_from(entries).unwrap_or(usize::MAX);
        self.arena.reserve(bytes.saturating_add(count.saturating_mul(ENTRY_OVERHEAD_MAX)))?;
        // Every leaf may be full and split once; each new leaf then needs half a leaf of inserts to
        // fill again. A leaf left full at the right edge is the exception, once per filled leaf.
        let filled = count / (FANOUT / 4);
        let leaves = count.min(self.leaves.len().saturating_add(filled)).saturating_add(2);
        let inners = count.min(self.inners.len().saturating_add(filled)).saturating_add(HEIGHT_MAX);
        if self.leaves.capacity() - self.leaves.len() >= leaves && self.inners.capacity() - self.inners.len() >= inners
        {
            return Ok(());
        }
        self.reserve_nodes(leaves, inners)
    }

    #[cold]
    fn reserve_nodes(&mut self, leaves: usize, inners: usize) -> Result<()> {
        self.leaves
            .try_reserve(leaves)
            .and_then(|()| self.inners.try_reserve(inners))
            .map_err(|_| Error::LimitExceeded(format!("no memory for {leaves} more leaves of a memtable")))
    }

    /// Adds an entry. Fails only if no room was reserved for it and none can be allocated.
    pub(super) fn insert(&mut self, target: Target<'_>, value: &[u8]) -> Option<()> {
        let link = self.arena.push(target.user_key, target.tag, value)?;
        self.version += 1;
        self.count += 1;
        if self.leaves.is_empty() {
            self.begin(target, link);
            return Some(());
        }
        self.admit(target);
        if self.append(target, link) {
            return Some(());
        }
        let mut path = Path::default();
        let leaf = self.descend(target, Some(&mut path));
        let Some(keys) = at(&self.leaves, leaf).map(|leaf| &leaf.keys) else { return Some(()) };
        let head = self.head(target.user_key, keys.skip);
        let index = keys.search(head, |_, link| self.compare(link, target, keys.skip) == Ordering::Less);
        if !keys.is_full() {
            if let Some(leaf) = at_mut(&mut self.leaves, leaf) {
                leaf.keys.insert(index, head, link);
            }
        } else {
            self.split_leaf(&path, leaf, index, target, link);
        }
        Some(())
    }

    /// The capacity of the tree's memory.
    #[cfg(test)]
    pub(super) fn capacities(&self) -> (usize, usize, usize) {
        (self.leaves.capacity(), self.inners.capacity(), self.arena.chunk_count())
    }

    /// The first entry at or after the target.
    #[inline]
    pub(super) fn seek(&self, target: Target<'_>) -> Option<(Place, Link)> {
        if self.common > 0 {
            match self.compare_with_common(target) {
                Ordering::Equal => {}
                Ordering::Less => return self.first(),
                Ordering::Greater => return None,
            }
        }
        let leaf = self.descend(target, None);
        let keys = &at(&self.leaves, leaf)?.keys;
        let index = keys.search(self.head(target.user_key, keys.skip), |_, link| {
            self.compare(link, target, keys.skip) == Ordering::Less
        });
        self.at_or_behind(Place { leaf, index })
    }

    /// The tag and value of the first entry at or after the target, if it has the same user key.
    #[inline]
    pub(super) fn get(&self, target: Target<'_>) -> Option<(u64, &[u8])> {
        let (_, link) = self.seek(target)?;
        let (key, value) = self.arena.entry(link);
        let found = Target::new(key);
        let same = self.compare_user_keys(found.user_key, target.user_key, 0) == Ordering::Equal;
        same.then_some((found.tag, value))
    }

    /// The first entry.
    pub(super) fn first(&self) -> Option<(Place, Link)> {
        self.at_or_behind(Place { leaf: 0, index: 0 })
    }

    /// The last entry.
    pub(super) fn last(&self) -> Option<(Place, Link)> {
        let keys = &at(&self.leaves, self.last_leaf)?.keys;
        let index = keys.count.checked_sub(1)?;
        Some((Place { leaf: self.last_leaf, index }, *keys.links().get(index)?))
    }

    /// The next entry after a position of this version.
    #[inline]
    pub(super) fn next(&self, place: Place) -> Option<(Place, Link)> {
        self.at_or_behind(Place { leaf: place.leaf, index: place.index + 1 })
    }

    /// The previous entry before a position of this version.
    #[inline]
    pub(super) fn previous(&self, place: Place) -> Option<(Place, Link)> {
        let leaf = at(&self.leaves, place.leaf)?;
        if let Some(index) = place.index.checked_sub(1) {
            return Some((Place { leaf: place.leaf, index }, *leaf.keys.links().get(index)?));
        }
        let keys = &at(&self.leaves, leaf.previous)?.keys;
        let index = keys.count.checked_sub(1)?;
        Some((Place { leaf: leaf.previous, index }, *keys.links().get(index)?))
    }

    /// The entry at a position, or the first of the next leaf if the position is at the end of a
    /// leaf.
    #[inline]
    fn at_or_behind(&self, place: Place) -> Option<(Place, Link)> {
        let leaf = at(&self.leaves, place.leaf)?;
        if let Some(link) = leaf.keys.links().get(place.index) {
            return Some((place, *link));
        }
        let link = *at(&self.leaves, leaf.next)?.keys.links().first()?;
        Some((Place { leaf: leaf.next, index: 0 }, link))
    }

    /// The order of the entry and the target; the first `same` bytes of their user keys are equal.
    #[inline]
    fn compare(&self, link: Link, target: Target<'_>, same: usize) -> Ordering {
        let entry = Target::new(self.arena.key(link));
        self.compare_user_keys(entry.user_key, target.user_key, same).then_with(|| target.tag.cmp(&entry.tag))
    }

    /// The order of two user keys whose first `same` bytes are equal.
    #[inline]
    fn compare_user_keys(&self, a: &[u8], b: &[u8], same: usize) -> Ordering {
        match self.bytewise {
            true => compare_from(a, b, same),
            false => self.order.user().compare(a, b),
        }
    }

    /// The order of the target and the common prefix of all keys.
    #[inline]
    fn compare_with_common(&self, target: Target<'_>) -> Ordering {
        let common = self.arena.key(self.sample).get(..self.common).unwrap_or_default();
        compare_from(target.user_key.get(..self.common).unwrap_or(target.user_key), common, 0)
    }

    #[inline]
    fn head(&self, user_key: &[u8], skip: usize) -> u64 {
        if self.bytewise { head_at(user_key, skip) } else { 0 }
    }

    fn user_key(&self, link: Link) -> &[u8] {
        Target::new(self.arena.key(link)).user_key
    }

    /// The leaf whose fences enclose the target.
    #[inline]
    fn descend(&self, target: Target<'_>, mut path: Option<&mut Path>) -> u32 {
        let mut node = self.root;
        for level in 0..self.height {
            let Some(inner) = at(&self.inners, node) else { break };
            let keys = &inner.keys;
            let head = self.head(target.user_key, keys.skip);
            let index = keys.search(head, |index, link| {
                let tail = inner.tails.get(index).copied().unwrap_or_default();
                match tail.cmp(&self.head(target.user_key, keys.skip + HEAD_SIZE)) {
                    Ordering::Less => true,
                    Ordering::Equal => self.compare(link, target, keys.skip) != Ordering::Greater,
                    Ordering::Greater => false,
                }
            });
            if let Some(path) = path.as_deref_mut() {
                path.low = index.checked_sub(1).and_then(|i| keys.links().get(i)).copied().or(path.low);
                path.high = keys.links().get(index).copied().or(path.high);
                if let Some(step) = path.steps.get_mut(level) {
                    *step = (node, index);
                }
            }
            node = inner.children.get(index).copied().unwrap_or(NONE);
        }
        node
    }
}

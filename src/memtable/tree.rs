//! An arena B+tree: entries stay where the arena put them, nodes hold links to them in order.
//!
//! A node keeps, beside each link, eight bytes of the entry's user key: its **head**, big-endian and padded with zeros, so
//! that a search compares integers that stand side by side and looks at the entry itself only where heads are equal. Heads
//! begin behind what all keys of a node have in common. That is known without looking: the keys of a subtree lie between
//! two **fences**, the separators beside it, and have in common what these two have. At the left and right edge, where a
//! fence is missing, they have in common what all keys of the tree have.
//!
//! ```text
//! inner     head   head   head            separator i is the first key that child i + 1 ever had
//!           tail   tail   tail            the eight bytes behind the head
//!           link   link   link
//!        child  child  child  child
//! leaf      head   head   head            -> next leaf, <- leaf before
//!           link   link   link
//! ```
//! In a tree of `user/01` and `user/02`, both heads are taken behind `user/0`: `31 00 00 00 00 00 00 00` and `32 00 ...`.
//!
//! With another order than bytewise, all heads are 0 and every comparison looks at the entry.
//!
//! A full node is cut in the middle; but the last leaf, when it is full and a key comes behind it, is left full and a new
//! one begun, so that ascending keys fill their leaves.

use std::cmp::Ordering;

use super::arena::{Arena, ENTRY_OVERHEAD_MAX, Link};
use super::node::{FANOUT, Inner, Keys, Leaf, NONE, Target};
use crate::base::{HEAD_SIZE, InternalKeyComparator, UserComparator, common_length, compare_from, head_at};
use crate::error::{Error, Result};

/// No tree of 2^32 entries is higher: inner nodes but those at the right edge have 32 children or more.
const HEIGHT_MAX: usize = 10;
/// Where an entry stands in the tree as it is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Place {
    leaf: u32,
    index: usize,
}

/// The way from the root to a leaf.
#[derive(Default)]
struct Path {
    /// Node and which of its children.
    steps: [(u32, usize); HEIGHT_MAX],
    low: Option<Link>,
    high: Option<Link>,
}

/// The entries in order.
///
/// Invariants:
/// 1. Links of a leaf are in ascending order of their entries; so are the leaves, by `next`.
/// 2. Every key below child i of an inner node is at or after separator i - 1 and before separator i.
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
    /// Grows with every insert.
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

    /// How many entries.
    pub(super) fn count(&self) -> u32 {
        self.count
    }

    /// Changes whenever the tree does: places of another version are void.
    #[inline]
    pub(super) fn version(&self) -> u64 {
        self.version
    }

    /// The internal key and value of an entry.
    #[inline]
    pub(super) fn entry(&self, link: Link) -> (&[u8], &[u8]) {
        self.arena.entry(link)
    }

    /// Makes room so that `entries` inserts of `bytes` bytes of internal keys and values together cannot fail.
    #[inline]
    pub(super) fn reserve(&mut self, entries: u32, bytes: usize) -> Result<()> {
        let count = usize::try_from(entries).unwrap_or(usize::MAX);
        self.arena.reserve(bytes.saturating_add(count.saturating_mul(ENTRY_OVERHEAD_MAX)))?;
        // Every leaf may be full and split once, whatever is made then takes half a leaf of inserts to fill again; a leaf
        // left full at the right edge is the exception, once for every leaf filled.
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

    /// Adds an entry. It fails only where nothing was reserved for it and nothing can be.
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

    /// What the tree's memory could hold without growing.
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

    /// The first entry at or after the target, if it is of the same user key: its tag and its value.
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

    /// The entry behind a place of this version.
    #[inline]
    pub(super) fn next(&self, place: Place) -> Option<(Place, Link)> {
        self.at_or_behind(Place { leaf: place.leaf, index: place.index + 1 })
    }

    /// The entry before a place of this version.
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

    /// The entry at a place, or the first of the next leaf if the place is at the end of its own.
    #[inline]
    fn at_or_behind(&self, place: Place) -> Option<(Place, Link)> {
        let leaf = at(&self.leaves, place.leaf)?;
        if let Some(link) = leaf.keys.links().get(place.index) {
            return Some((place, *link));
        }
        let link = *at(&self.leaves, leaf.next)?.keys.links().first()?;
        Some((Place { leaf: leaf.next, index: 0 }, link))
    }

    /// The entry's place in the order, seen from the target; the first `same` bytes of their user keys are the same.
    #[inline]
    fn compare(&self, link: Link, target: Target<'_>, same: usize) -> Ordering {
        let entry = Target::new(self.arena.key(link));
        self.compare_user_keys(entry.user_key, target.user_key, same).then_with(|| target.tag.cmp(&entry.tag))
    }

    /// The order of two user keys whose first `same` bytes are the same.
    #[inline]
    fn compare_user_keys(&self, a: &[u8], b: &[u8], same: usize) -> Ordering {
        match self.bytewise {
            true => compare_from(a, b, same),
            false => self.order.user().compare(a, b),
        }
    }

    /// The order of the target and what all keys have in common.
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

    /// The first entry.
    fn begin(&mut self, target: Target<'_>, link: Link) {
        self.sample = link;
        self.common = if self.bytewise { target.user_key.len() } else { 0 };
        let mut keys = Keys::new(self.common);
        keys.insert(0, 0, link);
        self.leaves.push(Leaf { keys, next: NONE, previous: NONE });
    }

    /// Shortens what all keys have in common to what the target has too.
    #[inline]
    fn admit(&mut self, target: Target<'_>) {
        if self.common > 0 && self.compare_with_common(target) != Ordering::Equal {
            self.common = common_length(self.user_key(self.sample), target.user_key);
            self.renew_edges();
        }
    }

    /// Takes the heads of the nodes at both edges anew: theirs began behind what all keys had in common.
    #[cold]
    fn renew_edges(&mut self) {
        let (mut left, mut right) = (self.root, self.root);
        for _ in 0..self.height {
            let (Some(left_inner), Some(right_inner)) = (at(&self.inners, left), at(&self.inners, right)) else {
                return;
            };
            let next_left = left_inner.children.first().copied().unwrap_or(NONE);
            let next_right = right_inner.children.get(right_inner.keys.count).copied().unwrap_or(NONE);
            for node in [left, right] {
                if let Some(inner) = at_mut(&mut self.inners, node) {
                    inner.renew(&self.arena, self.common);
                }
            }
            (left, right) = (next_left, next_right);
        }
        for node in [left, right] {
            if let Some(leaf) = at_mut(&mut self.leaves, node) {
                leaf.keys.renew(&self.arena, self.common);
            }
        }
    }

    /// Adds the entry behind all others, if it belongs there and the last leaf has room.
    #[inline]
    fn append(&mut self, target: Target<'_>, link: Link) -> bool {
        let Some(keys) = at(&self.leaves, self.last_leaf).map(|leaf| &leaf.keys) else { return false };
        if keys.is_full() {
            return false;
        }
        let head = self.head(target.user_key, keys.skip);
        let (Some(last_head), Some(last)) = (keys.heads().last(), keys.links().last()) else { return false };
        let behind = match last_head.cmp(&head) {
            Ordering::Less => true,
            Ordering::Equal => self.compare(*last, target, keys.skip) == Ordering::Less,
            Ordering::Greater => false,
        };
        if behind && let Some(leaf) = at_mut(&mut self.leaves, self.last_leaf) {
            leaf.keys.insert(leaf.keys.count, head, link);
        }
        behind
    }

    /// Splits a full leaf and adds the entry, which belongs at `index` of it.
    #[inline(never)]
    fn split_leaf(&mut self, path: &Path, left: u32, index: usize, target: Target<'_>, link: Link) {
        let right = next_index(&self.leaves);
        let Some(leaf) = at_mut(&mut self.leaves, left) else { return };
        let is_last = leaf.next == NONE;
        let middle = if is_last && index == FANOUT { FANOUT } else { FANOUT / 2 };
        let mut right_leaf = Leaf { keys: leaf.keys.split_off(middle), next: leaf.next, previous: left };
        let next = std::mem::replace(&mut leaf.next, right);
        let into = if index > middle || middle == FANOUT { Some(index - middle) } else { None };
        match into {
            Some(index) => {
                let head = if self.bytewise { head_at(target.user_key, right_leaf.keys.skip) } else { 0 };
                right_leaf.keys.insert(index, head, link);
            }
            None => {
                let head = if self.bytewise { head_at(target.user_key, leaf.keys.skip) } else { 0 };
                leaf.keys.insert(index, head, link);
            }
        }
        let Some(separator) = right_leaf.keys.links().first().copied() else { return };
        if self.bytewise {
            let (left_skip, right_skip) = self.skips(path.low, separator, path.high);
            if let Some(leaf) = at_mut(&mut self.leaves, left) {
                leaf.keys.renew_if_better(&self.arena, left_skip);
            }
            right_leaf.keys.renew_if_better(&self.arena, right_skip);
        }
        match at_mut(&mut self.leaves, next) {
            Some(next) => next.previous = right,
            None => self.last_leaf = right,
        }
        self.leaves.push(right_leaf);
        self.add_child(path, separator, left, right);
    }

    /// What the keys left and right of a new separator have in common.
    fn skips(&self, low: Option<Link>, separator: Link, high: Option<Link>) -> (usize, usize) {
        let middle = self.user_key(separator);
        let with = |fence: Option<Link>| fence.map_or(self.common, |f| common_length(self.user_key(f), middle));
        (with(low), with(high))
    }

    /// Tells the nodes above that a node was split.
    fn add_child(&mut self, path: &Path, mut separator: Link, left: u32, mut right: u32) {
        for level in (0..self.height).rev() {
            let Some(&(node, index)) = path.steps.get(level) else { return };
            let Some(is_full) = at(&self.inners, node).map(|inner| inner.keys.is_full()) else { return };
            if !is_full {
                return self.insert_separator(node, index, separator, right);
            }
            (separator, right) = self.split_inner(path, level, separator, right);
        }
        let left = if self.height == 0 { left } else { self.root };
        let root = next_index(&self.inners);
        self.inners.push(Inner::new(self.common, left));
        self.insert_separator(root, 0, separator, right);
        self.root = root;
        self.height += 1;
    }

    /// Adds a separator, and the child behind it, to a node that has room.
    fn insert_separator(&mut self, node: u32, index: usize, separator: Link, child: u32) {
        let Some(skip) = at(&self.inners, node).map(|inner| inner.keys.skip) else { return };
        let user_key = self.user_key(separator);
        let heads = (self.head(user_key, skip), self.head(user_key, skip + HEAD_SIZE));
        if let Some(inner) = at_mut(&mut self.inners, node) {
            inner.insert(index, heads, separator, child);
        }
    }

    /// Splits the full inner node that `path` passes at `level`, and adds a separator and the child behind it where the path
    /// goes on. Answers the separator between the two nodes and the right one.
    fn split_inner(&mut self, path: &Path, level: usize, separator: Link, child: u32) -> (Link, u32) {
        let (low, high) = self.fences(path, level);
        let right = next_index(&self.inners);
        let &(node, index) = path.steps.get(level).unwrap_or(&(NONE, 0));
        let Some(inner) = at_mut(&mut self.inners, node) else { return (separator, child) };
        let up = if high.is_none() && index == FANOUT {
            // At the right edge the new separator goes up by itself, and the new child begins a node of its own.
            let skip = inner.keys.skip;
            self.inners.push(Inner::new(skip, child));
            separator
        } else {
            let middle = FANOUT / 2;
            let (up, right_inner) = inner.split_off(middle);
            self.inners.push(right_inner);
            match index.checked_sub(middle + 1) {
                Some(index) => self.insert_separator(right, index, separator, child),
                None => self.insert_separator(node, index, separator, child),
            }
            up.unwrap_or(separator)
        };
        if self.bytewise {
            let (left_skip, right_skip) = self.skips(low, up, high);
            for (node, skip) in [(node, left_skip), (right, right_skip)] {
                if let Some(inner) = at_mut(&mut self.inners, node) {
                    inner.renew_if_better(&self.arena, skip);
                }
            }
        }
        (up, right)
    }

    /// The fences of the node that `path` passes at `level`.
    fn fences(&self, path: &Path, level: usize) -> (Option<Link>, Option<Link>) {
        let (mut low, mut high) = (None, None);
        for &(node, index) in path.steps.iter().take(level) {
            if let Some(inner) = at(&self.inners, node) {
                let links = inner.keys.links();
                low = index.checked_sub(1).and_then(|i| links.get(i)).copied().or(low);
                high = links.get(index).copied().or(high);
            }
        }
        (low, high)
    }
}

#[cfg(test)]
impl Tree {
    /// Checks the invariants of the whole tree.
    pub(super) fn check(&self) {
        let mut leaves = Vec::new();
        if self.count > 0 {
            self.check_node(self.root, self.height, None, None, &mut leaves);
        }
        let mut expected = NONE;
        for (i, leaf) in leaves.iter().enumerate() {
            let node = at(&self.leaves, *leaf).unwrap();
            assert_eq!((node.previous, node.next), (expected, leaves.get(i + 1).copied().unwrap_or(NONE)));
            expected = *leaf;
        }
        assert_eq!(leaves.last().copied().unwrap_or(0), self.last_leaf);
        let count: usize = leaves.iter().map(|leaf| at(&self.leaves, *leaf).unwrap().keys.count).sum();
        assert_eq!(u32::try_from(count).unwrap(), self.count);
    }

    fn check_node(&self, node: u32, height: usize, low: Option<Link>, high: Option<Link>, leaves: &mut Vec<u32>) {
        let Some(height) = height.checked_sub(1) else {
            self.check_keys(&at(&self.leaves, node).unwrap().keys, None, low, high);
            return leaves.push(node);
        };
        let inner = at(&self.inners, node).unwrap();
        self.check_keys(&inner.keys, Some(&inner.tails), low, high);
        let links = inner.keys.links();
        for (i, child) in inner.children.iter().enumerate().take(inner.keys.count + 1) {
            let low = i.checked_sub(1).map(|i| links[i]).or(low);
            self.check_node(*child, height, low, links.get(i).copied().or(high), leaves);
        }
    }

    fn check_keys(&self, keys: &Keys, tails: Option<&[u64]>, low: Option<Link>, high: Option<Link>) {
        let sorted: Vec<Link> = low.into_iter().chain(keys.links().iter().copied()).chain(high).collect();
        for (i, pair) in sorted.windows(2).enumerate() {
            let order = self.compare(pair[0], Target::new(self.arena.key(pair[1])), 0);
            assert!(order == Ordering::Less || (order == Ordering::Equal && i == 0 && low.is_some()));
        }
        let common = |link: Link| common_length(self.user_key(link), self.user_key(sorted[0]));
        assert!(sorted.iter().all(|link| common(*link) >= keys.skip));
        for (i, link) in keys.links().iter().enumerate() {
            let user_key = self.user_key(*link);
            assert_eq!(keys.heads[i], self.head(user_key, keys.skip));
            assert!(tails.is_none_or(|tails| tails[i] == self.head(user_key, keys.skip + HEAD_SIZE)));
        }
    }
}

//! Growth of the tree: its first entry, its right edge, and splits of nodes.

use std::cmp::Ordering;

use super::{Path, Tree, at, at_mut, next_index};
use crate::base::{HEAD_SIZE, common_length, head_at};
use crate::memtable::arena::Link;
use crate::memtable::node::{FANOUT, Inner, Keys, Leaf, NONE, Target};

impl Tree {
    /// Inserts the first entry.
    pub(super) fn begin(&mut self, target: Target<'_>, link: Link) {
        self.sample = link;
        self.common = if self.bytewise { target.user_key.len() } else { 0 };
        let mut keys = Keys::new(self.common);
        keys.insert(0, 0, link);
        self.leaves.push(Leaf { keys, next: NONE, previous: NONE });
    }

    /// Shortens the common prefix of all keys to the part that the target shares.
    #[inline]
    pub(super) fn admit(&mut self, target: Target<'_>) {
        if self.common > 0 && self.compare_with_common(target) != Ordering::Equal {
            self.common = common_length(self.user_key(self.sample), target.user_key);
            self.renew_edges();
        }
    }

    /// Recomputes the heads of the nodes at both edges, which began after the common prefix of all
    /// keys.
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

    /// Appends the entry, if it comes after all others and the last leaf has room.
    #[inline]
    pub(super) fn append(&mut self, target: Target<'_>, link: Link) -> bool {
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

    /// Splits a full leaf and adds the entry, whose index in it is `index`.
    #[inline(never)]
    pub(super) fn split_leaf(&mut self, path: &Path, left: u32, index: usize, target: Target<'_>, link: Link) {
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

    /// The common prefix of the keys to the left and right of a new separator.
    fn skips(&self, low: Option<Link>, separator: Link, high: Option<Link>) -> (usize, usize) {
        let middle = self.user_key(separator);
        let with = |fence: Option<Link>| fence.map_or(self.common, |f| common_length(self.user_key(f), middle));
        (with(low), with(high))
    }

    /// Adds a separator to the nodes above after a split.
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

    /// Adds a separator, and the child after it, to a node that has room.
    fn insert_separator(&mut self, node: u32, index: usize, separator: Link, child: u32) {
        let Some(skip) = at(&self.inners, node).map(|inner| inner.keys.skip) else { return };
        let user_key = self.user_key(separator);
        let heads = (self.head(user_key, skip), self.head(user_key, skip + HEAD_SIZE));
        if let Some(inner) = at_mut(&mut self.inners, node) {
            inner.insert(index, heads, separator, child);
        }
    }

    /// Splits the full inner node of `path` at `level`, and adds a separator and the child after
    /// it.
    ///
    /// Returns the separator between the two nodes and the right one.
    fn split_inner(&mut self, path: &Path, level: usize, separator: Link, child: u32) -> (Link, u32) {
        let (low, high) = self.fences(path, level);
        let right = next_index(&self.inners);
        let &(node, index) = path.steps.get(level).unwrap_or(&(NONE, 0));
        let Some(inner) = at_mut(&mut self.inners, node) else { return (separator, child) };
        let up = if high.is_none() && index == FANOUT {
            // At the right edge the new separator alone moves up, and the new child begins a new
            // node.
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

    /// The fences of the node of `path` at `level`.
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

//! The nodes of the tree: links to entries, and cached prefixes of their keys.

use super::arena::{Arena, Link};
use crate::base::{HEAD_SIZE, head_at};

/// Links in a leaf, and separators in an inner node.
pub(super) const FANOUT: usize = 64;
/// A link to no node.
pub(super) const NONE: u32 = u32::MAX;
/// Heads are recomputed when a split shows that they could begin this many bytes later.
const SKIP_GAIN_MIN: usize = 4;

/// An internal key split for comparing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Target<'a> {
    pub(super) user_key: &'a [u8],
    pub(super) tag: u64,
}

impl<'a> Target<'a> {
    /// Splits an internal key; one too short for a tag is an empty user key with the largest tag.
    #[inline]
    pub(super) fn new(internal_key: &'a [u8]) -> Target<'a> {
        match internal_key.split_last_chunk() {
            Some((user_key, tag)) => Target { user_key, tag: u64::from_le_bytes(*tag) },
            None => Target { user_key: &[], tag: u64::MAX },
        }
    }
}

/// The common part of leaves and inner nodes.
#[derive(Clone, Debug)]
pub(super) struct Keys {
    pub(super) heads: [u64; FANOUT],
    pub(super) links: [Link; FANOUT],
    pub(super) count: usize,
    /// Offset of the heads in the user key.
    pub(super) skip: usize,
}

#[derive(Clone, Debug)]
pub(super) struct Leaf {
    pub(super) keys: Keys,
    pub(super) next: u32,
    pub(super) previous: u32,
}

#[derive(Clone, Debug)]
pub(super) struct Inner {
    pub(super) keys: Keys,
    /// The eight bytes after the heads.
    ///
    /// Many keys share more than a head (`!table!row`), and without these each level would read an
    /// entry.
    pub(super) tails: [u64; FANOUT],
    /// One more than there are separators.
    pub(super) children: [u32; FANOUT + 1],
}

impl Keys {
    pub(super) fn new(skip: usize) -> Keys {
        Keys { heads: [0; FANOUT], links: [0; FANOUT], count: 0, skip }
    }

    #[inline]
    pub(super) fn heads(&self) -> &[u64] {
        self.heads.get(..self.count).unwrap_or_default()
    }

    #[inline]
    pub(super) fn links(&self) -> &[Link] {
        self.links.get(..self.count).unwrap_or_default()
    }

    pub(super) fn is_full(&self) -> bool {
        self.count >= FANOUT
    }

    /// The number of links for which `before` holds, called with their index.
    ///
    /// It holds for a prefix of the links: for all with smaller heads and for none with larger
    /// ones.
    #[inline]
    pub(super) fn search(&self, head: u64, before: impl Fn(usize, Link) -> bool) -> usize {
        let heads = self.heads();
        let mut start = heads.partition_point(|h| *h < head);
        let equal = heads.get(start..).unwrap_or_default();
        let mut end = start
            + match equal {
                [first, second, ..] if *first == head && *second == head => equal.partition_point(|h| *h == head),
                [first, ..] if *first == head => 1,
                _ => return start,
            };
        while start < end {
            let middle = (start + end) / 2;
            if self.links.get(middle).is_some_and(|link| before(middle, *link)) {
                start = middle + 1;
            } else {
                end = middle;
            }
        }
        start
    }

    #[inline]
    pub(super) fn insert(&mut self, at: usize, head: u64, link: Link) {
        debug_assert!(at <= self.count && self.count < FANOUT);
        insert_at(&mut self.heads, self.count, at, head);
        insert_at(&mut self.links, self.count, at, link);
        self.count = (self.count + 1).min(FANOUT);
    }

    /// Moves all links from `at` on to a new node.
    pub(super) fn split_off(&mut self, at: usize) -> Keys {
        let mut right = Keys::new(self.skip);
        move_tail(&self.heads, at..self.count, &mut right.heads);
        move_tail(&self.links, at..self.count, &mut right.links);
        right.count = self.count.saturating_sub(at);
        self.count = self.count.min(at);
        right
    }

    /// Recomputes the heads, from `skip` on.
    pub(super) fn renew(&mut self, arena: &Arena, skip: usize) {
        self.skip = skip;
        for (head, link) in self.heads.iter_mut().zip(&self.links).take(self.count) {
            *head = head_at(Target::new(arena.key(*link)).user_key, skip);
        }
    }

    pub(super) fn renew_if_better(&mut self, arena: &Arena, skip: usize) {
        if skip >= self.skip + SKIP_GAIN_MIN {
            self.renew(arena, skip);
        }
    }
}

impl Inner {
    /// A node without separators.
    pub(super) fn new(skip: usize, first_child: u32) -> Inner {
        let mut children = [NONE; FANOUT + 1];
        move_tail(&[first_child], 0..1, &mut children);
        Inner { keys: Keys::new(skip), tails: [0; FANOUT], children }
    }

    /// Adds a separator and the child after it.
    pub(super) fn insert(&mut self, at: usize, heads: (u64, u64), separator: Link, child: u32) {
        insert_at(&mut self.children, self.keys.count + 1, at + 1, child);
        insert_at(&mut self.tails, self.keys.count, at, heads.1);
        self.keys.insert(at, heads.0, separator);
    }

    /// Moves all after separator `at` to a new node; that separator moves up.
    pub(super) fn split_off(&mut self, at: usize) -> (Option<Link>, Inner) {
        let count = self.keys.count;
        let mut right = Inner::new(self.keys.skip, NONE);
        move_tail(&self.children, at + 1..count + 1, &mut right.children);
        move_tail(&self.tails, at + 1..count, &mut right.tails);
        right.keys = self.keys.split_off(at + 1);
        self.keys.count = self.keys.count.min(at);
        (self.keys.links.get(at).copied(), right)
    }

    pub(super) fn renew(&mut self, arena: &Arena, skip: usize) {
        self.keys.renew(arena, skip);
        for (tail, link) in self.tails.iter_mut().zip(self.keys.links()) {
            *tail = head_at(Target::new(arena.key(*link)).user_key, skip + HEAD_SIZE);
        }
    }

    pub(super) fn renew_if_better(&mut self, arena: &Arena, skip: usize) {
        if skip >= self.keys.skip + SKIP_GAIN_MIN {
            self.renew(arena, skip);
        }
    }
}

/// Inserts `value` at `at` into the first `count` elements of `array`.
#[inline]
pub(super) fn insert_at<T: Copy>(array: &mut [T], count: usize, at: usize, value: T) {
    if let Some(tail) = array.get_mut(at..=count) {
        tail.copy_within(..tail.len() - 1, 1);
        if let Some(first) = tail.first_mut() {
            *first = value;
        }
    }
}

fn move_tail<T: Copy>(from: &[T], range: std::ops::Range<usize>, to: &mut [T]) {
    let tail = from.get(range).unwrap_or_default();
    for (to, from) in to.iter_mut().zip(tail) {
        *to = *from;
    }
}

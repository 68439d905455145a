//! Checks the invariants of a tree, for tests.

use std::cmp::Ordering;

use super::{Tree, at};
use crate::base::{HEAD_SIZE, common_length};
use crate::memtable::arena::Link;
use crate::memtable::node::{Keys, NONE, Target};

impl Tree {
    /// Checks the invariants of the whole tree.
    pub(in crate::memtable) fn check(&self) {
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

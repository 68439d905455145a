//! The order of a table's keys: of user keys, or of internal keys.

use std::cmp::Ordering;

use super::comparator::UserComparator;
use super::key::InternalKeyComparator;

/// How the keys of one table or iterator are ordered: as user keys or as internal keys.
#[derive(Clone, Debug)]
pub enum KeyOrder {
    /// Keys are plain user keys (metaindex blocks, other programs' tables).
    User(UserComparator),
    /// Keys end in a tag (all tables of a database).
    Internal(InternalKeyComparator),
}

impl KeyOrder {
    /// Plain bytewise order.
    pub const BYTEWISE: KeyOrder = KeyOrder::User(UserComparator::Bytewise);

    /// The order.
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            KeyOrder::Internal(order) => order.compare(a, b),
            KeyOrder::User(order) => order.compare(a, b),
        }
    }

    /// See [`Comparator::find_shortest_separator`](super::Comparator::find_shortest_separator).
    pub fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        match self {
            KeyOrder::User(order) => order.find_shortest_separator(start, limit),
            KeyOrder::Internal(order) => order.find_shortest_separator(start, limit),
        }
    }

    /// See [`Comparator::find_short_successor`](super::Comparator::find_short_successor).
    pub fn find_short_successor(&self, key: &mut Vec<u8>) {
        match self {
            KeyOrder::User(order) => order.find_short_successor(key),
            KeyOrder::Internal(order) => order.find_short_successor(key),
        }
    }

    /// The part of a key that filters use.
    #[inline]
    pub fn filter_key<'a>(&self, key: &'a [u8]) -> &'a [u8] {
        match self {
            KeyOrder::User(_) => key,
            KeyOrder::Internal(_) => super::key::user_key(key),
        }
    }
}

//! Decides which entries survive overwrites, tombstones and snapshots, without I/O.

use std::cmp::Ordering;

use super::key::{InternalKeyComparator, parse_internal_key};
use super::sequence::{SequenceNumber, ValueType};

/// Receives the merged entries in order and decides which to keep.
pub(crate) struct Survivors {
    order: InternalKeyComparator,
    /// The oldest sequence number that a reader can still use.
    oldest_snapshot: SequenceNumber,
    current_key: Vec<u8>,
    /// Sequence of the previous entry of the same key; `None` at a key's first entry.
    previous: Option<SequenceNumber>,
    has_key: bool,
    kept_excess: bool,
}

impl Survivors {
    pub(crate) fn new(order: InternalKeyComparator, oldest_snapshot: SequenceNumber) -> Survivors {
        Survivors {
            order,
            oldest_snapshot,
            current_key: Vec::new(),
            previous: None,
            has_key: false,
            kept_excess: false,
        }
    }

    /// Returns whether to keep the entry. `is_base`: no deeper level can hold the key.
    #[inline]
    pub(crate) fn keep(&mut self, key: &[u8], is_base: impl FnOnce(&[u8]) -> bool) -> bool {
        let Ok(parsed) = parse_internal_key(key) else {
            // An entry that cannot be parsed is kept and hides nothing.
            self.has_key = false;
            self.previous = None;
            self.kept_excess = true;
            return true;
        };
        if !self.has_key || self.order.user().compare(parsed.user_key, &self.current_key) != Ordering::Equal {
            self.current_key.clear();
            self.current_key.extend_from_slice(parsed.user_key);
            self.has_key = true;
            self.previous = None;
        }
        // A compaction in pieces that did not finish leaves the same entry in two levels.
        let again = self.previous == Some(parsed.sequence);
        let shadowed = again || self.previous.is_some_and(|newer| newer <= self.oldest_snapshot);
        let early = crate::bugs::seeded(crate::bugs::Bug::TombstoneDroppedEarly);
        let dropped = shadowed
            || parsed.value_type == ValueType::Deletion
                && parsed.sequence <= self.oldest_snapshot
                && (is_base(parsed.user_key) || early);
        self.kept_excess |= !dropped && (self.previous.is_some() || parsed.value_type == ValueType::Deletion);
        self.previous = Some(parsed.sequence);
        !dropped
    }

    /// Returns whether an entry kept since the last call may be dropped by a later compaction: a
    /// tombstone, or an older entry of its key.
    pub(crate) fn take_excess(&mut self) -> bool {
        std::mem::take(&mut self.kept_excess)
    }
}

#[cfg(test)]
mod tests {
    use super::super::append_internal_key;
    use super::*;

    fn survivors(oldest_snapshot: u64, base: bool, entries: &[(&str, u64, ValueType)]) -> Vec<(String, u64)> {
        let snapshot = SequenceNumber::new(oldest_snapshot).unwrap();
        let mut stream = Survivors::new(InternalKeyComparator::default(), snapshot);
        let mut kept = Vec::new();
        for (key, sequence, value_type) in entries {
            let mut internal = Vec::new();
            append_internal_key(&mut internal, key.as_bytes(), SequenceNumber::new(*sequence).unwrap(), *value_type);
            if stream.keep(&internal, |_| base) {
                kept.push(((*key).to_owned(), *sequence));
            }
        }
        kept
    }

    use ValueType::{Deletion, Value};

    #[test]
    fn what_a_later_compaction_may_drop_is_excess() {
        let excess = |entries: &[(&str, u64, ValueType)], oldest, base| {
            let mut stream = Survivors::new(InternalKeyComparator::default(), SequenceNumber::new(oldest).unwrap());
            for (key, sequence, value_type) in entries {
                let mut internal = Vec::new();
                append_internal_key(
                    &mut internal,
                    key.as_bytes(),
                    SequenceNumber::new(*sequence).unwrap(),
                    *value_type,
                );
                stream.keep(&internal, |_| base);
            }
            (stream.take_excess(), stream.take_excess())
        };
        let entries = [("a", 9, Value), ("a", 5, Value), ("b", 8, Deletion)];
        assert_eq!(excess(&entries[..1], 10, false), (false, false));
        assert_eq!(excess(&entries, 10, true), (false, false));
        assert_eq!(excess(&entries, 10, false), (true, false));
        assert_eq!(excess(&entries[..2], 8, true), (true, false));
    }

    #[test]
    fn a_newer_entry_hides_older_ones_that_no_snapshot_sees() {
        let entries = [("a", 9, Value), ("a", 5, Value), ("a", 2, Value), ("b", 1, Value)];
        assert_eq!(survivors(10, false, &entries), [("a".into(), 9), ("b".into(), 1)]);
        assert_eq!(survivors(5, false, &entries), [("a".into(), 9), ("a".into(), 5), ("b".into(), 1)]);
        assert_eq!(survivors(1, false, &entries).len(), 4);
    }

    #[test]
    fn a_tombstone_is_dropped_only_at_the_base_level_and_with_the_entries_it_hides() {
        let entries = [("a", 9, Deletion), ("a", 5, Value)];
        assert_eq!(survivors(10, false, &entries), [("a".into(), 9)]);
        assert_eq!(survivors(10, true, &entries), []);
        assert_eq!(survivors(8, true, &entries), [("a".into(), 9), ("a".into(), 5)]);
    }

    #[test]
    fn keys_that_cannot_be_parsed_are_kept() {
        let mut stream = Survivors::new(InternalKeyComparator::default(), SequenceNumber::MAX);
        assert!(stream.keep(b"short", |_| true));
    }
}

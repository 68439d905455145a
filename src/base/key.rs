//! Internal keys: a user key and a tag of sequence number and type.
//!
//! ```text
//! internal key = user key, tag (u64, see sequence.rs)
//! ```
//! Order: user keys ascending, then tags **descending**: the newest entry of a key comes first. For
//! example, `a` at sequence 5, a value: `61 01 05 00 00 00 00 00 00`. Source: LevelDB
//! `db/dbformat.{h,cc}`.

use std::cmp::Ordering;

use super::coding::decode_fixed64;
use super::comparator::UserComparator;
use super::sequence::{SequenceNumber, Tag, ValueType};
use crate::error::Malformed;

/// Size of a tag.
pub(crate) const TAG_SIZE: usize = 8;

/// A decoded internal key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParsedInternalKey<'a> {
    /// The user key.
    pub user_key: &'a [u8],
    /// Its sequence number.
    pub sequence: SequenceNumber,
    /// Put or delete.
    pub value_type: ValueType,
}

/// Decodes an internal key; refuses one shorter than its tag or of an unknown type.
#[inline]
pub fn parse_internal_key(key: &[u8]) -> Result<ParsedInternalKey<'_>, Malformed> {
    let Some((user_key, tag)) = key.split_last_chunk::<TAG_SIZE>() else { return Err(too_short(key)) };
    let (sequence, value_type) = Tag::decode(u64::from_le_bytes(*tag))?;
    Ok(ParsedInternalKey { user_key, sequence, value_type })
}

#[cold]
fn too_short(key: &[u8]) -> Malformed {
    Malformed::new(0, format!("internal key has {} bytes, expected at least 8", key.len()))
}

/// The user key in an internal key (empty if it is too short to have one).
#[inline]
pub fn user_key(internal_key: &[u8]) -> &[u8] {
    match internal_key.split_last_chunk::<TAG_SIZE>() {
        Some((user_key, _)) => user_key,
        None => &[],
    }
}

/// Appends `user_key` and its tag.
#[inline]
pub fn append_internal_key(out: &mut Vec<u8>, user_key: &[u8], sequence: SequenceNumber, value_type: ValueType) {
    out.reserve(user_key.len() + TAG_SIZE);
    out.extend_from_slice(user_key);
    out.extend_from_slice(&Tag::new(sequence, value_type).packed().to_le_bytes());
}

/// A key to look up.
///
/// It sorts before every entry of `user_key` that is at or before `sequence`, and after every newer
/// one.
#[derive(Clone, Debug)]
pub struct LookupKey {
    internal: Vec<u8>,
}

impl LookupKey {
    /// Looks up `user_key` as of `sequence`.
    pub fn new(user_key: &[u8], sequence: SequenceNumber) -> LookupKey {
        let mut internal = Vec::with_capacity(user_key.len() + TAG_SIZE);
        append_internal_key(&mut internal, user_key, sequence, ValueType::Value);
        LookupKey { internal }
    }

    /// As an internal key.
    #[inline]
    pub fn internal_key(&self) -> &[u8] {
        &self.internal
    }

    /// The user key.
    #[inline]
    pub fn user_key(&self) -> &[u8] {
        user_key(&self.internal)
    }
}

/// The order of internal keys.
#[derive(Clone, Debug, Default)]
pub struct InternalKeyComparator {
    user: UserComparator,
}

impl InternalKeyComparator {
    /// The order of internal keys with this order of user keys.
    pub fn new(user: UserComparator) -> InternalKeyComparator {
        InternalKeyComparator { user }
    }

    /// The order of user keys.
    #[inline]
    pub fn user(&self) -> &UserComparator {
        &self.user
    }

    /// The order of memtables: any order will do where that of the tables is not known.
    pub(crate) fn in_memory(&self) -> InternalKeyComparator {
        if self.user.is_as_stored() { InternalKeyComparator::default() } else { self.clone() }
    }

    /// User keys ascending, tags descending.
    ///
    /// Keys too short for a tag sort as an empty user key with the largest tag.
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        let (a_user, a_tag) = split(a);
        let (b_user, b_tag) = split(b);
        self.user.compare(a_user, b_user).then_with(|| b_tag.cmp(&a_tag))
    }

    /// Shortens `start` to an internal key in `[start, limit)`, if the order of user keys can.
    pub fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        let mut shorter = user_key(start).to_vec();
        self.user.find_shortest_separator(&mut shorter, user_key(limit));
        self.take_if_shorter(start, shorter);
    }

    /// Shortens `key` to an internal key at or after it, if the order of user keys can.
    pub fn find_short_successor(&self, key: &mut Vec<u8>) {
        let mut shorter = user_key(key).to_vec();
        self.user.find_short_successor(&mut shorter);
        self.take_if_shorter(key, shorter);
    }

    fn take_if_shorter(&self, key: &mut Vec<u8>, shorter: Vec<u8>) {
        let old = user_key(key);
        if shorter.len() < old.len() && self.user.compare(old, &shorter) == Ordering::Less {
            *key = shorter;
            key.extend_from_slice(&Tag::seek(SequenceNumber::MAX).packed().to_le_bytes());
        }
    }
}

#[inline]
fn split(key: &[u8]) -> (&[u8], u64) {
    match key.split_last_chunk::<TAG_SIZE>() {
        Some((user_key, tag)) => (user_key, u64::from_le_bytes(*tag)),
        None => (&[], decode_fixed64(key).unwrap_or(u64::MAX)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(user: &[u8], sequence: u64) -> Vec<u8> {
        let mut out = Vec::new();
        append_internal_key(&mut out, user, SequenceNumber::new(sequence).unwrap(), ValueType::Value);
        out
    }

    #[test]
    fn internal_key_matches_the_worked_example() {
        assert_eq!(key(b"a", 5), b"\x61\x01\x05\0\0\0\0\0\0");
    }

    #[test]
    fn newer_entries_come_first() {
        let order = InternalKeyComparator::default();
        assert_eq!(order.compare(&key(b"a", 6), &key(b"a", 5)), Ordering::Less);
        assert_eq!(order.compare(&key(b"a", 1), &key(b"b", 9)), Ordering::Less);
        assert_eq!(order.compare(&key(b"a", 1), &key(b"a\0", 1)), Ordering::Less);
    }

    #[test]
    fn a_separator_sorts_between_its_two_keys() {
        let order = InternalKeyComparator::default();
        let mut start = key(b"foo", 100);
        order.find_shortest_separator(&mut start, &key(b"hello", 200));
        assert_eq!(start, key(b"g", SequenceNumber::MAX.get()));
        let mut same = key(b"foo", 100);
        order.find_shortest_separator(&mut same, &key(b"foo", 99));
        assert_eq!(same, key(b"foo", 100));
    }

    #[test]
    fn short_keys_and_unknown_types_are_refused() {
        assert!(parse_internal_key(b"1234567").is_err());
        assert!(parse_internal_key(b"\x02\0\0\0\0\0\0\0").is_err());
    }
}

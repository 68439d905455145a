//! The order of user keys.

use std::cmp::Ordering;
use std::fmt;
use std::rc::Rc;

use super::bytes::compare_bytes;

/// The name stored in the MANIFEST of databases in bytewise order.
pub const BYTEWISE_NAME: &str = "leveldb.BytewiseComparator";

/// A total order of user keys.
///
/// Its name is stored in the MANIFEST: a database cannot be opened with another one.
///
/// Keys come from files, so `compare` must be a total order over *any* bytes and must not panic. Keys
/// that it calls equal are one key, whatever their bytes.
pub trait Comparator {
    /// A name that must change whenever the order does.
    fn name(&self) -> &str;
    /// Compares two keys.
    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering;
    /// May shorten `start` to any key in `[start, limit)`, for smaller index blocks.
    ///
    /// The default does nothing.
    fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        let _ = (start, limit);
    }
    /// May shorten `key` to any key at or after it. The default does nothing.
    fn find_short_successor(&self, key: &mut Vec<u8>) {
        let _ = key;
    }
    /// The first key after `key`, for bounds that include it. The default knows none.
    fn successor(&self, key: &[u8]) -> Option<Vec<u8>> {
        let _ = key;
        None
    }
}

/// Bytewise order, or a user's comparator.
#[derive(Clone, Default)]
pub enum UserComparator {
    /// Unsigned bytes, shorter keys first: `leveldb.BytewiseComparator`.
    #[default]
    Bytewise,
    /// The user's comparator.
    Custom(Rc<dyn Comparator>),
}

impl fmt::Debug for UserComparator {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl UserComparator {
    /// See [`Comparator::name`].
    pub fn name(&self) -> &str {
        match self {
            UserComparator::Bytewise => BYTEWISE_NAME,
            UserComparator::Custom(c) => c.name(),
        }
    }

    /// Whether this is bytewise order.
    #[inline]
    pub(crate) fn is_bytewise(&self) -> bool {
        matches!(self, UserComparator::Bytewise)
    }

    /// See [`Comparator::successor`].
    #[cfg(feature = "full")]
    pub(crate) fn successor(&self, key: &[u8]) -> Option<Vec<u8>> {
        match self {
            UserComparator::Bytewise => Some([key, &[0]].concat()),
            UserComparator::Custom(c) => c.successor(key),
        }
    }

    /// See [`Comparator::compare`].
    #[inline]
    pub fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        match self {
            UserComparator::Bytewise => compare_bytes(a, b),
            UserComparator::Custom(c) => c.compare(a, b),
        }
    }

    /// See [`Comparator::find_shortest_separator`].
    pub fn find_shortest_separator(&self, start: &mut Vec<u8>, limit: &[u8]) {
        match self {
            UserComparator::Bytewise => bytewise_separator(start, limit),
            UserComparator::Custom(c) => c.find_shortest_separator(start, limit),
        }
    }

    /// See [`Comparator::find_short_successor`].
    pub fn find_short_successor(&self, key: &mut Vec<u8>) {
        match self {
            UserComparator::Bytewise => bytewise_successor(key),
            UserComparator::Custom(c) => c.find_short_successor(key),
        }
    }
}

/// Source: LevelDB `util/comparator.cc`, `FindShortestSeparator`.
fn bytewise_separator(start: &mut Vec<u8>, limit: &[u8]) {
    let common = start.iter().zip(limit).take_while(|(a, b)| a == b).count();
    if let (Some(byte), Some(bound)) = (start.get_mut(common), limit.get(common))
        && byte.checked_add(1).is_some_and(|next| next < *bound)
    {
        *byte += 1;
        start.truncate(common + 1);
    }
}

/// Source: LevelDB `util/comparator.cc`, `FindShortSuccessor`.
fn bytewise_successor(key: &mut Vec<u8>) {
    if let Some(at) = key.iter().position(|b| *b != 0xff)
        && let Some(byte) = key.get_mut(at)
    {
        *byte += 1;
        key.truncate(at + 1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn separator(a: &[u8], b: &[u8]) -> Vec<u8> {
        let mut start = a.to_vec();
        UserComparator::Bytewise.find_shortest_separator(&mut start, b);
        start
    }

    #[test]
    fn separators_are_short_and_between_their_keys() {
        assert_eq!(separator(b"abcdef", b"abzz"), b"abd");
        assert_eq!(separator(b"abc", b"abcd"), b"abc");
        assert_eq!(separator(b"abcd", b"abc"), b"abcd");
        assert_eq!(separator(b"abc", b"abd"), b"abc");
        assert_eq!(separator(b"a\xffc", b"a\xffd"), b"a\xffc");
        assert_eq!(separator(b"", b"x"), b"");
    }

    #[test]
    fn successors_are_short_and_not_smaller() {
        for (key, expected) in
            [(&b"abc"[..], &b"b"[..]), (b"\xff\xffx", b"\xff\xffy"), (b"\xff\xff", b"\xff\xff"), (b"", b"")]
        {
            let mut successor = key.to_vec();
            UserComparator::Bytewise.find_short_successor(&mut successor);
            assert_eq!(successor, expected);
        }
    }
}

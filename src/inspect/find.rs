//! The entries of a block that have some bytes in their keys or values.

use super::view::{BlockView, NO_TYPE};

/// What is looked for.
#[derive(Clone, Copy, Debug)]
pub struct Wanted<'a> {
    /// The bytes.
    pub bytes: &'a [u8],
    /// 0 where any byte fits; empty: nowhere.
    pub mask: &'a [u8],
    /// Whether keys are searched. Of an internal key, the user key.
    pub in_keys: bool,
    /// Whether values are searched.
    pub in_values: bool,
    /// Whether a key must begin with them.
    pub at_start: bool,
}

impl Wanted<'_> {
    fn is_at(&self, bytes: &[u8]) -> bool {
        let fits = |(at, (byte, wanted)): (usize, (&u8, &u8))| byte == wanted || self.mask.get(at) == Some(&0);
        bytes.len() >= self.bytes.len() && bytes.iter().zip(self.bytes).enumerate().all(fits)
    }

    /// Where they end in `bytes` for the first time, if they begin at `from` or later.
    fn end_in(&self, bytes: &[u8], from: usize) -> Option<usize> {
        let last = bytes.len().checked_sub(self.bytes.len())?;
        // Most bytes are passed by their first one alone.
        let first = self.bytes.first().filter(|_| self.mask.first() != Some(&0));
        let is_at = |at: &usize| {
            first.is_none_or(|first| bytes.get(*at) == Some(first)) && self.is_at(bytes.get(*at..).unwrap_or_default())
        };
        (from..=last).find(is_at).map(|at| at + self.bytes.len())
    }
}

/// Searches entry after entry of a block. What keys share is looked through once.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Finder {
    /// Bytes of the user key before.
    before: usize,
    /// Where the bytes end in it for the first time.
    known: Option<usize>,
}

impl Finder {
    /// Whether the next entry has them. It shares the first bytes of its user key with the one before; of the
    /// first one none.
    pub(super) fn is_in(&mut self, wanted: &Wanted<'_>, shared: usize, user_key: &[u8], value: &[u8]) -> bool {
        let same = shared.min(self.before);
        self.before = user_key.len();
        self.known = self.known.filter(|end| *end <= same.min(self.before));
        if self.known.is_none() && wanted.in_keys {
            self.known = if wanted.at_start {
                wanted.is_at(user_key).then_some(wanted.bytes.len())
            } else {
                wanted.end_in(user_key, same.saturating_sub(wanted.bytes.len()))
            };
        }
        self.known.is_some() || wanted.in_values && wanted.end_in(value, 0).is_some()
    }
}

impl BlockView {
    /// The numbers of the entries that have them; `None` if the block cannot be decoded.
    ///
    /// Only entries that have a row are searched.
    pub fn entries_with(&self, wanted: &Wanted<'_>) -> Option<Vec<u32>> {
        let raw = self.raw.as_deref()?;
        let part = |from: usize, to: usize| raw.get(from..to).unwrap_or_default();
        let mut found = Vec::new();
        let mut key = Vec::new();
        let mut finder = Finder::default();
        for (number, (entry, kind)) in self.rows().zip(self.kinds()).enumerate() {
            key.truncate(entry.shared);
            key.extend_from_slice(part(entry.key_start, entry.value_start));
            let tag = if kind == NO_TYPE { 0 } else { 8 };
            let user_key = key.get(..key.len().saturating_sub(tag)).unwrap_or_default();
            if finder.is_in(wanted, entry.shared, user_key, part(entry.value_start, entry.end)) {
                found.push(u32::try_from(number).unwrap_or(u32::MAX));
            }
        }
        Some(found)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inspect::span::Span;
    use proptest::collection::vec;
    use proptest::prelude::*;

    /// Few letters, so that parts of what is sought are everywhere.
    fn letters(most: usize) -> impl Strategy<Value = Vec<u8>> {
        vec(prop_oneof![Just(b'a'), Just(b'b')], 0..=most)
    }

    proptest! {
        #[test]
        fn entries_are_found_as_by_looking_through_each(
            entries in vec((0..40usize, letters(12), letters(12), any::<bool>()), 0..30),
            bytes in letters(5),
            mask in vec(0..2u8, 5),
            (masked, in_keys, in_values, at_start) in any::<(bool, bool, bool, bool)>(),
        ) {
            let mask = if masked { mask.get(..bytes.len()).unwrap_or_default() } else { &[] };
            let wanted = Wanted { bytes: &bytes, mask, in_keys, in_values, at_start: at_start && in_keys };
            let (mut contents, mut key, mut expected) = (Vec::new(), Vec::new(), Vec::new());
            for (number, (shared, own, value, is_internal)) in (0u32..).zip(&entries) {
                let shared = (*shared).min(key.len());
                key.truncate(shared);
                key.extend_from_slice(own);
                if *is_internal {
                    key.extend([1, 1, 0, 0, 0, 0, 0, 0]);
                }
                let lengths = [shared, key.len() - shared, value.len()].map(|length| u8::try_from(length).unwrap());
                if lengths.iter().any(|length| *length > 127) {
                    break;
                }
                contents.extend(lengths);
                contents.extend(&key[shared..]);
                contents.extend(value);
                let user_key = match crate::base::parse_internal_key(&key) {
                    Ok(_) => &key[..key.len() - 8],
                    Err(_) => &key[..],
                };
                let has = |bytes: &[u8]| (0..=bytes.len()).any(|at| wanted.is_at(&bytes[at..]));
                let in_key = if wanted.at_start { wanted.is_at(user_key) } else { has(user_key) };
                if in_keys && in_key || in_values && has(value) {
                    expected.push(number);
                }
            }
            contents.extend([0, 0, 0, 0, 1, 0, 0, 0]);
            let view = BlockView::of(Span::new("data", 0, 0), contents, true);
            prop_assert_eq!(view.entries_with(&wanted), Some(expected));
        }
    }
}

//! The entries of one key, or those with some bytes, found while a whole file is read.

use super::find::{Finder, Wanted};
use super::regions::{REGION_STATES, State};
use super::rule::Rule;
use super::span::{Fact, Span};
use crate::base::{parse_internal_key, to_u64, user_key};
use crate::batch::{BatchHeader, BatchOperation, operations};

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mention {
    /// Where its data block or record begins in the file, and the bytes of it.
    pub offset: u64,
    /// See `offset`.
    pub length: u64,
    /// Its number in the block, or that of the operation in the record.
    pub entry: u64,
    /// Its sequence number; `None` if the entry has no valid tag.
    pub sequence: Option<u64>,
    /// The bytes of its key, if these are others than those that are sought: both are one key. Of those with
    /// some bytes, the beginning of the key.
    pub key: Option<Vec<u8>>,
    /// Bytes of its key.
    pub key_size: u64,
    /// Whether it deletes the key.
    pub is_deletion: bool,
    /// Bytes of its value.
    pub value_size: u64,
    /// The beginning of its value.
    pub value: Vec<u8>,
    /// `Sound`; `Doubtful` if a checksum or another entry speaks against it; `Found` in a block that
    /// nothing refers to; `Torn` in a record that recovery to a point in time leaves behind.
    pub state: State,
}

/// What is sought, and its entries so far.
#[derive(Debug)]
pub(super) struct Sought {
    what: What,
    /// Bytes of a value that are kept; of entries with some bytes, also of a key.
    value_max: usize,
    mentions: Vec<Mention>,
    /// Those that were not kept since the last were taken.
    more: u64,
}

/// Mentions after which the caller should take them.
const READY_MAX: usize = 1024;
/// One block or record can have more. So many of those with some bytes are kept until they are taken; of a key
/// all are, since the last one may be the newest.
const KEPT_MAX: usize = 16_384;

#[derive(Debug)]
enum What {
    Key {
        key: Vec<u8>,
        /// Tells which keys are equal.
        rule: Rule,
        /// The file is in the order of the rule, so that the index tells where the key can be.
        is_ordered: bool,
        /// The last key of the index is after the key.
        is_behind: bool,
    },
    Bytes(Pattern, Finder),
}

/// See [`Wanted`].
#[derive(Clone, Debug)]
pub struct Pattern {
    /// See [`Wanted`].
    pub bytes: Vec<u8>,
    /// See [`Wanted`].
    pub mask: Vec<u8>,
    /// See [`Wanted`].
    pub in_keys: bool,
    /// See [`Wanted`].
    pub in_values: bool,
    /// See [`Wanted`].
    pub at_start: bool,
}

impl Pattern {
    /// As it is asked for.
    pub fn wanted(&self) -> Wanted<'_> {
        let Pattern { bytes, mask, in_keys, in_values, at_start } = self;
        Wanted { bytes, mask, in_keys: *in_keys, in_values: *in_values, at_start: *at_start }
    }
}

impl Sought {
    pub(super) fn key(key: Vec<u8>, value_max: usize, rule: Rule, is_ordered: bool) -> Sought {
        let what = What::Key { key, rule, is_ordered, is_behind: false };
        Sought { what, value_max, mentions: Vec::new(), more: 0 }
    }

    pub(super) fn bytes(pattern: Pattern, value_max: usize) -> Sought {
        Sought { what: What::Bytes(pattern, Finder::default()), value_max, mentions: Vec::new(), more: 0 }
    }

    /// Those since the last call, and how many more were not kept.
    pub(super) fn take(&mut self) -> (Vec<Mention>, u64) {
        (std::mem::take(&mut self.mentions), std::mem::take(&mut self.more))
    }

    pub(super) fn is_full(&self) -> bool {
        self.mentions.len() >= READY_MAX
    }

    /// Whether this entry is sought, which shares the first bytes of its key with the one before. In an order
    /// that is not known, keys are equal if their bytes are.
    fn is(&mut self, shared: usize, key: &[u8], value: &[u8]) -> bool {
        match &mut self.what {
            What::Bytes(pattern, finder) => finder.is_in(&pattern.wanted(), shared, key, value),
            What::Key { key: sought, rule, .. } => match rule.order() {
                Some(order) => order.user().compare(key, sought).is_eq(),
                None => key == sought,
            },
        }
    }

    /// Whether the next data block of an index cannot have it; `separator` is its index key.
    pub(super) fn skips(&mut self, separator: &[u8]) -> bool {
        let What::Key { key, rule, is_ordered, is_behind } = &mut self.what else { return false };
        let Some(order) = rule.order() else { return false };
        let order = order.user().compare(user_key(separator), key);
        let was_behind = std::mem::replace(is_behind, order.is_gt());
        *is_ordered && (order.is_lt() || was_behind)
    }

    /// Notes an entry of a block, if it is sought. `key` is an internal key.
    pub(super) fn entry(
        &mut self,
        place: (u64, u64),
        (entry, shared): (u64, usize),
        key: &[u8],
        value: &[u8],
        state: State,
    ) {
        let tag = parse_internal_key(key).ok();
        let user_key = match &self.what {
            What::Bytes(..) if tag.is_none() => key,
            _ if key.len() < 8 => return,
            _ => user_key(key),
        };
        let sequence = tag.map(|parsed| parsed.sequence.get());
        let is_deletion = tag.is_some_and(|parsed| parsed.value_type.to_byte() == 0);
        if self.is(shared, user_key, value) {
            self.note(place, entry, sequence, (user_key, (!is_deletion).then_some(value)), state);
        }
    }

    /// Notes the operations of a batch that are sought, up to its first malformed one.
    pub(super) fn batch(&mut self, place: (u64, u64), data: &[u8], state: State) {
        let Ok(header) = BatchHeader::decode(data) else { return };
        for (entry, operation) in (0u64..).zip(operations(data)) {
            let (key, value) = match operation {
                Ok(BatchOperation::Put { key, value }) => (key, Some(value)),
                Ok(BatchOperation::Delete { key }) => (key, None),
                Err(_) => return,
            };
            if self.is(0, key, value.unwrap_or_default()) {
                self.note(place, entry, Some(header.sequence.saturating_add(entry)), (key, value), state);
            }
        }
    }

    fn note(
        &mut self,
        (offset, length): (u64, u64),
        entry: u64,
        sequence: Option<u64>,
        (key, value): (&[u8], Option<&[u8]>),
        state: State,
    ) {
        if self.mentions.len() >= KEPT_MAX && matches!(self.what, What::Bytes(..)) {
            self.more += 1;
            return;
        }
        let kept = value.map(|value| value.get(..self.value_max).unwrap_or(value)).unwrap_or_default();
        let told = match &self.what {
            What::Key { key: sought, .. } => (key != sought).then_some(key),
            What::Bytes(..) => Some(key.get(..self.value_max).unwrap_or(key)),
        };
        self.mentions.push(Mention {
            offset,
            length,
            entry,
            sequence,
            key: told.map(<[u8]>::to_vec),
            key_size: to_u64(key.len()),
            is_deletion: value.is_none(),
            value_size: to_u64(value.map_or(0, <[u8]>::len)),
            value: kept.to_vec(),
            state,
        });
    }
}

impl Mention {
    /// As a span.
    pub fn to_span(&self) -> Span {
        let mut span = Span::new("mention", self.offset, self.length);
        span.number("entry", self.entry);
        if let Some(sequence) = self.sequence {
            span.number("sequence", sequence);
        }
        if let Some(key) = &self.key {
            span.state("key", Fact::Bytes(key.clone()));
            if to_u64(key.len()) < self.key_size {
                span.number("keySize", self.key_size);
            }
        }
        span.text("type", if self.is_deletion { "deletion" } else { "value" });
        span.number("valueSize", self.value_size);
        span.state("value", Fact::Bytes(self.value.clone()));
        span.text("state", REGION_STATES.get(usize::from(self.state.to_byte())).copied().unwrap_or_default());
        span
    }
}

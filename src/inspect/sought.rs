//! The entries of one key, found while a whole file is read.

use super::regions::{REGION_STATES, State};
use super::rule::Rule;
use super::span::{Fact, Span};
use crate::base::{parse_internal_key, to_u64, user_key};
use crate::batch::{BatchHeader, BatchOperation, operations};

/// One entry of the key.
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
    /// The bytes of its key, if these are others than those that are sought: both are one key.
    pub key: Option<Vec<u8>>,
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

/// A key, and its entries so far.
#[derive(Debug)]
pub(super) struct Sought {
    pub(super) key: Vec<u8>,
    /// Bytes of a value that are kept.
    value_max: usize,
    /// Tells which keys are equal.
    rule: Rule,
    /// The file is in the order of the rule, so that the index tells where the key can be.
    is_ordered: bool,
    /// The last key of the index is after the key.
    is_behind: bool,
    pub(super) mentions: Vec<Mention>,
}

impl Sought {
    pub(super) fn new(key: Vec<u8>, value_max: usize, rule: Rule, is_ordered: bool) -> Sought {
        Sought { key, value_max, rule, is_ordered, is_behind: false, mentions: Vec::new() }
    }

    /// Whether this is the key. In an order that is not known, only the same bytes are.
    fn is(&self, key: &[u8]) -> bool {
        match self.rule.order() {
            Some(order) => order.user().compare(key, &self.key).is_eq(),
            None => key == self.key,
        }
    }

    /// Whether the next data block of an index cannot have the key; `separator` is its index key.
    pub(super) fn skips(&mut self, separator: &[u8]) -> bool {
        let Some(order) = self.rule.order() else { return false };
        let order = order.user().compare(user_key(separator), &self.key);
        let was_behind = std::mem::replace(&mut self.is_behind, order.is_gt());
        self.is_ordered && (order.is_lt() || was_behind)
    }

    /// Notes an entry of a block, if it is one of the key. `key` is an internal key.
    pub(super) fn entry(&mut self, place: (u64, u64), entry: u64, key: &[u8], value: &[u8], state: State) {
        if key.len() < 8 || !self.is(user_key(key)) {
            return;
        }
        let tag = parse_internal_key(key).ok();
        let sequence = tag.map(|parsed| parsed.sequence.get());
        let is_deletion = tag.is_some_and(|parsed| parsed.value_type.to_byte() == 0);
        self.note(place, entry, sequence, (user_key(key), if is_deletion { None } else { Some(value) }), state);
    }

    /// Notes the operations of a batch that concern the key, up to its first malformed one.
    pub(super) fn batch(&mut self, place: (u64, u64), data: &[u8], state: State) {
        let Ok(header) = BatchHeader::decode(data) else { return };
        for (entry, operation) in (0u64..).zip(operations(data)) {
            let (key, value) = match operation {
                Ok(BatchOperation::Put { key, value }) => (key, Some(value)),
                Ok(BatchOperation::Delete { key }) => (key, None),
                Err(_) => return,
            };
            if self.is(key) {
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
        let kept = value.map(|value| value.get(..self.value_max).unwrap_or(value)).unwrap_or_default();
        self.mentions.push(Mention {
            offset,
            length,
            entry,
            sequence,
            key: (key != self.key).then(|| key.to_vec()),
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
        }
        span.text("type", if self.is_deletion { "deletion" } else { "value" });
        span.number("valueSize", self.value_size);
        span.state("value", Fact::Bytes(self.value.clone()));
        span.text("state", REGION_STATES.get(usize::from(self.state.to_byte())).copied().unwrap_or_default());
        span
    }
}

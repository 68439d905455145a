//! Keys as facts, and the spans of single entries.

use super::entries::Found;
use super::span::{Fact, KeyFact, Span};
use crate::base::{parse_internal_key, to_u64};
use crate::table::Entry;

/// Bytes of a key that are listed.
const KEY_SHOWN_MAX: usize = 64 << 10;
/// Entries of one block that are listed, and bytes of their keys.
const ENTRIES_SHOWN_MAX: usize = 100_000;
const ENTRY_BYTES_SHOWN_MAX: usize = 4 << 20;

/// An internal key as a fact.
pub(super) fn key_fact(key: &[u8]) -> Fact {
    let (user, tag) = match parse_internal_key(key) {
        Ok(parsed) => (parsed.user_key, Some((parsed.sequence.get(), parsed.value_type.to_byte() == 1))),
        Err(_) => (key, None),
    };
    let shown = user.get(..KEY_SHOWN_MAX).unwrap_or(user);
    Fact::Key(KeyFact { key: shown.to_vec(), size: to_u64(user.len()), tag })
}

/// Bytes as a fact.
pub(super) fn bytes_fact(bytes: &[u8]) -> Fact {
    Fact::Bytes(bytes.get(..KEY_SHOWN_MAX).unwrap_or(bytes).to_vec())
}

/// Collects the spans of single entries, up to a limit.
pub(super) struct Listing {
    wanted: bool,
    /// Keys are internal keys.
    internal: bool,
    bytes: usize,
    spans: Vec<Span>,
}

impl Listing {
    pub(super) fn new(wanted: bool, internal: bool) -> Listing {
        Listing { wanted, internal, bytes: 0, spans: Vec::new() }
    }

    /// Adds the entry; returns it so that facts can be added.
    pub(super) fn add(&mut self, found: &Found, key: &[u8]) -> Option<&mut Span> {
        if !self.wanted || self.spans.len() >= ENTRIES_SHOWN_MAX {
            return None;
        }
        self.bytes = self.bytes.saturating_add(key.len().min(KEY_SHOWN_MAX));
        if self.bytes > ENTRY_BYTES_SHOWN_MAX {
            return None;
        }
        let Entry { shared, key_start, value_start, end } = found.entry;
        let mut entry = Span::new("entry", to_u64(found.at), to_u64(end.saturating_sub(found.at)));
        entry.number("shared", to_u64(shared));
        entry.number("unshared", to_u64(value_start.saturating_sub(key_start)));
        entry.number("valueSize", to_u64(end.saturating_sub(value_start)));
        entry.state("restart", Fact::Flag(found.is_restart));
        entry.state("key", if self.internal { key_fact(key) } else { bytes_fact(key) });
        self.spans.push(entry);
        self.spans.last_mut()
    }

    /// Puts the entries into the contents of a block, or into the block if it has no parts.
    pub(super) fn end(self, block: &mut Span) {
        match block.spans.iter_mut().find(|part| part.kind == "contents") {
            Some(contents) => contents.spans.extend(self.spans),
            None => block.spans.extend(self.spans),
        }
    }
}

//! Blocks: metaindex, index, filter, other meta blocks, data.

use std::cmp::Ordering;
use std::rc::Rc;

use super::inspector::{Depth, META_MAX, Role, TableInspector};
use crate::base::{BloomFilterPolicy, FilterPolicy, parse_internal_key, to_u64, user_key};
use crate::error::Malformed;
use crate::inspect::block::{KEY_TESTED_MAX, Opened, open};
use crate::inspect::entries::{Entries, Found, Order, tell};
use crate::inspect::fields;
use crate::inspect::listing::{Listing, bytes_fact, key_fact};
use crate::inspect::regions::State;
use crate::inspect::span::{Severity, Span, fill};
use crate::inspect::view::{BlockView, inside, tell_order};
use crate::table::{BlockHandle, FilterBlock, Origin};

impl TableInspector {
    fn lists_entries(&self) -> bool {
        self.depth == Depth::Spans { entries: true }
    }

    #[inline(never)]
    pub(super) fn block(&mut self, role: Role, handle: BlockHandle, bytes: &[u8]) {
        let end = handle.end().unwrap_or(u64::MAX);
        let mut opened = open(role.kind(), handle, bytes);
        if self.has_fields() {
            opened = opened.with_parts(bytes);
        }
        // A wrong handle may refer to another block's bytes, which must still be found by the
        // search.
        if opened.sound || matches!(role, Role::Data(_)) {
            self.own(handle.offset, end);
        } else {
            self.doubtful.push((handle.offset, end));
        }
        match role {
            // Handles in damaged bytes lead to damage that is not there; the search finds the blocks.
            Role::Metaindex | Role::Index if !opened.sound => self.emit(opened.span),
            Role::Metaindex => self.metaindex(opened),
            Role::Index => self.index(opened),
            Role::Meta(name) => self.meta(&name, opened),
            Role::Data(separator) => self.data(&separator, opened),
        }
        self.advance();
    }

    #[inline(never)]
    pub(super) fn metaindex(&mut self, opened: Opened) {
        let Opened { mut span, contents, raw, .. } = opened;
        let offset = span.offset;
        if let Some(mut entries) = contents.and_then(|contents| Entries::new(contents, offset, raw, &mut span)) {
            let mut count = 0;
            let mut listing = Listing::new(true, false);
            while let Some(found) = entries.next(&mut span) {
                count += 1;
                let handle = read_handle(&mut entries, &found, &mut span);
                let name = entries.key();
                if let Some(entry) = listing.add(&found, name) {
                    if let Some(handle) = handle {
                        show_handle(entry, &["handleOffset", "handleSize"], handle);
                    }
                    if self.has_fields() {
                        let names = ["handle offset", "handle size"];
                        fields::of_entry(entry, entries.block().bytes(), found.at, found.entry, &names);
                    }
                }
                if name == b"rocksdb.properties" || name == b"rocksdb.stats" {
                    self.total.format = "RocksDB";
                }
                if let Some(handle) = handle.filter(|_| self.queue.len() <= META_MAX) {
                    self.queue.insert(0, (Role::Meta(name.to_vec()), handle));
                }
            }
            span.number("entries", count);
            listing.end(&mut span);
            inside(&mut span, |contents| fields::of_restarts(contents, entries.block()));
            if self.total.format == "RocksDB" {
                span.note(
                    Severity::Info,
                    "T02",
                    (span.offset, span.length),
                    "this is a RocksDB table in LevelDB's format (version 0)",
                );
            }
        }
        self.emit(span);
    }

    /// The index is read twice: first to explain it, then from data block to data block.
    #[inline(never)]
    pub(super) fn index(&mut self, opened: Opened) {
        let Opened { mut span, contents, raw, .. } = opened;
        let Some(contents) = contents else { return self.emit(span) };
        if self.depth == Depth::Map {
            return self.map_index(BlockView::of(span, contents, raw));
        }
        let offset = span.offset;
        self.index = Entries::new(contents.clone(), offset, raw, &mut Span::new("index", offset, 0));
        if let Some(mut entries) = Entries::new(contents, offset, raw, &mut span) {
            let mut count = 0;
            let mut listing = Listing::new(self.lists_entries(), true);
            while let Some(found) = entries.next(&mut span) {
                count += 1;
                let handle = read_handle(&mut entries, &found, &mut span);
                if let (Some(entry), Some(handle)) = (listing.add(&found, entries.key()), handle) {
                    show_handle(entry, &["handleOffset", "handleSize"], handle);
                }
            }
            listing.end(&mut span);
            span.number("entries", count);
        }
        self.emit(span);
    }

    #[inline(never)]
    pub(super) fn meta(&mut self, name: &[u8], opened: Opened) {
        let Opened { mut span, contents, raw, sound } = opened;
        span.state("name", bytes_fact(name));
        if let Some(contents) = contents.as_ref().filter(|_| span.kind == "filter") {
            inside(&mut span, |parts| fields::of_filter(parts, contents));
        }
        let policy = BloomFilterPolicy::new(10);
        let is_filter = name.strip_prefix(b"filter.").is_some_and(|rest| rest == policy.name().as_bytes());
        if let Some(contents) = contents.filter(|_| is_filter) {
            let origin = Origin { offset: span.offset, size: 0, raw, verified: sound };
            match FilterBlock::new(Rc::new(policy), contents) {
                Ok(filter) => {
                    explain_filter(&filter, origin, &mut span);
                    self.filter = Some(filter).filter(|_| sound || self.tests_doubtful_filter);
                }
                Err(malformed) => tell(&mut span, origin, "T40", 4, &malformed),
            }
        }
        self.emit(span);
    }

    #[inline(never)]
    pub(super) fn data(&mut self, separator: &[u8], opened: Opened) {
        let Opened { mut span, contents, raw, sound } = opened;
        let offset = span.offset;
        self.data_end = offset.saturating_add(span.length);
        span.number("block", self.total.data_blocks);
        span.state("separator", key_fact(separator));
        self.total.data_blocks += 1;
        self.total.stored = self.total.stored.saturating_add(span.length);
        match contents {
            Some(contents) => {
                let state = if sound { State::Sound } else { State::Doubtful };
                self.entries(contents, (offset, raw, state), separator, &mut span);
            }
            None => self.total.damaged += 1,
        }
        self.total.damaged += u64::from(!sound && span.fact("entries").is_some());
        self.emit(span);
    }

    /// Explains the entries of a data block. An empty `separator` means unknown.
    pub(super) fn entries(
        &mut self,
        contents: Vec<u8>,
        (offset, raw, state): (u64, bool, State),
        separator: &[u8],
        span: &mut Span,
    ) {
        self.total.raw = self.total.raw.saturating_add(to_u64(contents.len()));
        let Some(entries) = Entries::new(contents, offset, raw, span) else {
            self.total.damaged += 1;
            return;
        };
        let mut entries = entries.with_rule(&self.rule);
        let mut listing = Listing::new(self.lists_entries(), true);
        let (mut count, mut deletions, mut sequences) = (0, 0, None);
        let (mut foreign, mut denied) = (None, None);
        while let Some(found) = entries.next(span) {
            let key = entries.key();
            if count == 0 {
                span.state("firstKey", key_fact(key));
                self.total.smallest.get_or_insert_with(|| key_fact(key));
                if !self.last_key.is_empty() && self.rule.contradicts(&self.last_key, key, Ordering::is_ge) {
                    self.total.misordered.get_or_insert(offset);
                }
                if !self.last_separator.is_empty() && self.rule.contradicts(&self.last_separator, key, Ordering::is_ge)
                {
                    self.total.misplaced.get_or_insert(offset);
                }
            }
            count += 1;
            match parse_internal_key(key) {
                Ok(parsed) => {
                    deletions += u64::from(parsed.value_type.to_byte() == 0);
                    widen(&mut sequences, parsed.sequence.get());
                    #[cfg(feature = "comparators")]
                    if let Some(names) = &mut self.names {
                        let is_put = parsed.value_type.to_byte() != 0;
                        names.note(parsed.user_key, parsed.sequence.get(), is_put.then(|| entries.value(found.entry)));
                    }
                }
                Err(malformed) => {
                    foreign.get_or_insert((found.at, found.entry.end, malformed.reason));
                }
            }
            if let Some(filter) = self.filter.as_ref().filter(|_| key.len() <= KEY_TESTED_MAX)
                && !filter.key_may_match(offset, user_key(key))
            {
                denied.get_or_insert((found.at, found.entry.end));
                self.total.denied += 1;
            }
            if let Some(sought) = &mut self.sought {
                let number = (count - 1, found.entry.shared);
                sought.entry((offset, span.length), number, key, entries.value(found.entry), state);
            }
            listing.add(&found, key);
            if found.order == Some(Order::UserKeyBefore) {
                self.total.misordered.get_or_insert(offset);
            }
            tell_order(&mut entries, &found, span);
        }
        listing.end(span);
        if let Some((at, end, reason)) = foreign.filter(|_| self.total.format == "LevelDB") {
            entries.tell(span, "T25", end.saturating_sub(at), &Malformed::new(to_u64(at), reason));
        }
        if let Some((at, end)) = denied {
            let reason = "the filter does not match the key of this entry (a false negative)";
            entries.tell(span, "T41", end.saturating_sub(at), &Malformed::new(to_u64(at), reason));
        }
        if count > 0 {
            let last = entries.key();
            span.state("lastKey", key_fact(last));
            self.total.largest = Some(key_fact(last));
            self.last_key = last.to_vec();
            if !separator.is_empty() && self.rule.contradicts(last, separator, Ordering::is_gt) {
                self.total.misplaced.get_or_insert(offset);
            }
        }
        self.last_separator = separator.to_vec();
        span.number("entries", count);
        span.number("deletions", deletions);
        if let Some((low, high)) = sequences {
            span.number("minSequence", low);
            span.number("maxSequence", high);
            widen(&mut self.total.sequences, low);
            widen(&mut self.total.sequences, high);
        }
        self.total.entries += count;
        self.total.deletions += deletions;
    }
}

/// The handle at the beginning of an entry's value.
fn read_handle(entries: &mut Entries, found: &Found, span: &mut Span) -> Option<BlockHandle> {
    match BlockHandle::decode_value(entries.value(found.entry)) {
        Ok(handle) => Some(handle),
        Err(malformed) => {
            let at = to_u64(found.entry.value_start).saturating_add(malformed.offset);
            let length = found.entry.end.saturating_sub(found.entry.value_start);
            entries.tell(span, "T30", length, &Malformed::new(at, malformed.reason));
            None
        }
    }
}

#[inline(never)]
pub(super) fn show_handle(span: &mut Span, names: &[&'static str; 2], handle: BlockHandle) {
    span.number(names[0], handle.offset);
    span.number(names[1], handle.size);
}

fn widen(range: &mut Option<(u64, u64)>, value: u64) {
    let (low, high) = range.unwrap_or((value, value));
    *range = Some((low.min(value), high.max(value)));
}

pub(super) fn explain_filter(filter: &FilterBlock, origin: Origin, span: &mut Span) {
    let (mut empty, mut bits, mut set, mut probes) = (0u64, 0u64, 0u64, None);
    for index in 0..filter.count() {
        match filter.filter(index) {
            Some([]) => empty += 1,
            Some([array @ .., count]) => {
                bits = bits.saturating_add(to_u64(array.len()).saturating_mul(8));
                set = array.iter().fold(set, |sum, byte| sum.saturating_add(u64::from(byte.count_ones())));
                widen(&mut probes, u64::from(*count));
            }
            None => {
                let reason = fill("the offsets of filter {} of {} lie outside the filters", &[index, filter.count()]);
                tell(span, origin, "T40", 0, &Malformed::new(0, reason));
                break;
            }
        }
    }
    span.number("filters", filter.count());
    span.number("emptyFilters", empty);
    span.number("baseLg", u64::from(filter.base_lg()));
    span.number("bits", bits);
    span.number("bitsSet", set);
    if let Some((low, high)) = probes {
        span.number("probes", high);
        if high > 30 || low != high {
            let reason = fill("filters have {} to {} probes, expected the same, at most 30", &[low, high]);
            span.find(Severity::Warn, "T40", (origin.offset, span.length), reason);
        }
    }
}

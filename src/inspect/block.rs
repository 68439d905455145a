//! One block: decodes its stored bytes, then its entries, and continues after damage.

use std::cmp::Ordering;

use super::span::{Fact, KeyFact, Severity, Span, fill};
use crate::base::{parse_internal_key, to_u64};
use crate::error::Malformed;
use crate::table::{
    Block, BlockHandle, Codec, DecodeError, Entry, Origin, TRAILER_SIZE, checksum, codec_of, decompress, open_trailer,
    unmasked,
};

/// Larger blocks are not decoded.
pub(super) const BLOCK_SIZE_MAX: usize = 256 << 20;
/// Bytes of a key that are listed.
const KEY_SHOWN_MAX: usize = 64 << 10;
/// Entries of one block that are listed, and bytes of their keys.
const ENTRIES_SHOWN_MAX: usize = 100_000;
const ENTRY_BYTES_SHOWN_MAX: usize = 4 << 20;
/// Findings about the entries of one block; damage could produce as many as there are bytes.
const FINDINGS_MAX: usize = 20;
/// Longer keys are not looked up in filters: a small block can claim to have very many of them.
pub(super) const KEY_TESTED_MAX: usize = 4 << 10;

/// The contents of a stored block, decompressed, if possible.
pub(super) struct Opened {
    pub(super) span: Span,
    pub(super) contents: Option<Vec<u8>>,
    pub(super) raw: bool,
    pub(super) sound: bool,
}

/// Removes the trailer and decompresses.
///
/// `stored` should be all bytes of `handle`, with the trailer. A wrong checksum is reported, and
/// the contents are decoded as far as possible.
pub(super) fn open(kind: &'static str, handle: BlockHandle, stored: &[u8]) -> Opened {
    let length = handle.size.saturating_add(to_u64(TRAILER_SIZE));
    let mut span = Span::new(kind, handle.offset, length);
    span.number("storedSize", handle.size);
    let lost = |span: Span, sound: bool| Opened { span, contents: None, raw: false, sound };
    if to_u64(stored.len()) != length {
        span.bad("S02", handle.offset, "only {} of {} bytes could be read", &[to_u64(stored.len()), length]);
        return lost(span, false);
    }
    let (Ok((contents, block_type)), Some((sealed, sum))) =
        (open_trailer(stored, false), stored.split_last_chunk::<4>())
    else {
        return lost(span, false);
    };
    let (stored_sum, computed) = (unmasked(u32::from_le_bytes(*sum)), checksum(sealed));
    let sound = stored_sum == computed;
    let codec = codec_of(block_type, contents);
    span.text("codec", codec.as_ref().map_or("unknown", |codec| codec.name()));
    span.number("codecId", u64::from(block_type));
    span.text("checksum", if sound { "sound" } else { "wrong" });
    span.number("storedChecksum", u64::from(stored_sum));
    span.number("computedChecksum", u64::from(computed));
    let at = |within: usize| handle.offset.saturating_add(to_u64(within));
    if !sound {
        let sums = [u64::from(stored_sum), u64::from(computed)];
        span.bad("T10", at(contents.len() + 1), "block checksum mismatch: {x} stored, {x} computed", &sums);
    }
    let mut out = Vec::new();
    let decompressed = codec.map_err(DecodeError::from).and_then(|codec| {
        decompress(codec, contents, BLOCK_SIZE_MAX, &mut out)?;
        Ok(codec == Codec::None)
    });
    match decompressed {
        Ok(raw) => {
            span.number("rawSize", to_u64(out.len()));
            Opened { span, contents: Some(out), raw, sound }
        }
        Err(DecodeError::NotSupported(reason)) => {
            span.find(Severity::Warn, "T11", at(contents.len()), reason);
            lost(span, sound)
        }
        Err(DecodeError::TooLarge(reason)) => {
            span.find(Severity::Warn, "T12", handle.offset, reason);
            lost(span, sound)
        }
        Err(DecodeError::Malformed(malformed)) => {
            let code = if malformed.offset == to_u64(contents.len()) { "T11" } else { "T12" };
            span.find(Severity::Bad, code, handle.offset.saturating_add(malformed.offset), malformed.reason);
            lost(span, sound)
        }
    }
}

/// An iterator over the entries of a block that continues after damage.
pub(super) struct Entries {
    block: Block,
    /// Offset of the block in the file, and whether offsets in the block are offsets in the file.
    origin: Origin,
    at: usize,
    key: Vec<u8>,
    /// The end of the previous key, from the point where the two may differ.
    tail: Vec<u8>,
    tail_at: usize,
    restart: usize,
    first: bool,
    findings: usize,
}

/// One entry.
pub(super) struct Found {
    pub(super) at: usize,
    pub(super) entry: Entry,
    pub(super) is_restart: bool,
    /// How it compares with the previous one, if there is one and both are internal keys.
    pub(super) order: Option<Order>,
}

/// The order of an entry and the previous one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Order {
    After,
    /// By bytes; another comparator may order them differently.
    UserKeyBefore,
    /// The same user key, and not an older entry.
    TagNotOlder(Ordering),
}

impl Entries {
    /// `None`: nothing could be decoded; `span` has the reason.
    pub(super) fn new(contents: Vec<u8>, offset: u64, raw: bool, span: &mut Span) -> Option<Entries> {
        let origin = Origin { offset, size: 0, raw, verified: true };
        let block = match Block::new(contents, origin, true) {
            Ok(block) => block,
            Err(malformed) => {
                tell(span, origin, "T20", &malformed);
                return None;
            }
        };
        if let Err(malformed) = block.check_restarts() {
            tell(span, origin, "T20", &malformed);
        }
        span.number("restarts", to_u64(block.restart_count()));
        let (key, tail) = (Vec::new(), Vec::new());
        Some(Entries { block, origin, at: 0, key, tail, tail_at: 0, restart: 0, first: true, findings: 0 })
    }

    pub(super) fn key(&self) -> &[u8] {
        &self.key
    }

    pub(super) fn value(&self, entry: Entry) -> &[u8] {
        self.block.bytes().get(entry.value_start..entry.end).unwrap_or_default()
    }

    /// The next entry that can be decoded. Damage before it is added to `span`.
    pub(super) fn next(&mut self, span: &mut Span) -> Option<Found> {
        while self.at < self.block.entries_end() {
            let at = self.at;
            let is_restart = self.pass_restarts(at, span);
            match self.block.entry(at).filter(|entry| entry.shared <= self.key.len()) {
                Some(entry) if !(is_restart && entry.shared > 0) => {
                    let order = self.step(entry);
                    return Some(Found { at, entry, is_restart, order });
                }
                _ => self.skip(at, is_restart, span),
            }
        }
        self.pass_restarts(self.block.entries_end(), span);
        None
    }

    /// Reports restart points before `at` where no entry begins; returns whether one is at `at`.
    fn pass_restarts(&mut self, at: usize, span: &mut Span) -> bool {
        while self.restart < self.block.restart_count() {
            let point = self.block.restart(self.restart);
            if point > at {
                return false;
            }
            self.restart += 1;
            if point == at {
                return true;
            }
            let reason =
                fill("restart point {} is {}, but no entry begins there", &[to_u64(self.restart - 1), to_u64(point)]);
            self.tell(span, "T20", &Malformed::new(to_u64(point), reason));
        }
        false
    }

    fn step(&mut self, entry: Entry) -> Option<Order> {
        let unshared = self.block.bytes().get(entry.key_start..entry.value_start).unwrap_or_default();
        let (before, after) = (self.key.len(), entry.shared.saturating_add(unshared.len()));
        let comparable = !self.first && before >= 8 && after >= 8;
        // The shared part is equal; a tag may lie in it, and is compared separately.
        let same = entry.shared.min(before.saturating_sub(8)).min(after.saturating_sub(8));
        self.tail.clear();
        self.tail.extend_from_slice(self.key.get(same..).unwrap_or_default());
        self.tail_at = same;
        self.key.truncate(entry.shared);
        self.key.extend_from_slice(unshared);
        self.at = entry.end;
        self.first = false;
        comparable.then(|| self.order())
    }

    fn order(&self) -> Order {
        let (Some((user_before, tag_before)), Some((user, tag))) = (
            self.tail.split_last_chunk::<8>(),
            self.key.get(self.tail_at..).unwrap_or_default().split_last_chunk::<8>(),
        ) else {
            return Order::After;
        };
        match user_before.cmp(user) {
            Ordering::Less => Order::After,
            Ordering::Greater => Order::UserKeyBefore,
            Ordering::Equal => match u64::from_le_bytes(*tag).cmp(&u64::from_le_bytes(*tag_before)) {
                Ordering::Less => Order::After,
                other => Order::TagNotOlder(other),
            },
        }
    }

    /// Skips from an entry that cannot be decoded to the next restart point.
    fn skip(&mut self, at: usize, is_restart: bool, span: &mut Span) {
        let why = self.block.explain(at, self.key.len(), is_restart);
        self.tell(span, "T21", &why);
        let restarts = self.restart..self.block.restart_count();
        let next = restarts.map(|index| self.block.restart(index)).find(|point| *point > at);
        self.at = next.unwrap_or(usize::MAX);
        self.key.clear();
        self.first = true;
    }

    pub(super) fn tell(&mut self, span: &mut Span, code: &'static str, what: &Malformed) {
        self.findings += 1;
        if self.findings <= FINDINGS_MAX {
            tell(span, self.origin, code, what);
        }
    }
}

/// A finding inside a block, with its offset in the file if it has one.
pub(super) fn tell(span: &mut Span, origin: Origin, code: &'static str, what: &Malformed) {
    if origin.raw {
        span.find(Severity::Bad, code, origin.offset.saturating_add(what.offset), what.reason.clone());
    } else {
        let place = fill(" (at byte {} of the decompressed block)", &[what.offset]);
        span.find(Severity::Bad, code, origin.offset, [&*what.reason, &*place].concat());
    }
}

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
}

impl Listing {
    pub(super) fn new(wanted: bool, internal: bool) -> Listing {
        Listing { wanted, internal, bytes: 0 }
    }

    /// Adds the entry to `span`; returns it so that facts can be added.
    pub(super) fn add<'a>(&mut self, span: &'a mut Span, found: &Found, key: &[u8]) -> Option<&'a mut Span> {
        if !self.wanted || span.spans.len() >= ENTRIES_SHOWN_MAX {
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
        span.spans.push(entry);
        span.spans.last_mut()
    }
}

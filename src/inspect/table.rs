//! One table file, from its footer to the last data block.
//!
//! ```text
//! footer -> metaindex -> index -> filter and other meta blocks -> data blocks in the order of the index
//!        -> what lies between them: searched for blocks that nothing refers to -> the table as a whole
//! ```
//! Whatever cannot be read is told, and the next is tried: without an index, all blocks are found by the search.

use std::cmp::Ordering;
use std::rc::Rc;

use super::block::{
    BLOCK_SIZE_MAX, Entries, Found, KEY_TESTED_MAX, Listing, Opened, Order, bytes_fact, key_fact, open, tell,
};
use super::search::{Hit, SIZE_MAX_AT_START, Search, WINDOW};
use super::{Fact, Severity, Span, fill};
use crate::base::{
    BloomFilterPolicy, FilterPolicy, Input, InternalKeyComparator, decode_fixed32, parse_internal_key, to_u64, user_key,
};
use crate::error::Malformed;
use crate::table::{BlockHandle, FOOTER_SIZE, FilterBlock, Footer, MAGIC, Origin, TRAILER_SIZE};

/// The longest footer that is known, RocksDB's.
const TAIL_SIZE: u64 = 53;
/// Bytes by which other kinds of files are known.
const HEAD_SIZE: u64 = 16;
/// A magic number with no more wrong bits was LevelDB's.
const MAGIC_BITS_MAX: u32 = 8;
/// More meta blocks are not looked at; LevelDB has one.
const META_MAX: usize = 64;
/// Overlaps and stray bytes that are told.
const REGIONS_TOLD_MAX: usize = 100;

const ROCKSDB: u64 = 0x88e2_41b7_85f4_cff7;
const ENDINGS: [(u64, &str); 5] = [
    (ROCKSDB, "RocksDB"),
    (0x8242_2296_63bf_9564, "RocksDB's plain table"),
    (0x4f34_18eb_7a8f_13b8, "RocksDB's plain table"),
    (0x9267_89d0_c5f1_7873, "RocksDB's cuckoo table"),
    (0xb3aa_9ff0_b3aa_9ff0, "Pebble"),
];
const BEGINNINGS: [(&[u8], &str); 5] = [
    (b"SQLite format 3\0", "SQLite database"),
    (b"\x1f\x8b", "gzip"),
    (b"PK\x03\x04", "zip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\x89PNG", "PNG image"),
];

/// Explains a table file; see the head of [`inspect`](crate::inspect).
///
/// ```
/// # use varve::inspect::TableInspector;
/// let file = b"no table";
/// let mut inspector = TableInspector::new(8, false);
/// let mut spans = Vec::new();
/// while let Some((offset, length)) = inspector.wanted() {
///     let start = usize::try_from(offset).unwrap_or(usize::MAX);
///     inspector.supply(file.get(start..start + length).unwrap_or_default());
///     spans.extend(inspector.take());
/// }
/// assert_eq!(spans[0].findings[0].code, "T01");
/// ```
pub struct TableInspector {
    size: u64,
    list_entries: bool,
    step: Step,
    /// What is to be read before data blocks, the next one last.
    queue: Vec<(Role, BlockHandle)>,
    index: Option<Entries>,
    filter: Option<FilterBlock>,
    /// Explained bytes of the file, from and to.
    known: Vec<(u64, u64)>,
    /// What was read as a block and is none by its checksum.
    doubtful: Vec<(u64, u64)>,
    /// The next one last.
    gaps: Vec<(u64, u64)>,
    gaps_known: bool,
    no_footer: bool,
    search: Option<Search>,
    /// The data blocks lie before this, so far.
    data_end: u64,
    last_key: Vec<u8>,
    last_separator: Vec<u8>,
    total: Total,
    ready: Vec<Span>,
}

/// What the wanted bytes are.
enum Step {
    Tail,
    Head {
        footer: Span,
        search: bool,
    },
    Block(Role, BlockHandle),
    Gap {
        start: u64,
        end: u64,
        window: usize,
    },
    /// Nothing: a pause, so that spans can be taken.
    Pause,
    Done,
}

enum Role {
    Metaindex,
    Index,
    Meta(Vec<u8>),
    Data(Vec<u8>),
}

impl Role {
    fn kind(&self) -> &'static str {
        match self {
            Role::Metaindex => "metaindex",
            Role::Index => "index",
            Role::Meta(name) if name.starts_with(b"filter.") => "filter",
            Role::Meta(_) => "meta",
            Role::Data(_) => "data",
        }
    }
}

#[derive(Default)]
struct Total {
    format: &'static str,
    data_blocks: u64,
    entries: u64,
    deletions: u64,
    stored: u64,
    raw: u64,
    /// Blocks whose entries are not, or not all, known.
    damaged: u64,
    found: u64,
    sequences: Option<(u64, u64)>,
    smallest: Option<Fact>,
    largest: Option<Fact>,
    /// Offsets of the first blocks where keys, and index keys, are not in bytewise order.
    misordered: Option<u64>,
    misplaced: Option<u64>,
    bad: u64,
    notes: u64,
}

impl TableInspector {
    /// Of a file of `size` bytes. `list_entries`: blocks have spans of their entries.
    pub fn new(size: u64, list_entries: bool) -> TableInspector {
        TableInspector {
            size,
            list_entries,
            step: Step::Tail,
            queue: Vec::new(),
            index: None,
            filter: None,
            known: Vec::new(),
            doubtful: Vec::new(),
            gaps: Vec::new(),
            gaps_known: false,
            no_footer: false,
            search: None,
            data_end: 0,
            last_key: Vec::new(),
            last_separator: Vec::new(),
            total: Total { format: "LevelDB", ..Total::default() },
            ready: Vec::new(),
        }
    }

    /// Offset and count of the bytes to hand to [`supply`](TableInspector::supply) next (which may be none); `None` at the end.
    pub fn wanted(&self) -> Option<(u64, usize)> {
        Some(match &self.step {
            Step::Tail => {
                let length = self.size.min(TAIL_SIZE);
                (self.size - length, usize::try_from(length).unwrap_or(0))
            }
            Step::Head { .. } => (0, usize::try_from(self.size.min(HEAD_SIZE)).unwrap_or(0)),
            Step::Block(_, handle) => (handle.offset, usize::try_from(handle.size.saturating_add(5)).unwrap_or(0)),
            Step::Gap { start, window, .. } => (*start, *window),
            Step::Pause => (0, 0),
            Step::Done => return None,
        })
    }

    /// Takes the wanted bytes, or as many as could be read.
    pub fn supply(&mut self, bytes: &[u8]) {
        match std::mem::replace(&mut self.step, Step::Done) {
            Step::Tail => self.tail(bytes),
            Step::Head { footer, search } => self.head(footer, search, bytes),
            Step::Block(role, handle) => self.block(role, handle, bytes),
            Step::Gap { start, end, .. } => self.gap(start, end, bytes),
            Step::Pause => self.advance(),
            Step::Done => {}
        }
    }

    /// Spans that are ready, in the order of the head of this file.
    pub fn take(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.ready)
    }

    #[inline(never)]
    fn emit(&mut self, span: Span) {
        for finding in &span.findings {
            match finding.severity {
                Severity::Bad => self.total.bad += 1,
                _ => self.total.notes += 1,
            }
        }
        self.ready.push(span);
    }

    /// Remembers that these bytes have an owner.
    #[inline(never)]
    fn own(&mut self, start: u64, end: u64) {
        // Data blocks come in order and so go to the end, or prolong what is there.
        let place = self.known.partition_point(|region| *region < (start, end));
        match place.checked_sub(1).and_then(|before| self.known.get_mut(before)) {
            Some((_, last)) if *last == start => *last = end,
            _ => self.known.insert(place, (start, end)),
        }
    }

    /// Chooses what to read next.
    fn advance(&mut self) {
        if let Some((role, handle)) = self.queue.pop().or_else(|| self.next_data()) {
            return self.go_to(role, handle);
        }
        if !self.gaps_known {
            self.gaps_known = true;
            self.find_gaps();
        }
        if let Some((start, end)) = self.gaps.pop() {
            return self.go_to_gap(start, end);
        }
        self.conclude();
    }

    /// Reads a block, unless its handle cannot be.
    #[inline(never)]
    fn go_to(&mut self, role: Role, handle: BlockHandle) {
        let mut span = Span::new(role.kind(), handle.offset, handle.size.saturating_add(5));
        let limit = self.size.saturating_sub(to_u64(FOOTER_SIZE));
        let is_data = matches!(role, Role::Data(_));
        if handle.end().is_none_or(|end| end > limit) {
            let reason = "a handle says {} bytes and a trailer at {}, expected to end before the footer at {}";
            let numbers = [handle.size, handle.offset, limit];
            span.bad("T30", handle.offset.min(self.size), reason, &numbers);
        } else if is_data && handle.offset < self.data_end {
            let numbers = [handle.offset, self.data_end];
            span.bad("T31", handle.offset, "a block begins at {}, expected at {} or later", &numbers);
        } else if handle.size > to_u64(BLOCK_SIZE_MAX) {
            let reason =
                fill("the block has {} bytes, at most {} are looked at", &[handle.size, to_u64(BLOCK_SIZE_MAX)]);
            span.find(Severity::Warn, "T12", handle.offset, reason);
            self.own(handle.offset, handle.end().unwrap_or(u64::MAX));
        } else {
            self.step = Step::Block(role, handle);
            return;
        }
        self.total.damaged += u64::from(is_data);
        self.emit(span);
        self.step = Step::Pause;
    }

    #[inline(never)]
    fn next_data(&mut self) -> Option<(Role, BlockHandle)> {
        let entries = self.index.as_mut()?;
        // What is wrong with the index was told when it was shown.
        let mut unheard = Span::new("index", 0, 0);
        while let Some(found) = entries.next(&mut unheard) {
            if let Ok(handle) = BlockHandle::decode_value(entries.value(found.entry)) {
                return Some((Role::Data(entries.key().to_vec()), handle));
            }
        }
        None
    }
}

// ---- The ends of the file -------------------------------------------------------------------------------------------

impl TableInspector {
    #[inline(never)]
    fn tail(&mut self, bytes: &[u8]) {
        let footer_size = self.size.min(to_u64(FOOTER_SIZE));
        let start = self.size - footer_size;
        let mut span = Span::new("footer", start, footer_size);
        if to_u64(bytes.len()) < self.size.min(TAIL_SIZE) {
            span.bad("S02", start, "{} bytes of the file's end could be read", &[to_u64(bytes.len())]);
            self.step = Step::Head { footer: span, search: true };
            return;
        }
        let footer_bytes = bytes.get(bytes.len().saturating_sub(FOOTER_SIZE)..).unwrap_or_default();
        let (Some((handles, magic)), true) = (footer_bytes.split_last_chunk::<8>(), bytes.len() >= FOOTER_SIZE) else {
            span.bad("T01", 0, "the file has {} bytes, a table has at least 48", &[self.size]);
            self.step = Step::Head { footer: span, search: false };
            return;
        };
        span.state("magic", bytes_fact(magic));
        let magic = u64::from_le_bytes(*magic);
        if let Some((_, name)) = ENDINGS.iter().find(|(known, _)| *known == magic) {
            return self.foreign(span, name, magic, bytes);
        }
        let wrong_bits = (magic ^ MAGIC).count_ones();
        if wrong_bits > 0 {
            let reason = "not an sstable (bad magic number): {x}, expected {x}";
            span.bad("T02", self.size - 8, reason, &[magic, MAGIC]);
        }
        if wrong_bits > MAGIC_BITS_MAX {
            self.step = Step::Head { footer: span, search: true };
            return;
        }
        self.own(start, self.size);
        self.handles(&mut span, handles, start);
        self.emit(span);
        self.advance();
    }

    #[inline(never)]
    fn handles(&mut self, span: &mut Span, handles: &[u8], start: u64) {
        let mut input = Input::new(handles);
        let metaindex = BlockHandle::decode(&mut input);
        let index = BlockHandle::decode(&mut input);
        match (metaindex, index) {
            (Ok(metaindex), Ok(index)) => {
                show_handle(span, &["metaindexOffset", "metaindexSize"], metaindex);
                show_handle(span, &["indexOffset", "indexSize"], index);
                self.queue.extend([(Role::Index, index), (Role::Metaindex, metaindex)]);
                if let Err(malformed) = (Footer { metaindex, index }).check_padding(handles) {
                    span.find(Severity::Warn, "T02", start.saturating_add(malformed.offset), malformed.reason);
                }
            }
            (Err(malformed), _) | (_, Err(malformed)) => {
                span.find(Severity::Bad, "T30", start.saturating_add(malformed.offset), malformed.reason);
            }
        }
    }

    /// A table of somebody else's: named, its footer shown, its blocks not.
    #[inline(never)]
    fn foreign(&mut self, mut span: Span, name: &'static str, magic: u64, bytes: &[u8]) {
        self.total.format = name;
        span.text("format", name);
        let version = bytes.len().checked_sub(12).and_then(|at| decode_fixed32(bytes.get(at..)?));
        let mut what = ["this is not a LevelDB table but one of ", name].concat();
        if let (ROCKSDB, Some(version), [checksum, rest @ ..]) = (magic, version, bytes) {
            let checksum = match checksum {
                0 => "none",
                1 => "CRC-32C",
                2 => "xxHash",
                3 => "xxHash64",
                4 => "XXH3",
                _ => "unknown",
            };
            (span.offset, span.length) = (self.size.saturating_sub(TAIL_SIZE), TAIL_SIZE.min(self.size));
            span.number("formatVersion", u64::from(version));
            span.text("checksumType", checksum);
            let mut input = Input::new(rest);
            // From version 6 on there are none here.
            if version < 6
                && let Ok(metaindex) = BlockHandle::decode(&mut input)
                && let Ok(index) = BlockHandle::decode(&mut input)
            {
                show_handle(&mut span, &["metaindexOffset", "metaindexSize"], metaindex);
                show_handle(&mut span, &["indexOffset", "indexSize"], index);
            }
            what.push_str(&fill(" (format version {}, checksums ", &[u64::from(version)]));
            what.push_str(checksum);
            what.push(')');
        }
        span.find(Severity::Bad, "T02", self.size.saturating_sub(8), what);
        self.emit(span);
        self.gaps_known = true;
        self.conclude();
    }

    /// No footer: perhaps the beginning tells what the file is.
    #[inline(never)]
    fn head(&mut self, mut footer: Span, search: bool, bytes: &[u8]) {
        self.no_footer = true;
        if let Some((_, name)) = BEGINNINGS.iter().find(|(known, _)| bytes.starts_with(known)) {
            footer.text("format", name);
            footer.note(Severity::Bad, "T02", 0, "the file begins as one of that format");
            self.gaps_known = true;
        } else if !search {
            self.gaps_known = true;
        }
        self.emit(footer);
        self.advance();
    }
}

// ---- Blocks ---------------------------------------------------------------------------------------------------------

impl TableInspector {
    #[inline(never)]
    fn block(&mut self, role: Role, handle: BlockHandle, bytes: &[u8]) {
        let end = handle.end().unwrap_or(u64::MAX);
        let opened = open(role.kind(), handle, bytes);
        // A wrong handle leads to bytes of somebody else's, which must not hide those from the search.
        if opened.sound || matches!(role, Role::Data(_)) {
            self.own(handle.offset, end);
        } else {
            self.doubtful.push((handle.offset, end));
        }
        match role {
            Role::Metaindex => self.metaindex(opened),
            Role::Index => self.index(opened),
            Role::Meta(name) => self.meta(&name, opened),
            Role::Data(separator) => self.data(&separator, opened),
        }
        self.advance();
    }

    #[inline(never)]
    fn metaindex(&mut self, opened: Opened) {
        let Opened { mut span, contents, raw, .. } = opened;
        let offset = span.offset;
        if let Some(mut entries) = contents.and_then(|contents| Entries::new(contents, offset, raw, &mut span)) {
            let mut count = 0;
            let mut listing = Listing::new(true, false);
            while let Some(found) = entries.next(&mut span) {
                count += 1;
                let handle = read_handle(&mut entries, &found, &mut span);
                let name = entries.key();
                if let (Some(entry), Some(handle)) = (listing.add(&mut span, &found, name), handle) {
                    show_handle(entry, &["handleOffset", "handleSize"], handle);
                }
                if name == b"rocksdb.properties" || name == b"rocksdb.stats" {
                    self.total.format = "RocksDB";
                }
                if let Some(handle) = handle.filter(|_| self.queue.len() <= META_MAX) {
                    self.queue.insert(0, (Role::Meta(name.to_vec()), handle));
                }
            }
            span.number("entries", count);
            if self.total.format == "RocksDB" {
                span.note(
                    Severity::Info,
                    "T02",
                    span.offset,
                    "this is a table of RocksDB's in LevelDB's format (version 0)",
                );
            }
        }
        self.emit(span);
    }

    /// The index is walked twice: now to be shown, then from data block to data block.
    #[inline(never)]
    fn index(&mut self, opened: Opened) {
        let Opened { mut span, contents, raw, .. } = opened;
        let Some(contents) = contents else { return self.emit(span) };
        let offset = span.offset;
        self.index = Entries::new(contents.clone(), offset, raw, &mut Span::new("index", offset, 0));
        if let Some(mut entries) = Entries::new(contents, offset, raw, &mut span) {
            let mut count = 0;
            let mut listing = Listing::new(self.list_entries, true);
            while let Some(found) = entries.next(&mut span) {
                count += 1;
                let handle = read_handle(&mut entries, &found, &mut span);
                if let (Some(entry), Some(handle)) = (listing.add(&mut span, &found, entries.key()), handle) {
                    show_handle(entry, &["handleOffset", "handleSize"], handle);
                }
            }
            span.number("entries", count);
        }
        self.emit(span);
    }

    #[inline(never)]
    fn meta(&mut self, name: &[u8], opened: Opened) {
        let Opened { mut span, contents, raw, sound } = opened;
        span.state("name", bytes_fact(name));
        let policy = BloomFilterPolicy::new(10);
        let is_filter = name.strip_prefix(b"filter.").is_some_and(|rest| rest == policy.name().as_bytes());
        if let Some(contents) = contents.filter(|_| is_filter) {
            let origin = Origin { offset: span.offset, size: 0, raw, verified: sound };
            match FilterBlock::new(Rc::new(policy), contents) {
                Ok(filter) => {
                    explain_filter(&filter, origin, &mut span);
                    self.filter = Some(filter).filter(|_| sound);
                }
                Err(malformed) => tell(&mut span, origin, "T40", &malformed),
            }
        }
        self.emit(span);
    }

    #[inline(never)]
    fn data(&mut self, separator: &[u8], opened: Opened) {
        let Opened { mut span, contents, raw, sound } = opened;
        let offset = span.offset;
        self.data_end = offset.saturating_add(span.length);
        span.number("block", self.total.data_blocks);
        span.state("separator", key_fact(separator));
        self.total.data_blocks += 1;
        self.total.stored = self.total.stored.saturating_add(span.length);
        match contents {
            Some(contents) => self.entries(contents, offset, raw, separator, &mut span),
            None => self.total.damaged += 1,
        }
        self.total.damaged += u64::from(!sound && span.fact("entries").is_some());
        self.emit(span);
    }

    /// The entries of a data block. An empty `separator`: it is not known.
    fn entries(&mut self, contents: Vec<u8>, offset: u64, raw: bool, separator: &[u8], span: &mut Span) {
        self.total.raw = self.total.raw.saturating_add(to_u64(contents.len()));
        let Some(mut entries) = Entries::new(contents, offset, raw, span) else {
            self.total.damaged += 1;
            return;
        };
        let order = InternalKeyComparator::default();
        let mut listing = Listing::new(self.list_entries, true);
        let (mut count, mut deletions, mut sequences) = (0, 0, None);
        let (mut foreign, mut denied) = (None, None);
        while let Some(found) = entries.next(span) {
            let key = entries.key();
            if count == 0 {
                span.state("firstKey", key_fact(key));
                self.total.smallest.get_or_insert_with(|| key_fact(key));
                if !self.last_key.is_empty() && order.compare(&self.last_key, key) != Ordering::Less {
                    self.total.misordered.get_or_insert(offset);
                }
                if !self.last_separator.is_empty() && order.compare(&self.last_separator, key) != Ordering::Less {
                    self.total.misplaced.get_or_insert(offset);
                }
            }
            count += 1;
            match parse_internal_key(key) {
                Ok(parsed) => {
                    deletions += u64::from(parsed.value_type.to_byte() == 0);
                    widen(&mut sequences, parsed.sequence.get());
                }
                Err(malformed) => {
                    foreign.get_or_insert((found.at, malformed.reason));
                }
            }
            if let Some(filter) = self.filter.as_ref().filter(|_| key.len() <= KEY_TESTED_MAX)
                && !filter.key_may_match(offset, user_key(key))
            {
                denied.get_or_insert(found.at);
            }
            listing.add(span, &found, key);
            match found.order {
                Some(Order::UserKeyBefore) => {
                    self.total.misordered.get_or_insert(offset);
                }
                Some(Order::TagNotOlder(tags)) => {
                    let (code, what) = if tags == Ordering::Equal {
                        ("T23", "the same key and sequence as the entry before")
                    } else {
                        ("T22", "an entry of the same key as the one before it, and newer; expected older")
                    };
                    entries.tell(span, code, &Malformed::new(to_u64(found.at), what));
                }
                _ => {}
            }
        }
        if let Some((at, reason)) = foreign.filter(|_| self.total.format == "LevelDB") {
            entries.tell(span, "T25", &Malformed::new(to_u64(at), reason));
        }
        if let Some(at) = denied {
            let reason = "the filter denies the key of this entry, expected to admit every key of its block";
            entries.tell(span, "T41", &Malformed::new(to_u64(at), reason));
        }
        if count > 0 {
            let last = entries.key();
            span.state("lastKey", key_fact(last));
            self.total.largest = Some(key_fact(last));
            self.last_key = last.to_vec();
            if !separator.is_empty() && order.compare(last, separator) == Ordering::Greater {
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

/// The handle that an entry's value begins with.
fn read_handle(entries: &mut Entries, found: &Found, span: &mut Span) -> Option<BlockHandle> {
    match BlockHandle::decode_value(entries.value(found.entry)) {
        Ok(handle) => Some(handle),
        Err(malformed) => {
            let at = to_u64(found.entry.value_start).saturating_add(malformed.offset);
            entries.tell(span, "T30", &Malformed::new(at, malformed.reason));
            None
        }
    }
}

#[inline(never)]
fn show_handle(span: &mut Span, names: &[&'static str; 2], handle: BlockHandle) {
    span.number(names[0], handle.offset);
    span.number(names[1], handle.size);
}

fn widen(range: &mut Option<(u64, u64)>, value: u64) {
    let (low, high) = range.unwrap_or((value, value));
    *range = Some((low.min(value), high.max(value)));
}

fn explain_filter(filter: &FilterBlock, origin: Origin, span: &mut Span) {
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
                tell(span, origin, "T40", &Malformed::new(0, reason));
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
            span.find(Severity::Warn, "T40", origin.offset, reason);
        }
    }
}

// ---- What nothing refers to -----------------------------------------------------------------------------------------

impl TableInspector {
    #[inline(never)]
    fn find_gaps(&mut self) {
        let mut overlaps = Span::new("table", 0, self.size);
        let mut end = 0;
        for (start, stop) in &self.known {
            if *start > end && self.gaps.len() < REGIONS_TOLD_MAX {
                self.gaps.push((end, *start));
            }
            if *start < end && overlaps.findings.len() < REGIONS_TOLD_MAX {
                overlaps.bad("T31", *start, "a block at {} lies in another that ends at {}", &[*start, end]);
            }
            end = end.max(*stop);
        }
        if end < self.size && self.gaps.len() < REGIONS_TOLD_MAX {
            self.gaps.push((end, self.size));
        }
        self.gaps.reverse();
        if !overlaps.findings.is_empty() {
            self.emit(overlaps);
        }
    }

    fn go_to_gap(&mut self, start: u64, end: u64) {
        let window = usize::try_from(end.saturating_sub(start)).unwrap_or(usize::MAX).min(WINDOW);
        self.step = Step::Gap { start, end, window };
    }

    #[inline(never)]
    fn gap(&mut self, start: u64, end: u64, bytes: &[u8]) {
        let whole = to_u64(bytes.len()) >= end.saturating_sub(start) || bytes.len() < WINDOW;
        let mut at = 0;
        while let Some(rest) = bytes.get(at..).filter(|rest| !rest.is_empty()) {
            let offset = start.saturating_add(to_u64(at));
            if !whole && rest.len() < SIZE_MAX_AT_START {
                return self.go_to_gap(offset, end);
            }
            match self.search.get_or_insert_with(Search::new).first(rest, whole) {
                Hit::Block { skipped, size } => {
                    self.stray(offset, to_u64(skipped));
                    let handle = BlockHandle { offset: offset.saturating_add(to_u64(skipped)), size: to_u64(size) };
                    let after = skipped.saturating_add(size).saturating_add(TRAILER_SIZE);
                    self.found(handle, rest.get(skipped..after).unwrap_or_default());
                    at = at.saturating_add(after);
                }
                Hit::Nothing { skipped } => {
                    self.stray(offset, to_u64(skipped));
                    at = at.saturating_add(skipped);
                }
                Hit::Exhausted => {
                    self.stray(offset, end.saturating_sub(offset));
                    return self.advance();
                }
            }
        }
        self.advance();
    }

    /// Bytes that belong to nothing; those of neighbouring windows are one gap.
    fn stray(&mut self, offset: u64, length: u64) {
        let told = self.doubtful.iter().any(|(start, end)| *start <= offset && offset + length <= *end);
        if length == 0 || told {
            return;
        }
        if let Some(last) =
            self.ready.last_mut().filter(|last| last.kind == "gap" && last.offset + last.length == offset)
        {
            last.length += length;
            return;
        }
        let mut span = Span::new("gap", offset, length);
        span.bad("T32", offset, "{} bytes that nothing refers to, and no block among them", &[length]);
        self.emit(span);
    }

    /// A block that was found by its checksum.
    fn found(&mut self, handle: BlockHandle, stored: &[u8]) {
        self.total.found += 1;
        let Opened { mut span, contents, raw, .. } = open("data", handle, stored);
        span.state("found", Fact::Flag(true));
        if self.total.found <= to_u64(REGIONS_TOLD_MAX) {
            let reason = "a whole block that no readable index refers to, found by its checksum";
            span.note(Severity::Bad, "T32", handle.offset, reason);
        }
        if let Some(contents) = contents {
            let origin = Origin { offset: handle.offset, size: handle.size, raw, verified: true };
            span.kind = kind_of(&contents, handle.offset);
            match span.kind {
                "data" => {
                    span.number("block", self.total.data_blocks);
                    self.total.data_blocks += 1;
                    self.total.stored = self.total.stored.saturating_add(span.length);
                    self.entries(contents, handle.offset, raw, &[], &mut span);
                }
                "filter" => {
                    if let Ok(filter) = FilterBlock::new(Rc::new(BloomFilterPolicy::new(10)), contents) {
                        explain_filter(&filter, origin, &mut span);
                    }
                }
                _ => {}
            }
        }
        self.emit(span);
    }
}

/// What a block found by its checksum is: an index if it lists blocks one behind the other from 0 on, data if its keys are
/// internal keys.
#[inline(never)]
fn kind_of(contents: &[u8], offset: u64) -> &'static str {
    let mut scratch = Span::new("data", 0, 0);
    // The byte that ends all filter blocks.
    let is_filter = contents.last() == Some(&11);
    let Some(mut entries) = Entries::new(contents.to_vec(), 0, true, &mut scratch) else {
        return if is_filter { "filter" } else { "meta" };
    };
    let (mut end, mut count, mut index, mut internal) = (0, 0, true, true);
    let mut named = true;
    while let Some(found) = entries.next(&mut scratch) {
        count += 1;
        internal &= parse_internal_key(entries.key()).is_ok();
        named &= entries.key().starts_with(b"filter.");
        let handle = BlockHandle::decode_value(entries.value(found.entry));
        index &= handle.as_ref().is_ok_and(|handle| handle.offset == end);
        end = handle.ok().and_then(BlockHandle::end).unwrap_or(u64::MAX);
    }
    match () {
        () if !scratch.findings.is_empty() => {
            if is_filter {
                "filter"
            } else {
                "meta"
            }
        }
        () if count == 0 || named => "metaindex",
        () if index && end <= offset => "index",
        () if internal => "data",
        () => "meta",
    }
}

// ---- The whole ------------------------------------------------------------------------------------------------------

impl TableInspector {
    fn conclude(&mut self) {
        self.step = Step::Done;
        let mut total = std::mem::take(&mut self.total);
        if self.no_footer && total.found == 0 {
            total.format = "unknown";
        }
        let mut span = Span::new("table", 0, self.size);
        span.text("format", total.format);
        for (name, value) in [
            ("dataBlocks", total.data_blocks),
            ("entries", total.entries),
            ("deletions", total.deletions),
            ("storedSize", total.stored),
            ("rawSize", total.raw),
            ("damagedBlocks", total.damaged),
            ("foundBlocks", total.found),
        ] {
            span.number(name, value);
        }
        if let Some((low, high)) = total.sequences {
            span.number("minSequence", low);
            span.number("maxSequence", high);
        }
        span.facts.extend(total.smallest.map(|key| ("firstKey", key)));
        span.facts.extend(total.largest.map(|key| ("lastKey", key)));
        match (total.misordered, total.misplaced) {
            (Some(offset), _) => {
                let reason =
                    "keys are not in bytewise order: the database has another comparator, or entries are out of order";
                span.note(Severity::Info, "T22", offset, reason);
            }
            (None, Some(offset)) => {
                let reason = "the index key of this block or of the one before does not separate their keys";
                span.note(Severity::Warn, "T33", offset, reason);
            }
            (None, None) => {}
        }
        span.number("findings", total.bad);
        span.number("notes", total.notes + to_u64(span.findings.len()));
        self.ready.push(span);
    }
}

impl std::fmt::Debug for TableInspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableInspector")
            .field("size", &self.size)
            .field("wanted", &self.wanted())
            .finish_non_exhaustive()
    }
}

//! The inspector of a table: the bytes it needs next, and its findings so far.

use crate::base::to_u64;
use crate::inspect::block::too_large;
use crate::inspect::entries::Entries;
#[cfg(feature = "comparators")]
use crate::inspect::keys::Names;
use crate::inspect::regions::Region;
use crate::inspect::rule::Rule;
use crate::inspect::search::Search;
use crate::inspect::sought::{Mention, Pattern, Sought};
use crate::inspect::span::{Fact, Finding, Severity, Span};
use crate::inspect::view::BlockView;
use crate::inspect::window::Reads;
use crate::table::{BlockHandle, FOOTER_SIZE, FilterBlock, TRAILER_SIZE};

/// The longest known footer: RocksDB's.
pub(super) const TAIL_SIZE: u64 = 53;
/// Bytes that identify other kinds of files.
const HEAD_SIZE: u64 = 4096;
/// Spans, or regions and findings, after which the caller should take them.
const SPANS_MAX: usize = 64;
const REGIONS_MAX: usize = 4096;
/// Limit of meta blocks that are explained; LevelDB writes one.
pub(super) const META_MAX: usize = 64;

/// How much of a table is read, and how it is returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// All of it, in a span for each block; with `entries`, these contain spans of their entries.
    Spans {
        /// List entries.
        entries: bool,
    },
    /// Footer, metaindex, index and meta blocks, in spans down to their fields; data blocks are
    /// [`Region`]s that were not read.
    Map,
    /// All of it, in a region for each block.
    Sweep,
}

/// Explains a table file; see [`inspect`](crate::inspect).
///
/// ```
/// # use varve::inspect::{Depth, TableInspector};
/// let file = b"no table";
/// let mut inspector = TableInspector::new(8, Depth::Spans { entries: false });
/// let mut spans = Vec::new();
/// while let Some((offset, length)) = inspector.wanted() {
///     let start = usize::try_from(offset).unwrap_or(usize::MAX);
///     inspector.supply(file.get(start..start + length).unwrap_or_default());
///     spans.extend(inspector.take());
/// }
/// assert_eq!(spans[0].findings[0].code, "T01");
/// ```
pub struct TableInspector {
    pub(super) size: u64,
    pub(super) depth: Depth,
    pub(super) rule: Rule,
    #[cfg(feature = "comparators")]
    pub(super) names: Option<Names>,
    pub(super) step: Step,
    /// Blocks to read before data blocks; the next one is last.
    pub(super) queue: Vec<(Role, BlockHandle)>,
    pub(super) index: Option<Entries>,
    pub(super) filter: Option<FilterBlock>,
    /// Explained ranges of the file.
    pub(super) known: Vec<(u64, u64)>,
    /// Ranges that were read as a block but have a wrong checksum.
    pub(super) doubtful: Vec<(u64, u64)>,
    /// The next one is last.
    pub(super) gaps: Vec<(u64, u64)>,
    pub(super) gaps_known: bool,
    /// Unreferenced bytes that may go on in the next window.
    pub(super) open_gap: Option<(u64, u64)>,
    pub(super) no_footer: bool,
    pub(super) search: Option<Search>,
    /// End of the data blocks found so far.
    pub(super) data_end: u64,
    pub(super) last_key: Vec<u8>,
    pub(super) last_separator: Vec<u8>,
    pub(super) total: Total,
    pub(super) ready: Vec<Span>,
    pub(super) regions: Vec<Region>,
    pub(super) findings: Vec<Finding>,
    /// In a map: the regions that were read, and the index.
    pub(super) parts: Vec<Region>,
    pub(super) view: Option<BlockView>,
    pub(super) handles: Vec<Option<BlockHandle>>,
    /// The key whose entries are wanted.
    pub(super) sought: Option<Sought>,
    /// Keys are tested against a filter whose checksum is wrong, too.
    pub(super) tests_doubtful_filter: bool,
}

/// The purpose of the requested bytes.
pub(super) enum Step {
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
    /// None: a pause, so that spans can be taken.
    Pause,
    Done,
}

pub(super) enum Role {
    Metaindex,
    Index,
    Meta(Vec<u8>),
    Data(Vec<u8>),
}

impl Role {
    pub(super) fn kind(&self) -> &'static str {
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
pub(super) struct Total {
    pub(super) format: &'static str,
    pub(super) data_blocks: u64,
    pub(super) entries: u64,
    pub(super) deletions: u64,
    pub(super) stored: u64,
    pub(super) raw: u64,
    /// Blocks whose entries are not all known.
    pub(super) damaged: u64,
    pub(super) found: u64,
    pub(super) sequences: Option<(u64, u64)>,
    pub(super) smallest: Option<Fact>,
    pub(super) largest: Option<Fact>,
    /// Offsets of the first blocks where keys, and index keys, are not in bytewise order.
    pub(super) misordered: Option<u64>,
    pub(super) misplaced: Option<u64>,
    /// Keys that the filter denies.
    pub(super) denied: u64,
    pub(super) bad: u64,
    pub(super) notes: u64,
}

impl TableInspector {
    /// For a file of `size` bytes.
    pub fn new(size: u64, depth: Depth) -> TableInspector {
        TableInspector {
            size,
            depth,
            rule: Rule::default(),
            #[cfg(feature = "comparators")]
            names: None,
            step: Step::Tail,
            queue: Vec::new(),
            index: None,
            filter: None,
            known: Vec::new(),
            doubtful: Vec::new(),
            gaps: Vec::new(),
            gaps_known: false,
            open_gap: None,
            no_footer: false,
            search: None,
            data_end: 0,
            last_key: Vec::new(),
            last_separator: Vec::new(),
            total: Total { format: "LevelDB", ..Total::default() },
            ready: Vec::new(),
            regions: Vec::new(),
            findings: Vec::new(),
            parts: Vec::new(),
            view: None,
            handles: Vec::new(),
            sought: None,
            tests_doubtful_filter: false,
        }
    }

    /// Also returns the entries of `key`, with up to `value_max` bytes of each value.
    ///
    /// The rule tells which keys are equal. With `is_ordered`, the keys are in its order: data blocks that
    /// cannot have the key by the index are not read. The summary then has no totals that can be relied on.
    pub fn seek(&mut self, key: Vec<u8>, value_max: usize, is_ordered: bool) {
        self.sought = Some(Sought::key(key, value_max, self.rule.clone(), is_ordered));
    }

    /// Also returns the entries with some bytes, with up to `value_max` bytes of each key and value.
    pub fn seek_bytes(&mut self, pattern: Pattern, value_max: usize) {
        self.sought = Some(Sought::bytes(pattern, value_max));
    }

    /// Returns the entries that are sought since the last call, and how many more were not kept. They must be taken
    /// when it is full.
    pub fn take_mentions(&mut self) -> (Vec<Mention>, u64) {
        self.sought.as_mut().map(Sought::take).unwrap_or_default()
    }

    /// Tests keys against the filter even if its checksum is wrong, which no engine then asks.
    pub fn test_doubtful_filter(&mut self) {
        self.tests_doubtful_filter = true;
    }

    /// Checks the order of keys by this rule, not bytewise.
    #[must_use]
    pub fn with_rule(mut self, rule: Rule) -> TableInspector {
        self.rule = rule;
        self
    }

    /// Gathers the names of databases and object stores: the table is of Chromium's IndexedDB.
    #[cfg(feature = "comparators")]
    #[must_use]
    pub fn with_names(mut self) -> TableInspector {
        self.names = Some(Names::default());
        self
    }

    /// Returns the names found so far, once.
    #[cfg(feature = "comparators")]
    pub fn take_names(&mut self) -> Vec<Span> {
        self.names.take().map(|names| names.spans()).unwrap_or_default()
    }

    /// Offset and size of the bytes to [`supply`](TableInspector::supply) next; `None` at the end.
    ///
    /// The size may be 0.
    pub fn wanted(&self) -> Option<(u64, usize)> {
        Some(match &self.step {
            Step::Tail => {
                let length = self.size.min(TAIL_SIZE);
                (self.size - length, usize::try_from(length).unwrap_or(0))
            }
            Step::Head { .. } => (0, usize::try_from(self.size.min(HEAD_SIZE)).unwrap_or(0)),
            Step::Block(_, handle) => {
                (handle.offset, usize::try_from(handle.size.saturating_add(to_u64(TRAILER_SIZE))).unwrap_or(0))
            }
            Step::Gap { start, window, .. } => (*start, *window),
            Step::Pause => (0, 0),
            Step::Done => return None,
        })
    }

    /// Takes the requested bytes, or as many as could be read.
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

    /// Returns the regions that are ready: of a sweep, in the order in which they were read; of a
    /// map, at its end, in the order of their offsets.
    pub fn take_regions(&mut self) -> Vec<Region> {
        std::mem::take(&mut self.regions)
    }

    /// Returns the findings since the last call, unless the depth is `Spans`, whose spans have them.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        std::mem::take(&mut self.findings)
    }

    /// Returns the index of a map, and for each of its entries the offset and size in its handle.
    #[expect(clippy::type_complexity, reason = "two columns")]
    pub fn take_index(&mut self) -> Option<(BlockView, Vec<Option<(u64, u64)>>)> {
        let handles = std::mem::take(&mut self.handles);
        let handles = handles.into_iter().map(|handle| handle.map(|handle| (handle.offset, handle.size)));
        Some((self.view.take()?, handles.collect()))
    }

    /// The number of spans, regions and findings to take.
    pub fn ready_count(&self) -> usize {
        self.ready.len() + self.regions.len() + self.findings.len()
    }

    /// Whether the fields of structures are wanted.
    pub(super) fn has_fields(&self) -> bool {
        self.depth == Depth::Map
    }

    /// Returns the spans that are ready.
    ///
    /// In all: the footer, the metaindex, the index, filter and other meta blocks, the data blocks in
    /// the order of the index, the bytes between them, and the table as a whole.
    pub fn take(&mut self) -> Vec<Span> {
        std::mem::take(&mut self.ready)
    }

    #[inline(never)]
    pub(super) fn emit(&mut self, span: Span) {
        for finding in &span.findings {
            match finding.severity {
                Severity::Bad => self.total.bad += 1,
                _ => self.total.notes += 1,
            }
        }
        if !matches!(self.depth, Depth::Spans { .. }) {
            // Without a footer, its bytes are as unknown as the others.
            if span.kind != "table" && !(span.kind == "footer" && self.no_footer) {
                let regions = if self.depth == Depth::Map { &mut self.parts } else { &mut self.regions };
                regions.push(Region::of(&span));
            }
            self.findings.extend(span.findings.iter().cloned());
        }
        if self.depth != Depth::Sweep {
            self.ready.push(span);
        }
    }

    /// Marks these bytes as explained.
    #[inline(never)]
    pub(super) fn own(&mut self, start: u64, end: u64) {
        // Data blocks arrive in order, so the range is appended or extends the last one.
        let place = self.known.partition_point(|region| *region < (start, end));
        match place.checked_sub(1).and_then(|before| self.known.get_mut(before)) {
            Some((_, last)) if *last == start => *last = end,
            _ => self.known.insert(place, (start, end)),
        }
    }

    /// Chooses the bytes to read next.
    pub(super) fn advance(&mut self) {
        if let Some((role, handle)) = self.queue.pop().or_else(|| self.next_data()) {
            return self.go_to(role, handle);
        }
        if self.depth == Depth::Map {
            self.map_regions();
            return self.conclude();
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

    /// Requests a block, unless its handle is invalid.
    #[inline(never)]
    fn go_to(&mut self, role: Role, handle: BlockHandle) {
        let offset = handle.offset.min(self.size);
        let length = handle.size.saturating_add(to_u64(TRAILER_SIZE)).min(self.size - offset);
        let mut span = Span::new(role.kind(), offset, length);
        let limit = self.size.saturating_sub(to_u64(FOOTER_SIZE));
        let is_data = matches!(role, Role::Data(_));
        if handle.end().is_none_or(|end| end > limit) {
            let reason = "a block of {} bytes and a trailer at {} does not end before the footer at {}";
            let numbers = [handle.size, handle.offset, limit];
            span.bad("T30", (offset, length), reason, &numbers);
        } else if is_data && handle.offset < self.data_end {
            let numbers = [handle.offset, self.data_end];
            span.bad("T31", (offset, length), "the block begins at {}, expected {} or later", &numbers);
        } else if let Some(large) = too_large(role.kind(), handle) {
            span = large;
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
        let mut entries = self.index.take()?;
        // Damage of the index was reported when it was explained.
        let mut unheard = Span::new("index", 0, 0);
        while let Some(found) = entries.next(&mut unheard) {
            let Ok(handle) = BlockHandle::decode_value(entries.value(found.entry)) else { continue };
            if let Some(end) = handle.end().filter(|end| *end <= self.size && handle.offset >= self.data_end)
                && self.sought.as_mut().is_some_and(|sought| sought.skips(entries.key()))
            {
                self.data_end = end;
                self.own(handle.offset, end);
                continue;
            }
            let role = Role::Data(entries.key().to_vec());
            self.index = Some(entries);
            return Some((role, handle));
        }
        self.index = Some(entries);
        None
    }
}

// ---- The whole file ----

impl TableInspector {
    pub(super) fn conclude(&mut self) {
        self.step = Step::Done;
        self.end_gap();
        let mut total = std::mem::take(&mut self.total);
        if self.no_footer && total.found == 0 {
            total.format = "unknown";
        }
        let mut span = Span::new("table", 0, self.size);
        span.text("format", total.format);
        let is_map = self.depth == Depth::Map;
        for (name, value, is_known) in [
            ("dataBlocks", total.data_blocks, true),
            ("entries", total.entries, !is_map),
            ("deletions", total.deletions, !is_map),
            ("storedSize", total.stored, true),
            ("rawSize", total.raw, !is_map),
            ("damagedBlocks", total.damaged, !is_map),
            ("foundBlocks", total.found, !is_map),
            ("deniedByFilter", total.denied, self.filter.is_some() && !is_map),
        ] {
            if is_known {
                span.number(name, value);
            }
        }
        if let Some((low, high)) = total.sequences {
            span.number("minSequence", low);
            span.number("maxSequence", high);
        }
        span.facts.extend(total.smallest.map(|key| ("firstKey", key)));
        span.facts.extend(total.largest.map(|key| ("lastKey", key)));
        match (total.misordered, total.misplaced) {
            (Some(offset), _) if self.rule.is_bytewise() => {
                let reason =
                    "keys are not in bytewise order: the database has another comparator, or entries are out of order";
                span.note(Severity::Info, "T22", (offset, 0), reason);
            }
            (Some(offset), _) => {
                let reason = "keys are not in the order of the database's comparator";
                span.note(Severity::Warn, "T22", (offset, 0), reason);
            }
            (None, Some(offset)) => {
                let reason = "the index key of this block or of the previous one does not separate their keys";
                span.note(Severity::Warn, "T33", (offset, 0), reason);
            }
            (None, None) => {}
        }
        span.number("findings", total.bad);
        span.number("notes", total.notes + to_u64(span.findings.len()));
        self.findings.extend(span.findings.iter().cloned());
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

impl Reads for TableInspector {
    fn wanted(&self) -> Option<(u64, usize)> {
        TableInspector::wanted(self)
    }

    fn supply(&mut self, bytes: &[u8]) {
        TableInspector::supply(self, bytes);
    }

    fn is_full(&self) -> bool {
        self.ready.len() > SPANS_MAX
            || self.regions.len() + self.findings.len() > REGIONS_MAX
            || self.sought.as_ref().is_some_and(Sought::is_full)
    }
}

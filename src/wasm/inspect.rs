//! Explains files for JavaScript: requests ranges of bytes; returns spans and findings as lines of
//! JSON, and regions as rows of numbers.

use wasm_bindgen::prelude::wasm_bindgen;

use super::error::number;
use crate::base::{FileNumber, IDB_NAME, to_u64};
use crate::inspect::{
    self, BlockView, Checkpoint, Depth, Directory, Finding, LogInspector, ManifestInspector, Pattern, RecordView, Rule,
    Severity, Span, TableInspector, Wanted, Window,
};
use crate::table::TRAILER_SIZE;

/// An inspector of one kind of file.
#[wasm_bindgen]
pub struct Inspector(Kind);

enum Kind {
    Table(Box<Window<TableInspector>>),
    Log(Box<Window<LogInspector>>),
    Manifest(Box<Window<ManifestInspector>>),
}

/// Starts with a table file of `size` bytes. `depth`: 0 spans, 1 spans with entries, 2 map, 3 sweep.
/// `comparator`: of the manifest; empty if it is not known.
#[wasm_bindgen(js_name = inspectTable)]
pub fn inspect_table(size: f64, depth: u8, comparator: &str) -> Inspector {
    let depth = match depth {
        2 => Depth::Map,
        3 => Depth::Sweep,
        other => Depth::Spans { entries: other == 1 },
    };
    let mut inspector = TableInspector::new(integer(size), depth).with_rule(Rule::named(comparator.as_bytes()));
    if comparator == IDB_NAME {
        inspector = inspector.with_names();
    }
    Inspector(Kind::Table(Box::new(Window::new(inspector))))
}

/// Starts with a write-ahead log of `size` bytes. `comparator` as of `inspect_table`.
#[wasm_bindgen(js_name = inspectLog)]
pub fn inspect_log(size: f64, comparator: &str) -> Inspector {
    let mut inspector = LogInspector::new(integer(size)).with_rule(Rule::named(comparator.as_bytes()));
    if comparator == IDB_NAME {
        inspector = inspector.with_names();
    }
    Inspector(Kind::Log(Box::new(Window::new(inspector))))
}

/// Starts with a manifest of `size` bytes, at a checkpoint, before the edit with number `edits_max`.
#[wasm_bindgen(js_name = inspectManifest)]
pub fn inspect_manifest(size: f64, edits: f64, offset: f64, regions: f64, state: Vec<u8>, edits_max: f64) -> Inspector {
    let from = Checkpoint { edits: integer(edits), offset: integer(offset), regions: integer(regions), state };
    let inspector = ManifestInspector::resume(integer(size), &from, integer(edits_max));
    Inspector(Kind::Manifest(Box::new(Window::new(inspector))))
}

impl Inspector {
    fn wanted(&self) -> Option<(u64, usize)> {
        match &self.0 {
            Kind::Table(window) => window.wanted(),
            Kind::Log(window) => window.wanted(),
            Kind::Manifest(window) => window.wanted(),
        }
    }
}

#[wasm_bindgen]
impl Inspector {
    /// Returns the offset of the next bytes to feed; -1 at the end.
    pub fn offset(&self) -> f64 {
        self.wanted().map_or(-1.0, |(offset, _)| number(offset))
    }

    /// Returns the number of bytes to feed; 0 to continue with those it has.
    pub fn length(&self) -> f64 {
        self.wanted().map_or(0.0, |(_, length)| number(to_u64(length)))
    }

    /// Takes these bytes: those that are needed and more, or fewer if they are not readable.
    pub fn feed(&mut self, bytes: Vec<u8>) {
        match &mut self.0 {
            Kind::Table(window) => window.feed(bytes),
            Kind::Log(window) => window.feed(bytes),
            Kind::Manifest(window) => window.feed(bytes),
        }
    }

    /// Also returns the entries of `key`, with up to `value_max` bytes of each value; `is_ordered`: the
    /// keys of the file are in the order of the comparator.
    pub fn seek(&mut self, key: Vec<u8>, value_max: usize, is_ordered: bool) {
        match &mut self.0 {
            Kind::Table(window) => window.inspector().seek(key, value_max, is_ordered),
            Kind::Log(window) => window.inspector().seek(key, value_max),
            Kind::Manifest(_) => {}
        }
    }

    /// Also returns the entries with some bytes, with up to `value_max` bytes of each key and value. `place` as
    /// of [`search_blocks`].
    #[wasm_bindgen(js_name = seekBytes)]
    pub fn seek_bytes(&mut self, bytes: Vec<u8>, mask: Vec<u8>, place: u8, value_max: usize) {
        let (in_keys, in_values, at_start) = places(place);
        let pattern = Pattern { bytes, mask, in_keys, in_values, at_start };
        match &mut self.0 {
            Kind::Table(window) => window.inspector().seek_bytes(pattern, value_max),
            Kind::Log(window) => window.inspector().seek_bytes(pattern, value_max),
            Kind::Manifest(_) => {}
        }
    }

    /// Returns the entries that are sought since the last call, one line of JSON each; before them a line with
    /// the number of those that are left out.
    pub fn mentions(&mut self) -> String {
        let (mentions, more) = match &mut self.0 {
            Kind::Table(window) => window.inspector().take_mentions(),
            Kind::Log(window) => window.inspector().take_mentions(),
            Kind::Manifest(_) => Default::default(),
        };
        let entries = lines(&mentions.iter().map(|mention| mention.to_span()).collect::<Vec<_>>());
        [&*more.to_string(), "\n", &*entries].concat()
    }

    /// Also returns the events of the tables with these numbers, of a manifest.
    pub fn watch(&mut self, tables: Vec<f64>) {
        if let Kind::Manifest(window) = &mut self.0 {
            window.inspector().watch(tables.into_iter().map(|number| FileNumber(integer(number))));
        }
    }

    /// Returns the events since the last call, one line of JSON each.
    pub fn events(&mut self) -> String {
        let Kind::Manifest(window) = &mut self.0 else { return String::new() };
        lines(&window.inspector().take_events())
    }

    /// Tests keys against the filter of a table even if its checksum is wrong.
    #[wasm_bindgen(js_name = testDoubtfulFilter)]
    pub fn test_doubtful_filter(&mut self) {
        if let Kind::Table(window) = &mut self.0 {
            window.inspector().test_doubtful_filter();
        }
    }

    /// Returns finished spans, one line of JSON each; of a log, that of the whole at its end, after
    /// its findings.
    pub fn spans(&mut self) -> String {
        match &mut self.0 {
            Kind::Table(window) => lines(&window.inspector().take()),
            Kind::Log(window) => lines(window.inspector().take_summary().as_slice()),
            Kind::Manifest(window) => lines(window.inspector().take_summary().as_slice()),
        }
    }

    /// Returns the names of databases and object stores that were found, once, as lines of JSON.
    pub fn names(&mut self) -> String {
        match &mut self.0 {
            Kind::Table(window) => lines(&window.inspector().take_names()),
            Kind::Log(window) => lines(&window.inspector().take_names()),
            Kind::Manifest(_) => String::new(),
        }
    }

    /// Returns findings since the last call, one line of JSON each.
    pub fn findings(&mut self) -> String {
        finding_lines(&match &mut self.0 {
            Kind::Table(window) => window.inspector().take_findings(),
            Kind::Log(window) => window.inspector().take_findings(),
            Kind::Manifest(window) => window.inspector().take_findings(),
        })
    }

    /// Returns regions, in rows of 40 bytes.
    pub fn regions(&mut self) -> Vec<u8> {
        inspect::pack_regions(&match &mut self.0 {
            Kind::Table(window) => window.inspector().take_regions(),
            Kind::Log(window) => window.inspector().take_regions(),
            Kind::Manifest(window) => window.inspector().take_regions(),
        })
    }

    /// Returns records of a log, or edits of a manifest, in rows of 56 bytes.
    pub fn records(&mut self) -> Vec<u8> {
        match &mut self.0 {
            Kind::Table(_) => Vec::new(),
            Kind::Log(window) => inspect::pack_records(&window.inspector().take_records()),
            Kind::Manifest(window) => inspect::pack_edits(window.inspector()),
        }
    }

    /// Forgets regions and records that are ready.
    pub fn discard(&mut self) {
        match &mut self.0 {
            Kind::Table(window) => drop(window.inspector().take_regions()),
            Kind::Log(window) => window.inspector().discard(),
            Kind::Manifest(window) => window.inspector().discard(),
        }
    }

    /// Returns a checkpoint of a manifest, if one is due: edits, offset and regions before it (f64),
    /// and the state.
    pub fn checkpoint(&mut self) -> Option<Vec<u8>> {
        let Kind::Manifest(window) = &mut self.0 else { return None };
        let Checkpoint { edits, offset, regions, state } = window.inspector().take_checkpoint()?;
        let mut packed: Vec<u8> =
            [edits, offset, regions].iter().flat_map(|value| number(*value).to_le_bytes()).collect();
        packed.extend(state);
        Some(packed)
    }

    /// Returns the version after the edits that were read, as one edit.
    pub fn state(&mut self) -> Vec<u8> {
        let Kind::Manifest(window) = &mut self.0 else { return Vec::new() };
        window.inspector().state()
    }

    /// Returns the version after the edits that were read, as JSON.
    pub fn version(&mut self) -> String {
        let Kind::Manifest(window) = &mut self.0 else { return String::new() };
        lines(&[window.inspector().version()])
    }

    /// Returns the index of a map, once.
    pub fn index(&mut self) -> Option<View> {
        let Kind::Table(window) = &mut self.0 else { return None };
        let (view, handles) = window.inspector().take_index()?;
        let pairs = handles.iter().map(|handle| handle.map_or([-1.0, 0.0], |(at, size)| [number(at), number(size)]));
        Some(View { handles: pairs.flatten().collect(), ..View::of(view) })
    }
}

/// A decoded block or record; each part is returned once.
#[wasm_bindgen]
pub struct View {
    span: Span,
    contents: Option<Span>,
    raw: Option<Vec<u8>>,
    plain: bool,
    rows: Vec<u8>,
    restarts: Vec<u32>,
    handles: Vec<f64>,
}

/// See [`BlockView::open`].
#[wasm_bindgen(js_name = openBlock)]
pub fn open_block(kind: &str, offset: f64, size: f64, stored: &[u8]) -> View {
    View::of(BlockView::open(kind, integer(offset), integer(size), stored))
}

/// See [`BlockView::entries_with`]: of blocks in `stored`, each from a start on and of a size with its
/// trailer. Returns for each match the number of its block, that of its entry, and what the block's findings
/// say of it: 0 nothing, 1 doubtful, 2 damaged; `u32::MAX` instead of an entry: the block cannot be decoded.
/// `place`: 1 in keys, 2 in values, 3 in both, 4 at the start of a key.
#[wasm_bindgen(js_name = searchBlocks)]
pub fn search_blocks(stored: &[u8], starts: &[u32], sizes: &[u32], bytes: &[u8], mask: &[u8], place: u8) -> Vec<u32> {
    let (in_keys, in_values, at_start) = places(place);
    let wanted = Wanted { bytes, mask, in_keys, in_values, at_start };
    let mut found = Vec::new();
    for (number, (start, size)) in (0u32..).zip(starts.iter().zip(sizes)) {
        let [start, size] = [*start, *size].map(|number| usize::try_from(number).unwrap_or(usize::MAX));
        let block = stored.get(start..).unwrap_or_default();
        let block = block.get(..size).unwrap_or(block);
        let view = BlockView::open("data", 0, to_u64(size.saturating_sub(TRAILER_SIZE)), block);
        let doubt = view.span.findings.iter().map(|finding| match finding.severity {
            Severity::Info => 0,
            Severity::Warn => 1,
            Severity::Bad => 2,
        });
        let doubt = doubt.max().unwrap_or(0);
        match view.entries_with(&wanted) {
            Some(entries) => found.extend(entries.into_iter().flat_map(|entry| [number, entry, doubt])),
            None => found.extend([number, u32::MAX, doubt]),
        }
    }
    found
}

/// In keys, in values, at the start of a key.
fn places(place: u8) -> (bool, bool, bool) {
    (place != 2, place & 2 != 0, place == 4)
}

/// See [`RecordView::of_batch`].
#[wasm_bindgen(js_name = openRecord)]
pub fn open_record(offset: f64, stored: &[u8]) -> View {
    View::of_record(RecordView::of_batch(integer(offset), stored))
}

/// See [`RecordView::of_edit`].
#[wasm_bindgen(js_name = openEdit)]
pub fn open_edit(offset: f64, stored: &[u8]) -> View {
    View::of_record(RecordView::of_edit(integer(offset), stored))
}

impl View {
    fn of(view: BlockView) -> View {
        let BlockView { span, raw, plain, rows, restarts } = view;
        View { span, contents: None, raw, plain, rows, restarts, handles: Vec::new() }
    }

    fn of_record(view: RecordView) -> View {
        let RecordView { span, contents, raw, rows } = view;
        let (raw, contents) = (Some(raw), Some(contents));
        View { span, contents, raw, plain: false, rows, restarts: Vec::new(), handles: Vec::new() }
    }
}

#[wasm_bindgen]
impl View {
    /// Its span, as JSON.
    pub fn span(&self) -> String {
        lines(std::slice::from_ref(&self.span))
    }

    /// The span of a record's contents, as JSON.
    pub fn contents(&self) -> String {
        lines(self.contents.as_slice())
    }

    /// Its contents.
    pub fn raw(&mut self) -> Option<Vec<u8>> {
        self.raw.take()
    }

    /// Whether they are stored as they are.
    pub fn plain(&self) -> bool {
        self.plain
    }

    /// Its entries, in rows of 32 bytes.
    pub fn rows(&mut self) -> Vec<u8> {
        std::mem::take(&mut self.rows)
    }

    /// Its restart points.
    pub fn restarts(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.restarts)
    }

    /// Offset and size of the handle in each entry's value, if it is an index.
    pub fn handles(&mut self) -> Vec<f64> {
        std::mem::take(&mut self.handles)
    }
}

/// See [`Directory`]; files are numbered in the order in which they are added.
#[wasm_bindgen]
pub struct DirectoryInspector(Directory);

/// Starts without files.
#[wasm_bindgen(js_name = inspectDirectory)]
pub fn inspect_directory() -> DirectoryInspector {
    DirectoryInspector(Directory::new())
}

#[wasm_bindgen]
impl DirectoryInspector {
    /// Adds a file.
    pub fn add(&mut self, name: &str, size: f64) {
        self.0.add(name, integer(size));
    }

    /// Takes the kind of a file.
    pub fn detected(&mut self, file: usize, kind: &str, format: &str) {
        self.0.detected(file, kind, format);
    }

    /// Whether a file is a log or manifest of RocksDB or Pebble.
    #[wasm_bindgen(js_name = isRelativeFile)]
    pub fn is_relative_file(&self, file: usize) -> bool {
        self.0.is_relative_file(file)
    }

    /// Whether RocksDB or Pebble wrote the database.
    #[wasm_bindgen(js_name = isRelative)]
    pub fn is_relative(&self) -> bool {
        self.0.is_relative()
    }

    /// A file could not be read.
    pub fn unreadable(&mut self, file: usize, reason: &str) {
        self.0.unreadable(file, reason);
    }

    /// Takes the content of CURRENT.
    pub fn current(&mut self, content: &[u8]) {
        self.0.current(content);
    }

    /// Returns the number of the manifest to read; -1 if there is none.
    pub fn manifest(&self) -> f64 {
        self.0.manifest().map_or(-1.0, |file| number(to_u64(file)))
    }

    /// Takes its last version, as one edit.
    pub fn version(&mut self, state: &[u8]) {
        self.0.version(state);
    }

    /// Takes what is known of a table; `sequence` is its highest, -1 if unknown.
    pub fn table(&mut self, file: usize, smallest: &[u8], largest: &[u8], sequence: f64) {
        let sequence = (sequence >= 0.0).then(|| integer(sequence));
        self.0.table(file, smallest, largest, sequence);
    }

    /// A table has no footer.
    #[wasm_bindgen(js_name = withoutFooter)]
    pub fn without_footer(&mut self, file: usize) {
        self.0.without_footer(file);
    }

    /// The manifest is damaged, or was only not written to its end.
    #[wasm_bindgen(js_name = manifestIncomplete)]
    pub fn manifest_incomplete(&mut self, is_damaged: bool) {
        self.0.manifest_incomplete(is_damaged);
    }

    /// Ends: returns lines of JSON: the summary, then the files; then for each finding its file (-1:
    /// none) and itself.
    pub fn conclude(&mut self) -> String {
        let report = std::mem::take(&mut self.0).conclude();
        let mut out = lines(&[report.summary]);
        out.push_str(&lines(&report.files));
        for (file, finding) in report.findings {
            out.push_str(&file.map_or_else(|| "-1".to_owned(), |file| file.to_string()));
            out.push('\n');
            out.push_str(&finding_lines(&[finding]));
        }
        out
    }
}

/// Tells what a file is: kind, named kind, format and reason, one line each; see [`inspect::detect`].
#[wasm_bindgen(js_name = detectFile)]
pub fn detect_file(name: &str, size: f64, head: &[u8], tail: &[u8]) -> String {
    let found = inspect::detect(name, integer(size), head, tail);
    [found.kind.name(), found.named.unwrap_or_default(), &found.format, &found.reason].join("\n")
}

pub(super) fn lines(spans: &[Span]) -> String {
    let mut lines = String::new();
    for span in spans {
        span.write_json(&mut lines);
        lines.push('\n');
    }
    lines
}

fn finding_lines(findings: &[Finding]) -> String {
    let mut lines = String::new();
    for finding in findings {
        finding.write_json(&mut lines);
        lines.push('\n');
    }
    lines
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "casts of floats saturate")]
pub(super) fn integer(value: f64) -> u64 {
    value as u64
}

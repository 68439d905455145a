//! A manifest, replayed edit by edit.

use super::history::History;
use super::state::{Reason, State};
use crate::base::{FileNumber, to_u64};
use crate::inspect::log::{Joined, Scanner};
use crate::inspect::regions::{Region, State as RegionState};
use crate::inspect::span::{Finding, Severity, Span, fill};
use crate::inspect::window::Reads;
use crate::version::VersionEdit;

/// Rows and findings after which the caller should take them.
const READY_MAX: usize = 4096;
/// Bytes between checkpoints: at least so many, and this many times the size of a state.
const CHECKPOINT_BYTES: u64 = 1 << 20;
const CHECKPOINT_FACTOR: u64 = 16;

/// Explains a manifest; see [`inspect`](crate::inspect).
pub struct ManifestInspector {
    size: u64,
    scanner: Scanner,
    state: State,
    edits: Vec<Row>,
    edit_count: u64,
    /// Stops after so many edits.
    edits_max: u64,
    damaged: u64,
    left: Option<(u64, u64, u64)>,
    checkpoint: Option<Checkpoint>,
    checkpoint_at: u64,
    bad: u64,
    notes: u64,
    summary: Option<Span>,
    is_done: bool,
    history: Option<History>,
}

/// A state between two edits, from which reading can begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Edits before it.
    pub edits: u64,
    /// Where reading continues.
    pub offset: u64,
    /// Regions before it.
    pub regions: u64,
    /// The version, encoded as one edit.
    pub state: Vec<u8>,
}

struct Row {
    offset: u64,
    end: u64,
    region: u64,
    size: u64,
    bytes: u64,
    added: u32,
    removed: u32,
    live: u32,
    reason: Reason,
    state: RegionState,
}

impl ManifestInspector {
    /// For a file of `size` bytes.
    pub fn new(size: u64) -> ManifestInspector {
        let none = Checkpoint { edits: 0, offset: 0, regions: 0, state: Vec::new() };
        ManifestInspector::resume(size, &none, u64::MAX)
    }

    /// From a checkpoint on, up to the edit before `edits_max`.
    pub fn resume(size: u64, from: &Checkpoint, edits_max: u64) -> ManifestInspector {
        let mut state = State::default();
        if let Ok(edit) = VersionEdit::decode(&from.state) {
            state.apply(edit, true);
        }
        ManifestInspector {
            size,
            scanner: Scanner::new(size, false, (from.offset, from.regions)),
            state,
            edits: Vec::new(),
            edit_count: from.edits,
            edits_max,
            damaged: 0,
            left: None,
            checkpoint: None,
            checkpoint_at: from.offset.saturating_add(CHECKPOINT_BYTES),
            bad: 0,
            notes: 0,
            summary: None,
            is_done: from.edits >= edits_max,
            history: None,
        }
    }

    /// Also returns the events of these tables: how they came to be, moved and went.
    pub fn watch(&mut self, tables: impl IntoIterator<Item = FileNumber>) {
        self.history = Some(History::new(tables.into_iter().collect()));
    }

    /// Returns the events since the last call, in their order.
    pub fn take_events(&mut self) -> Vec<Span> {
        self.history.as_mut().map(History::take).unwrap_or_default()
    }

    /// Returns the regions that are ready, in the order of their offsets.
    pub fn take_regions(&mut self) -> Vec<Region> {
        std::mem::take(&mut self.scanner.regions)
    }

    /// Forgets the regions and edits that are ready.
    pub fn discard(&mut self) {
        self.scanner.regions.clear();
        self.edits.clear();
    }

    /// Returns the findings since the last call.
    pub fn take_findings(&mut self) -> Vec<Finding> {
        let findings = std::mem::take(&mut self.scanner.findings);
        for finding in &findings {
            match finding.severity {
                Severity::Bad => self.bad += 1,
                _ => self.notes += 1,
            }
        }
        findings
    }

    /// Returns a checkpoint, if one was due.
    pub fn take_checkpoint(&mut self) -> Option<Checkpoint> {
        self.checkpoint.take()
    }

    /// Returns the span of the whole file, once it is read. Take the findings first: it counts them.
    pub fn take_summary(&mut self) -> Option<Span> {
        let mut span = self.summary.take()?;
        span.number("findings", self.bad);
        span.number("notes", self.notes);
        Some(span)
    }

    /// The version after the edits that were read, encoded as one edit.
    pub fn state(&self) -> Vec<u8> {
        self.state.to_edit().encode()
    }

    /// The version after the edits that were read, with a span for each table.
    pub fn version(&self) -> Span {
        let mut span = self.state.to_span();
        span.number("edits", self.edit_count);
        span
    }

    fn record(&mut self, joined: &Joined) {
        let mut row = Row {
            offset: joined.offset,
            end: joined.end,
            region: joined.region,
            size: joined.size,
            bytes: 0,
            added: 0,
            removed: 0,
            live: 0,
            reason: Reason { kind: u8::MAX, ..Reason::default() },
            state: joined.state,
        };
        if row.state == RegionState::Sound {
            self.edit(&mut row, joined);
        } else {
            self.damaged += 1;
        }
        let (live, bytes) = self.state.live();
        (row.live, row.bytes) = (u32::try_from(live).unwrap_or(u32::MAX), bytes);
        self.edits.push(row);
        self.edit_count += 1;
    }

    fn edit(&mut self, row: &mut Row, joined: &Joined) {
        let at = (row.offset, row.end.saturating_sub(row.offset));
        let edit = if joined.is_joined() {
            VersionEdit::decode(&joined.data).map_err(|malformed| {
                let said = fill("the record is no version edit; at byte {}: ", &[malformed.offset]);
                (Severity::Bad, "W06", [&*said, &*malformed.reason].concat())
            })
        } else {
            Err((Severity::Warn, "T12", fill("the edit has {} bytes and is not decoded", &[joined.size])))
        };
        let edit = match edit {
            Ok(edit) => edit,
            Err((severity, code, reason)) => {
                row.state = RegionState::Bad;
                self.damaged += 1;
                self.scanner.stop(row.offset);
                self.scanner.find(severity, code, at, reason);
                return;
            }
        };
        let count = |length: usize| u32::try_from(length).unwrap_or(u32::MAX);
        (row.added, row.removed) = (count(edit.new_files.len()), count(edit.deleted_files.len()));
        if self.edit_count == 0 && edit.comparator.is_none() {
            self.scanner.find(Severity::Info, "M01", at, "the first edit names no comparator".to_owned());
        }
        let touched = self.history.as_ref().and_then(|history| history.touched(&edit));
        row.reason = self.state.apply(edit, self.edit_count == 0);
        if let (Some(history), Some(touched)) = (&mut self.history, touched) {
            history.note(&touched, self.edit_count, at, row.reason);
        }
        if self.scanner.stopped().is_some_and(|stopped| stopped < row.offset) {
            let (count, start, _) = self.left.unwrap_or((0, row.offset, 0));
            self.left = Some((count + 1, start, row.end));
        }
    }

    /// Keeps the state if the last one is far behind.
    fn note_checkpoint(&mut self) {
        let Some((offset, regions)) = self.scanner.boundary().filter(|(offset, _)| *offset >= self.checkpoint_at)
        else {
            return;
        };
        let state = self.state.to_edit().encode();
        let distance = to_u64(state.len()).saturating_mul(CHECKPOINT_FACTOR).max(CHECKPOINT_BYTES);
        self.checkpoint_at = offset.saturating_add(distance);
        self.checkpoint = Some(Checkpoint { edits: self.edit_count, offset, regions, state });
    }

    fn conclude(&mut self) {
        self.is_done = true;
        if let Some((count, start, end)) = self.left {
            let stopped = self.scanner.stopped().unwrap_or(start);
            let what = "{} sound edits after the damage at {}: no engine opens the database with them";
            let at = (start, end.saturating_sub(start));
            self.scanner.find(Severity::Bad, "W08", at, fill(what, &[count, stopped]));
        }
        let mut span = Span::new("manifest", 0, self.size);
        span.number("edits", self.edit_count);
        span.number("damagedEdits", self.damaged);
        self.state.facts(&mut span);
        span.text("end", self.scanner.ending());
        let mut checked = Span::new("manifest", 0, self.size);
        self.state.check(&mut checked, (0, self.size));
        self.scanner.findings.append(&mut checked.findings);
        self.summary = Some(span);
    }
}

impl Reads for ManifestInspector {
    fn wanted(&self) -> Option<(u64, usize)> {
        if self.is_done { None } else { self.scanner.wanted() }
    }

    fn supply(&mut self, bytes: &[u8]) {
        if self.wanted().is_none() {
            return;
        }
        self.scanner.supply(bytes);
        for joined in std::mem::take(&mut self.scanner.records) {
            if self.edit_count >= self.edits_max {
                self.is_done = true;
                return;
            }
            self.record(&joined);
        }
        if self.edit_count >= self.edits_max {
            self.is_done = true;
            return;
        }
        if self.scanner.wanted().is_none() {
            self.conclude();
        } else {
            self.note_checkpoint();
        }
    }

    fn is_full(&self) -> bool {
        self.checkpoint.is_some()
            || self.scanner.regions.len() + self.scanner.findings.len() + self.edits.len() > READY_MAX
    }
}

impl std::fmt::Debug for ManifestInspector {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let wanted = self.wanted();
        f.debug_struct("ManifestInspector").field("size", &self.size).field("wanted", &wanted).finish_non_exhaustive()
    }
}

/// Returns the edits that are ready, in rows of 56 bytes: offset, end, region, size, bytes of live
/// tables (f64), tables added, removed and live (u32), reason, from level, to level, state (u8).
#[expect(clippy::cast_precision_loss, reason = "columns of numbers")]
pub fn pack_edits(inspector: &mut ManifestInspector) -> Vec<u8> {
    let mut out = Vec::new();
    for row in std::mem::take(&mut inspector.edits) {
        for value in [row.offset, row.end, row.region, row.size, row.bytes] {
            out.extend((value as f64).to_le_bytes());
        }
        for value in [row.added, row.removed, row.live] {
            out.extend(value.to_le_bytes());
        }
        out.extend([row.reason.kind, row.reason.from, row.reason.to, row.state.to_byte()]);
    }
    out
}

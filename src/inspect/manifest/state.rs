//! The version after an edit, and the reason of an edit.

use std::cmp::Ordering;
use std::collections::BTreeMap;

use crate::base::{FileNumber, InternalKeyComparator, SequenceNumber, to_u64};
use crate::inspect::listing::{bytes_fact, key_fact};
use crate::inspect::rule::Rule;
use crate::inspect::span::{Severity, Span, fill};
use crate::version::{NewFile, VersionEdit};

/// Why an edit was written, as its fields suggest: the first number of a reason is a place here.
pub const EDIT_REASONS: [&str; 8] =
    ["new database", "snapshot", "opened", "flush", "move", "compaction", "drop", "other"];
/// Findings of one kind about a version.
const FINDINGS_MAX: usize = 100;

/// Why an edit was written, and the levels concerned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Reason {
    /// A place in [`EDIT_REASONS`].
    pub(crate) kind: u8,
    pub(crate) from: u8,
    pub(crate) to: u8,
}

/// Live tables and counters.
#[derive(Debug, Default)]
pub(crate) struct State {
    /// By level and number.
    tables: BTreeMap<(usize, FileNumber), NewFile>,
    bytes: u64,
    comparator: Option<Vec<u8>>,
    log_number: Option<FileNumber>,
    previous_log_number: Option<FileNumber>,
    next_file_number: Option<FileNumber>,
    last_sequence: Option<SequenceNumber>,
}

impl State {
    /// Applies an edit: deletions, then additions. Returns why it was written.
    pub(crate) fn apply(&mut self, edit: VersionEdit, is_first: bool) -> Reason {
        let reason = self.reason_of(&edit, is_first);
        for at in &edit.deleted_files {
            if let Some(table) = self.tables.remove(at) {
                self.bytes = self.bytes.saturating_sub(table.size);
            }
        }
        for (level, table) in edit.new_files {
            self.bytes = self.bytes.saturating_add(table.size);
            if let Some(before) = self.tables.insert((level, table.number), table) {
                self.bytes = self.bytes.saturating_sub(before.size);
            }
        }
        self.comparator = edit.comparator.or(self.comparator.take());
        self.log_number = edit.log_number.or(self.log_number);
        self.previous_log_number = edit.previous_log_number.or(self.previous_log_number);
        self.next_file_number = edit.next_file_number.or(self.next_file_number);
        self.last_sequence = edit.last_sequence.or(self.last_sequence);
        reason
    }

    fn reason_of(&self, edit: &VersionEdit, is_first: bool) -> Reason {
        let level = |level: usize| u8::try_from(level).unwrap_or(u8::MAX);
        let removed = || edit.deleted_files.iter().map(|(level, _)| *level);
        let added = || edit.new_files.iter().map(|(level, _)| *level);
        let from = removed().min();
        let to = added().max().or(removed().max());
        let (kind, from, to) = match (from, added().next(), to) {
            (None, None, _) if is_first && edit.comparator.is_some() => (0, 0, 0),
            (None, Some(_), _) if edit.comparator.is_some() => (1, 0, 0),
            (None, None, _) if edit.log_number.is_some() => (2, 0, 0),
            (None, Some(_), Some(to)) => (3, to, to),
            (Some(from), Some(_), Some(to)) if is_move(edit) => (4, from, to),
            (Some(from), Some(_), Some(to)) => (5, from, to),
            (Some(from), None, Some(to)) => (6, from, to),
            _ => (7, 0, 0),
        };
        Reason { kind, from: level(from), to: level(to) }
    }

    /// The live tables: level, and what the manifest says.
    pub(crate) fn tables(&self) -> impl Iterator<Item = (usize, &NewFile)> {
        self.tables.iter().map(|((level, _), table)| (*level, table))
    }

    /// The logs that opening replays: from this number on, and one more.
    pub(crate) fn logs(&self) -> Option<(FileNumber, FileNumber)> {
        Some((self.log_number?, self.previous_log_number.unwrap_or_default()))
    }

    pub(crate) fn last_sequence(&self) -> Option<u64> {
        self.last_sequence.map(SequenceNumber::get)
    }

    /// Number and bytes of the live tables.
    pub(crate) fn live(&self) -> (u64, u64) {
        (to_u64(self.tables.len()), self.bytes)
    }

    /// The state as one edit.
    pub(crate) fn to_edit(&self) -> VersionEdit {
        VersionEdit {
            comparator: self.comparator.clone(),
            log_number: self.log_number,
            previous_log_number: self.previous_log_number,
            next_file_number: self.next_file_number,
            last_sequence: self.last_sequence,
            new_files: self.tables.iter().map(|((level, _), table)| (*level, table.clone())).collect(),
            ..VersionEdit::default()
        }
    }

    /// Adds the counters as facts.
    pub(crate) fn facts(&self, span: &mut Span) {
        if let Some(name) = &self.comparator {
            span.state("comparator", bytes_fact(name));
        }
        for (name, value) in [
            ("logNumber", self.log_number.map(|number| number.0)),
            ("previousLogNumber", self.previous_log_number.map(|number| number.0)),
            ("nextFileNumber", self.next_file_number.map(|number| number.0)),
            ("lastSequence", self.last_sequence.map(SequenceNumber::get)),
        ] {
            if let Some(value) = value {
                span.number(name, value);
            }
        }
        span.number("tables", to_u64(self.tables.len()));
        span.number("tableBytes", self.bytes);
    }

    /// The version as a span, with one for each table.
    pub(crate) fn to_span(&self) -> Span {
        let mut span = Span::new("version", 0, 0);
        self.facts(&mut span);
        for ((level, number), table) in &self.tables {
            let mut one = Span::new("table", 0, table.size);
            one.number("level", to_u64(*level));
            one.number("number", number.0);
            one.number("size", table.size);
            one.state("smallest", key_fact(&table.smallest));
            one.state("largest", key_fact(&table.largest));
            span.spans.push(one);
        }
        span
    }

    /// Findings about the whole version; `at` are the bytes of the manifest that they concern.
    pub(crate) fn check(&self, span: &mut Span, at: (u64, u64)) {
        if let Some(name) = self.comparator.as_deref() {
            match Rule::named(name).order() {
                Some(order) => self.check_ranges(order, span, at),
                None => {
                    let name = name.escape_ascii().to_string();
                    let reason =
                        ["the comparator is ", &*name, ", which is not known here: no order is checked"].concat();
                    span.find(Severity::Info, "M07", at, reason);
                }
            }
        }
        for (missing, name) in [
            (self.next_file_number.is_none(), "next file number"),
            (self.log_number.is_none(), "log number"),
            (self.last_sequence.is_none(), "last sequence"),
        ] {
            if missing {
                span.find(Severity::Bad, "M08", at, ["no edit has the ", name].concat());
            }
        }
    }

    /// Ranges of tables: each from its smallest to its largest key; none overlaps above level 0.
    fn check_ranges(&self, order: &InternalKeyComparator, span: &mut Span, at: (u64, u64)) {
        let mut tables: Vec<_> = self.tables.iter().map(|((level, _), table)| (*level, table)).collect();
        let mut told = 0;
        for (level, table) in &tables {
            if order.compare(&table.smallest, &table.largest) == Ordering::Greater && told < FINDINGS_MAX {
                told += 1;
                let reason = "table {} of level {} ends before it begins";
                span.bad("M05", at, reason, &[table.number.0, to_u64(*level)]);
            }
        }
        tables.retain(|(level, _)| *level > 0);
        tables.sort_by(|(a, left), (b, right)| a.cmp(b).then_with(|| order.compare(&left.smallest, &right.smallest)));
        told = 0;
        for pair in tables.windows(2) {
            if let [(a, left), (b, right)] = pair
                && a == b
                && order.compare(&left.largest, &right.smallest) != Ordering::Less
                && told < FINDINGS_MAX
            {
                told += 1;
                let numbers = [left.number.0, right.number.0, to_u64(*a)];
                span.find(Severity::Bad, "M06", at, fill("tables {} and {} of level {} overlap", &numbers));
            }
        }
    }
}

fn is_move(edit: &VersionEdit) -> bool {
    let mut removed = edit.deleted_files.iter().map(|(_, number)| *number);
    let mut added = edit.new_files.iter().map(|(_, table)| table.number);
    edit.deleted_files.len() == 1 && edit.new_files.len() == 1 && removed.next() == added.next()
}

//! The files of a database together: the role of each, and what they say of one another.
//!
//! ```text
//! names, sizes, kinds -> CURRENT -> which manifest -> its last version -> tables, logs -> roles, findings
//! ```
//! The caller reads and inspects the files; here only their results are compared.

use std::collections::{BTreeMap, BTreeSet};

use super::manifest::State;
use super::relatives;
use super::span::{Fact, Finding, Severity, Span, fill};
use crate::base::{FileName, FileNumber, to_u64};
use crate::error::Malformed;
use crate::version::{VersionEdit, parse_current};

/// Files of a database, in the order in which they were added.
#[derive(Debug, Default)]
pub struct Directory {
    files: Vec<File>,
    /// The manifest that CURRENT names, or why it names none.
    current: Option<Result<FileNumber, String>>,
    state: Option<State>,
    findings: Vec<(Option<usize>, Finding)>,
    /// `None`: the manifest is whole. Otherwise whether it is damaged, or was only not written to its end.
    manifest_damaged: Option<bool>,
}

#[derive(Debug)]
struct File {
    size: u64,
    /// By its name.
    named: Option<FileName>,
    resembles: bool,
    is_spelled: bool,
    /// By its content: see `detect`.
    kind: String,
    /// A log or manifest of RocksDB or Pebble.
    is_relative: bool,
    is_readable: bool,
    /// Of a table: its first and last internal key, and its highest sequence number.
    bounds: Option<(Vec<u8>, Vec<u8>)>,
    max_sequence: Option<u64>,
    has_footer: bool,
}

/// What the files of a directory are.
#[derive(Debug)]
pub struct Report {
    /// Counters of the version, and totals.
    pub summary: Span,
    /// A span for each file, in their order, then for each that is missing: fact `role`.
    pub files: Vec<Span>,
    /// Findings, with the place of the file concerned.
    pub findings: Vec<(Option<usize>, Finding)>,
}

impl Directory {
    /// No files.
    pub fn new() -> Directory {
        Directory::default()
    }

    /// Adds a file.
    pub fn add(&mut self, name: &str, size: u64) {
        let named = FileName::parse(name);
        self.files.push(File {
            size,
            named,
            resembles: FileName::resembles(name),
            is_spelled: named.is_some_and(|named| named.is_spelled(name)),
            kind: String::new(),
            is_relative: false,
            is_readable: true,
            bounds: None,
            max_sequence: None,
            has_footer: true,
        });
    }

    /// The names of the kind and the format of a file (see [`detect`](super::detect())).
    pub fn detected(&mut self, file: usize, kind: &str, format: &str) {
        if let Some(known) = self.files.get_mut(file) {
            kind.clone_into(&mut known.kind);
            known.is_relative = relatives::is_name(format);
        }
    }

    /// Whether RocksDB or Pebble wrote the database: its manifest says so. What its files say of one another is
    /// not read.
    pub fn is_relative(&self) -> bool {
        self.chosen_manifest().is_some_and(|at| self.is_relative_file(at))
    }

    /// Whether a file is a log or manifest of RocksDB or Pebble.
    pub fn is_relative_file(&self, file: usize) -> bool {
        self.files.get(file).is_some_and(|file| file.is_relative)
    }

    /// A file could not be read.
    pub fn unreadable(&mut self, file: usize, reason: &str) {
        let Some(known) = self.files.get_mut(file) else { return };
        known.is_readable = false;
        let size = known.size;
        self.find(Some(file), Severity::Bad, "D05", size, ["the file could not be read: ", reason].concat());
    }

    /// The content of CURRENT.
    pub fn current(&mut self, content: &[u8]) {
        self.current = Some(parse_current(content).map_err(|malformed| why(content, malformed)));
    }

    /// The place of the manifest to read: the one that CURRENT names, or else the newest.
    pub fn manifest(&self) -> Option<usize> {
        self.chosen_manifest().filter(|_| !self.is_relative())
    }

    fn chosen_manifest(&self) -> Option<usize> {
        let named = self.current.as_ref().and_then(|current| current.as_ref().ok());
        let manifests = || {
            self.files.iter().enumerate().filter_map(|(at, file)| match file.named {
                Some(FileName::Manifest(number)) => Some((number, at)),
                _ => None,
            })
        };
        let chosen = manifests().find(|(number, _)| Some(number) == named).or_else(|| manifests().max());
        chosen.map(|(_, at)| at)
    }

    /// The last version of that manifest, encoded as one edit.
    pub fn version(&mut self, state: &[u8]) {
        if let Ok(edit) = VersionEdit::decode(state) {
            let mut known = State::default();
            known.apply(edit, true);
            self.state = Some(known);
        }
    }

    /// The first and last internal key of a table, and its highest sequence number if all of it was
    /// read. Empty keys: the table has no entries, or they are unknown.
    pub fn table(&mut self, file: usize, smallest: &[u8], largest: &[u8], max_sequence: Option<u64>) {
        let Some(known) = self.files.get_mut(file) else { return };
        if !smallest.is_empty() && !largest.is_empty() {
            known.bounds = Some((smallest.to_vec(), largest.to_vec()));
        }
        known.max_sequence = max_sequence;
    }

    /// A table has no footer.
    pub fn without_footer(&mut self, file: usize) {
        if let Some(known) = self.files.get_mut(file) {
            known.has_footer = false;
        }
    }

    /// The manifest is damaged, or was only not written to its end.
    pub fn manifest_incomplete(&mut self, is_damaged: bool) {
        self.manifest_damaged = Some(is_damaged);
    }

    /// Whether edits of the manifest are likely to be missing. A crash leaves a torn end, but also the log
    /// that the edit before names.
    fn misses_edits(&self) -> bool {
        let log = self.state.as_ref().and_then(State::logs).map(|(log, _)| log);
        let lacks_log = log.is_some_and(|log| log.0 > 0 && !self.has_number(log));
        self.manifest_damaged.is_some_and(|is_damaged| is_damaged || lacks_log)
    }

    fn has_number(&self, number: FileNumber) -> bool {
        self.files.iter().any(|file| file.named.and_then(FileName::number) == Some(number))
    }

    /// Roles and findings.
    pub fn conclude(mut self) -> Report {
        let is_database = self.files.iter().any(|file| {
            matches!(
                file.named,
                Some(FileName::Manifest(_) | FileName::Log(_) | FileName::Table(_) | FileName::Current)
            )
        });
        if is_database {
            self.check_current();
            self.check_names();
        }
        self.check_relatives();
        let mut spans = self.roles();
        self.check_logs();
        self.check_tables(&mut spans);
        let mut summary = Span::new("database", 0, 0);
        summary.number("files", to_u64(self.files.len()));
        summary.number("bytes", self.files.iter().fold(0, |sum, file| sum.saturating_add(file.size)));
        if let Some(state) = &self.state {
            state.facts(&mut summary);
        }
        Report { summary, files: spans, findings: self.findings }
    }

    fn find(&mut self, file: Option<usize>, severity: Severity, code: &'static str, length: u64, reason: String) {
        self.findings.push((file, Finding { code, severity, offset: 0, length, reason }));
    }

    fn check_current(&mut self) {
        let file = self.files.iter().position(|file| file.named == Some(FileName::Current));
        let size = file.and_then(|at| self.files.get(at)).map_or(0, |file| file.size);
        let is_lost = file.and_then(|at| self.files.get(at)).is_some_and(|file| !file.is_readable);
        let reason = match &self.current {
            _ if is_lost => return,
            None if file.is_some() => "CURRENT was not read".to_owned(),
            None => "CURRENT is missing, which names the manifest".to_owned(),
            Some(Err(reason)) => reason.clone(),
            Some(Ok(number)) => {
                let named = FileName::Manifest(*number);
                if self.files.iter().any(|file| file.named == Some(named)) {
                    return;
                }
                ["CURRENT names ", &*named.to_string(), ", which is missing"].concat()
            }
        };
        let instead = self.manifest().and_then(|at| self.files.get(at)).and_then(|file| file.named);
        let instead =
            instead.map_or(String::new(), |named| ["; ", &*named.to_string(), ", the newest, is read"].concat());
        self.find(file, Severity::Bad, "D01", size, [reason, instead].concat());
    }

    /// The manifest speaks for the whole database.
    fn check_relatives(&mut self) {
        let (all, one) = (
            "the database is of RocksDB or Pebble: its files are named, and only LevelDB's are checked",
            "the file is of RocksDB or Pebble, and is not read",
        );
        let chosen = self.chosen_manifest().filter(|_| self.is_relative());
        let others = (0..self.files.len()).filter(|at| chosen.is_none() && self.is_relative_file(*at));
        let found: Vec<_> = chosen.map(|at| (at, all)).into_iter().chain(others.map(|at| (at, one))).collect();
        for (at, reason) in found {
            let size = self.files.get(at).map_or(0, |file| file.size);
            self.find(Some(at), Severity::Warn, "D06", size, reason.to_owned());
        }
    }

    fn check_names(&mut self) {
        let manifests = self.files.iter().filter(|file| matches!(file.named, Some(FileName::Manifest(_)))).count();
        let mut found = Vec::new();
        if manifests > 1 {
            let reason = fill("{} manifests: CURRENT decides which one is used", &[to_u64(manifests)]);
            found.push((None, Severity::Info, "D02", 0, reason));
        }
        let mut numbers: BTreeMap<FileNumber, usize> = BTreeMap::new();
        for (at, file) in self.files.iter().enumerate() {
            let is_ours = matches!(&*file.kind, "table" | "log" | "manifest");
            if is_ours && (file.named.is_none() || file.named.is_some_and(|_| !file.is_spelled)) {
                let like = if file.resembles || file.named.is_some() { "; it may have been renamed" } else { "" };
                let reason =
                    ["the content is a ", &*file.kind, ", but no engine reads a file of this name", like].concat();
                found.push((Some(at), Severity::Warn, "D03", file.size, reason));
            }
            let Some(number) = file.named.and_then(FileName::number) else { continue };
            if numbers.insert(number, at).is_some() {
                let reason = fill("another file has the number {}, too", &[number.0]);
                found.push((Some(at), Severity::Warn, "D04", file.size, reason));
            }
        }
        for (file, severity, code, length, reason) in found {
            self.find(file, severity, code, length, reason);
        }
    }

    /// A span with the role of each file.
    fn roles(&self) -> Vec<Span> {
        let logs = self.state.as_ref().and_then(State::logs);
        let live: BTreeMap<FileNumber, usize> = match &self.state {
            Some(state) => state.tables().map(|(level, table)| (table.number, level)).collect(),
            None => BTreeMap::new(),
        };
        let newest_log = self.files.iter().filter_map(|file| match file.named {
            Some(FileName::Log(number)) => Some(number),
            _ => None,
        });
        let newest_log = newest_log.max();
        let current = self.chosen_manifest();
        let is_relative = self.is_relative();
        let role_of = |at: usize, file: &File| match file.named {
            _ if file.is_relative || (is_relative && matches!(&*file.kind, "log" | "foreign")) => "other",
            Some(FileName::Current) => "current",
            Some(FileName::Lock) => "lock",
            Some(FileName::InfoLog) => "info log",
            Some(FileName::Temporary(_)) => "temporary",
            Some(FileName::Manifest(_)) if Some(at) == current => "current manifest",
            Some(FileName::Manifest(_)) => "old manifest",
            Some(FileName::Log(number)) => match logs {
                None => "log",
                Some((from, previous)) if number < from && number != previous => "old log",
                Some(_) if Some(number) == newest_log => "current log",
                Some(_) => "log to replay",
            },
            Some(FileName::Table(number)) => match &self.state {
                None => "table",
                Some(_) if live.contains_key(&number) => "live",
                Some(_) => "orphan",
            },
            None if matches!(&*file.kind, "table" | "log" | "manifest") => "misnamed",
            None => "other",
        };
        let spans = self.files.iter().enumerate().map(|(at, file)| {
            let mut span = Span::new("file", 0, file.size);
            span.text("role", role_of(at, file));
            if let Some(number) = file.named.and_then(FileName::number) {
                span.number("number", number.0);
                let level = live.get(&number).filter(|_| matches!(file.named, Some(FileName::Table(_))));
                if let Some(level) = level {
                    span.number("level", to_u64(*level));
                }
            }
            span
        });
        spans.collect()
    }

    /// An open database has a log, and keeps it when it is closed. A manifest that was written for a
    /// database without one names no log (0), or its own number.
    fn check_logs(&mut self) {
        let Some((from, previous)) = self.state.as_ref().and_then(State::logs) else { return };
        let is_log =
            |file: &File| matches!(file.named, Some(FileName::Log(number)) if number >= from || number == previous);
        if from.0 == 0 || self.has_number(from) || self.files.iter().any(is_log) {
            return;
        }
        let name = FileName::Log(from).to_string();
        let reason = [&*name, " is missing: what was written last, and is in no table yet, is lost with it"].concat();
        self.find(self.manifest(), Severity::Warn, "M02", 0, reason);
    }

    /// Compares the tables with the manifest; adds a span for each that is missing.
    fn check_tables(&mut self, spans: &mut Vec<Span>) {
        let misses_edits = self.misses_edits();
        let Some(state) = self.state.take() else { return };
        let mut places: BTreeMap<FileNumber, usize> = BTreeMap::new();
        for (at, file) in self.files.iter().enumerate() {
            if let Some(FileName::Table(number)) = file.named {
                places.entry(number).or_insert(at);
            }
        }
        let mut live = BTreeSet::new();
        for (level, table) in state.tables() {
            live.insert(table.number);
            let Some(at) = places.get(&table.number).copied() else {
                let mut span = Span::new("file", 0, table.size);
                span.text("role", "missing");
                span.number("number", table.number.0);
                span.number("level", to_u64(level));
                spans.push(span);
                let name = FileName::Table(table.number).to_string();
                let said = fill(" is missing: {} bytes of level {}", &[table.size, to_u64(level)]);
                self.find(self.manifest(), Severity::Bad, "M02", 0, [&*name, &*said].concat());
                continue;
            };
            self.check_table(at, &state, table);
        }
        let orphans: Vec<usize> =
            places.iter().filter(|(number, _)| !live.contains(number)).map(|(_, at)| *at).collect();
        for at in orphans {
            let (size, has_footer) = self.files.get(at).map_or((0, true), |file| (file.size, file.has_footer));
            let is_doubtful = has_footer && misses_edits;
            let reason = if is_doubtful {
                "the manifest, which is not complete, does not name this table: it may have entries that are in no \
                 other file, and LevelDB removes it"
            } else if has_footer {
                "the manifest does not name this table: it was not installed, or is not needed any more"
            } else {
                "the manifest does not name this table, and it has no footer: it was not finished"
            };
            if let Some(span) = spans.get_mut(at).filter(|_| !has_footer) {
                span.state("unfinished", Fact::Flag(true));
            }
            let severity = if is_doubtful { Severity::Warn } else { Severity::Info };
            self.find(Some(at), severity, "M03", size, reason.to_owned());
        }
        self.state = Some(state);
    }

    fn check_table(&mut self, at: usize, state: &State, table: &crate::version::NewFile) {
        let Some(file) = self.files.get(at) else { return };
        let (size, bounds, max_sequence) = (file.size, file.bounds.clone(), file.max_sequence);
        if size != table.size {
            let reason = fill("the file has {} bytes, the manifest says {}", &[size, table.size]);
            self.find(Some(at), Severity::Bad, "M04", size, reason);
        }
        if let Some((smallest, largest)) = bounds {
            for (which, is_same) in [("first", smallest == table.smallest), ("last", largest == table.largest)] {
                if !is_same {
                    let reason = ["the ", which, " key of the table is not the one that the manifest says"].concat();
                    self.find(Some(at), Severity::Bad, "M05", size, reason);
                }
            }
        }
        if let (Some(highest), Some(last)) = (max_sequence, state.last_sequence())
            && highest > last
        {
            let reason = fill("the table has sequence {}, above the manifest's last, {}", &[highest, last]);
            self.find(Some(at), Severity::Bad, "T24", size, reason);
        }
    }
}

/// Bytes of CURRENT that are told.
const CURRENT_TOLD_MAX: usize = 48;

/// Why CURRENT names no manifest, and what it holds.
fn why(content: &[u8], malformed: Malformed) -> String {
    let told = content.get(..CURRENT_TOLD_MAX).unwrap_or(content);
    if content.is_empty() || told.len() == content.len() && content.ends_with(b"\n") {
        return malformed.reason;
    }
    let begins = if told.len() < content.len() { " begins with" } else { " does not end with a newline; it holds" };
    [
        "CURRENT",
        begins,
        " \"",
        &*told.escape_ascii().to_string(),
        "\", expected a name like MANIFEST-000002 and a newline",
    ]
    .concat()
}

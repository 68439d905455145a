//! A planned compaction: its inputs, where to cut outputs, and the levels below them.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::base::{InternalKeyComparator, sort_by, user_key};
use crate::version::{FileMetaData, LEVELS, VersionEdit, grandparent_overlap_max, total_size};

/// The tables to merge.
#[derive(Clone)]
pub(crate) struct Compaction {
    /// The upper level.
    pub(crate) level: usize,
    /// The level of the outputs: the next one, or the same if its tables are rewritten.
    pub(crate) output_level: usize,
    /// The levels below the outputs. Not the version of the inputs, which would keep their files.
    pub(crate) deeper: Vec<Rc<[Rc<FileMetaData>]>>,
    /// Tables of `level` and of `level + 1`.
    pub(crate) inputs: [Vec<Rc<FileMetaData>>; 2],
    /// Tables of the level below the outputs that overlap the inputs.
    pub(crate) grandparents: Vec<Rc<FileMetaData>>,
    /// Start of the next compaction of `level`.
    pub(crate) compact_pointer: Vec<u8>,
    /// The user keys of a [piece](Compaction::pieces): after this one,
    pub(crate) after: Option<Vec<u8>>,
    /// and up to this one; the last piece has none.
    pub(crate) up_to: Option<Vec<u8>>,
    pub(crate) max_file_size: u64,
    /// Requested by the user: never a trivial move, which would keep tombstones.
    pub(crate) manual: bool,
}

impl Compaction {
    pub(crate) fn inputs(&self) -> impl Iterator<Item = (usize, &Rc<FileMetaData>)> {
        let [upper, lower] = &self.inputs;
        upper.iter().map(|f| (self.level, f)).chain(lower.iter().map(|f| (self.level + 1, f)))
    }

    pub(crate) fn input_bytes(&self) -> u64 {
        let [upper, lower] = &self.inputs;
        // The upper tables count with the last piece.
        let upper = if self.up_to.is_none() { total_size(upper) } else { 0 };
        upper.saturating_add(total_size(lower))
    }

    /// Returns whether moving the only input down suffices.
    pub(crate) fn is_trivial_move(&self) -> bool {
        let [upper, lower] = &self.inputs;
        !self.manual
            && upper.len() == 1
            && lower.is_empty()
            && total_size(&self.grandparents) <= grandparent_overlap_max(self.max_file_size)
    }

    /// Splits it by the tables of the lower level: each piece gives back their space before the next
    /// takes its own.
    ///
    /// The upper tables stay until the last piece is done. Meanwhile their entries are in both levels,
    /// which reads the same, also for LevelDB: they are the newer ones in either.
    pub(crate) fn pieces(&self, order: &InternalKeyComparator) -> Vec<Compaction> {
        let [upper, lower] = &self.inputs;
        let lower = sorted(lower, order);
        let mut pieces = Vec::new();
        let (mut after, mut tables) = (None, Vec::new());
        for (at, file) in lower.iter().enumerate() {
            tables.push(file.clone());
            let end = user_key(&file.largest);
            let Some(next) = lower.get(at + 1) else { break };
            // Entries of one key stay together.
            if order.user().compare(user_key(&next.smallest), end) == Ordering::Equal {
                continue;
            }
            let (tables, up_to) = (std::mem::take(&mut tables), Some(end.to_vec()));
            let inputs = [upper.clone(), tables];
            pieces.push(Compaction {
                inputs,
                after: std::mem::replace(&mut after, up_to.clone()),
                up_to,
                ..self.clone()
            });
        }
        pieces.push(Compaction { inputs: [upper.clone(), tables], after, ..self.clone() });
        pieces
    }

    /// Returns the edit that removes the inputs; the caller adds the outputs.
    pub(crate) fn edit(&self) -> VersionEdit {
        let is_last = self.up_to.is_none();
        let moves = self.output_level != self.level && is_last;
        let removed = self.inputs().filter(|(level, _)| is_last || *level != self.level);
        VersionEdit {
            compact_pointers: moves.then(|| (self.level, self.compact_pointer.clone())).into_iter().collect(),
            deleted_files: removed.map(|(level, f)| (level, f.number)).collect(),
            ..VersionEdit::default()
        }
    }

    /// Returns the splitter of the outputs.
    pub(crate) fn splitter(&self) -> Splitter<'_> {
        Splitter { compaction: self, passed: 0, overlapped: 0, seen_key: false }
    }

    /// Returns a check whether a key may be in a level below the outputs.
    pub(crate) fn base_level(&self) -> BaseLevel<'_> {
        BaseLevel { compaction: self, passed: [0; LEVELS] }
    }
}

/// Returns the tables of one level in the order of their keys.
pub(super) fn sorted(files: &[Rc<FileMetaData>], order: &InternalKeyComparator) -> Vec<Rc<FileMetaData>> {
    let mut files = files.to_vec();
    sort_by(&mut files, |a, b| order.compare(&a.smallest, &b.smallest).then(a.number.cmp(&b.number)));
    files
}

/// Cuts outputs before they overlap too much of the level below them.
pub(crate) struct Splitter<'a> {
    compaction: &'a Compaction,
    passed: usize,
    overlapped: u64,
    seen_key: bool,
}

impl Splitter<'_> {
    /// Returns whether a new output starts at `key`. Keys must come in order.
    #[inline]
    pub(crate) fn stop_before(&mut self, order: &InternalKeyComparator, key: &[u8]) -> bool {
        while let Some(file) = self.compaction.grandparents.get(self.passed)
            && order.compare(key, &file.largest) == Ordering::Greater
        {
            if self.seen_key {
                self.overlapped = self.overlapped.saturating_add(file.size);
            }
            self.passed += 1;
        }
        self.seen_key = true;
        let stop = self.overlapped > grandparent_overlap_max(self.compaction.max_file_size);
        if stop {
            self.overlapped = 0;
        }
        stop
    }
}

/// The levels below the outputs.
pub(crate) struct BaseLevel<'a> {
    compaction: &'a Compaction,
    passed: [usize; LEVELS],
}

impl BaseLevel<'_> {
    /// Returns whether no level below the outputs can hold `key`. Keys must come in order.
    pub(crate) fn is_base_for(&mut self, order: &InternalKeyComparator, key: &[u8]) -> bool {
        for (files, passed) in self.compaction.deeper.iter().zip(&mut self.passed) {
            while let Some(file) = files.get(*passed) {
                if order.user().compare(key, user_key(&file.largest)) != Ordering::Greater {
                    if order.user().compare(key, user_key(&file.smallest)) != Ordering::Less {
                        return false;
                    }
                    break;
                }
                *passed += 1;
            }
        }
        true
    }
}

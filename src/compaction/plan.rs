//! A planned compaction: its inputs, where to cut outputs, and the levels below them.

use std::cmp::Ordering;
use std::rc::Rc;

use crate::base::{InternalKeyComparator, user_key};
use crate::version::{FileMetaData, LEVELS, Version, VersionEdit, grandparent_overlap_max, total_size};

/// The tables to merge.
pub(crate) struct Compaction {
    /// The upper level.
    pub(crate) level: usize,
    /// The level of the outputs: the next one, or the same if its tables are rewritten.
    pub(crate) output_level: usize,
    /// The version of the inputs.
    pub(crate) version: Rc<Version>,
    /// Tables of `level` and of `level + 1`.
    pub(crate) inputs: [Vec<Rc<FileMetaData>>; 2],
    /// Tables of the level below the outputs that overlap the inputs.
    pub(crate) grandparents: Vec<Rc<FileMetaData>>,
    /// Start of the next compaction of `level`.
    pub(crate) compact_pointer: Vec<u8>,
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
        total_size(upper).saturating_add(total_size(lower))
    }

    /// Returns whether moving the only input down suffices.
    pub(crate) fn is_trivial_move(&self) -> bool {
        let [upper, lower] = &self.inputs;
        !self.manual
            && upper.len() == 1
            && lower.is_empty()
            && total_size(&self.grandparents) <= grandparent_overlap_max(self.max_file_size)
    }

    /// Returns the edit that removes the inputs; the caller adds the outputs.
    pub(crate) fn edit(&self) -> VersionEdit {
        let moves = self.output_level != self.level;
        VersionEdit {
            compact_pointers: moves.then(|| (self.level, self.compact_pointer.clone())).into_iter().collect(),
            deleted_files: self.inputs().map(|(level, f)| (level, f.number)).collect(),
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
        for level in self.compaction.output_level + 1..LEVELS {
            let files = self.compaction.version.level(level);
            let Some(passed) = self.passed.get_mut(level) else { continue };
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

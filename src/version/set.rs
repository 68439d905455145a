//! The current version, the counters stored in the manifest, and how edits apply.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::rc::{Rc, Weak};

use super::edit::{NewFile, VersionEdit};
use super::file_meta::FileMetaData;
use super::levels::Version;
use super::shape::LEVELS;
use crate::base::{FileNumber, InternalKeyComparator, SequenceNumber, sort_by};
use crate::error::{Error, Result};

/// The counters stored in the manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Counts {
    pub(crate) log_number: FileNumber,
    pub(crate) previous_log_number: FileNumber,
    pub(crate) next_file_number: FileNumber,
    pub(crate) last_sequence: SequenceNumber,
    /// The last sequence number in tables, directly before the first log. Manifests store this
    /// instead of `last_sequence`, so that a log lost in a crash leaves a visible gap.
    pub(crate) flushed_sequence: SequenceNumber,
}

/// The current version and its history.
///
/// Invariants:
/// 1. Every file number in use, and every one ever given out, is below `counts.next_file_number`.
/// 2. `versions` holds every version in use, `current` too.
pub(crate) struct VersionSet {
    order: InternalKeyComparator,
    current: Rc<Version>,
    versions: Vec<Weak<Version>>,
    pub(crate) counts: Counts,
    compact_pointers: [Vec<u8>; LEVELS],
    /// The name that the manifest has, which differs from that of `order` if this is not known.
    pub(super) stored_comparator: Option<Vec<u8>>,
}

impl VersionSet {
    pub(crate) fn new(order: InternalKeyComparator) -> VersionSet {
        let current = Rc::new(Version::default());
        let versions = vec![Rc::downgrade(&current)];
        let counts = Counts { next_file_number: FileNumber(2), ..Counts::default() };
        VersionSet { order, current, versions, counts, compact_pointers: Default::default(), stored_comparator: None }
    }

    pub(crate) fn order(&self) -> &InternalKeyComparator {
        &self.order
    }

    pub(crate) fn current(&self) -> &Rc<Version> {
        &self.current
    }

    pub(crate) fn compact_pointer(&self, level: usize) -> &[u8] {
        self.compact_pointers.get(level).map_or(&[], Vec::as_slice)
    }

    /// Returns an unused file number.
    pub(crate) fn new_file_number(&mut self) -> Result<FileNumber> {
        let number = self.counts.next_file_number;
        let next = number.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?;
        self.counts.next_file_number = next;
        Ok(number)
    }

    /// Marks all numbers up to this one as used.
    pub(crate) fn mark_used(&mut self, number: FileNumber) -> Result<()> {
        if self.counts.next_file_number <= number {
            self.counts.next_file_number =
                number.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?;
        }
        Ok(())
    }

    /// Returns the version after `edit`. Refuses edits that contradict the current one.
    pub(crate) fn next_version(&self, edit: &VersionEdit) -> Result<Version, String> {
        let mut builder = Builder::new(&self.current);
        builder.apply(edit)?;
        builder.finish(&self.order, false)
    }

    /// Makes `version`, the result of `edit`, current.
    pub(crate) fn install(&mut self, edit: &VersionEdit, version: Version) {
        for (level, key) in &edit.compact_pointers {
            if let Some(pointer) = self.compact_pointers.get_mut(*level) {
                pointer.clone_from(key);
            }
        }
        self.counts.log_number = edit.log_number.unwrap_or(self.counts.log_number);
        self.counts.previous_log_number = edit.previous_log_number.unwrap_or(self.counts.previous_log_number);
        self.counts.flushed_sequence = edit.last_sequence.unwrap_or(self.counts.flushed_sequence);
        self.current = Rc::new(version);
        self.versions.retain(|v| v.strong_count() > 0);
        self.versions.push(Rc::downgrade(&self.current));
    }

    /// Returns the numbers of all tables in the current version or an older one in use.
    pub(crate) fn live_tables(&self) -> BTreeSet<FileNumber> {
        let versions = self.versions.iter().filter_map(Weak::upgrade);
        let mut numbers = BTreeSet::new();
        for version in versions {
            for (_, file) in version.files() {
                numbers.insert(file.number);
            }
        }
        numbers
    }

    fn comparator_name(&self) -> &[u8] {
        let stored = self.stored_comparator.as_deref().filter(|_| self.order.user().is_as_stored());
        stored.unwrap_or(self.order.user().name().as_bytes())
    }

    /// Returns the edit that describes the current version: the first record of a manifest.
    pub(crate) fn snapshot_edit(&self) -> VersionEdit {
        let pointers = self.compact_pointers.iter().enumerate().filter(|(_, key)| !key.is_empty());
        VersionEdit {
            comparator: Some(self.comparator_name().to_vec()),
            compact_pointers: pointers.map(|(level, key)| (level, key.clone())).collect(),
            new_files: self.current.files().map(|(level, f)| (level, f.to_new_file())).collect(),
            ..VersionEdit::default()
        }
    }
}

/// Returns the version that one edit describes. Refuses one that no engine opens.
pub(crate) fn version_of(edit: &VersionEdit, order: &InternalKeyComparator) -> Result<Version, String> {
    let mut builder = Builder::new(&Version::default());
    builder.apply(edit)?;
    builder.finish(order, false)
}

/// Applies several edits to a version without building those in between.
pub(crate) struct Builder {
    levels: [Vec<Rc<FileMetaData>>; LEVELS],
}

impl Builder {
    pub(crate) fn new(base: &Version) -> Builder {
        Builder { levels: base.levels.each_ref().map(|files| files.to_vec()) }
    }

    /// A table that one edit moves between levels keeps its identity and seek count.
    pub(crate) fn apply(&mut self, edit: &VersionEdit) -> Result<(), String> {
        let mut moved: Vec<Rc<FileMetaData>> = Vec::new();
        for (level, number) in &edit.deleted_files {
            let Some(files) = self.levels.get_mut(*level) else { continue };
            if let Some(at) = files.iter().position(|f| f.number == *number) {
                moved.push(files.remove(at));
            }
        }
        for (level, file) in &edit.new_files {
            let same = moved.iter().find(|f| f.number == file.number && f.to_new_file() == *file);
            let file = same.cloned().unwrap_or_else(|| Rc::new(FileMetaData::new(NewFile::clone(file))));
            let files = self.levels.get_mut(*level).ok_or_else(|| format!("level {level} does not exist"))?;
            files.retain(|f| f.number != file.number);
            files.push(file);
        }
        Ok(())
    }

    /// Sorts the levels and checks the invariants of [`Version`]. `lenient` skips the check, as
    /// LevelDB does.
    pub(crate) fn finish(mut self, order: &InternalKeyComparator, lenient: bool) -> Result<Version, String> {
        let mut numbers = BTreeSet::new();
        let is_unknown = order.user().is_as_stored();
        let lenient = lenient || is_unknown;
        for (level, files) in self.levels.iter_mut().enumerate() {
            for file in files.iter().filter(|_| !lenient) {
                if !numbers.insert(file.number) {
                    return Err(format!("table {} is in two levels", file.number));
                }
                if order.compare(&file.smallest, &file.largest) == Ordering::Greater {
                    return Err(format!("table {} ends before it starts", file.number));
                }
            }
            if level == 0 {
                sort_by(files, |a, b| b.number.cmp(&a.number));
                continue;
            }
            if is_unknown {
                sort_by(files, |a, b| a.number.cmp(&b.number));
                continue;
            }
            sort_by(files, |a, b| order.compare(&a.smallest, &b.smallest).then(a.number.cmp(&b.number)));
            for pair in files.windows(2) {
                if let [a, b] = pair
                    && !lenient
                    && order.compare(&a.largest, &b.smallest) != Ordering::Less
                {
                    return Err(format!("tables {} and {} of level {level} overlap", a.number, b.number));
                }
            }
        }
        Ok(Version { levels: self.levels.map(Rc::from), ..Version::default() })
    }
}

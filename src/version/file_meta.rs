//! A live table as described by the manifest, and searches in lists of tables.

use std::cell::Cell;
use std::cmp::Ordering;
use std::rc::Rc;

use super::edit::NewFile;
use crate::base::{FileNumber, InternalKeyComparator, user_key};

/// One live table.
#[derive(Debug)]
pub(crate) struct FileMetaData {
    pub(crate) number: FileNumber,
    pub(crate) size: u64,
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
    /// Fruitless seeks left before compaction: one costs about as much as compacting 16 KiB.
    pub(crate) allowed_seeks: Cell<i64>,
    /// Known to have one entry per key and no tombstone: rewriting it would remove nothing.
    pub(crate) is_compact: Cell<bool>,
}

impl FileMetaData {
    pub(crate) fn new(file: NewFile) -> FileMetaData {
        let allowed_seeks = i64::try_from(file.size / 16_384).unwrap_or(i64::MAX).max(100);
        FileMetaData {
            number: file.number,
            size: file.size,
            smallest: file.smallest,
            largest: file.largest,
            allowed_seeks: Cell::new(allowed_seeks),
            is_compact: Cell::new(false),
        }
    }

    /// Returns whether the table may hold the user key.
    pub(crate) fn covers(&self, order: &InternalKeyComparator, key: &[u8]) -> bool {
        in_range(self, order, (Some(key), Some(key)))
    }

    pub(crate) fn to_new_file(&self) -> NewFile {
        NewFile { number: self.number, size: self.size, smallest: self.smallest.clone(), largest: self.largest.clone() }
    }
}

/// A range of user keys, both ends inclusive; `None` is open.
pub(crate) type UserRange<'a> = (Option<&'a [u8]>, Option<&'a [u8]>);

pub(crate) fn total_size(files: &[Rc<FileMetaData>]) -> u64 {
    files.iter().fold(0, |sum, f| sum.saturating_add(f.size))
}

pub(super) fn in_range(file: &FileMetaData, order: &InternalKeyComparator, (begin, end): UserRange<'_>) -> bool {
    let before = begin.is_some_and(|b| order.user().compare(user_key(&file.largest), b) == Ordering::Less);
    let after = end.is_some_and(|e| order.user().compare(user_key(&file.smallest), e) == Ordering::Greater);
    !before && !after
}

/// Returns the first file of a sorted level whose largest key is at or after `key`.
pub(crate) fn find_file(files: &[Rc<FileMetaData>], order: &InternalKeyComparator, key: &[u8]) -> usize {
    files.partition_point(|f| order.compare(&f.largest, key) == Ordering::Less)
}

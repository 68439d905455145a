//! A version: the levels and their tables, searched from newest to oldest.

use std::cell::OnceCell;
use std::cmp::Ordering;
use std::rc::Rc;

use super::file_meta::{FileMetaData, UserRange, find_file, in_range, total_size};
use super::observer::LookupObserver;
use super::shape::{FLUSH_LEVEL_MAX, LEVELS, grandparent_overlap_max};
use crate::base::{InternalKeyComparator, LookupKey, ValueType, parse_internal_key, user_key};
use crate::error::Result;
use crate::table::{BlockRead, Lookup, TableCache};

/// The result of a lookup in the tables.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Found {
    Value(Vec<u8>),
    Deleted,
    Nothing,
}

/// An immutable set of levels.
///
/// Invariants:
/// 1. Level 0 is sorted by file number, largest first.
/// 2. Every deeper level is sorted by key, and its tables' ranges are disjoint in internal keys.
#[derive(Debug, Default)]
pub(crate) struct Version {
    pub(super) levels: [Rc<[Rc<FileMetaData>]>; LEVELS],
    pub(super) table_bytes: OnceCell<u64>,
}

impl Version {
    pub(crate) fn level(&self, level: usize) -> &[Rc<FileMetaData>] {
        self.levels.get(level).map_or(&[], |files| files)
    }

    /// Returns a shared handle to the level.
    pub(crate) fn share_level(&self, level: usize) -> Rc<[Rc<FileMetaData>]> {
        self.levels.get(level).cloned().unwrap_or_default()
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = (usize, &Rc<FileMetaData>)> {
        self.levels.iter().enumerate().flat_map(|(level, files)| files.iter().map(move |f| (level, f)))
    }

    /// Returns the size of all tables in bytes.
    pub(crate) fn table_bytes(&self) -> u64 {
        *self.table_bytes.get_or_init(|| (0..LEVELS).fold(0, |sum, level| self.level_bytes(level).saturating_add(sum)))
    }

    pub(crate) fn level_bytes(&self, level: usize) -> u64 {
        total_size(self.level(level))
    }

    /// Finds the newest entry of the key at or before its sequence. Also returns the table to
    /// charge: the first one searched, if the lookup continued in another. Filter misses are not
    /// charged, since they cost less than rewriting the 16 KiB that LevelDB equates with a seek.
    pub(crate) async fn get(
        &self,
        tables: &TableCache,
        order: &InternalKeyComparator,
        lookup: &LookupKey,
        read: BlockRead,
        observer: &mut impl LookupObserver,
        copy: bool,
    ) -> Result<(Found, Option<(usize, Rc<FileMetaData>)>)> {
        let mut first_miss: Option<(usize, Rc<FileMetaData>)> = None;
        let mut charged = None;
        for level in 0..LEVELS {
            let files = self.level(level);
            let candidates = if level == 0 { files } else { candidate(files, order, lookup) };
            observer.level(level, files.len(), candidates.len());
            for file in candidates {
                let is_covered = level > 0 || file.covers(order, lookup.user_key());
                observer.file(level, file, is_covered);
                if !is_covered {
                    continue;
                }
                if charged.is_none() {
                    charged = first_miss.take();
                }
                let table = tables.table(file.number, file.size).await?;
                observer.opened(&table);
                let (what, found) = table
                    .get(lookup.internal_key(), read, observer, |key, value| decide(order, lookup, key, value, copy))
                    .await?;
                observer.searched(level, file, what);
                match found.flatten() {
                    Some(Ok(found)) => return Ok((found, charged)),
                    Some(Err(malformed)) => return Err(malformed.in_file(table.name(), 0)),
                    None => {}
                }
                if charged.is_none() && matches!(what, Lookup::Block { .. }) {
                    first_miss = Some((level, file.clone()));
                }
            }
        }
        Ok((Found::Nothing, charged))
    }

    /// Picks the level of a flushed memtable: as deep as it overlaps no table, and few of the level
    /// below.
    pub(crate) fn flush_level(
        &self,
        order: &InternalKeyComparator,
        smallest: &[u8],
        largest: &[u8],
        max_file_size: u64,
    ) -> usize {
        let range = (Some(user_key(smallest)), Some(user_key(largest)));
        if self.overlaps(order, 0, range) {
            return 0;
        }
        let mut level = 0;
        while level < FLUSH_LEVEL_MAX {
            let below = self.overlapping(order, level + 2, range);
            if self.overlaps(order, level + 1, range) || total_size(&below) > grandparent_overlap_max(max_file_size) {
                break;
            }
            level += 1;
        }
        level
    }

    /// Returns whether a table of `level` may hold a key of the range (inclusive; `None`: open).
    pub(crate) fn overlaps(&self, order: &InternalKeyComparator, level: usize, range: UserRange<'_>) -> bool {
        self.level(level).iter().any(|f| in_range(f, order, range))
    }

    /// Returns the tables of `level` that may hold a key of the range; in level 0 also their
    /// overlaps.
    pub(crate) fn overlapping(
        &self,
        order: &InternalKeyComparator,
        level: usize,
        range: UserRange<'_>,
    ) -> Vec<Rc<FileMetaData>> {
        let (mut begin, mut end) = (range.0.map(<[u8]>::to_vec), range.1.map(<[u8]>::to_vec));
        loop {
            let inputs: Vec<_> = self
                .level(level)
                .iter()
                .filter(|f| in_range(f, order, (begin.as_deref(), end.as_deref())))
                .cloned()
                .collect();
            if level > 0 || !widen(order, &inputs, &mut begin, &mut end) {
                return inputs;
            }
        }
    }
}

fn widen(
    order: &InternalKeyComparator,
    files: &[Rc<FileMetaData>],
    begin: &mut Option<Vec<u8>>,
    end: &mut Option<Vec<u8>>,
) -> bool {
    let mut grew = false;
    for file in files {
        let (smallest, largest) = (user_key(&file.smallest), user_key(&file.largest));
        if begin.as_deref().is_some_and(|b| order.user().compare(smallest, b) == Ordering::Less) {
            *begin = Some(smallest.to_vec());
            grew = true;
        }
        if end.as_deref().is_some_and(|e| order.user().compare(largest, e) == Ordering::Greater) {
            *end = Some(largest.to_vec());
            grew = true;
        }
    }
    grew
}

/// Returns the file of a sorted level that may hold the key, as a slice of one or none.
fn candidate<'a>(
    files: &'a [Rc<FileMetaData>],
    order: &InternalKeyComparator,
    lookup: &LookupKey,
) -> &'a [Rc<FileMetaData>] {
    let at = find_file(files, order, lookup.internal_key());
    match files.get(at..at + 1) {
        Some(one)
            if one.iter().all(|f| order.user().compare(lookup.user_key(), user_key(&f.smallest)) != Ordering::Less) =>
        {
            one
        }
        _ => &[],
    }
}

/// Interprets the first entry at or after the key.
fn decide(
    order: &InternalKeyComparator,
    lookup: &LookupKey,
    key: &[u8],
    value: &[u8],
    copy: bool,
) -> Option<Result<Found, crate::error::Malformed>> {
    match parse_internal_key(key) {
        Err(malformed) => Some(Err(malformed)),
        Ok(parsed) if order.user().compare(parsed.user_key, lookup.user_key()) != Ordering::Equal => None,
        Ok(parsed) => Some(Ok(match parsed.value_type {
            ValueType::Value => Found::Value(if copy { value.to_vec() } else { Vec::new() }),
            ValueType::Deletion => Found::Deleted,
        })),
    }
}

//! Follows a look-up through the levels.

use super::file_meta::FileMetaData;
use crate::base::FileNumber;
use crate::table::{BlockObserver, Lookup, Table};

/// One table searched by a lookup, for the lookup trace.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TableTouched {
    /// The table's level.
    pub level: usize,
    /// The table's file number.
    pub table: FileNumber,
    /// The result in this table.
    pub lookup: Lookup,
}

/// Is told the steps of a look-up in a version, in their order.
///
/// By default nothing happens, so that a look-up which nobody follows costs no more.
pub(crate) trait LookupObserver: BlockObserver {
    /// A level follows, with so many tables, of which `candidates` are looked at.
    #[inline]
    fn level(&mut self, level: usize, tables: usize, candidates: usize) {
        let _ = (level, tables, candidates);
    }

    /// A table follows; it is skipped if its range does not cover the key.
    #[inline]
    fn file(&mut self, level: usize, file: &FileMetaData, is_covered: bool) {
        let _ = (level, file, is_covered);
    }

    /// Its footer, index and filter were read.
    #[inline]
    fn opened(&mut self, table: &Table) {
        let _ = table;
    }

    /// It was searched.
    #[inline]
    fn searched(&mut self, level: usize, file: &FileMetaData, lookup: Lookup) {
        let _ = (level, file, lookup);
    }
}

/// Notes the tables that were searched.
impl LookupObserver for Option<&mut Vec<TableTouched>> {
    #[inline]
    fn searched(&mut self, level: usize, file: &FileMetaData, lookup: Lookup) {
        if let Some(touched) = self {
            touched.push(TableTouched { level, table: file.number, lookup });
        }
    }
}

impl BlockObserver for Option<&mut Vec<TableTouched>> {}

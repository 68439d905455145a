//! Reads a whole database and reports what is wrong with it.

use std::cmp::Ordering;
use std::rc::Rc;

use super::state::Inner;
use crate::base::{SequenceNumber, parse_internal_key, table_file_name};
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, OnBadBlock, finish};
use crate::slice::Budget;
use crate::table::{BlockRead, Table};
use crate::version::FileMetaData;

/// What [`Db::verify`](super::Db::verify) found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Tables read.
    pub tables: u64,
    /// Entries in them, shadowed ones and tombstones too.
    pub entries: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What is wrong, at most one finding for each table.
    pub findings: Vec<Error>,
}

pub(crate) async fn verify(inner: &Rc<Inner>) -> Result<VerifyReport> {
    inner.check_open()?;
    let (version, last) = {
        let state = inner.state.borrow();
        (state.versions.current().clone(), state.last_sequence())
    };
    let mut report = VerifyReport::default();
    let budget = Budget::of_call(&inner.options.pause);
    for (_, file) in version.files() {
        report.tables += 1;
        report.bytes = report.bytes.saturating_add(file.size);
        match check_table(inner, file, last, &budget).await {
            Ok(entries) => report.entries += entries,
            Err(error) if error.is_too_many_open_files() => return Err(error),
            Err(error @ (Error::Corruption(_) | Error::Io(_))) => report.findings.push(error),
            Err(error) => return Err(error),
        }
    }
    Ok(report)
}

/// Every entry with its block's checksum; order, range, sequence and filter.
async fn check_table(inner: &Inner, file: &FileMetaData, last: SequenceNumber, budget: &Budget) -> Result<u64> {
    let name = table_file_name(file.number);
    let table: Rc<Table> = inner.tables.table(file.number, file.size).await?;
    if let Some(error) = table.filter_error() {
        return Err(error.clone());
    }
    let read = BlockRead {
        verify_checksums: true,
        fill_cache: false,
        fill_sought: false,
        use_cache: false,
        read_ahead: 128 << 10,
        lenient: false,
    };
    let mut it = table.iter(read, OnBadBlock::Stop);
    let wrong = |reason: String| Err(Error::corruption(&*name, 0, reason));
    let mut previous: Vec<u8> = Vec::new();
    let mut entries = 0u64;
    let step = it.seek_to_first();
    finish(&mut it, step).await;
    while it.valid() {
        let key = it.key();
        let parsed = match parse_internal_key(key) {
            Ok(parsed) => parsed,
            Err(malformed) => return wrong(format!("entry {entries}: {}", malformed.reason)),
        };
        if entries > 0 && inner.order.compare(&previous, key) != Ordering::Less {
            return wrong(format!("entry {entries} is not after the one before it"));
        }
        if entries == 0 && key != file.smallest {
            return wrong("the first key is not the smallest that the manifest names".into());
        }
        if parsed.sequence > last {
            return wrong(format!(
                "entry {entries} has sequence {}, the newest is {}",
                parsed.sequence.get(),
                last.get()
            ));
        }
        previous.clear();
        previous.extend_from_slice(key);
        entries += 1;
        budget.spent(key.len() + it.value().len()).await;
        let step = it.next();
        finish(&mut it, step).await;
    }
    it.status()?;
    if previous != file.largest {
        return wrong("the last key is not the largest that the manifest names".into());
    }
    Ok(entries)
}

//! Point lookups: memtable, immutable memtables newest first, then tables.

use std::rc::Rc;

use crate::base::LookupKey;
use crate::db::state::Inner;
use crate::error::{Error, Result};
use crate::events::count;
use crate::memtable::MemGet;
use crate::options::ReadOptions;
use crate::table::BlockRead;
use crate::version::{Found, TableTouched};

/// The path of one lookup.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LookupTrace {
    /// Number of memtables searched, newest first.
    pub memtables: usize,
    /// Whether a memtable held the answer.
    pub found_in_memtable: bool,
    /// Tables searched, in order.
    pub tables: Vec<TableTouched>,
}

/// Returns how to read blocks for `options` in this database.
pub(crate) fn block_read(inner: &Inner, options: &ReadOptions) -> BlockRead {
    BlockRead {
        policy: inner.tables.options().policy.verifying(options.verify_checksums),
        fill_cache: options.fill_cache,
        fill_sought: options.fill_cache_sought,
        use_cache: true,
        read_ahead: 0,
    }
}

/// Refuses snapshots of other databases.
pub(crate) fn check_snapshot(inner: &Inner, options: &ReadOptions) -> Result<()> {
    match &options.snapshot {
        Some(snapshot) if !snapshot.is_of(&inner.snapshots) => {
            Err(Error::InvalidArgument("the snapshot belongs to another database".into()))
        }
        _ => Ok(()),
    }
}

/// Returns the value of `key` and records the path in `trace`.
pub(crate) async fn get(
    inner: &Rc<Inner>,
    key: &[u8],
    options: &ReadOptions,
    trace: Option<&mut LookupTrace>,
) -> Result<Option<Vec<u8>>> {
    look_up(inner, key, options, trace, true).await
}

/// Returns whether `key` exists, without copying its value.
pub(crate) async fn has(inner: &Rc<Inner>, key: &[u8], options: &ReadOptions) -> Result<bool> {
    Ok(look_up(inner, key, options, None, false).await?.is_some())
}

/// Returns the value of `key`; without `copy`, an empty one in its place.
async fn look_up(
    inner: &Rc<Inner>,
    key: &[u8],
    options: &ReadOptions,
    mut trace: Option<&mut LookupTrace>,
    copy: bool,
) -> Result<Option<Vec<u8>>> {
    inner.check_open()?;
    inner.order.user().check_known()?;
    check_snapshot(inner, options)?;
    count(&inner.counters.gets, 1);
    let (lookup, version, of_now) = {
        let state = inner.state.borrow();
        let sequence = options.sequence(state.last_sequence());
        let lookup = LookupKey::new(key, sequence);
        for (asked, memtable) in state.memtables().enumerate() {
            let found = memtable.get(&lookup, copy);
            if let Some(trace) = trace.as_deref_mut() {
                trace.memtables = asked + 1;
                trace.found_in_memtable = found.is_some();
            }
            match found {
                Some(MemGet::Value(value)) => return Ok(Some(value)),
                Some(MemGet::Deleted) => return Ok(None),
                None => {}
            }
        }
        (lookup, state.version().clone(), sequence >= state.last_sequence())
    };
    // The row cache holds current, verified rows only: no rows of snapshots or of unverified reads.
    let by_rows = of_now && options.verify_checksums && trace.is_none();
    if by_rows && let Some(value) = inner.rows.borrow_mut().get(&version, key) {
        count(&inner.counters.row_cache_hits, 1);
        return Ok(Some(if copy { value.to_vec() } else { Vec::new() }));
    }
    let read = block_read(inner, options);
    let mut touched = trace.map(|t| &mut t.tables);
    let (found, charged) = version.get(&inner.tables, &inner.order, &lookup, read, &mut touched, copy).await?;
    if let Some((level, file)) = charged {
        charge_seek(inner, level, &file);
    }
    let Found::Value(value) = found else { return Ok(None) };
    if by_rows && copy && options.fill_cache && Rc::ptr_eq(&version, inner.state.borrow().version()) {
        inner.rows.borrow_mut().note(&version, key, &value);
    }
    Ok(Some(value))
}

/// Charges a seek that found nothing in this table; after too many, the table is compacted.
pub(crate) fn charge_seek(inner: &Inner, level: usize, file: &Rc<crate::version::FileMetaData>) {
    let left = file.allowed_seeks.get() - 1;
    file.allowed_seeks.set(left);
    if left <= 0 && !inner.options.read_only {
        inner.state.borrow_mut().charge_table(level, file);
    }
}

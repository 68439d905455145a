//! The tables of a database as files, and the cache that opens them.

use std::rc::Rc;

use crate::base::{InternalKeyComparator, KeyOrder, to_u64};
use crate::db::state::Inner;
use crate::env::{Env, File};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::options::{Options, RecoveryMode};
use crate::table::{BlockCache, TableCache, TableOptions};
use crate::version::FileMetaData;

/// The tables of a database opened with `options`.
pub(crate) fn open_tables(
    env: &Rc<dyn Env>,
    options: &Options,
    order: &InternalKeyComparator,
    counters: &Rc<LiveCounters>,
) -> Rc<TableCache> {
    let compat = options.recovery == RecoveryMode::Compat;
    let value_max = to_u64(options.max_value_size);
    let table_options = Rc::new(TableOptions {
        order: KeyOrder::Internal(order.clone()),
        block_size: options.block_size,
        block_restart_interval: options.block_restart_interval,
        compression: options.compression,
        filter_policy: options.filter_policy.clone(),
        block_size_max: value_max.saturating_mul(2).saturating_add(64 << 20),
        verify_checksums: !compat || options.paranoid_checks,
        paranoid_checks: !compat && (options.paranoid_checks || options.recovery == RecoveryMode::Strict),
        lenient: compat,
    });
    let blocks = Rc::new(BlockCache::new(options.block_cache_size));
    let (capacity, files) = (options.table_cache_size, options.max_open_files);
    Rc::new(TableCache::new(env.clone(), table_options, blocks, counters.clone(), capacity, files))
}

/// A table of the database, which older LevelDBs called `.sst`, and its name.
pub(crate) async fn open_table(inner: &Inner, file: &FileMetaData) -> Result<(Rc<dyn File>, String)> {
    let (found, name) = inner.tables.open_file(file.number, file.size).await?;
    let size = found.size().await?;
    if size != file.size {
        return Err(Error::corruption(name, size, format!("file has {size} bytes, the manifest says {}", file.size)));
    }
    Ok((found, name))
}

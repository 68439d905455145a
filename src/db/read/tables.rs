//! The tables of a database as files, and the cache that opens them.

use std::rc::Rc;

use crate::base::{InternalKeyComparator, KeyOrder};
use crate::db::state::Inner;
use crate::env::{Env, File};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::options::Options;
use crate::table::{BlockCache, TableCache, TableOptions};
use crate::version::FileMetaData;

/// Returns the table cache of a database opened with `options`.
pub(crate) fn open_tables(
    env: &Rc<dyn Env>,
    options: &Options,
    order: &InternalKeyComparator,
    counters: &Rc<LiveCounters>,
) -> Rc<TableCache> {
    let order = KeyOrder::Internal(order.clone());
    let table_options = Rc::new(TableOptions::new(order, options.filter_policy.clone(), options));
    let blocks = Rc::new(BlockCache::new(options.block_cache_size));
    let (capacity, files) = (options.table_cache_size, options.max_open_files);
    Rc::new(TableCache::new(env.clone(), table_options, blocks, counters.clone(), capacity, files))
}

/// Opens a table, also under the old suffix `.sst`, and returns its name.
pub(crate) async fn open_table(inner: &Inner, file: &FileMetaData) -> Result<(Rc<dyn File>, String)> {
    let (found, name) = inner.tables.open_file(file.number, file.size).await?;
    let size = found.size().await?;
    if size != file.size {
        return Err(Error::corruption(name, size, format!("file has {size} bytes, the manifest says {}", file.size)));
    }
    Ok((found, name))
}

//! Writes one table to storage: creates it, fills it, syncs it and opens it again to verify it.

use std::rc::Rc;

use super::builder::TableBuilder;
use super::cache::TableCache;
use crate::base::{FileKind, FileNumber, table_file_name};
use crate::env::{Durability, Env, File, Io, NameEdit};
use crate::error::{Error, Result};

/// A finished table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct FinishedTable {
    pub(crate) number: FileNumber,
    pub(crate) size: u64,
    pub(crate) smallest: Vec<u8>,
    pub(crate) largest: Vec<u8>,
    pub(crate) entries: u64,
    /// Whether it has one entry per key and no tombstone.
    pub(crate) is_compact: bool,
}

/// A table being written.
pub(crate) struct TableOutput {
    env: Rc<dyn Env>,
    file: Rc<dyn File>,
    number: FileNumber,
    builder: TableBuilder,
    smallest: Vec<u8>,
    largest: Vec<u8>,
    is_compact: bool,
}

impl TableOutput {
    /// Creates the file.
    pub(crate) async fn create(
        env: &Rc<dyn Env>,
        tables: &TableCache,
        number: FileNumber,
        size_hint: u64,
    ) -> Result<TableOutput> {
        let name = table_file_name(number);
        let file = match env.create(&name, FileKind::Table, size_hint).await {
            Err(error) if tables.gives_back(&error) => env.create(&name, FileKind::Table, size_hint).await?,
            file => file?,
        };
        let builder = TableBuilder::new(env.clone(), file.clone(), name, tables.options().clone());
        let (smallest, largest, is_compact) = (Vec::new(), Vec::new(), false);
        Ok(TableOutput { env: env.clone(), file, number, builder, smallest, largest, is_compact })
    }

    /// Adds an entry; keys must increase.
    #[inline]
    pub(crate) fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        if self.builder.entries() == 0 {
            self.smallest.extend_from_slice(key);
        }
        self.builder.add(key, value)?;
        self.largest.clear();
        self.largest.extend_from_slice(key);
        Ok(())
    }

    /// Notes whether it has one entry per key and no tombstone.
    pub(crate) fn note_compact(&mut self, is_compact: bool) {
        self.is_compact = is_compact;
    }

    /// Whether `key` was the last one added.
    #[inline]
    pub(crate) fn ends_with(&self, key: &[u8]) -> bool {
        self.builder.entries() > 0 && self.largest == key
    }

    /// Whether enough is buffered for [`write_out`](TableOutput::write_out).
    #[inline]
    pub(crate) fn wants_write(&self) -> bool {
        self.builder.wants_write()
    }

    /// Writes buffered blocks, as far as they are compressed.
    pub(crate) async fn write_out(&mut self) -> Result<()> {
        self.builder.write_out().await
    }

    /// Bytes of the file so far.
    #[inline]
    pub(crate) fn size(&self) -> u64 {
        self.builder.estimated_size()
    }

    /// Writes the rest, syncs, and opens the table through the cache to verify that it is usable.
    ///
    /// On any failure the file is removed.
    pub(crate) async fn finish(self, tables: &TableCache) -> Result<FinishedTable> {
        self.end(tables).await?.prove(tables).await
    }

    /// Writes the rest and starts the sync, which may continue while the next table is built.
    ///
    /// On failure the file is removed.
    pub(crate) async fn end(self, tables: &TableCache) -> Result<UnprovenTable> {
        let TableOutput { env, file, number, builder, smallest, largest, is_compact } = self;
        let entries = builder.entries();
        match builder.finish().await {
            Ok(size) => {
                let sync = (!crate::bugs::seeded(crate::bugs::Bug::TableNotSynced)).then(|| file.sync());
                Ok(UnprovenTable {
                    env,
                    sync,
                    table: FinishedTable { number, size, smallest, largest, entries, is_compact },
                })
            }
            Err(error) => {
                remove(&env, tables, number).await;
                Err(error)
            }
        }
    }

    /// Abandons the table and removes its file.
    pub(crate) async fn abandon(self, tables: &TableCache) {
        let TableOutput { env, file, number, builder, .. } = self;
        drop((file, builder));
        remove(&env, tables, number).await;
    }
}

/// A complete table whose sync may still be in progress.
pub(crate) struct UnprovenTable {
    env: Rc<dyn Env>,
    sync: Option<Io<Durability>>,
    table: FinishedTable,
}

impl UnprovenTable {
    /// Waits for the sync and opens the table through the cache.
    ///
    /// On any failure the file is removed.
    pub(crate) async fn prove(self, tables: &TableCache) -> Result<FinishedTable> {
        let UnprovenTable { env, sync, table } = self;
        let result = async {
            if let Some(sync) = sync {
                sync.await?;
            }
            let opened = tables.table(table.number, table.size).await?;
            opened.filter_error().map_or(Ok(()), |error| Err(Error::clone(error)))
        }
        .await;
        if let Err(error) = result {
            remove(&env, tables, table.number).await;
            return Err(error);
        }
        Ok(table)
    }

    /// Abandons the table and removes its file.
    pub(crate) async fn abandon(self, tables: &TableCache) {
        remove(&self.env, tables, self.table.number).await;
    }
}

/// Removes a table that no version names. A failure is harmless: the next open removes it.
async fn remove(env: &Rc<dyn Env>, tables: &TableCache, number: FileNumber) {
    tables.forget(number);
    let _ = env.edit_names(vec![NameEdit::Remove { name: table_file_name(number) }]).await;
}

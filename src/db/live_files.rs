//! A snapshot of live files: a consistent state that can be copied while writes continue.
//!
//! ```text
//! tables of the version        copied unchanged; the version is held, so none is removed
//! entries of the memtables     up to the snapshot's sequence number: one more table of level 0; a log if the
//!                              order of keys is not known
//! ```

use std::rc::Rc;

use super::background::new_file;
#[cfg(feature = "comparators")]
use super::memory_log::write_log;
use super::read::open_tables;
use super::state::{Inner, View};
use crate::base::{FileName, FileNumber, table_file_name};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::Result;
use crate::events::LiveCounters;
use crate::flush::{FlushContext, build_table};
use crate::version::{FileMetaData, Manifest, VersionEdit};

/// A snapshot of live files; see the module.
pub(crate) struct Moment {
    view: View,
    edit: VersionEdit,
    /// File numbers of the copy's own files: of the table or log of the memtables, and of the manifest.
    table: FileNumber,
    manifest: FileNumber,
}

impl Moment {
    /// Takes a snapshot of the current state without I/O.
    pub(crate) fn now(inner: &Inner) -> Moment {
        let mut view = inner.view();
        let state = inner.state.borrow();
        if !view.active.is_empty() {
            view.immutables.insert(0, view.active.clone());
        }
        let table = state.counts().next_file_number;
        Moment { view, edit: state.snapshot_edit(), table, manifest: FileNumber(table.0.saturating_add(1)) }
    }

    /// Returns the tables to copy unchanged.
    pub(crate) fn tables(&self) -> impl Iterator<Item = &Rc<FileMetaData>> {
        self.view.version.files().map(|(_, file)| file)
    }

    /// Writes the memtables to a table in `target` and releases them, pausing as `budget` asks.
    pub(crate) async fn write_memory(&mut self, inner: &Inner, target: &Rc<dyn Env>, budget: &Budget) -> Result<()> {
        let tables = open_tables(target, &inner.options, &inner.order, &Rc::new(LiveCounters::default()));
        let context = FlushContext { env: target, tables: &tables, order: &inner.order, budget };
        let memtables = std::mem::take(&mut self.view.immutables);
        #[cfg(feature = "comparators")]
        if inner.order.user().is_as_stored() {
            // A table of them would be in the wrong order.
            if write_log(target, self.table, &memtables, self.view.last_sequence, budget).await? {
                self.edit.log_number = Some(self.table);
            }
            return Ok(());
        }
        if let Some(table) = build_table(&context, self.table, &memtables, self.view.last_sequence).await? {
            self.edit.new_files.push((0, new_file(&table)));
        }
        Ok(())
    }

    /// Writes the manifest, then CURRENT. All other files must be durable before: CURRENT makes
    /// `target` a database.
    pub(crate) async fn write_manifest(&mut self, target: &Rc<dyn Env>) -> Result<()> {
        self.edit.log_number = Some(self.log());
        self.edit.previous_log_number = Some(FileNumber(0));
        self.edit.next_file_number = self.manifest.next();
        self.edit.last_sequence = Some(self.view.last_sequence);
        Manifest::create(target, self.manifest, &[VersionEdit::encode(&self.edit)]).await.map(|_| ())
    }

    /// The number of the first log that opening the copy replays; 0, as LevelDB's repair has it, if there is
    /// none: a number would name a log that is missing.
    fn log(&self) -> FileNumber {
        let has_log = cfg!(feature = "comparators") && self.edit.log_number == Some(self.table);
        if has_log { self.table } else { FileNumber(0) }
    }

    /// Returns the names of all files that the copy may have, CURRENT last.
    pub(crate) fn names(&self) -> Vec<String> {
        let tables = self.tables().map(|file| file.number).chain([self.table]);
        let mut names: Vec<String> = tables.map(table_file_name).collect();
        if cfg!(feature = "comparators") {
            names.push(FileName::Log(self.table).to_string());
        }
        let manifest = [FileName::Manifest(self.manifest), FileName::Temporary(self.manifest), FileName::Current];
        names.extend(manifest.map(|name| name.to_string()));
        names
    }
}

//! Chooses the levels of the tables that are kept.
//!
//! A lookup takes entries of a lower level, and of a higher numbered table in level 0, for newer.
//! The levels of a complete manifest obey that if it names every table. Otherwise all tables are
//! put in level 0; if tables overlap there and their numbers do not follow their sequence numbers,
//! all are merged into level 1.

use std::rc::Rc;

use super::old_manifest::OldManifest;
use super::repairer::{Kept, Repairer};
use crate::base::{SequenceNumber, sort_by, table_file_name, user_key};
use crate::compaction::{self, Compaction, CompactionContext};
use crate::db::background::new_file;
use crate::env::NameEdit;
use crate::error::Result;
use crate::version::{FileMetaData, LEVELS};

impl Repairer<'_> {
    /// Renames kept files to the names in the new manifest.
    pub(super) async fn rename_kept(&mut self) -> Result<()> {
        let renames = self.kept.iter_mut().filter_map(|kept| {
            let from = kept.rename_from.take()?;
            Some(NameEdit::Rename { from, to: table_file_name(kept.file.number) })
        });
        self.env.edit_names(renames.collect()).await
    }

    /// Gives each table a level. Returns the names of tables that are obsolete after a merge.
    pub(super) async fn place(&mut self, old: &OldManifest) -> Result<Vec<String>> {
        if !old.is_whole() || self.has_strangers {
            self.kept.iter_mut().for_each(|kept| kept.level = 0);
        }
        if (0..LEVELS).all(|level| self.is_valid(level)) && self.logs_are_newest() {
            return Ok(Vec::new());
        }
        self.merge().await
    }

    /// Whether reads of this level find the newest entry of a key.
    fn is_valid(&self, level: usize) -> bool {
        let mut files: Vec<&Kept> = self.kept.iter().filter(|kept| kept.level == level).collect();
        let user = self.order.user();
        sort_by(&mut files, |a, b| self.order.compare(&a.file.smallest, &b.file.smallest));
        let overlap = |a: &Kept, b: &Kept| user.compare(user_key(&a.file.largest), user_key(&b.file.smallest)).is_ge();
        let in_order = |a: &Kept, b: &Kept| {
            let (older, newer) = if a.file.number < b.file.number { (a, b) } else { (b, a) };
            level == 0 && older.newest < newer.oldest
        };
        // Each overlaps a run of the tables after it.
        files.iter().enumerate().all(|(at, a)| {
            let behind = files.iter().skip(at + 1);
            behind.take_while(|b| overlap(a, b)).all(|b| in_order(a, b))
        })
    }

    /// Whether the tables made from logs, which a lookup reads first, are newer than all tables
    /// that they overlap.
    fn logs_are_newest(&self) -> bool {
        let user = self.order.user();
        let overlap = |a: &Kept, b: &Kept| {
            user.compare(user_key(&a.file.smallest), user_key(&b.file.largest)).is_le()
                && user.compare(user_key(&b.file.smallest), user_key(&a.file.largest)).is_le()
        };
        let (logs, tables): (Vec<&Kept>, Vec<&Kept>) = self.kept.iter().partition(|kept| kept.is_from_log);
        logs.iter().all(|log| tables.iter().all(|table| table.newest < log.oldest || !overlap(log, table)))
    }

    async fn merge(&mut self) -> Result<Vec<String>> {
        let inputs = self.kept.iter().map(|kept| Rc::new(FileMetaData::new(kept.file.clone()))).collect();
        let compaction = Compaction {
            level: 0,
            output_level: 1,
            deeper: Vec::new(),
            inputs: [inputs, Vec::new()],
            grandparents: Vec::new(),
            compact_pointer: Vec::new(),
            after: None,
            up_to: None,
            max_file_size: self.options.max_file_size,
            manual: true,
        };
        let context = CompactionContext {
            env: self.env,
            tables: &self.tables,
            order: &self.order,
            budget: &self.budget,
            oldest_snapshot: self.last_sequence,
            new_file_number: &|| self.new_number(),
            may_go_on: &|| Ok(()),
        };
        let outputs = compaction::run(&compaction, &context).await?;
        let mut merged = Vec::new();
        for kept in std::mem::take(&mut self.kept) {
            let old = format!("{}.sst", kept.file.number);
            merged.extend([table_file_name(kept.file.number), old]);
        }
        self.kept = outputs
            .iter()
            .map(|table| Kept {
                level: 1,
                file: new_file(table),
                entries: table.entries,
                oldest: SequenceNumber::ZERO,
                newest: self.last_sequence,
                rename_from: None,
                is_from_log: false,
            })
            .collect();
        Ok(merged)
    }
}

//! Uses blocks and records of logs despite their checksums, and the entries of any block.

use super::details::LISTED_MAX;
use super::logs::Gathered;
use super::remark::Remark;
use super::repairer::Repairer;
use super::strictness::Strictness;
use crate::base::parse_internal_key;
use crate::budget::Budget;
use crate::env::File;
use crate::error::{Error, Result};
use crate::log::{Doubt, Record};
use crate::table::{Block, EntryCount, LostBlock, Salvage, each_entry};

/// What blocks with wrong checksums gave.
#[derive(Default)]
pub(super) struct Doubtful {
    pub(super) entries: u64,
    pub(super) blocks: u64,
}

impl Repairer<'_> {
    /// Adds the entries of `lost` blocks that decode despite their checksums, if they are wanted.
    /// Returns those that stay lost.
    pub(super) async fn despite_checksums(
        &mut self,
        file: &dyn File,
        name: &str,
        size: u64,
        lost: Vec<LostBlock>,
        gathered: &mut Gathered,
    ) -> Result<(Doubtful, Vec<LostBlock>)> {
        let mut doubtful = Doubtful::default();
        if self.strictness < Strictness::Doubtful {
            return Ok((doubtful, lost));
        }
        let tables = self.tables.clone();
        let budget = Budget::of_call(&self.options.pause);
        let any_order = self.any_comparator;
        let salvage = Salvage { file, name, size, options: tables.options(), any_order, budget: &budget };
        let mut still_lost = Vec::new();
        for block in lost {
            let Some((decoded, entries)) = salvage.despite_checksum(&block).await? else {
                still_lost.push(block);
                continue;
            };
            self.add_block(&decoded, gathered).await?;
            doubtful.entries = doubtful.entries.saturating_add(entries);
            let reason =
                format!("the checksum of this block is wrong; its {entries} entries are used, and may be wrong");
            self.details.doubt(Remark::of_block(name, block.handle, reason, Some(EntryCount::Exactly(entries))));
            doubtful.blocks += 1;
        }
        Ok((doubtful, still_lost))
    }

    /// Counts the entries of `lost` blocks. `sound` are the numbers of entries and of blocks that are used.
    pub(super) async fn count_lost(
        &self,
        file: &dyn File,
        name: &str,
        size: u64,
        lost: &mut [LostBlock],
        sound: (u64, u64),
    ) -> Result<()> {
        let budget = Budget::of_call(&self.options.pause);
        let (options, any_order) = (self.tables.options(), self.any_comparator);
        let salvage = Salvage { file, name, size, options, any_order, budget: &budget };
        // No more of them are told.
        let listed = lost.len().min(LISTED_MAX);
        salvage.count_lost(lost.get_mut(..listed).unwrap_or_default(), sound).await
    }

    /// Tells of a record of a log whose `entries` operations are used.
    pub(super) fn doubt_record(&mut self, name: &str, record: &Record, doubt: Doubt, entries: u64) {
        let (offset, reason) = match doubt {
            Doubt::Checksum { offset, reason } => (offset, reason),
            Doubt::Place => (record.offset, "nothing proves that a record begins here".to_owned()),
        };
        let those = if entries == 1 { "its entry is".to_owned() } else { format!("its {entries} entries are") };
        let used = format!("{reason}; {those} used, and may be wrong");
        self.findings.push(Error::corruption(name, offset, reason));
        self.details.doubt(Remark {
            file: name.to_owned(),
            offset: record.offset,
            length: record.end.saturating_sub(record.offset),
            reason: used,
            entries: Some(EntryCount::Exactly(entries)),
        });
    }

    /// Adds all entries of a block; returns their number.
    pub(super) async fn add_block(&mut self, block: &Block, gathered: &mut Gathered) -> Result<u64> {
        self.budget.spent(block.len()).await;
        let (mut entries, mut result) = (0, Ok(()));
        each_entry(block, |key, value| {
            if let Ok(parsed) = parse_internal_key(key)
                && result.is_ok()
            {
                result = gathered.reserve(1, parsed.user_key.len() + value.len());
                if result.is_ok() {
                    gathered.add(parsed.sequence, parsed.value_type, parsed.user_key, value);
                    entries += 1;
                }
            }
        });
        result?;
        self.write_if_full(gathered).await?;
        Ok(entries)
    }
}

//! What a salvage tells beyond the report of a repair.

use super::remark::{Remark, Used};
use super::report::LostRange;
use crate::table::{EntryCount, LostBlock};

/// See [`SalvageReport`](crate::db::SalvageReport).
#[derive(Default)]
pub(crate) struct Details {
    /// Tables that are used as they are, and the number of their entries.
    pub(crate) sound: Vec<(String, u64)>,
    /// Blocks and records that are used although they may be wrong.
    pub(crate) doubtful: Vec<Remark>,
    /// Blocks that an index lists and that are not used, and records whose numbers are missing.
    pub(crate) left_behind: Vec<Remark>,
    /// Where entries are missing that may be newer than others.
    pub(crate) at_risk: Vec<AtRisk>,
    /// Where all of `doubtful` lie, listed or not.
    pub(crate) used: Used,
    /// Parts that are not used and not listed, and the entries known to be in them.
    pub(crate) unlisted: (u64, u64),
}

/// Keys of which entries are missing.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct AtRisk {
    /// The file that had them.
    pub file: String,
    /// Keys at or after this one; `None`: from the first.
    pub from: Option<Vec<u8>>,
    /// Keys at or before this one; `None`: up to the last.
    pub to: Option<Vec<u8>>,
    /// Live keys of the new database among them.
    pub live: u64,
    /// How many entries are missing, where that is known.
    pub lost: Option<EntryCount>,
}

/// Listed at most: a hostile manifest can name millions of tables.
pub(super) const LISTED_MAX: usize = 1000;
/// Parts of one file that are remembered as used: 16 MiB.
const USED_MAX: usize = 1 << 20;

impl Details {
    pub(super) fn doubt(&mut self, remark: Remark) {
        let used = self.used.entry(remark.file.clone()).or_default();
        if used.len() < USED_MAX {
            used.push((remark.offset, remark.offset.saturating_add(remark.length)));
        }
        if self.doubtful.len() < LISTED_MAX {
            self.doubtful.push(remark);
        }
    }

    pub(super) fn lose(&mut self, file: &str, from: Option<Vec<u8>>, to: Option<Vec<u8>>, lost: Option<EntryCount>) {
        if self.at_risk.len() < LISTED_MAX {
            self.at_risk.push(AtRisk { file: file.to_owned(), from, to, live: 0, lost });
        } else if let Some(last) = self.at_risk.last_mut() {
            // Whatever is not listed may be anywhere.
            (last.from, last.to, last.lost) = (None, None, None);
        }
    }

    pub(super) fn leave(&mut self, remark: Remark) {
        if self.left_behind.len() < LISTED_MAX {
            self.left_behind.push(remark);
        } else {
            let (parts, entries) = &mut self.unlisted;
            *parts += 1;
            *entries = entries.saturating_add(remark.entries.map_or(0, EntryCount::number));
        }
    }

    pub(super) fn lose_blocks(&mut self, file: &str, lost: &[LostBlock]) {
        for block in lost {
            let LostRange { from, to } = LostRange::of(block);
            self.lose(file, from, Some(to), block.entries);
            let reason = format!("a block of {} bytes that the index lists cannot be used", block.handle.size);
            self.leave(Remark::of_block(file, block.handle, reason, block.entries));
        }
    }
}

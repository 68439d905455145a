//! Makes a sound database of what can be read of a damaged one, and counts it.
//!
//! ```text
//! rebuild    as `repair`, by how strict the caller is        open/repair/
//! open       the new database, read-only
//! count      every entry of it once, in the order of keys
//! ```
//! A caller that must not change the files gives an `Env` that keeps changes apart from them.

use std::rc::Rc;

use super::open::{AtRisk, Details, Remark, RepairReport, Strictness, open, rebuild};
use super::read::sources;
use super::state::Inner;
use super::user_keys::UserKeys;
use super::verify::READ_ALL;
use crate::base::{InternalKeyComparator, KeyOrder, ValueType, parse_internal_key, sort_by};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::Result;
use crate::iter::{InternalIterator, MergingIterator, OnBadBlock, finish};
use crate::options::Options;

/// What is in a database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct Counts {
    /// Keys that a read finds.
    pub live: u64,
    /// Keys of any entry, deleted ones included.
    pub keys: u64,
    /// Values and tombstones, overwritten ones included.
    pub entries: u64,
    /// Tombstones.
    pub tombstones: u64,
    /// Bytes of the live keys and their values.
    pub live_bytes: u64,
}

/// The result of [`Db::salvage`](super::Db::salvage).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct SalvageReport {
    /// What the new database has.
    pub counts: Counts,
    /// Tables that are used as they are, and the number of their entries. Those of other files are in
    /// `repair.recovered`.
    pub sound: Vec<(String, u64)>,
    /// Blocks and records that are used although they may be wrong, each with the number of its entries.
    /// At most 1,000.
    pub doubtful: Vec<Remark>,
    /// All damage, and every block, record and file that is not used, each once; beyond some thousands, the
    /// last says how many more.
    pub left_behind: Vec<Remark>,
    /// Keys that may be missing, may have an older value, or may be back from deletion. At most 1,000;
    /// the last may stand for more.
    pub at_risk: Vec<AtRisk>,
    /// Files and damage, as [`repair`](super::repair) reports them.
    pub repair: RepairReport,
}

/// See [`Db::salvage`](super::Db::salvage).
pub(super) async fn salvage(
    env: Rc<dyn Env>,
    options: Options,
    any_comparator: bool,
    strictness: Strictness,
) -> Result<(Rc<Inner>, SalvageReport)> {
    let (repair, details) = rebuild(&env, options.clone(), any_comparator, strictness).await?;
    let options = Options { read_only: true, create_if_missing: false, ..options };
    let inner = open(env, options).await?;
    let Details { sound, doubtful, left_behind, mut at_risk, used, unlisted } = details;
    let left_behind = Remark::merged(&repair.findings, left_behind, used, unlisted);
    let counts = count(&inner, &mut at_risk).await?;
    Ok((inner, SalvageReport { counts, sound, doubtful, left_behind, at_risk, repair }))
}

/// Reads all entries; any damage is an error.
async fn count(inner: &Rc<Inner>, at_risk: &mut [AtRisk]) -> Result<Counts> {
    let budget = Budget::of_call(&inner.options.pause);
    let sources = sources(inner, &inner.view(), READ_ALL);
    let order = KeyOrder::Internal(inner.order.clone());
    let mut it = MergingIterator::new(sources, order, OnBadBlock::Stop);
    let mut counts = Counts::default();
    let mut ranges = Ranges::new(&inner.order, at_risk);
    let mut keys = UserKeys::default();
    let step = it.seek_to_first();
    finish(&mut it, step).await;
    while it.valid() {
        let size = it.key().len().saturating_add(it.value_len());
        let parsed = parse_internal_key(it.key()).map_err(|malformed| malformed.in_file("salvaged", 0))?;
        counts.entries += 1;
        counts.tombstones += u64::from(parsed.value_type == ValueType::Deletion);
        if keys.begins(&inner.order, parsed.user_key) {
            counts.keys += 1;
            if parsed.value_type == ValueType::Value {
                counts.live += 1;
                counts.live_bytes = counts.live_bytes.saturating_add(crate::base::to_u64(size - 8));
                ranges.count(parsed.user_key);
            }
        }
        budget.spent(size).await;
        let step = it.next();
        finish(&mut it, step).await;
    }
    it.status()?;
    Ok(counts)
}

/// Counts keys, which come in order, in each of some ranges.
struct Ranges<'a> {
    order: &'a InternalKeyComparator,
    /// Those that the keys have not reached, the first last.
    waiting: Vec<&'a mut AtRisk>,
    reached: Vec<&'a mut AtRisk>,
}

impl<'a> Ranges<'a> {
    fn new(order: &'a InternalKeyComparator, ranges: &'a mut [AtRisk]) -> Ranges<'a> {
        let mut waiting: Vec<&mut AtRisk> = ranges.iter_mut().collect();
        sort_by(&mut waiting, |a, b| match (&a.from, &b.from) {
            (Some(a), Some(b)) => order.user().compare(b, a),
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
        Ranges { order, waiting, reached: Vec::new() }
    }

    fn count(&mut self, key: &[u8]) {
        let order = self.order.user();
        let begins = |range: &&mut AtRisk| range.from.as_ref().is_none_or(|from| order.compare(from, key).is_le());
        while let Some(range) = self.waiting.pop_if(|range| begins(range)) {
            self.reached.push(range);
        }
        self.reached.retain(|range| range.to.as_ref().is_none_or(|to| order.compare(key, to).is_le()));
        for range in &mut self.reached {
            range.live += 1;
        }
    }
}

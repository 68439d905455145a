//! What the engine's look-up in the tables tells, as steps.

use std::collections::BTreeMap;

use super::step::{LookupStep, Outcome};
use crate::base::{FileNumber, InternalKeyComparator, parse_internal_key, to_u64};
use crate::table::{BlockHandle, BlockObserver, FilterAnswer, Lookup, Table};
use crate::version::{FileMetaData, LookupObserver};

/// Collects the steps of one look-up.
pub(super) struct Path<'a> {
    order: &'a InternalKeyComparator,
    user_key: &'a [u8],
    /// Where the tables are among the files.
    places: &'a BTreeMap<FileNumber, usize>,
    pub(super) steps: Vec<LookupStep>,
    /// Tables of this level that are not looked at.
    others: u64,
    /// The entry in the block that was read.
    landed: Option<Landed>,
}

/// An entry of the key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Landed {
    value_offset: u64,
    pub(super) sequence: u64,
    is_deletion: bool,
}

impl<'a> Path<'a> {
    pub(super) fn new(
        order: &'a InternalKeyComparator,
        user_key: &'a [u8],
        places: &'a BTreeMap<FileNumber, usize>,
    ) -> Path<'a> {
        Path { order, user_key, places, steps: Vec::new(), others: 0, landed: None }
    }

    fn step(&mut self) -> Option<&mut LookupStep> {
        self.steps.last_mut()
    }
}

/// The entry, if it is one of the key.
pub(super) fn landed(
    order: &InternalKeyComparator,
    user_key: &[u8],
    key: &[u8],
    value_offset: usize,
) -> Option<Landed> {
    let parsed = parse_internal_key(key).ok()?;
    if order.user().compare(parsed.user_key, user_key).is_ne() {
        return None;
    }
    let is_deletion = parsed.value_type.to_byte() == 0;
    Some(Landed { value_offset: to_u64(value_offset), sequence: parsed.sequence.get(), is_deletion })
}

impl BlockObserver for Path<'_> {
    fn located(&mut self, handle: BlockHandle, filter: Option<FilterAnswer>) {
        self.landed = None;
        if let Some(step) = self.step() {
            step.place = Some((handle.offset, handle.size));
            step.filter = filter;
            // Unless the filter says no, the block is read next, and may be damaged.
            step.bytes = if filter.is_some_and(|filter| !filter.maybe) { 0 } else { handle.size };
        }
    }

    fn landed(&mut self, key: &[u8], value_offset: usize) {
        self.landed = landed(self.order, self.user_key, key, value_offset);
    }
}

impl LookupObserver for Path<'_> {
    fn level(&mut self, level: usize, tables: usize, candidates: usize) {
        self.others = to_u64(tables.saturating_sub(candidates));
        if candidates == 0 && tables > 0 {
            let step = LookupStep::new(Some(level), None, Outcome::Skipped);
            self.steps.push(LookupStep { skipped: std::mem::take(&mut self.others), ..step });
        }
    }

    fn file(&mut self, level: usize, file: &FileMetaData, is_covered: bool) {
        // Until it was searched, nothing is known.
        let outcome = if is_covered { Outcome::Unknown } else { Outcome::Skipped };
        let step = LookupStep::new(Some(level), Some(file.number.0), outcome);
        let place = self.places.get(&file.number).copied();
        self.steps.push(LookupStep { file: place, skipped: std::mem::take(&mut self.others), ..step });
    }

    fn opened(&mut self, table: &Table) {
        let reason = table.filter_error().map(|error| ["the filter is not used: ", &*error.to_string()].concat());
        if let Some(step) = self.step() {
            step.reason = reason;
        }
    }

    fn searched(&mut self, _: usize, _: &FileMetaData, lookup: Lookup) {
        let landed = self.landed.take();
        let Some(step) = self.step() else { return };
        step.outcome = match (lookup, landed) {
            (Lookup::PastEnd, _) => Outcome::PastEnd,
            (Lookup::FilterNo { .. }, _) => Outcome::Filtered,
            (Lookup::Block { .. }, None) => Outcome::Absent,
            (Lookup::Block { .. }, Some(landed)) => {
                step.entry = Some(landed.value_offset);
                step.sequence = Some(landed.sequence);
                if landed.is_deletion { Outcome::Deleted } else { Outcome::Found }
            }
        };
    }
}

//! Writes immutable memtables to one table: LevelDB's `BuildTable`.

use std::rc::Rc;

use crate::base::{FileNumber, InternalKeyComparator, KeyOrder, SequenceNumber, Survivors, parse_internal_key, to_u64};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::Result;
use crate::iter::{InternalIterator, MergingIterator, OnBadBlock};
use crate::memtable::MemTable;
use crate::table::{FinishedTable, TableCache, TableOutput};

/// The parts of the database that a flush uses.
pub(crate) struct FlushContext<'a> {
    pub(crate) env: &'a Rc<dyn Env>,
    pub(crate) tables: &'a Rc<TableCache>,
    pub(crate) order: &'a InternalKeyComparator,
    pub(crate) budget: &'a Budget,
}

/// The entries to write.
#[derive(Clone, Copy)]
struct Wanted {
    /// Not the ones after this sequence number.
    last: SequenceNumber,
    /// Not the ones that newer entries up to this sequence number hide.
    oldest_snapshot: SequenceNumber,
}

/// Writes all entries of `memtables` up to sequence number `last` to table `number`; `None` if
/// there are no entries.
///
/// Newest memtable first. The table is synced, and opened again to verify that it is usable. On
/// failure the file is removed.
pub(crate) async fn build_table(
    context: &FlushContext<'_>,
    number: FileNumber,
    memtables: &[Rc<MemTable>],
    last: SequenceNumber,
) -> Result<Option<FinishedTable>> {
    let wanted = Wanted { last, oldest_snapshot: SequenceNumber::ZERO };
    write_table(context, number, memtables, wanted).await
}

/// Like [`build_table`], but omits overwritten entries that no reader from `oldest_snapshot` on
/// sees.
pub(crate) async fn build_compact_table(
    context: &FlushContext<'_>,
    number: FileNumber,
    memtables: &[Rc<MemTable>],
    oldest_snapshot: SequenceNumber,
) -> Result<Option<FinishedTable>> {
    let wanted = Wanted { last: SequenceNumber::MAX, oldest_snapshot };
    write_table(context, number, memtables, wanted).await
}

async fn write_table(
    context: &FlushContext<'_>,
    number: FileNumber,
    memtables: &[Rc<MemTable>],
    wanted: Wanted,
) -> Result<Option<FinishedTable>> {
    let size_hint = memtables.iter().map(|m| to_u64(m.logical_size())).sum();
    if memtables.iter().all(|m| m.is_empty()) {
        return Ok(None);
    }
    let mut output = TableOutput::create(context.env, context.tables, number, size_hint).await?;
    let sources = memtables.iter().map(MemTable::iter).collect();
    let order = KeyOrder::Internal(context.order.clone());
    let mut input = MergingIterator::new(sources, order, OnBadBlock::Stop);
    match fill(context, &mut input, &mut output, wanted).await {
        Ok(()) => output.finish(context.tables).await.map(Some),
        Err(error) => {
            output.abandon(context.tables).await;
            Err(error)
        }
    }
}

async fn fill(
    context: &FlushContext<'_>,
    input: &mut impl InternalIterator,
    output: &mut TableOutput,
    Wanted { last, oldest_snapshot }: Wanted,
) -> Result<()> {
    let mut survivors = Survivors::new(context.order.clone(), oldest_snapshot);
    // A memtable has all its entries in memory: its moves are always done.
    let _ = input.seek_to_first();
    while input.valid() {
        // A damaged log can give one sequence number twice: reads return the first found. A
        // memtable that still receives writes may have entries that are too new.
        let wanted =
            last == SequenceNumber::MAX || parse_internal_key(input.key()).is_ok_and(|key| key.sequence <= last);
        if wanted && !output.ends_with(input.key()) && survivors.keep(input.key(), |_| false) {
            output.add(input.key(), input.value())?;
        }
        if output.wants_write() {
            output.write_out().await?;
        }
        context.budget.spend(input.key().len() + input.value().len());
        if context.budget.is_spent() {
            context.budget.give_way().await;
        }
        let _ = input.next();
    }
    output.note_compact(!survivors.take_excess());
    input.status()
}

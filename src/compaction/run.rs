//! Merges the inputs of a compaction into output tables.

use std::rc::Rc;

use super::plan::{BaseLevel, Compaction, Splitter, sorted};
use crate::base::{FileNumber, InternalKeyComparator, LookupKey, SequenceNumber, Survivors, table_file_name, user_key};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, MergingIterator, Step, finish};
use crate::table::{BlockRead, DamagePolicy, FinishedTable, TableCache, TableOutput, UnprovenTable};
use crate::version::{FileMetaData, LevelIterator};

/// The parts of the database that a compaction needs.
pub(crate) struct CompactionContext<'a> {
    pub(crate) env: &'a Rc<dyn Env>,
    pub(crate) tables: &'a Rc<TableCache>,
    pub(crate) order: &'a InternalKeyComparator,
    pub(crate) budget: &'a Budget,
    pub(crate) oldest_snapshot: SequenceNumber,
    pub(crate) new_file_number: &'a dyn Fn() -> Result<FileNumber>,
    /// Returns whether to continue: concurrent work may have failed.
    pub(crate) may_go_on: &'a dyn Fn() -> Result<()>,
}

/// Read-ahead of inputs in bytes; they are read sequentially.
const READ_AHEAD: u32 = 128 << 10;
/// Cost in bytes of opening and checking an output, for the work budget.
const OUTPUT_COST: usize = 16 << 10;

/// Merges the inputs. On failure the outputs are removed.
pub(crate) async fn run(compaction: &Compaction, context: &CompactionContext<'_>) -> Result<Vec<FinishedTable>> {
    let mut outputs = Outputs { context, compaction, current: None, unproven: Vec::new(), finished: Vec::new() };
    let result = merge(compaction, context, &mut outputs).await;
    let result = match result {
        Ok(()) => outputs.prove().await,
        error => error,
    };
    if let Err(error) = result {
        outputs.abandon().await;
        return Err(error);
    }
    Ok(outputs.finished)
}

async fn merge(compaction: &Compaction, context: &CompactionContext<'_>, outputs: &mut Outputs<'_>) -> Result<()> {
    let mut input = input_iterator(compaction, context);
    let mut survivors = Survivors::new(context.order.clone(), context.oldest_snapshot);
    let mut splitter: Splitter<'_> = compaction.splitter();
    let mut base: BaseLevel<'_> = compaction.base_level();
    let step = match &compaction.after {
        Some(key) => input.seek(LookupKey::new(key, SequenceNumber::ZERO).internal_key()),
        None => input.seek_to_first(),
    };
    if step == Step::NeedsBlock {
        finish(&mut input, step).await;
    }
    while input.valid() {
        let key = input.key();
        context.budget.spend(key.len() + input.value().len());
        let beyond = |bound: &Vec<u8>| context.order.user().compare(user_key(key), bound).is_gt();
        if compaction.up_to.as_ref().is_some_and(beyond) {
            break;
        }
        if compaction.after.as_ref().is_some_and(|after| !beyond(after)) {
            let step = input.next();
            if step == Step::NeedsBlock {
                finish(&mut input, step).await;
            }
            continue;
        }
        if splitter.stop_before(context.order, key) {
            outputs.close(&mut survivors).await?;
        }
        let key = input.key();
        if survivors.keep(key, |user_key| base.is_base_for(context.order, user_key)) {
            if outputs.current.is_none() {
                outputs.open().await?;
            }
            outputs.add(key, input.value()).map_err(|error| blame(compaction, error))?;
            if outputs.wants_attention() {
                outputs.attend(&mut survivors).await?;
            }
        }
        if context.budget.is_spent() {
            context.budget.give_way().await;
            (context.may_go_on)()?;
        }
        let step = input.next();
        if step == Step::NeedsBlock {
            finish(&mut input, step).await;
        }
    }
    input.status()?;
    outputs.close(&mut survivors).await
}

/// Unordered entries mean that an input, not the output, is damaged; which one is unknown.
#[cold]
fn blame(compaction: &Compaction, error: Error) -> Error {
    match (error, compaction.inputs().next()) {
        (Error::Corruption(c), Some((_, file))) => {
            let reason = format!("tables to be compacted are out of order: {}", c.reason);
            Error::corruption(table_file_name(file.number), 0, reason)
        }
        (error, _) => error,
    }
}

/// Returns iterators over the inputs: level 0 table by table, newest first, a deeper level as one
/// run. Checksums are always verified, so that damage is never copied into a valid block.
fn input_iterator(compaction: &Compaction, context: &CompactionContext<'_>) -> MergingIterator<LevelIterator> {
    let read = BlockRead {
        policy: DamagePolicy::STOP,
        fill_cache: false,
        fill_sought: false,
        use_cache: false,
        read_ahead: READ_AHEAD,
    };
    let run = |files: Vec<Rc<FileMetaData>>| {
        LevelIterator::new(files.into(), context.order.clone(), context.tables.clone(), read)
    };
    let [upper, lower] = &compaction.inputs;
    let mut sources = Vec::new();
    if compaction.level == 0 {
        sources.extend(upper.iter().map(|f| run(vec![f.clone()])));
    } else {
        sources.push(run(sorted(upper, context.order)));
    }
    sources.push(run(sorted(lower, context.order)));
    MergingIterator::new(sources, crate::base::KeyOrder::Internal(context.order.clone()), read.policy.on_bad_block)
}

/// The output tables, written one at a time.
struct Outputs<'a> {
    context: &'a CompactionContext<'a>,
    compaction: &'a Compaction,
    current: Option<TableOutput>,
    /// Complete tables whose syncs continue while the next one is built.
    unproven: Vec<UnprovenTable>,
    finished: Vec<FinishedTable>,
}

impl Outputs<'_> {
    async fn open(&mut self) -> Result<()> {
        let number = (self.context.new_file_number)()?;
        let size_hint = self.compaction.max_file_size;
        self.current = Some(TableOutput::create(self.context.env, self.context.tables, number, size_hint).await?);
        Ok(())
    }

    #[inline]
    fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        match &mut self.current {
            Some(output) => output.add(key, value),
            None => Ok(()),
        }
    }

    #[inline]
    fn wants_attention(&self) -> bool {
        self.current.as_ref().is_some_and(|o| o.wants_write() || o.size() >= self.compaction.max_file_size)
    }

    async fn attend(&mut self, survivors: &mut Survivors) -> Result<()> {
        if self.current.as_ref().is_some_and(|o| o.size() >= self.compaction.max_file_size) {
            return self.close(survivors).await;
        }
        match &mut self.current {
            Some(output) => output.write_out().await,
            None => Ok(()),
        }
    }

    async fn close(&mut self, survivors: &mut Survivors) -> Result<()> {
        let is_compact = !survivors.take_excess();
        if let Some(mut output) = self.current.take() {
            output.note_compact(is_compact);
            self.context.budget.spend(OUTPUT_COST);
            self.unproven.push(output.end(self.context.tables).await?);
        }
        Ok(())
    }

    /// Waits until all outputs are durable and readable.
    async fn prove(&mut self) -> Result<()> {
        while !self.unproven.is_empty() {
            let table = self.unproven.remove(0);
            self.finished.push(table.prove(self.context.tables).await?);
            self.context.budget.give_way().await;
        }
        Ok(())
    }

    async fn abandon(&mut self) {
        if let Some(output) = self.current.take() {
            output.abandon(self.context.tables).await;
        }
        for table in self.unproven.drain(..) {
            table.abandon(self.context.tables).await;
        }
        for table in self.finished.drain(..) {
            self.context.tables.forget(table.number);
            let name = crate::base::table_file_name(table.number);
            let _ = self.context.env.edit_names(vec![crate::env::NameEdit::Remove { name }]).await;
        }
    }
}

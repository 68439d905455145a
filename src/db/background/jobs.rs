//! Runs one job at a time: a flush, or a compaction with the flushes due meanwhile.

use std::cell::RefCell;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::Poll;

use super::apply::{log_and_apply, log_and_apply_flush, new_file};
use super::slices::has_work;
use crate::base::{FileName, FileNumber, Work, table_file_name, to_u64, user_key};
use crate::compaction::{self, Compaction, CompactionContext};
use crate::db::obsolete_files::{remove_obsolete, remove_unneeded};
use crate::db::state::{Inner, ManualCompaction};
use crate::db::write::{nobody_writes, rotate_in_turn};
use crate::error::{Error, Result};
use crate::events::{Event, count};
use crate::flush::{FlushContext, build_compact_table};
use crate::memtable::MemTable;
use crate::table::FinishedTable;
use crate::version::{FLUSH_LEVEL_MAX, VersionEdit};

/// Returns the job that background polling drives, if one is due.
pub(crate) fn next_job(inner: &Rc<Inner>) -> Option<Work> {
    has_work(inner).then(|| Box::pin(job(inner.clone())) as Work)
}

/// Runs one flush or compaction, then removes obsolete files.
async fn job(inner: Rc<Inner>) {
    let result = match one_job(&inner).await {
        Ok(()) => remove_obsolete(&inner).await,
        error => error,
    };
    inner.state.borrow_mut().end_outputs();
    if let Err(error) = result
        && !inner.is_closed()
    {
        handle_failure(&inner, &error);
    }
    inner.state.borrow_mut().end_flushed_resume();
    if inner.found_no_room.get() && inner.env.keep_room(inner.room_wanted(0)).await.unwrap_or(false) {
        inner.found_no_room.set(false);
    }
}

/// A live table that is damaged, or needs a codec that this build lacks, is excluded from
/// compaction, and a lack of file descriptors is retried. Where a quota is used up, work is tried once
/// more in small steps. Any other failure stops writes, also when a new table cannot be read back:
/// building it again could go on for ever.
pub(crate) fn handle_failure(inner: &Inner, error: &Error) {
    let live = |number| inner.state.borrow().version().files().any(|(_, f)| f.number == number);
    let file = match error {
        Error::Corruption(corruption) => Some(&corruption.file),
        Error::MissingCodec(block) => Some(&block.file),
        _ => None,
    };
    if let Some(FileName::Table(number)) = file.and_then(|file| FileName::parse(file))
        && live(number)
    {
        inner.state.borrow_mut().set_apart(number, error.clone());
        return refuse_manual(inner, error);
    }
    if error.is_too_many_open_files() && inner.state.borrow().is_open() {
        inner.tables.gives_back(error);
        inner.state.borrow_mut().hold_up(error.clone());
        return refuse_manual(inner, error);
    }
    if matches!(error, Error::Full(_)) {
        if inner.env.has_quota() {
            inner.found_no_room.set(true);
            // A write may have asked for small steps while this job took large ones.
            if inner.state.borrow_mut().tighten() || !inner.job_is_tight.get() {
                return;
            }
        }
        inner.state.borrow_mut().refuse_manual(error);
    }
    inner.degrade(error);
}

/// Fails the waiting `compact_range` calls and emits an event.
fn refuse_manual(inner: &Inner, error: &Error) {
    inner.state.borrow_mut().refuse_manual(error);
    inner.emit(|| Event::BackgroundError { message: error.to_string() });
}

async fn one_job(inner: &Rc<Inner>) -> Result<()> {
    inner.job_is_tight.set(inner.state.borrow().is_tight());
    if inner.job_is_tight.get() {
        regain_room(inner).await?;
    }
    let is_due = inner.state.borrow_mut().take_wanted_rotation();
    // Writers then need not make room, which could wait for this job. Without a new log the full
    // buffer stays.
    if is_due && nobody_writes(inner) {
        let _ = rotate_in_turn(inner).await;
    }
    if inner.state.borrow().has_immutables() {
        return flush(inner, FLUSH_LEVEL_MAX).await;
    }
    let manual = inner.state.borrow().manual().cloned();
    if let Some(manual) = manual {
        return compact_manually(inner, &manual).await;
    }
    let file_size = inner.file_size();
    let compaction = inner.state.borrow_mut().take_compaction(file_size);
    match compaction {
        Some(compaction) => compact(inner, &compaction).await,
        None => Ok(()),
    }
}

/// Gives back the space of what a failure left behind, and keeps room for the next step.
fn regain_room(inner: &Inner) -> Pin<Box<dyn Future<Output = Result<()>> + '_>> {
    Box::pin(regain(inner))
}

async fn regain(inner: &Inner) -> Result<()> {
    if inner.state.borrow().manifest().is_none() {
        // Nothing is removed while the stored manifest is in doubt.
        log_and_apply(inner, VersionEdit::default()).await?;
    }
    remove_unneeded(inner).await?;
    let _ = inner.env.keep_room(inner.room_wanted(0)).await;
    Ok(())
}

/// Writes all immutable memtables to one table, at `level_max` or above.
async fn flush(inner: &Rc<Inner>, level_max: usize) -> Result<()> {
    let memtables: Vec<Rc<MemTable>> = inner.state.borrow().immutables().cloned().collect();
    let newest_first: Vec<Rc<MemTable>> = memtables.iter().rev().cloned().collect();
    inner.emit(|| Event::FlushBegin {
        memtables: memtables.len(),
        entries: memtables.iter().map(|m| to_u64(m.len())).sum(),
        bytes: memtables.iter().map(|m| to_u64(m.logical_size())).sum(),
    });
    let number = inner.new_output()?;
    let context = FlushContext { env: &inner.env, tables: &inner.tables, order: &inner.order, budget: &inner.budget };
    let oldest_snapshot = inner.oldest_snapshot();
    let built = build_compact_table(&context, number, &newest_first, oldest_snapshot).await?;
    let (edit, level) = {
        let state = inner.state.borrow();
        let mut edit = VersionEdit { previous_log_number: Some(Default::default()), ..VersionEdit::default() };
        // The logs of the remaining memtables are still needed.
        let (log_number, last_sequence) = state.after_flush(memtables.len());
        edit.log_number = Some(log_number);
        edit.last_sequence = last_sequence;
        let mut level = 0;
        if let Some(table) = &built {
            let max_file_size = inner.options.max_file_size;
            let version = state.version();
            level = version.flush_level(&inner.order, &table.smallest, &table.largest, max_file_size).min(level_max);
            edit.new_files.push((level, new_file(table)));
        }
        (edit, level)
    };
    if crate::bugs::seeded(crate::bugs::Bug::LogRemovedEarly) {
        let name = FileName::Log(inner.state.borrow().first_log()).to_string();
        inner.env.edit_names(vec![crate::env::NameEdit::Remove { name }]).await?;
    }
    log_and_apply_flush(inner, edit, memtables.len()).await?;
    let bytes = built.as_ref().map_or(0, |t| t.size);
    inner.state.borrow_mut().note_outputs(level, 0, built.as_slice());
    count(&inner.counters.bytes_flushed, bytes);
    announce(inner, built.iter());
    let (table, entries) = (built.as_ref().map(|t| t.number), built.as_ref().map_or(0, |t| t.entries));
    inner.emit(|| Event::Flush { table, level, bytes, memtables: memtables.len(), entries });
    Ok(())
}

/// Emits events for new tables.
fn announce<'a>(inner: &Inner, tables: impl Iterator<Item = &'a FinishedTable>) {
    for table in tables {
        inner.emit(|| Event::FileCreated { name: table_file_name(table.number) });
    }
}

async fn compact(inner: &Rc<Inner>, compaction: &Compaction) -> Result<()> {
    let (upper, lower) = (compaction.level, compaction.output_level);
    if compaction.is_trivial_move() {
        let inputs = begin(inner, compaction);
        let mut edit = compaction.edit();
        edit.new_files.extend(compaction.inputs().map(|(_, f)| (lower, f.to_new_file())));
        log_and_apply(inner, edit).await?;
        let (outputs, trivial_move) = (inputs.clone(), true);
        inner.emit(|| Event::Compaction {
            level: upper,
            output_level: lower,
            inputs,
            outputs,
            bytes_read: 0,
            bytes_written: 0,
            trivial_move,
        });
        return Ok(());
    }
    if !inner.state.borrow().is_tight() {
        return merge(inner, compaction).await;
    }
    for piece in compaction.pieces(&inner.order) {
        merge(inner, &piece).await?;
        remove_unneeded(inner).await?;
        regain_room(inner).await?;
    }
    Ok(())
}

/// Tells that a compaction begins; returns the numbers of its inputs.
fn begin(inner: &Inner, compaction: &Compaction) -> Vec<FileNumber> {
    let inputs: Vec<_> = compaction.inputs().map(|(_, f)| f.number).collect();
    inner.emit(|| Event::CompactionBegin {
        level: compaction.level,
        output_level: compaction.output_level,
        inputs: inputs.clone(),
        bytes: compaction.input_bytes(),
        trivial_move: compaction.is_trivial_move(),
    });
    inputs
}

/// Merges the inputs, and installs the outputs.
async fn merge(inner: &Rc<Inner>, compaction: &Compaction) -> Result<()> {
    let mut edit = compaction.edit();
    let inputs = begin(inner, compaction);
    let (upper, lower) = (compaction.level, compaction.output_level);
    let oldest_snapshot = inner.oldest_snapshot();
    let new_file_number = || inner.new_output();
    let failure = RefCell::new(None);
    let may_go_on = || failure.borrow().clone().map_or(Ok(()), Err);
    let context = CompactionContext {
        env: &inner.env,
        tables: &inner.tables,
        order: &inner.order,
        budget: &inner.budget,
        oldest_snapshot,
        new_file_number: &new_file_number,
        may_go_on: &may_go_on,
    };
    let outputs = with_flushes(inner, pin!(compaction::run(compaction, &context)), &failure).await?;
    edit.new_files.extend(outputs.iter().map(|t| (lower, new_file(t))));
    log_and_apply(inner, edit).await?;
    let bytes_read = compaction.input_bytes();
    let bytes_written = outputs.iter().map(|t| t.size).sum();
    inner.state.borrow_mut().note_outputs(lower, bytes_read, &outputs);
    count(&inner.counters.bytes_compaction_read, bytes_read);
    count(&inner.counters.bytes_compacted, bytes_written);
    announce(inner, outputs.iter());
    let outputs: Vec<_> = outputs.iter().map(|t| t.number).collect();
    inner.emit(|| Event::Compaction {
        level: upper,
        output_level: lower,
        inputs,
        outputs,
        bytes_read,
        bytes_written,
        trivial_move: false,
    });
    Ok(())
}

/// Drives a compaction together with flushes that come due. Flushes go first; while one waits for
/// its storage, the compaction continues. A failed flush ends both.
async fn with_flushes<T>(
    inner: &Rc<Inner>,
    mut compaction: Pin<&mut impl Future<Output = Result<T>>>,
    failure: &RefCell<Option<Error>>,
) -> Result<T> {
    let mut flush: Option<Pin<Box<dyn Future<Output = Result<()>>>>> = None;
    let mut compacted = None;
    let result = poll_fn(|cx| {
        loop {
            if flush.is_none() && compacted.is_none() && may_flush(inner, failure) {
                flush = Some(Box::pin(flush_meanwhile(inner.clone())));
            }
            match flush.as_mut().map(|flush| flush.as_mut().poll(cx)) {
                Some(Poll::Ready(result)) => {
                    flush = None;
                    failure.replace(result.err());
                    continue;
                }
                Some(Poll::Pending) if inner.budget.is_exhausted() => return Poll::Pending,
                _ => {}
            }
            if compacted.is_none()
                && let Poll::Ready(result) = compaction.as_mut().poll(cx)
            {
                compacted = Some(result);
            }
            // A flush that has started is finished.
            return if flush.is_some() { Poll::Pending } else { compacted.take().map_or(Poll::Pending, Poll::Ready) };
        }
    })
    .await;
    failure.take().map_or(result, Err)
}

fn may_flush(inner: &Inner, failure: &RefCell<Option<Error>>) -> bool {
    failure.borrow().is_none() && inner.state.borrow().has_immutables()
}

/// Flushes in the middle of a compaction, so that logs can be removed. Into level 0: deeper, the
/// table could overlap an output of the compaction.
async fn flush_meanwhile(inner: Rc<Inner>) -> Result<()> {
    flush(&inner, 0).await?;
    remove_unneeded(&inner).await
}

/// Runs one round of a manual compaction, or moves to its next level.
async fn compact_manually(inner: &Rc<Inner>, manual: &Rc<ManualCompaction>) -> Result<()> {
    let Some(level) = inner.state.borrow().manual_level(manual) else {
        inner.state.borrow_mut().finish_manual(manual);
        return Ok(());
    };
    let compaction = inner.state.borrow().pick_manual(manual, level, inner.file_size());
    if let Some(compaction) = compaction {
        let reached = user_key(&compaction.compact_pointer).to_vec();
        compact(inner, &compaction).await?;
        let more = match level {
            0 => inner.state.borrow().has_more_in_level0(manual),
            _ => !is_past(inner, &reached, manual) && manual.reached(reached),
        };
        if more {
            return Ok(());
        }
    } else {
        note_quarantine(inner, manual, level);
    }
    manual.descend();
    Ok(())
}

/// A range with a table already found unreadable is skipped, and the caller gets the error.
fn note_quarantine(inner: &Inner, manual: &ManualCompaction, level: usize) {
    let state = inner.state.borrow();
    let version = state.version();
    let levels = if manual.is_rewriting(level) { level..level + 1 } else { level..level + 2 };
    let mut files = levels.flat_map(|l| version.overlapping(&inner.order, l, manual.range()));
    let cause = files.find_map(|file| state.set_apart_for(&file).map(|cause| (file.number, cause)));
    if let Some((number, cause)) = cause {
        let reason = "this table was found damaged before; its range is not compacted";
        manual.note_damage(|| match cause {
            Error::Corruption(_) => Error::corruption(table_file_name(number), 0, reason),
            other => other.clone(),
        });
    }
}

fn is_past(inner: &Inner, key: &[u8], manual: &ManualCompaction) -> bool {
    manual.range().1.is_some_and(|end| inner.order.user().compare(key, end).is_ge())
}

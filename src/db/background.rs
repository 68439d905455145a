//! The next job, flush first, and one slice of it.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};

use super::driver::Driven;
use super::obsolete_files::{remove_obsolete, remove_unneeded};
use super::state::{DbState, Inner, State};
use super::write::{nobody_writes, rotate_in_turn};
use crate::base::{FileName, SequenceNumber, table_file_name, to_u64, user_key};
use crate::compaction::{self, Compaction, CompactionContext, Pick, level_score, pick, pick_range};
use crate::error::{Error, Result};
use crate::events::{Event, count};
use crate::flush::{FlushContext, build_table};
use crate::memtable::MemTable;
use crate::slice::{pause, slice_size};
use crate::table::FinishedTable;
use crate::version::{FLUSH_LEVEL_MAX, LEVEL0_STOP, LEVELS, Manifest, NewFile, VersionEdit, total_size};

/// A range that the user asked to be compacted, level after level.
pub(crate) struct ManualCompaction {
    begin: Option<Vec<u8>>,
    end: Option<Vec<u8>>,
    level: Cell<usize>,
    /// Where the next round in this level begins.
    next: RefCell<Option<Vec<u8>>>,
    last_level: Cell<usize>,
    pub(crate) done: Cell<bool>,
    /// Damage that kept a part of the range from being compacted.
    error: RefCell<Option<Error>>,
}

/// Whether there is something to do.
pub(crate) fn has_work(inner: &Inner) -> bool {
    if inner.closed.get() || inner.options.read_only {
        return false;
    }
    if inner.background.is_busy() {
        return true;
    }
    let state = inner.state.borrow();
    if !state.works() || state.held_up.is_some() {
        return false;
    }
    if !state.immutables.is_empty() || !state.manual.is_empty() || state.rotation_is_due {
        return true;
    }
    let version = state.versions.current();
    let due = (0..LEVELS).any(|level| level_score(version, level) >= 1.0) || state.seek_candidate.is_some();
    due && pick(&pick_context(inner, &state)).is_some()
}

/// What rewriting may cost, for each byte of level 0, where nothing asks for it yet.
const TIDY_COST_MAX: u64 = 2;

/// A full memtable, which waited for others to be flushed, is to become a table now, and not with the next write: whoever opens the
/// database after a kill replays its log. And tables of level 0 may be merged. Whether there is work now.
pub(crate) fn tidy(inner: &Inner) -> bool {
    inner.state.borrow_mut().held_up = None;
    if !has_work(inner) {
        let mut state = inner.state.borrow_mut();
        if inner.closed.get() || inner.options.read_only || state.status != DbState::Open {
            return false;
        }
        state.rotation_is_due = state.active.memtable.logical_size() >= inner.options.write_buffer_size;
        choose_overlapping(inner, &mut state);
    }
    has_work(inner)
}

/// Chooses the tables of level 0 for compaction if there are several over one range, and little beneath: every look-up asks
/// each of them, and LevelDB leaves up to three.
fn choose_overlapping(inner: &Inner, state: &mut State) {
    let version = state.versions.current();
    let Some(newest) = version.level(0).first().cloned() else { return };
    let range = (Some(user_key(&newest.smallest)), Some(user_key(&newest.largest)));
    let upper = version.overlapping(&inner.order, 0, range);
    let beneath = total_size(&version.overlapping(&inner.order, 1, range));
    if upper.len() >= 2 && beneath <= total_size(&upper).saturating_mul(TIDY_COST_MAX) {
        state.seek_candidate = Some((0, newest));
    }
}

/// One slice of at most `bytes` of work. Ready with whether there is more; pending while the job waits for its storage.
pub(crate) fn poll_slice(inner: &Rc<Inner>, cx: &mut Context<'_>, bytes: u64) -> Poll<bool> {
    inner.budget.start(bytes);
    count(&inner.counters.slices, 1);
    inner.state.borrow_mut().held_up = None;
    loop {
        match inner.background.poll(cx, || has_work(inner).then(|| Box::pin(job(inner.clone())) as _)) {
            Driven::Idle => return Poll::Ready(false),
            Driven::Finished if inner.state.borrow().held_up.is_some() => return Poll::Ready(false),
            Driven::Finished if inner.budget.is_spent() => return Poll::Ready(has_work(inner)),
            Driven::Finished => {}
            Driven::Pending if inner.budget.is_exhausted() => return Poll::Ready(true),
            Driven::Pending => return Poll::Pending,
        }
    }
}

/// Works until `done`, or until there is nothing left to do.
pub(crate) async fn work_until(inner: &Rc<Inner>, done: impl Fn() -> bool) -> Result<()> {
    while !done() {
        let more = poll_fn(|cx| poll_slice(inner, cx, slice_size(&inner.options.pause))).await;
        check(inner)?;
        let held_up = inner.state.borrow().held_up.clone();
        if let Some(error) = held_up
            && !done()
        {
            return Err(error);
        }
        if !more {
            return Ok(());
        }
        pause(&inner.options.pause).await;
    }
    Ok(())
}

/// Short sessions may have left more tables in level 0 than writing ever lets gather. What goes wrong here shows in the state.
pub(crate) async fn catch_up(inner: &Rc<Inner>) {
    let few = || inner.state.borrow().versions.current().level(0).len() < LEVEL0_STOP;
    if !inner.options.read_only && !few() {
        let _ = work_until(inner, few).await;
    }
}

fn check(inner: &Inner) -> Result<()> {
    inner.check_open()?;
    let state = inner.state.borrow();
    match &state.status {
        DbState::Degraded(cause) if !state.resuming => Err(cause.clone()),
        _ => Ok(()),
    }
}

/// One flush or one compaction, then the removal of what nobody needs any more.
async fn job(inner: Rc<Inner>) {
    let result = match one_job(&inner).await {
        Ok(()) => remove_obsolete(&inner).await,
        error => error,
    };
    inner.state.borrow_mut().pending_outputs.clear();
    if let Err(error) = result
        && !inner.closed.get()
    {
        handle_failure(&inner, &error);
    }
}

/// Damage in a live table ends compactions of that table; without a descriptor for a file nothing was done that counts, and it is
/// tried again. Anything else ends writing, a new table that cannot be read back too: to build it once more would go on for ever.
pub(crate) fn handle_failure(inner: &Inner, error: &Error) {
    let live = |number| inner.state.borrow().versions.current().files().any(|(_, f)| f.number == number);
    if let Error::Corruption(corruption) = error
        && let Some(FileName::Table(number)) = FileName::parse(&corruption.file)
        && live(number)
    {
        inner.state.borrow_mut().quarantine.insert(number);
        return refuse_manual(inner, error);
    }
    if error.is_too_many_open_files() && inner.state.borrow().status == DbState::Open {
        inner.tables.gives_back(error);
        inner.state.borrow_mut().held_up = Some(error.clone());
        return refuse_manual(inner, error);
    }
    inner.degrade(error);
}

/// Fails the waiting calls of `compact_range` and tells the listener.
fn refuse_manual(inner: &Inner, error: &Error) {
    for manual in inner.state.borrow_mut().manual.drain(..) {
        manual.error.replace(Some(error.clone()));
        manual.done.set(true);
    }
    inner.emit(|| Event::BackgroundError { message: error.to_string() });
}

async fn one_job(inner: &Rc<Inner>) -> Result<()> {
    let is_due = std::mem::take(&mut inner.state.borrow_mut().rotation_is_due);
    // Writers will make room for themselves, and may come to wait for this job. Without a new log the full buffer stays.
    if is_due && nobody_writes(inner) {
        let _ = rotate_in_turn(inner).await;
    }
    if !inner.state.borrow().immutables.is_empty() {
        return flush(inner, FLUSH_LEVEL_MAX).await;
    }
    let manual = inner.state.borrow().manual.front().cloned();
    if let Some(manual) = manual {
        return compact_manually(inner, &manual).await;
    }
    let compaction = {
        let mut state = inner.state.borrow_mut();
        let picked = pick(&pick_context(inner, &state));
        state.seek_candidate = None;
        picked
    };
    match compaction {
        Some(compaction) => compact(inner, &compaction).await,
        None => Ok(()),
    }
}

fn pick_context<'a>(inner: &Inner, state: &'a State) -> Pick<'a> {
    Pick {
        versions: &state.versions,
        max_file_size: inner.options.max_file_size,
        seek_candidate: state.seek_candidate.as_ref(),
        quarantine: &state.quarantine,
    }
}

/// All immutable memtables become one table, at `level_max` at the deepest.
async fn flush(inner: &Rc<Inner>, level_max: usize) -> Result<()> {
    let memtables: Vec<Rc<MemTable>> = inner.state.borrow().immutables.iter().map(|b| b.memtable.clone()).collect();
    let newest_first: Vec<Rc<MemTable>> = memtables.iter().rev().cloned().collect();
    inner.emit(|| Event::FlushBegin {
        memtables: memtables.len(),
        entries: memtables.iter().map(|m| to_u64(m.len())).sum(),
        bytes: memtables.iter().map(|m| to_u64(m.logical_size())).sum(),
    });
    let number = inner.new_output()?;
    let context = FlushContext { env: &inner.env, tables: &inner.tables, order: &inner.order, budget: &inner.budget };
    let built = build_table(&context, number, &newest_first, SequenceNumber::MAX).await?;
    let (edit, level) = {
        let state = inner.state.borrow();
        let mut edit = VersionEdit { previous_log_number: Some(Default::default()), ..VersionEdit::default() };
        // The logs of what stays in memory are still needed.
        let next = state.immutables.get(memtables.len()).unwrap_or(&state.active);
        edit.log_number = Some(next.first_log);
        edit.last_sequence =
            memtables.len().checked_sub(1).and_then(|i| state.immutables.get(i)).map(|b| b.last_sequence);
        let mut level = 0;
        if let Some(table) = &built {
            let max_file_size = inner.options.max_file_size;
            let version = state.versions.current();
            level = version.flush_level(&inner.order, &table.smallest, &table.largest, max_file_size).min(level_max);
            edit.new_files.push((level, new_file(table)));
        }
        (edit, level)
    };
    if crate::bugs::seeded(crate::bugs::Bug::LogRemovedEarly) {
        let name = FileName::Log(inner.state.borrow().first_log()).to_string();
        inner.env.edit_names(vec![crate::env::NameEdit::Remove { name }]).await?;
    }
    log_and_apply(inner, edit).await?;
    let bytes = built.as_ref().map_or(0, |t| t.size);
    {
        let mut state = inner.state.borrow_mut();
        state.drop_flushed(memtables.len());
        if let Some((_, written)) = state.level_work.get_mut(level) {
            *written = written.saturating_add(bytes);
        }
    }
    count(&inner.counters.bytes_flushed, bytes);
    announce(inner, built.iter());
    let (table, entries) = (built.as_ref().map(|t| t.number), built.as_ref().map_or(0, |t| t.entries));
    inner.emit(|| Event::Flush { table, level, bytes, memtables: memtables.len(), entries });
    Ok(())
}

/// Tells of new tables.
fn announce<'a>(inner: &Inner, tables: impl Iterator<Item = &'a FinishedTable>) {
    for table in tables {
        inner.emit(|| Event::FileCreated { name: table_file_name(table.number) });
    }
}

pub(crate) fn new_file(table: &FinishedTable) -> NewFile {
    NewFile { number: table.number, size: table.size, smallest: table.smallest.clone(), largest: table.largest.clone() }
}

async fn compact(inner: &Rc<Inner>, compaction: &Compaction) -> Result<()> {
    let mut edit = compaction.edit();
    let inputs: Vec<_> = compaction.inputs().map(|(_, f)| f.number).collect();
    let (upper, lower) = (compaction.level, compaction.level + 1);
    inner.emit(|| Event::CompactionBegin {
        level: upper,
        inputs: inputs.clone(),
        bytes: compaction.input_bytes(),
        trivial_move: compaction.is_trivial_move(),
    });
    if compaction.is_trivial_move() {
        edit.new_files.extend(compaction.inputs().map(|(_, f)| (lower, f.to_new_file())));
        log_and_apply(inner, edit).await?;
        let (outputs, trivial_move) = (inputs.clone(), true);
        inner.emit(|| Event::Compaction {
            level: upper,
            inputs,
            outputs,
            bytes_read: 0,
            bytes_written: 0,
            trivial_move,
        });
        return Ok(());
    }
    let oldest_snapshot = inner.snapshots.oldest(inner.state.borrow().last_sequence());
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
    if let Some((read, written)) = inner.state.borrow_mut().level_work.get_mut(lower) {
        *read = read.saturating_add(bytes_read);
        *written = written.saturating_add(bytes_written);
    }
    count(&inner.counters.bytes_compaction_read, bytes_read);
    count(&inner.counters.bytes_compacted, bytes_written);
    announce(inner, outputs.iter());
    let outputs: Vec<_> = outputs.iter().map(|t| t.number).collect();
    inner.emit(|| Event::Compaction { level: upper, inputs, outputs, bytes_read, bytes_written, trivial_move: false });
    Ok(())
}

/// Drives a compaction, and flushes that come due meanwhile: these go first, but while one waits for its storage, the compaction
/// goes on. A flush that fails ends both.
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
            // A flush that has begun is not left half done.
            return if flush.is_some() { Poll::Pending } else { compacted.take().map_or(Poll::Pending, Poll::Ready) };
        }
    })
    .await;
    failure.take().map_or(result, Err)
}

fn may_flush(inner: &Inner, failure: &RefCell<Option<Error>>) -> bool {
    failure.borrow().is_none() && !inner.state.borrow().immutables.is_empty()
}

/// A flush in the middle of a compaction, whose logs need not wait for its end. Into level 0: deeper the table might come to lie
/// where an output of the compaction will.
async fn flush_meanwhile(inner: Rc<Inner>) -> Result<()> {
    flush(&inner, 0).await?;
    remove_unneeded(&inner).await
}

/// Makes `edit` durable, then current. New names are made durable first. After a failure the manifest is in doubt: nothing
/// is removed, and the next edit goes into a new one.
pub(crate) async fn log_and_apply(inner: &Inner, edit: VersionEdit) -> Result<()> {
    log_and_apply_unless(inner, edit, || None).await.map(|_| ())
}

/// The same; but if `undo` gives an edit once this one is durable, that one is made durable too, and none is made current: both
/// together must change nothing. Answers whether `edit` is current.
pub(crate) async fn log_and_apply_unless(
    inner: &Inner,
    mut edit: VersionEdit,
    undo: impl FnOnce() -> Option<VersionEdit>,
) -> Result<bool> {
    let (version, manifest) = {
        let state = inner.state.borrow();
        edit.next_file_number = Some(state.versions.counts.next_file_number);
        edit.last_sequence = edit.last_sequence.or(Some(state.versions.counts.flushed_sequence));
        edit.log_number = edit.log_number.or(Some(state.versions.counts.log_number));
        let version = state.versions.next_version(&edit).map_err(|reason| {
            Error::corruption("MANIFEST", 0, format!("an edit contradicts the current version: {reason}"))
        })?;
        (version, state.manifest.clone().filter(|m| !m.is_large()))
    };
    let manifest = match manifest {
        Some(manifest) => {
            if !crate::bugs::seeded(crate::bugs::Bug::NamesNotSynced) {
                inner.env.edit_names(Vec::new()).await?;
            }
            // While the record is on its way, what is stored is in doubt.
            inner.state.borrow_mut().manifest = None;
            manifest.append(&edit.encode()).await?;
            manifest
        }
        None => new_manifest(inner, &mut edit).await?,
    };
    if let Some(undo) = undo() {
        manifest.append(&undo.encode()).await?;
        inner.state.borrow_mut().manifest = Some(manifest);
        return Ok(false);
    }
    let mut state = inner.state.borrow_mut();
    state.manifest = Some(manifest);
    state.versions.install(&edit, version);
    Ok(true)
}

async fn new_manifest(inner: &Inner, edit: &mut VersionEdit) -> Result<Rc<Manifest>> {
    let (number, snapshot) = {
        let mut state = inner.state.borrow_mut();
        state.manifest = None;
        let number = state.versions.new_file_number()?;
        state.note_file(FileName::Manifest(number));
        state.note_file(FileName::Temporary(number));
        edit.next_file_number = Some(state.versions.counts.next_file_number);
        (number, state.versions.snapshot_edit())
    };
    let records = [snapshot.encode(), edit.encode()];
    Ok(Rc::new(Manifest::create(&inner.env, number, &records).await?))
}

/// Compacts every level that holds keys of the range into the next, from level 0 down.
pub(crate) async fn compact_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
    flush_memtables(inner).await?;
    let manual = {
        let mut state = inner.state.borrow_mut();
        // Who asks may know that the damage is gone; if it is not, it will be found again.
        state.quarantine.clear();
        let version = state.versions.current();
        let deepest = (1..LEVELS).rev().find(|level| version.overlaps(&inner.order, *level, (begin, end))).unwrap_or(1);
        let manual = Rc::new(ManualCompaction {
            begin: begin.map(<[u8]>::to_vec),
            end: end.map(<[u8]>::to_vec),
            level: Cell::new(0),
            next: RefCell::new(begin.map(<[u8]>::to_vec)),
            last_level: Cell::new(deepest.min(LEVELS - 1)),
            done: Cell::new(false),
            error: RefCell::new(None),
        });
        state.manual.push_back(manual.clone());
        manual
    };
    work_until(inner, || manual.done.get()).await?;
    manual.error.take().map_or(Ok(()), Err)
}

/// One round of a manual compaction, or the step to its next level.
async fn compact_manually(inner: &Rc<Inner>, manual: &Rc<ManualCompaction>) -> Result<()> {
    let level = manual.level.get();
    if level >= manual.last_level.get() {
        manual.done.set(true);
        inner.state.borrow_mut().manual.retain(|m| !Rc::ptr_eq(m, manual));
        return Ok(());
    }
    let compaction = {
        let state = inner.state.borrow();
        let next = manual.next.borrow();
        pick_range(&pick_context(inner, &state), level, (next.as_deref(), manual.end.as_deref()))
    };
    if let Some(compaction) = compaction {
        let reached = user_key(&compaction.compact_pointer).to_vec();
        compact(inner, &compaction).await?;
        let more = level > 0 && !is_past(inner, &reached, manual);
        if more && manual.next.borrow().as_ref() != Some(&reached) {
            manual.next.replace(Some(reached));
            return Ok(());
        }
    } else {
        note_quarantine(inner, manual, level);
    }
    manual.level.set(level + 1);
    manual.next.replace(manual.begin.clone());
    Ok(())
}

/// A range that holds a table found damaged earlier is left alone, and whoever asked for it is told.
fn note_quarantine(inner: &Inner, manual: &ManualCompaction, level: usize) {
    let state = inner.state.borrow();
    let range = (manual.begin.as_deref(), manual.end.as_deref());
    let mut files =
        [level, level + 1].into_iter().flat_map(|l| state.versions.current().overlapping(&inner.order, l, range));
    if let Some(file) = files.find(|f| state.quarantine.contains(&f.number)) {
        let reason = "this table was found damaged before; its range is not compacted";
        manual.error.borrow_mut().get_or_insert_with(|| Error::corruption(table_file_name(file.number), 0, reason));
    }
}

fn is_past(inner: &Inner, key: &[u8], manual: &ManualCompaction) -> bool {
    manual.end.as_ref().is_some_and(|end| inner.order.user().compare(key, end).is_ge())
}

/// The memtable and all before it become tables.
pub(crate) async fn flush_memtables(inner: &Rc<Inner>) -> Result<()> {
    inner.check_open()?;
    if inner.options.read_only {
        return Err(Error::NotSupported("the database is open read-only".into()));
    }
    check(inner)?;
    if !inner.state.borrow().active.memtable.is_empty() {
        rotate_in_turn(inner).await?;
    }
    let Some(newest) = inner.state.borrow().immutables.back().map(|b| b.memtable.clone()) else { return Ok(()) };
    work_until(inner, || !inner.state.borrow().immutables.iter().any(|b| Rc::ptr_eq(&b.memtable, &newest))).await
}

/// Entries and keys in the logs that a database is closed with, at most: more are a table at the next opening anyway, and until
/// then each opening replays them, which takes longer than all else it does.
const LOGS_AT_CLOSE_MAX: u64 = 128 << 10;

/// Before the close, when all is durable: a table that cannot be made is lost to nobody. Whether others may have written meanwhile
/// what is not durable yet.
pub(crate) async fn shorten_logs(inner: &Rc<Inner>) -> bool {
    let long = inner.state.borrow().memtable_bytes() > LOGS_AT_CLOSE_MAX;
    long && (flush_memtables(inner).await.is_ok() || inner.state.borrow().is_dirty())
}

/// After a failure: a new log, a new manifest, everything in memory to tables. Writes are refused until that is done: what the
/// old logs hold is in doubt, and a write in the new one, however well flushed, would lie behind a gap after a crash.
pub(crate) async fn resume(inner: &Rc<Inner>) -> Result<()> {
    inner.check_open()?;
    let status = inner.state.borrow().status.clone();
    match status {
        DbState::Open => {
            // What a storage answered wrongly once, it may answer rightly now.
            inner.state.borrow_mut().quarantine.clear();
            return Ok(());
        }
        DbState::Closed => return Err(Error::Closed),
        DbState::Degraded(_) => {}
    }
    rotate_in_turn(inner).await?;
    let newest = {
        let mut state = inner.state.borrow_mut();
        state.manifest = None;
        state.quarantine.clear();
        state.resuming = true;
        state.immutables.back().map(|b| b.memtable.clone())
    };
    work_until(inner, || match &newest {
        Some(newest) => !inner.state.borrow().immutables.iter().any(|b| Rc::ptr_eq(&b.memtable, newest)),
        None => true,
    })
    .await?;
    let mut state = inner.state.borrow_mut();
    if state.resuming {
        state.resuming = false;
        state.status = DbState::Open;
    }
    Ok(())
}

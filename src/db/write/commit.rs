//! Commits a group: one log record, at most one flush, then the memtable.

use std::rc::Rc;

use super::clear::deletions;
use super::pacing::make_room;
use super::queue::{SMALL_GROUP, nobody_writes, take_group, wake_next};
use super::room::{free_space, keep_room, keeps_room};
use super::ticket::{Clear, Mark, Ticket, Wants};
use super::wal::{append, current_log, flush_logs, lacked_descriptor, logged, rotate, take_back};
use crate::base::{SequenceNumber, ValueType, Work, to_u64};
use crate::batch::{BatchOperation, WriteBatch};
use crate::db::state::{Inner, Log};
use crate::env::Io;
use crate::error::{Error, Result};
use crate::events::count;
use crate::log::{AT_ONCE_MAX, Begun};
use crate::memtable::MemTable;

/// Returns the commit that queue polling drives.
pub(crate) fn next_commit(inner: &Rc<Inner>) -> Option<Work> {
    Some(Box::pin(commit(inner.clone())))
}

/// Commits the group at the front of the queue.
async fn commit(inner: Rc<Inner>) {
    let front = inner.queue.borrow().front().cloned();
    let Some(front) = front else { return };
    let (group, result) = if front.wants == Wants::Rotation {
        (take_group(&inner), rotate(&inner).await)
    } else {
        let ready = match inner.check_writes(!front.adds()) {
            Ok(()) => prepare(&inner, &front).await,
            error => error,
        };
        let group = take_group(&inner);
        let result = match ready {
            Ok(()) => commit_group(&inner, &group).await,
            error => error,
        };
        (group, result)
    };
    for ticket in group {
        ticket.finish(result.clone());
    }
    wake_next(&inner);
}

/// Makes room in the memtable and, for puts, on the storage.
async fn prepare(inner: &Rc<Inner>, front: &Ticket) -> Result<()> {
    let only_flushes = front.clear.is_none() && front.batch.borrow().is_none();
    if only_flushes && !inner.state.borrow().is_open() {
        return Ok(());
    }
    let adds = front.adds();
    make_room(inner, front.bytes, adds).await?;
    // Others that wait may join its group.
    let others = if inner.queue.borrow().is_shared() { SMALL_GROUP } else { 0 };
    if adds { keep_room(inner, front.bytes.saturating_add(others)).await } else { Ok(()) }
}

async fn commit_group(inner: &Rc<Inner>, group: &[Rc<Ticket>]) -> Result<()> {
    let step = group.first().filter(|ticket| ticket.clear.is_some());
    let batch = match step {
        Some(ticket) => deletions(inner, ticket).await?,
        None => combined(group),
    };
    let sync = group.iter().any(|t| t.sync);
    let Some(batch) = batch.filter(|b| !b.is_empty()) else {
        if sync {
            let log = current_log(inner)?;
            flush_logs(inner, &log).await.inspect_err(|error| {
                if !lacked_descriptor(inner, error) {
                    inner.degrade(error);
                }
            })?;
        }
        return Ok(());
    };
    batch.check()?;
    let written = batch.count();
    let (entry, before) = log_batch(inner, batch, sync).await?;
    if sync && let Err(error) = flush_logs(inner, &entry.log).await {
        if lacked_descriptor(inner, &error) {
            // Only the log's name could not be made durable: the record is written again.
            entry.log.writer().retract(before);
            return Err(take_back(inner, &entry.log, error).await);
        }
        // The record may survive, so its sequence numbers must not be reused.
        inner.state.borrow_mut().use_sequences(entry.last);
        inner.state.borrow_mut().doubt_log();
        inner.degrade(&error);
        return Err(Error::Poisoned { cause: error.to_string(), maybe_applied: true });
    }
    entry.apply(inner, step.and_then(|ticket| ticket.clear.as_ref()));
    if let Some(ticket) = step {
        ticket.mark.set(Some(Mark { written, ..Mark::now(inner) }));
    }
    Ok(())
}

/// Appends a batch to the log; also returns the size of the log before. If the storage is full, space
/// is made, once. Deletes also get the room that is kept.
async fn log_batch(inner: &Rc<Inner>, mut batch: WriteBatch, sync: bool) -> Result<(Entry, u64)> {
    let mut has_freed = false;
    loop {
        let entry = Entry::prepare(inner, batch)?;
        let before = entry.log.writer().size();
        let error = match append(inner, &entry.log, entry.batch.as_bytes(), sync).await {
            Ok(()) => return Ok((entry, before)),
            Err(error) => error,
        };
        batch = entry.batch;
        if !matches!(error, Error::Full(_)) || !inner.env.has_quota() {
            return Err(error);
        }
        let puts = batch.has_puts();
        let is_better = if has_freed {
            !puts && inner.env.use_room()
        } else {
            has_freed = true;
            free_space(inner).await;
            inner.check_writes(!puts)?;
            !puts || keeps_room(inner, batch.byte_size()).await?
        };
        if !is_better {
            inner.found_no_room.set(true);
            return Err(error);
        }
    }
}

fn combined(group: &[Rc<Ticket>]) -> Option<WriteBatch> {
    let mut batch = None::<WriteBatch>;
    for ticket in group {
        match (&mut batch, ticket.batch.take()) {
            (None, own) => batch = own,
            (Some(all), Some(own)) => all.append(&own),
            (Some(_), None) => {}
        }
    }
    batch
}

/// A batch with its sequence numbers, and where it goes.
struct Entry {
    batch: WriteBatch,
    first: SequenceNumber,
    last: SequenceNumber,
    log: Rc<Log>,
    memtable: Rc<MemTable>,
}

impl Entry {
    /// Reserves memory: nothing may fail after the log has the record.
    fn prepare(inner: &Inner, mut batch: WriteBatch) -> Result<Entry> {
        let log = current_log(inner)?;
        let (memtable, last) = {
            let state = inner.state.borrow();
            (state.active().clone(), state.last_sequence())
        };
        let first = last.advance(1).ok_or_else(out_of_sequences)?;
        let last = last.advance(u64::from(batch.count())).ok_or_else(out_of_sequences)?;
        batch.set_sequence(first);
        memtable.reserve(batch.count(), batch.byte_size())?;
        Ok(Entry { batch, first, last, log, memtable })
    }

    /// Applies the entries to the memtable once the log has them.
    fn apply(self, inner: &Inner, step: Option<&Clear>) {
        let Entry { batch, first, last, memtable, .. } = self;
        apply(&memtable, &batch, first);
        let before = inner.state.borrow().last_sequence();
        inner.state.borrow_mut().use_sequences(last);
        count(&inner.counters.entries_written, u64::from(batch.count()));
        count(&inner.counters.bytes_in, to_u64(batch.byte_size()));
        match step {
            None if inner.feed.is_watched() => inner.feed.push(last, batch),
            None => {}
            Some(Clear::Begin(hold)) => inner.feed.begin(hold, before, last, batch),
            Some(Clear::GoOn { asked, .. }) => inner.feed.go_on(*asked, last, batch),
        }
    }
}

/// The result of [`commit_at_once`].
pub(super) enum AtOnce {
    Done(Result<()>),
    /// The storage is asynchronous or a record must be truncated: the ticket gets the result.
    Late(Rc<Ticket>),
    /// The batch must queue.
    NotNow(WriteBatch),
}

/// Commits a batch without a queue if no writer is before it and there is room. Over a synchronous
/// storage this needs no future.
pub(super) fn commit_at_once(inner: &Rc<Inner>, batch: WriteBatch) -> AtOnce {
    let small = !batch.is_empty() && batch.byte_size() <= AT_ONCE_MAX;
    if !nobody_writes(inner) || !small || !inner.env.appends_are_exact() || !has_room(inner) {
        return AtOnce::NotNow(batch);
    }
    let entry = match Entry::prepare(inner, batch) {
        Ok(entry) => entry,
        Err(error) => return AtOnce::Done(Err(error)),
    };
    // A storage or comparator that writes during this call finds a commit running, and queues.
    let held = inner.commits.hold();
    let before = entry.log.writer().size();
    entry.log.begin_record();
    let begun = match entry.log.writer().begin(entry.batch.as_bytes()) {
        Ok(begun) => begun,
        Err(error) => return AtOnce::Done(Err(error)),
    };
    let (asked, end) = (begun.asked, begun.end);
    let taken = match begun.taken {
        Io::Ready(taken) => {
            let taken = taken.unwrap_or(Err(Error::Closed));
            match entry.log.writer().complete(asked, end, taken) {
                Ok(()) => {
                    logged(inner, &entry.log, before);
                    entry.apply(inner, None);
                    drop(held);
                    wake_next(inner);
                    return AtOnce::Done(Ok(()));
                }
                Err(error) => Io::ready(Err(error)),
            }
        }
        pending => pending,
    };
    drop(held);
    let ticket = Rc::new(Ticket::new(None, false, Wants::Write));
    inner.commits.start(Box::pin(finish_late(inner.clone(), ticket.clone(), entry, Begun { taken, asked, end })));
    AtOnce::Late(ticket)
}

/// Returns whether a write may be tried without making room first.
fn has_room(inner: &Inner) -> bool {
    let state = inner.state.borrow();
    state.is_open() && state.active().logical_size() < inner.options.write_buffer_size && state.log_is_ready()
}

/// Finishes a commit that could not be done at once.
async fn finish_late(inner: Rc<Inner>, ticket: Rc<Ticket>, entry: Entry, begun: Begun) {
    let before = entry.log.writer().size();
    let taken = begun.taken.await;
    let result = match entry.log.writer().complete(begun.asked, begun.end, taken) {
        Ok(()) => {
            logged(&inner, &entry.log, before);
            entry.apply(&inner, None);
            Ok(())
        }
        Err(error) => Err(take_back(&inner, &entry.log, error).await),
    };
    ticket.finish(result);
    wake_next(&inner);
}

fn out_of_sequences() -> Error {
    Error::LimitExceeded("sequence numbers have reached 2^56".into())
}

/// Inserts a checked batch; the memory is reserved.
fn apply(memtable: &MemTable, batch: &WriteBatch, first: SequenceNumber) {
    let mut sequence = first;
    for operation in batch.iter().map_while(Result::ok) {
        match operation {
            BatchOperation::Put { key, value } => memtable.insert(sequence, ValueType::Value, key, value),
            BatchOperation::Delete { key } => memtable.insert(sequence, ValueType::Deletion, key, &[]),
        }
        sequence = sequence.advance(1).unwrap_or(sequence);
    }
}

//! The way in: writers queue, the front one's group shares one log record and one flush, then the memtable changes.
//!
//! ```text
//! write -> queue -> [ make room -> log record -> flush if asked -> memtable ] -> acknowledged
//!                   '------------- one commit at a time ------------------'
//! ```

use std::cell::{Cell, RefCell};
use std::collections::VecDeque;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::background;
use super::driver::Driven;
use super::state::{Buffer, DbState, Inner, Log};
use crate::base::{FileKind, FileName, FileNumber, SequenceNumber, ValueType, to_u64};
use crate::batch::{BatchOperation, WriteBatch};
use crate::bugs::{Bug, seeded};
use crate::env::Io;
use crate::error::{Error, Result};
use crate::events::{Event, StallCause, count};
use crate::log::{AT_ONCE_MAX, Begun, LogWriter};
use crate::memtable::MemTable;
use crate::slice::pause;
use crate::version::{LEVEL0_SLOWDOWN, LEVEL0_STOP};

/// Bytes of batches that one log record gathers.
const GROUP_SIZE_MAX: usize = 1 << 20;
/// A small write is not made to wait for a group larger than this beyond its own size.
const SMALL_GROUP: usize = 128 << 10;
/// Writers that may wait at once.
const QUEUE_MAX: usize = 1 << 16;
/// Bytes of writes that may wait at once: twice what a browser's engine is asked to hold.
const QUEUE_BYTES_MAX: usize = 16 << 20;
/// What a log record may hold.
const BATCH_SIZE_MAX: usize = 1 << 30;
/// Least work that is worth a slice, in bytes.
const SLICE_MIN: u64 = 4 << 10;

/// What a ticket asks for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Wants {
    /// That its batch is written, or the log flushed.
    Write,
    /// A new log and an empty memtable; such a ticket is a group of its own.
    Rotation,
    /// To know what was written before it; a group of its own too.
    Mark,
}

/// A place between two writes.
#[derive(Clone, Copy)]
pub(crate) struct Mark {
    /// The last write before it.
    pub(crate) sequence: SequenceNumber,
    /// Files that were begun before it have smaller numbers: no later write is in those.
    pub(crate) next_file: FileNumber,
}

impl Mark {
    fn now(inner: &Inner) -> Mark {
        let state = inner.state.borrow();
        Mark { sequence: state.last_sequence(), next_file: state.versions.counts.next_file_number }
    }
}

/// One writer in the queue.
pub(crate) struct Ticket {
    /// `None` asks only for a flush of the log, or what else the ticket wants.
    batch: RefCell<Option<WriteBatch>>,
    bytes: usize,
    sync: bool,
    wants: Wants,
    /// Where it stood, if that is what it wants.
    mark: Cell<Option<Mark>>,
    result: RefCell<Option<Result<()>>>,
    waker: RefCell<Option<Waker>>,
}

impl Ticket {
    fn new(batch: Option<WriteBatch>, sync: bool, wants: Wants) -> Ticket {
        let bytes = batch.as_ref().map_or(0, WriteBatch::byte_size);
        Ticket {
            batch: RefCell::new(batch),
            bytes,
            sync,
            wants,
            mark: Cell::new(None),
            result: RefCell::default(),
            waker: RefCell::default(),
        }
    }

    fn finish(&self, result: Result<()>) {
        self.result.replace(Some(result));
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }
}

/// Writers that wait for their turn, and the bytes they bring.
#[derive(Default)]
pub(crate) struct Queue {
    tickets: VecDeque<Rc<Ticket>>,
    bytes: usize,
}

impl Queue {
    /// Refuses what would make the queue too long. One write, however large, may always wait.
    fn push(&mut self, ticket: Rc<Ticket>) -> Result<()> {
        let (count, bytes) = (self.tickets.len(), self.bytes.saturating_add(ticket.bytes));
        if count >= QUEUE_MAX || count > 0 && ticket.bytes > 0 && bytes > QUEUE_BYTES_MAX {
            return Err(Error::Busy(format!("{count} writes of {} bytes are waiting already", self.bytes)));
        }
        self.bytes = bytes;
        self.tickets.push_back(ticket);
        Ok(())
    }

    /// Whether a quarter of the room is taken.
    fn is_crowded(&self) -> bool {
        self.tickets.len() > QUEUE_MAX / 4 || self.bytes > QUEUE_BYTES_MAX / 4
    }

    fn front(&self) -> Option<&Rc<Ticket>> {
        self.tickets.front()
    }

    fn pop(&mut self) -> Option<Rc<Ticket>> {
        let ticket = self.tickets.pop_front()?;
        self.bytes = self.bytes.saturating_sub(ticket.bytes);
        Some(ticket)
    }
}

/// Commits `batch` (or, without one, flushes the log) and returns when that is acknowledged.
pub(crate) async fn write(inner: &Rc<Inner>, batch: Option<WriteBatch>, sync: bool) -> Result<()> {
    check_writable(inner)?;
    if let Some(batch) = &batch {
        check_batch(inner, batch)?;
        if batch.is_empty() && !sync {
            return Ok(());
        }
    }
    submit(inner, batch, sync).await
}

/// The same for a batch whose keys and values are known to be short enough.
pub(crate) async fn write_checked(inner: &Rc<Inner>, batch: WriteBatch, sync: bool) -> Result<()> {
    check_writable(inner)?;
    batch.check()?;
    submit(inner, Some(batch), sync).await
}

async fn submit(inner: &Rc<Inner>, batch: Option<WriteBatch>, sync: bool) -> Result<()> {
    let bytes = batch.as_ref().map_or(0, WriteBatch::byte_size);
    if bytes > BATCH_SIZE_MAX {
        return Err(Error::LimitExceeded(format!("batch has {bytes} bytes, at most 2^30 fit a log record")));
    }
    let result = match batch {
        Some(batch) if !sync => match commit_at_once(inner, batch) {
            AtOnce::Done(result) => result,
            AtOnce::Late(ticket) => poll_fn(|cx| poll_ticket(inner, &ticket, cx)).await,
            AtOnce::NotNow(batch) => enqueue(inner, Some(batch), sync, Wants::Write).await.map(|_| ()),
        },
        batch => enqueue(inner, batch, sync, Wants::Write).await.map(|_| ()),
    };
    let left = pace(inner, bytes);
    let owes_turn = inner.owes_turn.take();
    if left > 0 {
        work_off(inner, left).await;
    } else if owes_turn {
        pause(&inner.options.pause).await;
    }
    result
}

fn check_writable(inner: &Inner) -> Result<()> {
    inner.check_open()?;
    if inner.options.read_only {
        return Err(Error::NotSupported("the database is open read-only".into()));
    }
    Ok(())
}

/// Whether what is asked for now would be done at once.
pub(crate) fn nobody_writes(inner: &Inner) -> bool {
    inner.queue.borrow().front().is_none() && !inner.commits.is_busy()
}

/// A new log and an empty memtable, between two commits.
pub(crate) async fn rotate_in_turn(inner: &Rc<Inner>) -> Result<()> {
    enqueue(inner, None, false, Wants::Rotation).await.map(|_| ())
}

/// Between the writes that were asked for before, once they are done, and those that are asked for after.
pub(crate) async fn mark_in_turn(inner: &Rc<Inner>) -> Result<Mark> {
    if nobody_writes(inner) {
        return Ok(Mark::now(inner));
    }
    let mark = enqueue(inner, None, false, Wants::Mark).await?;
    Ok(mark.unwrap_or_else(|| Mark::now(inner)))
}

async fn enqueue(inner: &Rc<Inner>, batch: Option<WriteBatch>, sync: bool, wants: Wants) -> Result<Option<Mark>> {
    let ticket = Rc::new(Ticket::new(batch, sync, wants));
    inner.queue.borrow_mut().push(ticket.clone())?;
    poll_fn(|cx| poll_ticket(inner, &ticket, cx)).await?;
    Ok(ticket.mark.get())
}

fn poll_ticket(inner: &Rc<Inner>, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<Result<()>> {
    loop {
        if let Some(result) = ticket.result.take() {
            return Poll::Ready(result);
        }
        if inner.closed.get() {
            return Poll::Ready(Err(Error::Closed));
        }
        match inner.commits.poll(cx, || Some(Box::pin(commit(inner.clone())))) {
            Driven::Finished => {}
            Driven::Pending | Driven::Idle => {
                ticket.waker.replace(Some(cx.waker().clone()));
                // The commit may have finished this ticket on the way.
                match ticket.result.take() {
                    Some(result) => return Poll::Ready(result),
                    None => return Poll::Pending,
                }
            }
        }
    }
}

/// Refuses what cannot be stored, before anything is written.
fn check_batch(inner: &Inner, batch: &WriteBatch) -> Result<()> {
    batch.check()?;
    let limit = inner.options.max_value_size;
    for operation in batch.iter() {
        let (key, value) = match operation.map_err(|e| Error::InvalidArgument(format!("batch: {}", e.reason)))? {
            BatchOperation::Put { key, value } => (key, value),
            BatchOperation::Delete { key } => (key, &[][..]),
        };
        for (what, length) in [("key", key.len()), ("value", value.len())] {
            if length > limit {
                return Err(Error::LimitExceeded(format!("{what} has {length} bytes, max_value_size is {limit}")));
            }
        }
    }
    Ok(())
}

/// Commits the group at the front of the queue.
async fn commit(inner: Rc<Inner>) {
    let front = inner.queue.borrow().front().cloned();
    let Some(front) = front else { return };
    let (group, result) = if front.wants == Wants::Mark {
        front.mark.set(Some(Mark::now(&inner)));
        (take_group(&inner), Ok(()))
    } else if front.wants == Wants::Rotation {
        (take_group(&inner), rotate(&inner).await)
    } else {
        let deletes = only_deletes(&front.batch.borrow());
        let ready = match check_state(&inner, deletes) {
            Ok(()) => make_room(&inner, front.bytes).await,
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

fn wake_next(inner: &Inner) {
    let next = inner.queue.borrow().front().and_then(|t| t.waker.borrow().clone());
    if let Some(waker) = next {
        waker.wake();
    }
}

fn only_deletes(batch: &Option<WriteBatch>) -> bool {
    batch.as_ref().is_some_and(|b| b.iter().all(|o| matches!(o, Ok(BatchOperation::Delete { .. }))))
}

/// Whether a write may be tried. With a full disk, deletes may.
fn check_state(inner: &Inner, only_deletes: bool) -> Result<()> {
    inner.check_open()?;
    let state = inner.state.borrow();
    match &state.status {
        DbState::Open => Ok(()),
        DbState::Closed => Err(Error::Closed),
        DbState::Degraded(Error::Full(_))
            if only_deletes
                && state.log.as_ref().is_some_and(|l| l.writer.is_ready())
                // What an unfinished append left in an older log may have the next sequence number.
                && state.older_dirty_logs().iter().all(|l| l.writer.is_ready()) =>
        {
            Ok(())
        }
        DbState::Degraded(cause @ Error::Full(_)) => Err(cause.clone()),
        DbState::Degraded(cause) => Err(Error::Poisoned { cause: cause.to_string(), maybe_applied: false }),
    }
}

/// Takes writers from the queue: at least one, and no sync writer into a group whose first did not ask for sync.
fn take_group(inner: &Inner) -> Vec<Rc<Ticket>> {
    // On a full disk deletes are taken and puts are not: each then stands for itself.
    let alone = inner.state.borrow().status != DbState::Open;
    let mut queue = inner.queue.borrow_mut();
    let Some(first) = queue.pop() else { return Vec::new() };
    let size_max = if first.bytes <= SMALL_GROUP { first.bytes + SMALL_GROUP } else { GROUP_SIZE_MAX };
    let (mut size, sync, wants) = (first.bytes, first.sync, first.wants);
    let mut group = vec![first];
    while let Some(next) = queue.front() {
        size = size.saturating_add(next.bytes);
        if alone || size > size_max || next.sync && !sync || next.wants != Wants::Write || wants != Wants::Write {
            break;
        }
        group.extend(queue.pop());
    }
    group
}

async fn commit_group(inner: &Inner, group: &[Rc<Ticket>]) -> Result<()> {
    let mut batch = None::<WriteBatch>;
    for ticket in group {
        match (&mut batch, ticket.batch.take()) {
            (None, own) => batch = own,
            (Some(all), Some(own)) => all.append(&own),
            (Some(_), None) => {}
        }
    }
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
    let entry = Entry::prepare(inner, batch)?;
    let before = entry.log.writer.size();
    append(inner, &entry.log, entry.batch.as_bytes()).await?;
    if sync && let Err(error) = flush_logs(inner, &entry.log).await {
        if lacked_descriptor(inner, &error) {
            // The log is sound, only its name could not be made durable: the record goes again.
            entry.log.writer.retract(before);
            return Err(take_back(inner, &entry.log, error).await);
        }
        // The record may or may not survive: its sequence numbers must not be used again.
        inner.state.borrow_mut().versions.counts.last_sequence = entry.last;
        inner.degrade(&error);
        return Err(Error::Poisoned { cause: error.to_string(), maybe_applied: true });
    }
    entry.apply(inner);
    Ok(())
}

/// Whether a flush of the logs only failed to open the directory: no sync of a file has failed, and it can be tried again.
fn lacked_descriptor(inner: &Inner, error: &Error) -> bool {
    let state = inner.state.borrow();
    let mut logs = state.older_dirty_logs();
    logs.extend(state.log.clone());
    inner.tables.gives_back(error);
    error.is_too_many_open_files() && logs.iter().all(|log| log.writer.is_ready())
}

fn current_log(inner: &Inner) -> Result<Rc<Log>> {
    let log = inner.state.borrow().log.clone();
    log.ok_or_else(|| Error::NotSupported("the database is open read-only".into()))
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
    /// From here on nothing may fail once the log has the record.
    fn prepare(inner: &Inner, mut batch: WriteBatch) -> Result<Entry> {
        let log = current_log(inner)?;
        let (memtable, last) = {
            let state = inner.state.borrow();
            (state.active.memtable.clone(), state.last_sequence())
        };
        let first = last.advance(1).ok_or_else(out_of_sequences)?;
        let last = last.advance(u64::from(batch.count())).ok_or_else(out_of_sequences)?;
        batch.set_sequence(first);
        memtable.reserve(batch.count(), batch.byte_size())?;
        Ok(Entry { batch, first, last, log, memtable })
    }

    /// The log has it: now the memtable.
    fn apply(&self, inner: &Inner) {
        apply(&self.memtable, &self.batch, self.first);
        inner.state.borrow_mut().versions.counts.last_sequence = self.last;
        count(&inner.counters.entries_written, u64::from(self.batch.count()));
        count(&inner.counters.bytes_in, to_u64(self.batch.byte_size()));
    }
}

/// What came of [`commit_at_once`].
enum AtOnce {
    Done(Result<()>),
    /// The storage answers later, or something must be taken back: the ticket will tell.
    Late(Rc<Ticket>),
    /// It must wait its turn.
    NotNow(WriteBatch),
}

/// Commits a batch that nobody is before and that there is room for: the same steps as for a group, without its queue and,
/// where the storage answers at once, without a future.
fn commit_at_once(inner: &Rc<Inner>, batch: WriteBatch) -> AtOnce {
    let small = !batch.is_empty() && batch.byte_size() <= AT_ONCE_MAX;
    if !nobody_writes(inner) || !small || !inner.env.appends_are_exact() || !has_room(inner) {
        return AtOnce::NotNow(batch);
    }
    let entry = match Entry::prepare(inner, batch) {
        Ok(entry) => entry,
        Err(error) => return AtOnce::Done(Err(error)),
    };
    // A storage or a comparator that writes from inside finds a commit under way, and waits.
    let held = inner.commits.hold();
    let before = entry.log.writer.size();
    entry.log.dirty.set(true);
    let begun = match entry.log.writer.begin(entry.batch.as_bytes()) {
        Ok(begun) => begun,
        Err(error) => return AtOnce::Done(Err(error)),
    };
    let (asked, end) = (begun.asked, begun.end);
    let taken = match begun.taken {
        Io::Ready(taken) => {
            let taken = taken.unwrap_or(Err(Error::Closed));
            match entry.log.writer.complete(asked, end, taken) {
                Ok(()) => {
                    logged(inner, &entry.log, before);
                    entry.apply(inner);
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

/// Whether a write may be tried and need not make room first.
fn has_room(inner: &Inner) -> bool {
    let state = inner.state.borrow();
    state.status == DbState::Open
        && state.active.memtable.logical_size() < inner.options.write_buffer_size
        && state.log.as_ref().is_some_and(|log| log.writer.is_ready())
}

/// The rest of a commit that could not be done at once.
async fn finish_late(inner: Rc<Inner>, ticket: Rc<Ticket>, entry: Entry, begun: Begun) {
    let before = entry.log.writer.size();
    let taken = begun.taken.await;
    let result = match entry.log.writer.complete(begun.asked, begun.end, taken) {
        Ok(()) => {
            logged(&inner, &entry.log, before);
            entry.apply(&inner);
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

/// Adds the record; a failed append is taken back, so that only this group is lost.
async fn append(inner: &Inner, log: &Log, record: &[u8]) -> Result<()> {
    let before = log.writer.size();
    log.dirty.set(true);
    match log.writer.add_record(record).await {
        Ok(()) => {
            logged(inner, log, before);
            Ok(())
        }
        Err(error) => Err(take_back(inner, log, error).await),
    }
}

/// Notes that the log has one record more than when it had `before` bytes.
fn logged(inner: &Inner, log: &Log, before: u64) {
    count(&inner.counters.log_records, 1);
    count(&inner.counters.bytes_logged, log.writer.size().saturating_sub(before));
}

/// Cuts a failed append off; answers what to tell the writer.
async fn take_back(inner: &Inner, log: &Log, error: Error) -> Error {
    if seeded(Bug::FailedAppendNotTruncated) {
        return error;
    }
    // The cut is flushed too: else a crash could bring back what is refused here.
    let cut = match log.writer.truncate_to_good().await {
        Ok(()) if !seeded(Bug::CutNotSynced) => sync_log(inner, log).await,
        result => result,
    };
    // What it holds is not durable before its name is.
    log.dirty.set(log.dirty.get() || !log.name_durable.get());
    let Err(second) = cut else { return error };
    inner.degrade(&second);
    Error::Poisoned { cause: format!("{error}; then: {second}"), maybe_applied: true }
}

/// Makes all that was logged durable: older logs first, so that what survives is always a prefix.
pub(crate) async fn flush_logs(inner: &Inner, log: &Log) -> Result<()> {
    if seeded(Bug::LogNotSynced) {
        return Ok(());
    }
    let older = inner.state.borrow().older_dirty_logs();
    if !seeded(Bug::OlderLogNotSynced) {
        for old in &older {
            sync_log(inner, old).await?;
        }
    }
    if older.is_empty() && !log.dirty.get() {
        return Ok(());
    }
    if !log.name_durable.get() {
        inner.env.edit_names(Vec::new()).await?;
        log.name_durable.set(true);
    }
    if log.dirty.get() {
        sync_log(inner, log).await?;
    }
    Ok(())
}

async fn sync_log(inner: &Inner, log: &Log) -> Result<()> {
    let result = log.writer.sync().await;
    if !seeded(Bug::SyncErrorIgnored) {
        result?;
    }
    log.dirty.set(false);
    count(&inner.counters.log_syncs, 1);
    Ok(())
}

/// Enters a batch whose operations were checked; the space was reserved.
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

/// Makes the write buffer take `bytes` more: a full one becomes immutable. A writer waits only when so much unflushed or
/// uncompacted data has piled up that its share of the background work did not keep pace: at twice the buffer's size for
/// one slice, at four times for as many as it takes.
async fn make_room(inner: &Rc<Inner>, bytes: usize) -> Result<()> {
    let mut stalled = None;
    let result = wait_for_room(inner, bytes, &mut stalled).await;
    if let Some(cause) = stalled {
        inner.emit(|| Event::StallEnd { cause });
    }
    result
}

async fn wait_for_room(inner: &Rc<Inner>, bytes: usize, stalled: &mut Option<StallCause>) -> Result<()> {
    let limit = inner.options.write_buffer_size;
    loop {
        let (size, waiting) = {
            let state = inner.state.borrow();
            (state.active.memtable.logical_size(), state.immutables.len())
        };
        if size < limit || size == 0 {
            return Ok(());
        }
        if let DbState::Degraded(cause) = &inner.state.borrow().status
            && size >= limit.saturating_mul(2)
        {
            return Err(cause.clone());
        }
        if waiting > 0 && inner.state.borrow().held_up.is_some() {
            if size < limit.saturating_mul(2) {
                return Ok(());
            }
            let slice = to_u64(inner.options.slice_size);
            poll_fn(|cx| background::poll_slice(inner, cx, slice)).await;
            check_state(inner, false)?;
            match inner.state.borrow().held_up.clone() {
                Some(cause) => return Err(cause),
                None => continue,
            }
        }
        let blocked = if level0_load(inner) >= LEVEL0_STOP {
            Some(StallCause::Level0Stop)
        } else if waiting > 0 {
            Some(StallCause::MemtableFull)
        } else {
            None
        };
        let Some(cause) = blocked.filter(|_| background::has_work(inner)) else {
            return rotate(inner).await;
        };
        // Each write does its share afterwards; until the buffer has twice its size nobody waits here.
        if size.saturating_add(bytes.min(limit)) < limit.saturating_mul(2) {
            return Ok(());
        }
        if stalled.is_none() {
            *stalled = Some(cause);
            count(&inner.counters.stalls, 1);
            inner.emit(|| Event::Stall { cause });
        }
        let (share, slice) = (to_u64(bytes).saturating_mul(16), to_u64(inner.options.slice_size));
        for _ in 0..(share / slice.max(1)).max(1) {
            let more = poll_fn(|cx| background::poll_slice(inner, cx, slice)).await;
            if more && bytes > SMALL_GROUP {
                pause_in_commit(inner).await;
            }
            check_state(inner, false)?;
            if !more {
                break;
            }
            inner.owes_turn.set(true);
        }
        // One slice a write: far more work than the write adds, so the buffer hardly grows while the backlog goes.
        if size < limit.saturating_mul(4) {
            return Ok(());
        }
    }
}

/// Gives the host its chance, unless so many wait for this commit that soon some would be refused. Small writes pause when they
/// are done instead: where the storage answers at once, who has asked for one finds it.
async fn pause_in_commit(inner: &Inner) {
    let Some(mut wait) = inner.options.pause.as_ref().and_then(|host| host.pause()) else { return };
    // Whoever joins the queue polls the commit.
    poll_fn(|cx| if inner.queue.borrow().is_crowded() { Poll::Ready(()) } else { wait.as_mut().poll(cx) }).await;
}

/// A new log and an empty memtable take over.
async fn rotate(inner: &Rc<Inner>) -> Result<()> {
    let log = create_log(inner).await?;
    let memtable = Rc::new(MemTable::new(inner.order.clone()));
    inner.state.borrow_mut().rotate(memtable, log);
    Ok(())
}

/// A new, empty log. Its name becomes durable with the first flush.
pub(crate) async fn create_log(inner: &Inner) -> Result<Rc<Log>> {
    let number = inner.state.borrow_mut().versions.new_file_number()?;
    let name = FileName::Log(number).to_string();
    let size_hint = u64::try_from(inner.options.write_buffer_size).unwrap_or(0);
    let file = match inner.env.create(&name, FileKind::Log, size_hint).await {
        Err(error) if inner.tables.gives_back(&error) => inner.env.create(&name, FileKind::Log, size_hint).await?,
        file => file?,
    };
    inner.state.borrow_mut().note_file(FileName::Log(number));
    inner.emit(|| Event::FileCreated { name: name.clone() });
    let writer = LogWriter::new(inner.env.clone(), file, name, 0);
    Ok(Rc::new(Log { number, writer, dirty: Cell::new(false), name_durable: Cell::new(false) }))
}

/// After a write of `bytes`: does its share of the background work, at most one slice. What is left is that of a large write.
fn pace(inner: &Rc<Inner>, bytes: usize) -> u64 {
    let level0 = level0_load(inner);
    let share = background_share(inner, level0);
    tell_of_slowdown(inner, level0);
    if share == 0 {
        inner.debt.set(0);
        return 0;
    }
    let bytes = to_u64(bytes);
    let debt = inner.debt.get().saturating_add(bytes.saturating_mul(share));
    if debt < SLICE_MIN {
        inner.debt.set(debt);
        return 0;
    }
    let slice = to_u64(inner.options.slice_size);
    let debt = debt.min(slice.max(bytes.saturating_mul(share)));
    let poll = background::poll_slice(inner, &mut Context::from_waker(Waker::noop()), debt.min(slice));
    // While the job waits for its storage its share is not forgotten.
    inner.debt.set(if poll.is_pending() { debt } else { 0 });
    if poll == Poll::Ready(true) { debt.saturating_sub(slice) } else { 0 }
}

/// The rest of a large write's share, slice by slice, unless the job waits for its storage.
async fn work_off(inner: &Rc<Inner>, mut left: u64) {
    let slice = to_u64(inner.options.slice_size);
    while left > 0 && !inner.closed.get() {
        pause(&inner.options.pause).await;
        match background::poll_slice(inner, &mut Context::from_waker(Waker::noop()), left.min(slice)) {
            Poll::Ready(true) => left = left.saturating_sub(slice),
            Poll::Ready(false) => return,
            Poll::Pending => {
                inner.debt.set(inner.debt.get().max(left));
                return;
            }
        }
    }
}

/// Once each time that level 0 comes to slow writers down, and when it no longer does.
fn tell_of_slowdown(inner: &Inner, level0: usize) {
    let slowed = level0 >= LEVEL0_SLOWDOWN;
    if inner.slowed.replace(slowed) != slowed {
        let cause = StallCause::Level0Slowdown;
        inner.emit(|| if slowed { Event::Stall { cause } } else { Event::StallEnd { cause } });
    }
}

/// How many tables level 0 has, where one that is larger than a write buffer counts for several: those of large values are twice
/// the size, and would gather to twice the space.
fn level0_load(inner: &Inner) -> usize {
    let state = inner.state.borrow();
    let version = state.versions.current();
    let buffers = version.level_bytes(0) / to_u64(inner.options.write_buffer_size).max(1);
    version.level(0).len().max(usize::try_from(buffers).unwrap_or(usize::MAX))
}

/// Bytes of background work for each byte written. A flush must be done before the next buffer is full; compaction is
/// pressed harder the more tables level 0 has.
fn background_share(inner: &Inner, level0: usize) -> u64 {
    let state = inner.state.borrow();
    if state.status != DbState::Open {
        return 0;
    }
    let pressure = to_u64(level0.saturating_sub(crate::version::LEVEL0_COMPACTION - 1));
    let compaction = match level0 {
        0..LEVEL0_SLOWDOWN => pressure * 2,
        LEVEL0_SLOWDOWN..LEVEL0_STOP => pressure * 4,
        _ => pressure * 8,
    };
    let limit = inner.options.write_buffer_size;
    let full = state.active.memtable.logical_size() >= limit;
    let flush = if state.immutables.is_empty() { 0 } else { 2 };
    if full { (flush + compaction).max(1) * 64 } else { flush + compaction }
}

impl Buffer {
    /// An empty one, whose entries will be in logs from `first_log` on.
    pub(crate) fn new(memtable: Rc<MemTable>, first_log: FileNumber) -> Buffer {
        Buffer { memtable, first_log, logs: Vec::new(), last_sequence: SequenceNumber::ZERO }
    }
}

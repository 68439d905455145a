//! Checks and submits writes, which do their share of background work when acknowledged.

use std::future::poll_fn;
use std::rc::Rc;

use super::commit::{AtOnce, commit_at_once};
use super::pacing::{pace, work_off};
use super::queue::{line_up, nobody_writes, poll_ticket};
use super::ticket::{Clear, Mark, Ticket, Wants};
use crate::batch::{BatchOperation, WriteBatch};
use crate::budget::pause;
use crate::db::state::Inner;
use crate::env::try_now;
use crate::error::{Error, Result};

/// Largest size of a log record.
const BATCH_SIZE_MAX: usize = 1 << 30;

/// Commits `batch` (without one, flushes the log); returns when that is acknowledged.
pub(crate) async fn write(inner: &Rc<Inner>, batch: Option<WriteBatch>, sync: bool) -> Result<()> {
    check_writable(inner)?;
    if let Some(batch) = &batch {
        check_batch(inner, batch)?;
        if batch.is_empty() && !sync {
            return Ok(());
        }
    }
    submit(inner, batch, sync, None).await.map(|_| ())
}

/// Commits a batch whose keys and values are known to be short enough.
pub(crate) async fn write_checked(inner: &Rc<Inner>, batch: WriteBatch, sync: bool) -> Result<()> {
    check_writable(inner)?;
    batch.check()?;
    submit(inner, Some(batch), sync, None).await.map(|_| ())
}

/// Commits a batch before it returns. `Busy`, with nothing written, if an earlier write is
/// unfinished or the memtable is many times its size because background work waits for the storage.
pub(crate) fn write_now(inner: &Rc<Inner>, batch: WriteBatch, sync: bool) -> Result<()> {
    if !nobody_writes(inner) {
        return Err(Error::Busy("an earlier write has not finished".into()));
    }
    // Background work may call a storage that asks for another from inside.
    let outer = inner.must_end.replace(true);
    let result = try_now(write(inner, Some(batch), sync));
    inner.must_end.set(outer);
    let late = || Error::Poisoned { cause: "the storage did not answer synchronously".into(), maybe_applied: true };
    result.unwrap_or_else(|| Err(late()))
}

/// Commits one step of the deletion of a range; returns its mark.
pub(crate) async fn clear(inner: &Rc<Inner>, step: Clear, batch: Option<WriteBatch>) -> Result<Option<Mark>> {
    check_writable(inner)?;
    submit(inner, batch, false, Some(step)).await
}

async fn submit(inner: &Rc<Inner>, batch: Option<WriteBatch>, sync: bool, step: Option<Clear>) -> Result<Option<Mark>> {
    let bytes = batch.as_ref().map_or(0, WriteBatch::byte_size);
    if bytes > BATCH_SIZE_MAX {
        return Err(Error::LimitExceeded(format!("batch has {bytes} bytes, a log record holds at most 2^30")));
    }
    // Only a write that is queued, or late, has a ticket.
    let queued = match (batch, step) {
        (Some(batch), None) if !sync => match commit_at_once(inner, batch) {
            AtOnce::Done(result) => Err(result),
            AtOnce::Late(ticket) => Ok(ticket),
            AtOnce::NotNow(batch) => line_up(inner, Ticket::new(Some(batch), sync, Wants::Write)).map_err(Err),
        },
        (batch, None) => line_up(inner, Ticket::new(batch, sync, Wants::Write)).map_err(Err),
        (batch, Some(step)) => line_up(inner, Ticket::of_clear(step, batch)).map_err(Err),
    };
    let result = match queued {
        Ok(ticket) => poll_fn(|cx| poll_ticket(inner, &ticket, cx)).await.map(|()| ticket.mark.get()),
        Err(result) => result.map(|()| None),
    };
    let left = pace(inner, bytes);
    let owes_turn = inner.owes_turn.take();
    if inner.must_end.get() {
        inner.debt.set(inner.debt.get().max(left));
    } else if left > 0 {
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

/// Refuses batches that cannot be stored, before anything is written.
fn check_batch(inner: &Inner, batch: &WriteBatch) -> Result<()> {
    batch.check()?;
    let limit = inner.options.max_value_size;
    if batch.longest() <= limit {
        return Ok(());
    }
    for operation in batch.iter().map_while(Result::ok) {
        let (key, value) = match operation {
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

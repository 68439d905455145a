//! How writing and background work keep step: room for the next write, and each writer's share of the work.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::queue::SMALL_GROUP;
use super::wal::rotate;
use crate::base::to_u64;
use crate::budget::pause;
use crate::db::background;
use crate::db::state::{DbState, Inner};
use crate::error::{Error, Result};
use crate::events::{Event, StallCause, count};
use crate::version::{LEVEL0_SLOWDOWN, LEVEL0_STOP};

/// Least work that is worth a slice, in bytes.
const SLICE_MIN: u64 = 4 << 10;

/// A write that cannot wait makes the memtable larger instead, up to so many times its size.
const MUST_END_BUFFERS: usize = 16;

/// Makes the write buffer take `bytes` more: a full one becomes immutable. A writer waits only when so much unflushed or
/// uncompacted data has piled up that its share of the background work did not keep pace: at twice the buffer's size for
/// one slice, at four times for as many as it takes.
pub(super) async fn make_room(inner: &Rc<Inner>, bytes: usize) -> Result<()> {
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
        let (size, is_waiting) = {
            let state = inner.state.borrow();
            (state.active().logical_size(), state.has_immutables())
        };
        if size < limit || size == 0 {
            return Ok(());
        }
        if let DbState::Degraded(cause) = inner.state.borrow().status()
            && size >= limit.saturating_mul(2)
        {
            return Err(cause.clone());
        }
        if is_waiting && inner.state.borrow().held_up().is_some() {
            if size < limit.saturating_mul(2) {
                return Ok(());
            }
            let slice = to_u64(inner.options.slice_size);
            poll_fn(|cx| match background::poll_slice(inner, cx, slice) {
                Poll::Pending if inner.must_end.get() => Poll::Ready(true),
                other => other,
            })
            .await;
            inner.check_writes(false)?;
            match inner.state.borrow().held_up().cloned() {
                Some(cause) => return Err(cause),
                None => continue,
            }
        }
        let blocked = if level0_load(inner) >= LEVEL0_STOP {
            Some(StallCause::Level0Stop)
        } else if is_waiting {
            Some(StallCause::MemtableFull)
        } else {
            None
        };
        let Some(cause) = blocked.filter(|_| background::has_work(inner)) else {
            return rotate(inner).await;
        };
        // Each write does its share afterwards; writes wait here only when the memtable has twice its size.
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
            let polled = poll_fn(|cx| match background::poll_slice(inner, cx, slice) {
                Poll::Pending if inner.must_end.get() => Poll::Ready(None),
                other => other.map(Some),
            });
            let Some(more) = polled.await else {
                if size < limit.saturating_mul(MUST_END_BUFFERS) {
                    return Ok(());
                }
                return Err(Error::Busy(format!("{size} bytes wait for a flush that has not ended")));
            };
            if more && bytes > SMALL_GROUP {
                pause_in_commit(inner).await;
            }
            inner.check_writes(false)?;
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
    if inner.must_end.get() {
        return;
    }
    let Some(mut wait) = inner.options.pause.as_ref().and_then(|host| host.pause()) else { return };
    // Each task that joins the queue polls the commit.
    poll_fn(|cx| if inner.queue.borrow().is_crowded() { Poll::Ready(()) } else { wait.as_mut().poll(cx) }).await;
}

/// After a write of `bytes`: does its share of the background work, at most one slice. What is left is that of a large write.
pub(super) fn pace(inner: &Rc<Inner>, bytes: usize) -> u64 {
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
pub(super) async fn work_off(inner: &Rc<Inner>, mut left: u64) {
    let slice = to_u64(inner.options.slice_size);
    while left > 0 && !inner.is_closed() {
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
    let version = state.version();
    let buffers = version.level_bytes(0) / to_u64(inner.options.write_buffer_size).max(1);
    version.level(0).len().max(usize::try_from(buffers).unwrap_or(usize::MAX))
}

/// Bytes of background work for each byte written. A flush must be done before the next buffer is full; compaction is
/// pressed harder the more tables level 0 has.
fn background_share(inner: &Inner, level0: usize) -> u64 {
    let state = inner.state.borrow();
    if !state.is_open() {
        return 0;
    }
    let pressure = to_u64(level0.saturating_sub(crate::version::LEVEL0_COMPACTION - 1));
    let compaction = match level0 {
        0..LEVEL0_SLOWDOWN => pressure * 2,
        LEVEL0_SLOWDOWN..LEVEL0_STOP => pressure * 4,
        _ => pressure * 8,
    };
    let limit = inner.options.write_buffer_size;
    let full = state.active().logical_size() >= limit;
    let flush = if state.has_immutables() { 2 } else { 0 };
    if full { (flush + compaction).max(1) * 64 } else { flush + compaction }
}

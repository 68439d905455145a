//! Keeps writes and background work in step: room for writes, and each writer's share of work.

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

/// The smallest worthwhile step of background work, in bytes.
const SLICE_MIN: u64 = 4 << 10;

/// How many times its size the memtable may grow for writes that cannot wait.
const MUST_END_BUFFERS: usize = 16;

/// Makes room for `bytes` in the memtable; a full one becomes immutable. Writers wait only if
/// background work fell behind: for one step of it at twice the buffer's size, for as many as
/// needed at four times. `adds`: not only deletes, which a full storage takes.
pub(super) async fn make_room(inner: &Rc<Inner>, bytes: usize, adds: bool) -> Result<()> {
    let mut stalled = None;
    let result = wait_for_room(inner, (bytes, adds), &mut stalled).await;
    if let Some(cause) = stalled {
        inner.emit(|| Event::StallEnd { cause });
    }
    result
}

async fn wait_for_room(
    inner: &Rc<Inner>,
    (bytes, adds): (usize, bool),
    stalled: &mut Option<StallCause>,
) -> Result<()> {
    loop {
        let limit = inner.buffer_size();
        let (size, is_waiting) = {
            let state = inner.state.borrow();
            (state.active().logical_size(), state.has_immutables())
        };
        if size < limit || size == 0 {
            return Ok(());
        }
        if let DbState::Degraded(cause) = inner.state.borrow().status()
            && size >= inner.options.write_buffer_size.saturating_mul(2)
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
            inner.check_writes(!adds)?;
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
            // A future that is dropped would leave the new file open.
            if inner.must_end.get() && !inner.env.creates_at_once() {
                return grow_beyond(size, limit);
            }
            return rotate(inner).await;
        };
        // Each write does its share afterwards; below twice the buffer's size none waits here.
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
            let Some(more) = polled.await else { return grow_beyond(size, limit) };
            if more && bytes > SMALL_GROUP {
                pause_in_commit(inner).await;
            }
            inner.check_writes(!adds)?;
            if !more {
                break;
            }
            inner.owes_turn.set(true);
        }
        // One step per write is far more work than a write adds, so the backlog shrinks.
        if size < limit.saturating_mul(4) {
            return Ok(());
        }
    }
}

/// Lets a memtable of `size` bytes grow beyond its limit for a write that cannot wait, up to a bound.
fn grow_beyond(size: usize, limit: usize) -> Result<()> {
    if size < limit.saturating_mul(MUST_END_BUFFERS) {
        return Ok(());
    }
    Err(Error::Busy(format!("{size} bytes are waiting for a flush")))
}

/// Lets the host run other tasks, unless so many writers wait that some would soon be refused.
/// Small writes pause after they finish.
pub(super) async fn pause_in_commit(inner: &Inner) {
    if inner.must_end.get() {
        return;
    }
    let Some(mut wait) = inner.options.pause.as_ref().and_then(|host| host.pause()) else { return };
    // Each new writer in the queue polls the commit.
    poll_fn(|cx| if inner.queue.borrow().is_crowded() { Poll::Ready(()) } else { wait.as_mut().poll(cx) }).await;
}

/// Does the background work owed by a write of `bytes`, in at most one step; the rest is left to
/// large writes.
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
    // The share is kept while the job waits for its storage.
    inner.debt.set(if poll.is_pending() { debt } else { 0 });
    if poll == Poll::Ready(true) { debt.saturating_sub(slice) } else { 0 }
}

/// Does the rest of a large write's share in steps, unless the job waits for its storage.
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

/// Emits an event when level 0 starts or stops slowing writers down.
fn tell_of_slowdown(inner: &Inner, level0: usize) {
    let slowed = level0 >= LEVEL0_SLOWDOWN;
    if inner.slowed.replace(slowed) != slowed {
        let cause = StallCause::Level0Slowdown;
        inner.emit(|| if slowed { Event::Stall { cause } } else { Event::StallEnd { cause } });
    }
}

/// Counts the tables of level 0. One larger than a write buffer counts as several, or large values
/// would take twice the space.
fn level0_load(inner: &Inner) -> usize {
    let state = inner.state.borrow();
    let version = state.version();
    let buffers = version.level_bytes(0) / to_u64(inner.options.write_buffer_size).max(1);
    version.level(0).len().max(usize::try_from(buffers).unwrap_or(usize::MAX))
}

/// Bytes of background work per byte written. A flush must finish before the next buffer is full;
/// compaction gets more work the more tables level 0 has.
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
    let limit = inner.buffer_size();
    let full = state.active().logical_size() >= limit;
    let flush = if state.has_immutables() { 2 } else { 0 };
    if full { (flush + compaction).max(1) * 64 } else { flush + compaction }
}

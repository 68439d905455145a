//! Calls that work in the background until theirs is done: flush, compaction of a range, resume.

use std::future::poll_fn;
use std::rc::Rc;

use super::slices::poll_slice;
use crate::budget::{pause, slice_size};
use crate::db::state::{DbState, Inner, ManualCompaction};
use crate::db::write::rotate_in_turn;
use crate::error::{Error, Result};
use crate::version::{LEVEL0_STOP, LEVELS};

/// Works until `done`, or until there is nothing left to do.
async fn work_until(inner: &Rc<Inner>, done: impl Fn() -> bool) -> Result<()> {
    while !done() {
        let more = poll_fn(|cx| poll_slice(inner, cx, slice_size(&inner.options.pause))).await;
        check(inner)?;
        let held_up = inner.state.borrow().held_up().cloned();
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
    let few = || inner.state.borrow().version().level(0).len() < LEVEL0_STOP;
    if !inner.options.read_only && !few() {
        let _ = work_until(inner, few).await;
    }
}

fn check(inner: &Inner) -> Result<()> {
    inner.check_open()?;
    inner.state.borrow().check_works()
}

/// Compacts every level that holds keys of the range into the next, from level 0 down.
pub(crate) async fn compact_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
    flush_memtables(inner).await?;
    let manual = {
        let mut state = inner.state.borrow_mut();
        let version = state.version();
        let deepest = (1..LEVELS).rev().find(|level| version.overlaps(&inner.order, *level, (begin, end))).unwrap_or(1);
        let manual = Rc::new(ManualCompaction::new((begin, end), deepest.min(LEVELS - 1)));
        state.add_manual(manual.clone());
        manual
    };
    work_until(inner, || manual.is_done()).await?;
    manual.result()
}

/// The memtable and all before it become tables.
pub(crate) async fn flush_memtables(inner: &Rc<Inner>) -> Result<()> {
    inner.check_open()?;
    if inner.options.read_only {
        return Err(Error::NotSupported("the database is open read-only".into()));
    }
    check(inner)?;
    if !inner.state.borrow().active().is_empty() {
        rotate_in_turn(inner).await?;
    }
    let Some(newest) = inner.state.borrow().immutables().next_back().cloned() else { return Ok(()) };
    work_until(inner, || !inner.state.borrow().immutables().any(|m| Rc::ptr_eq(m, &newest))).await
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
    let status = inner.state.borrow().status().clone();
    match status {
        DbState::Open => {
            // The storage may have failed only temporarily.
            inner.state.borrow_mut().trust_tables();
            return Ok(());
        }
        DbState::Closed => return Err(Error::Closed),
        DbState::Degraded(_) => {}
    }
    rotate_in_turn(inner).await?;
    let newest = {
        let mut state = inner.state.borrow_mut();
        state.begin_resume();
        state.immutables().next_back().cloned()
    };
    work_until(inner, || match &newest {
        Some(newest) => !inner.state.borrow().immutables().any(|m| Rc::ptr_eq(m, newest)),
        None => true,
    })
    .await?;
    inner.state.borrow_mut().end_resume();
    Ok(())
}

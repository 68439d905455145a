//! Calls that work in the background until theirs is done: flush, compaction of a range, resume.

use std::cell::{Cell, RefCell};
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

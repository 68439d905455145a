//! Calls that run background work until their own is done: flush, compact_range, resume.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::slices::poll_slice;
use crate::base::Driven;
use crate::budget::{pause, slice_size};
use crate::db::state::{DbState, Inner, ManualCompaction};
use crate::db::write::rotate_in_turn;
use crate::error::{Error, Result};
use crate::version::LEVEL0_STOP;

/// Works until `done`, or until nothing is left to do.
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

/// Compacts level 0 after many short sessions left too many tables there. Failures show in the
/// state.
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

/// Compacts every level with keys of the range into the next one, from level 0 down, then rewrites
/// the tables of the deepest one.
pub(crate) async fn compact_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<()> {
    flush_memtables(inner).await?;
    let manual = Rc::new(ManualCompaction::new((begin, end)));
    inner.state.borrow_mut().add_manual(manual.clone());
    work_until(inner, || manual.is_done()).await?;
    manual.result()
}

/// Flushes the memtable and all older ones.
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

/// Largest size of the logs left by a close, in bytes. Each open replays them, which takes longer
/// than everything else it does.
const LOGS_AT_CLOSE_MAX: u64 = 128 << 10;

/// Flushes large logs before a close. All writes are durable, so a failure loses nothing. Returns
/// whether there may be new writes that are not durable yet.
pub(crate) async fn shorten_logs(inner: &Rc<Inner>) -> bool {
    let long = inner.state.borrow().memtable_bytes() > LOGS_AT_CLOSE_MAX;
    long && (flush_memtables(inner).await.is_ok() || inner.state.borrow().is_dirty())
}

/// Finishes the job that runs: what it failed by may have gone since, and must not fail what comes
/// after `resume`.
async fn finish_job(inner: &Rc<Inner>) {
    let before = inner.background.finished();
    while inner.background.is_busy() && inner.background.finished() == before {
        poll_fn(|cx| {
            inner.budget.start(slice_size(&inner.options.pause));
            match inner.background.poll_or(cx, || None) {
                Driven::Pending if !inner.budget.is_exhausted() && inner.background.finished() == before => {
                    Poll::Pending
                }
                _ => Poll::Ready(()),
            }
        })
        .await;
        pause(&inner.options.pause).await;
    }
}

/// Recovers from a failure: new log, new manifest, all memtables flushed. Writes are refused until
/// then: the old logs are in doubt, and a crash could leave a gap before a new write.
pub(crate) async fn resume(inner: &Rc<Inner>) -> Result<()> {
    inner.check_open()?;
    let status = || inner.state.borrow().status().clone();
    if matches!(status(), DbState::Open | DbState::Degraded(Error::Full(_))) {
        finish_job(inner).await;
        inner.check_open()?;
    }
    match status() {
        DbState::Open => {
            // Another attempt may succeed where the storage failed before.
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

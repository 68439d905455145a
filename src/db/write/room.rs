//! Room on a storage with a quota: kept for flushes and compactions before a put takes it, and made
//! where there is none.

use std::future::poll_fn;
use std::io::ErrorKind;
use std::rc::Rc;
use std::task::Poll;

use super::pacing::pause_in_commit;
use super::wal::rotate;
use crate::base::{Work, to_u64};
use crate::db::background;
use crate::db::state::Inner;
use crate::env::Io;
use crate::error::{Error, Result};

/// Keeps room for what a put of `bytes` makes necessary. If there is none, the memtable is flushed
/// and all due compactions are done first; `Full` if that does not help.
pub(super) async fn keep_room(inner: &Rc<Inner>, bytes: usize) -> Result<()> {
    if keeps_room(inner, bytes).await? {
        if !inner.must_end.get() {
            inner.found_no_room.set(false);
        }
        return Ok(());
    }
    free_space(inner).await;
    inner.check_writes(false)?;
    if keeps_room(inner, bytes).await? {
        return Ok(());
    }
    if !inner.refused_for_room.replace(true) {
        // An earlier owner may have deleted entries.
        inner.compacted_at.set((0, 0));
    }
    inner.found_no_room.set(true);
    let message = "the space that is left is kept for deletes, flushes and compactions";
    Err(Error::io("the database", "keep room", ErrorKind::QuotaExceeded, message))
}

/// Returns whether the storage keeps the room, after an attempt to take it. `Busy` for a write that
/// cannot wait until it is known.
pub(super) async fn keeps_room(inner: &Rc<Inner>, bytes: usize) -> Result<bool> {
    let wanted = if inner.env.has_quota() { inner.room_wanted(bytes) } else { 0 };
    if wanted == 0 {
        return Ok(true);
    }
    let kept = inner.env.keep_room(wanted);
    // A future that is dropped would leave a file open.
    if inner.must_end.get() && matches!(kept, Io::Pending(_)) {
        if inner.env.knows_room() {
            return Err(Error::Busy("room for this write must be made first".into()));
        }
        return Ok(true);
    }
    Ok(kept.await.unwrap_or_else(|error| !matches!(error, Error::Full(_))))
}

/// Flushes the memtable and does the background work that is due, in small steps: it gives space
/// back. Failures show in the state.
pub(super) fn free_space(inner: &Rc<Inner>) -> Work {
    // Boxed: it is called in several places.
    Box::pin(free(inner.clone()))
}

async fn free(inner: Rc<Inner>) {
    let inner = &inner;
    inner.state.borrow_mut().tighten();
    let may_create = !inner.must_end.get() || inner.env.creates_at_once();
    if !inner.state.borrow().active().is_empty() && may_create && rotate(inner).await.is_err() {
        return;
    }
    let slice = to_u64(inner.options.slice_size);
    while background::has_work(inner) {
        let polled = poll_fn(|cx| match background::poll_slice(inner, cx, slice) {
            Poll::Pending if inner.must_end.get() => Poll::Ready(false),
            other => other,
        });
        if !polled.await {
            break;
        }
        pause_in_commit(inner).await;
        inner.owes_turn.set(true);
    }
}

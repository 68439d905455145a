//! Tells whether background work is due, and runs one step of it.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::{Driven, user_key};
use crate::db::state::{Inner, ManualCompaction, State};
use crate::events::count;
use crate::version::total_size;

/// Returns whether work is due.
pub(crate) fn has_work(inner: &Inner) -> bool {
    if inner.is_closed() || inner.options.read_only {
        return false;
    }
    if inner.background.is_busy() {
        return true;
    }
    inner.state.borrow().has_work(inner.file_size())
}

/// Bytes of level 1 that may be rewritten per byte of level 0 in optional compactions.
const TIDY_COST_MAX: u64 = 2;

/// Schedules optional work for an idle host: flushes a full memtable without waiting for the next
/// write, which shortens replay after a kill, and may compact level 0. Returns whether work is due.
pub(crate) fn tidy(inner: &Inner) -> bool {
    {
        let mut state = inner.state.borrow_mut();
        state.try_again();
        state.retry_full();
    }
    if !has_work(inner) {
        let full_size = inner.buffer_size();
        let mut state = inner.state.borrow_mut();
        if inner.is_closed() || inner.options.read_only || !state.is_open() {
            return false;
        }
        let is_full = state.active().logical_size() >= full_size;
        state.want_rotation(is_full);
        if !compact_for_room(inner, &mut state) {
            choose_overlapping(inner, &mut state);
        }
    }
    has_work(inner)
}

/// Schedules a flush and then, in the next call, a compaction of everything if a put found no room,
/// since what hides deleted entries is not large enough to be compacted otherwise: once for each
/// state of the database. Returns whether it did.
fn compact_for_room(inner: &Inner, state: &mut State) -> bool {
    let now = (state.last_sequence().get(), state.version().table_bytes());
    if !inner.found_no_room.get() || inner.compacted_at.get() == now {
        state.relax();
        return false;
    }
    state.tighten();
    let has_entries = !state.active().is_empty();
    if has_entries && !inner.flushed_for_room.replace(true) {
        state.want_rotation(true);
    } else {
        inner.flushed_for_room.set(false);
        inner.compacted_at.set(now);
        state.add_manual(Rc::new(ManualCompaction::new((None, None))));
    }
    true
}

/// Selects level 0 for compaction if several of its tables overlap and little lies below. Each
/// lookup searches all of them, and LevelDB leaves up to three.
fn choose_overlapping(inner: &Inner, state: &mut State) {
    let version = state.version();
    let Some(newest) = version.level(0).first().cloned() else { return };
    let range = (Some(user_key(&newest.smallest)), Some(user_key(&newest.largest)));
    let upper = version.overlapping(&inner.order, 0, range);
    let beneath = total_size(&version.overlapping(&inner.order, 1, range));
    if upper.len() >= 2 && beneath <= total_size(&upper).saturating_mul(TIDY_COST_MAX) {
        state.choose_table(0, newest);
    }
}

/// Runs at most `bytes` of work. Returns whether more is due; pending while the job waits for its
/// storage.
pub(crate) fn poll_slice(inner: &Rc<Inner>, cx: &mut Context<'_>, bytes: u64) -> Poll<bool> {
    inner.budget.start(bytes);
    count(&inner.counters.slices, 1);
    inner.state.borrow_mut().try_again();
    loop {
        match inner.background.poll(cx, inner) {
            Driven::Idle => return Poll::Ready(false),
            Driven::Finished if inner.state.borrow().held_up().is_some() => return Poll::Ready(false),
            Driven::Finished if inner.budget.is_spent() => return Poll::Ready(has_work(inner)),
            Driven::Finished => {}
            Driven::Pending if inner.budget.is_exhausted() => return Poll::Ready(true),
            Driven::Pending => return Poll::Pending,
        }
    }
}

//! Background work is done in slices: whether there is some, and one slice of it.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::user_key;
use crate::db::driver::Driven;
use crate::db::state::{Inner, State};
use crate::events::count;
use crate::version::total_size;

/// Whether there is something to do.
pub(crate) fn has_work(inner: &Inner) -> bool {
    if inner.is_closed() || inner.options.read_only {
        return false;
    }
    if inner.background.is_busy() {
        return true;
    }
    inner.state.borrow().has_work(inner.options.max_file_size)
}

/// The bytes that may be rewritten for each byte of level 0 before a compaction is due.
const TIDY_COST_MAX: u64 = 2;

/// A full memtable, which waited for others to be flushed, is to become a table now, and not with the next write: whoever opens the
/// database after a kill replays its log. And tables of level 0 may be merged. Whether there is work now.
pub(crate) fn tidy(inner: &Inner) -> bool {
    inner.state.borrow_mut().try_again();
    if !has_work(inner) {
        let mut state = inner.state.borrow_mut();
        if inner.is_closed() || inner.options.read_only || !state.is_open() {
            return false;
        }
        let is_full = state.active().logical_size() >= inner.options.write_buffer_size;
        state.want_rotation(is_full);
        choose_overlapping(inner, &mut state);
    }
    has_work(inner)
}

/// Chooses the tables of level 0 for compaction if there are several over one range, and little beneath: every look-up asks
/// each of them, and LevelDB leaves up to three.
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

/// One slice of at most `bytes` of work. Ready with whether there is more; pending while the job waits for its storage.
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

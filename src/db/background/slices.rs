//! Background work is done in slices: whether there is some, and one slice of it.

use std::rc::Rc;
use std::task::{Context, Poll};

use crate::base::user_key;
use crate::compaction::{Pick, level_score, pick};
use crate::db::driver::Driven;
use crate::db::state::{DbState, Inner, State};
use crate::events::count;
use crate::version::{LEVELS, total_size};

/// Whether there is something to do.
pub(crate) fn has_work(inner: &Inner) -> bool {
    if inner.closed.get() || inner.options.read_only {
        return false;
    }
    if inner.background.is_busy() {
        return true;
    }
    let state = inner.state.borrow();
    if !state.works() || state.held_up.is_some() {
        return false;
    }
    if !state.immutables.is_empty() || !state.manual.is_empty() || state.rotation_is_due {
        return true;
    }
    let version = state.versions.current();
    let due = (0..LEVELS).any(|level| level_score(version, level) >= 1.0) || state.seek_candidate.is_some();
    due && pick(&pick_context(inner, &state)).is_some()
}

/// What rewriting may cost, for each byte of level 0, where nothing asks for it yet.
const TIDY_COST_MAX: u64 = 2;

/// A full memtable, which waited for others to be flushed, is to become a table now, and not with the next write: whoever opens the
/// database after a kill replays its log. And tables of level 0 may be merged. Whether there is work now.
pub(crate) fn tidy(inner: &Inner) -> bool {
    inner.state.borrow_mut().held_up = None;
    if !has_work(inner) {
        let mut state = inner.state.borrow_mut();
        if inner.closed.get() || inner.options.read_only || state.status != DbState::Open {
            return false;
        }
        state.rotation_is_due = state.active.memtable.logical_size() >= inner.options.write_buffer_size;
        choose_overlapping(inner, &mut state);
    }
    has_work(inner)
}

/// Chooses the tables of level 0 for compaction if there are several over one range, and little beneath: every look-up asks
/// each of them, and LevelDB leaves up to three.
fn choose_overlapping(inner: &Inner, state: &mut State) {
    let version = state.versions.current();
    let Some(newest) = version.level(0).first().cloned() else { return };
    let range = (Some(user_key(&newest.smallest)), Some(user_key(&newest.largest)));
    let upper = version.overlapping(&inner.order, 0, range);
    let beneath = total_size(&version.overlapping(&inner.order, 1, range));
    if upper.len() >= 2 && beneath <= total_size(&upper).saturating_mul(TIDY_COST_MAX) {
        state.seek_candidate = Some((0, newest));
    }
}

/// One slice of at most `bytes` of work. Ready with whether there is more; pending while the job waits for its storage.
pub(crate) fn poll_slice(inner: &Rc<Inner>, cx: &mut Context<'_>, bytes: u64) -> Poll<bool> {
    inner.budget.start(bytes);
    count(&inner.counters.slices, 1);
    inner.state.borrow_mut().held_up = None;
    loop {
        match inner.background.poll(cx, inner) {
            Driven::Idle => return Poll::Ready(false),
            Driven::Finished if inner.state.borrow().held_up.is_some() => return Poll::Ready(false),
            Driven::Finished if inner.budget.is_spent() => return Poll::Ready(has_work(inner)),
            Driven::Finished => {}
            Driven::Pending if inner.budget.is_exhausted() => return Poll::Ready(true),
            Driven::Pending => return Poll::Pending,
        }
    }
}

pub(super) fn pick_context<'a>(inner: &Inner, state: &'a State) -> Pick<'a> {
    Pick {
        versions: &state.versions,
        max_file_size: inner.options.max_file_size,
        seek_candidate: state.seek_candidate.as_ref(),
        quarantine: &state.quarantine,
    }
}

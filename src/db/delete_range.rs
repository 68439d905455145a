//! Deleting many keys: whole tables first, then key by key.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::background::{flush_memtables, handle_failure, log_and_apply_unless};
use super::driver::Driven;
use super::obsolete_files::remove_obsolete;
use super::read::DbIterator;
use super::state::Inner;
use super::write::{Mark, mark_in_turn, write};
use crate::base::{to_u64, user_key};
use crate::batch::WriteBatch;
use crate::budget::{pause, slice_size};
use crate::error::Result;
use crate::options::ReadOptions;
use crate::version::{LEVELS, UserRange, VersionEdit};

/// Bytes of tombstones in one batch: written in a few milliseconds.
const BATCH_SIZE: usize = 32 << 10;

/// See [`Db::delete_range`](super::Db::delete_range). Returns how many keys were deleted one by one.
pub(crate) async fn delete_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
    inner.check_open()?;
    // Others write meanwhile: what is newer stays.
    let asked = mark_in_turn(inner).await?;
    let mut options = ReadOptions {
        lower_bound: begin.map(<[u8]>::to_vec),
        upper_bound: end.map(<[u8]>::to_vec),
        fill_cache: false,
        ..ReadOptions::default()
    };
    // Where nothing lives, no memtable need be flushed and no table dropped. Damage is no answer: its table may go.
    if DbIterator::new(inner, &options)?.seek_to_first().await == Ok(false) {
        return Ok(0);
    }
    drop_whole_tables(inner, (begin, end), asked).await?;
    let mut it = DbIterator::new(inner, &options)?;
    let mut read = inner.state.borrow().last_sequence();
    let mut valid = it.seek_to_first().await?;
    let mut deleted = 0;
    while valid {
        if inner.state.borrow().last_sequence() != read {
            // Somebody else has written, maybe what comes next.
            options.lower_bound = Some(it.key().to_vec());
            it = DbIterator::new(inner, &options)?;
            read = inner.state.borrow().last_sequence();
            valid = it.seek_to_first().await?;
        }
        let mut batch = WriteBatch::new();
        let mut left = slice_size(&inner.options.pause);
        while valid && left > 0 && batch.byte_size() < BATCH_SIZE {
            if it.sequence().is_none_or(|sequence| sequence <= asked.sequence) {
                batch.delete(it.key());
            }
            left = left.saturating_sub(to_u64(it.key().len() + it.value().len()).max(1));
            valid = it.next().await?;
        }
        if !batch.is_empty() {
            let count = u64::from(batch.count());
            deleted += count;
            write(inner, Some(batch), false).await?;
            read = read.advance(count).unwrap_or(read);
        }
        pause(&inner.options.pause).await;
    }
    Ok(deleted)
}

/// A table may go only if no older entry of its keys stays behind, above or below: entries of a key are newest first from
/// level to level, so all tables of the range in this and all deeper levels go together, or those that reach out of the
/// range stay, and with them everything above that overlaps them.
async fn drop_whole_tables(inner: &Rc<Inner>, range: UserRange<'_>, asked: Mark) -> Result<()> {
    let any_inside = {
        let state = inner.state.borrow();
        let version = state.version();
        // On a full disk there is no room for a manifest record; deletes may still fit the log.
        state.works() && version.files().any(|(_, f)| lies_inside(inner, f, range))
    };
    if !any_inside || inner.options.read_only {
        return Ok(());
    }
    flush_memtables(inner).await?;
    let range = (range.0.map(<[u8]>::to_vec), range.1.map(<[u8]>::to_vec));
    let outcome = Rc::new(RefCell::new(None));
    // As a job of its own, since one job at a time changes the version.
    loop {
        let done = poll_fn(|cx| {
            if let Some(result) = outcome.take() {
                return Poll::Ready(Some(result));
            }
            if let Err(error) = inner.check_open() {
                return Poll::Ready(Some(Err(error)));
            }
            inner.budget.start(slice_size(&inner.options.pause));
            let job = || Some(Box::pin(drop_job(inner.clone(), range.clone(), asked, outcome.clone())) as _);
            match inner.background.poll_or(cx, job) {
                Driven::Finished => Poll::Ready(None),
                Driven::Pending if inner.budget.is_exhausted() => Poll::Ready(None),
                Driven::Pending => Poll::Pending,
                // Called from inside a job: there is still the way key by key.
                Driven::Idle => Poll::Ready(Some(Ok(()))),
            }
        })
        .await;
        if let Some(result) = done {
            return result;
        }
        pause(&inner.options.pause).await;
    }
}

type OwnedRange = (Option<Vec<u8>>, Option<Vec<u8>>);

async fn drop_job(inner: Rc<Inner>, range: OwnedRange, asked: Mark, outcome: Rc<RefCell<Option<Result<()>>>>) {
    let edit = drop_edit(&inner, (range.0.as_deref(), range.1.as_deref()), asked);
    let result = match edit {
        Some((edit, undo)) => {
            // A snapshot that was taken while the record was on its way sees what is dropped: then it is not.
            let undo = || (!inner.snapshots.is_empty()).then_some(undo);
            match log_and_apply_unless(&inner, edit, undo).await {
                Ok(true) => remove_obsolete(&inner).await,
                Ok(false) => Ok(()),
                Err(error) => Err(error),
            }
        }
        None => Ok(()),
    };
    if let Err(error) = &result
        && !inner.is_closed()
    {
        handle_failure(&inner, error);
    }
    outcome.replace(Some(result));
}

/// What takes the tables away, and what brings them back. `None` if no table can go: one that a snapshot needs, be it of this
/// very moment, stays, and so does one that may hold something newer than `asked`.
fn drop_edit(inner: &Inner, range: UserRange<'_>, asked: Mark) -> Option<(VersionEdit, VersionEdit)> {
    let state = inner.state.borrow();
    if !inner.snapshots.is_empty() || !state.works() {
        return None;
    }
    let all_old = state.counts().flushed_sequence <= asked.sequence;
    let (mut edit, mut undo) = (VersionEdit::default(), VersionEdit::default());
    // From the deepest level up, and from the oldest on: what stays protects what overlaps it and is newer.
    let mut staying: Vec<Rc<crate::version::FileMetaData>> = Vec::new();
    for level in (0..LEVELS).rev() {
        // Level 0 has the newest first; deeper, the older entries of a key that two tables share are in the later one.
        for file in state.version().level(level).iter().rev() {
            let (smallest, largest) = (user_key(&file.smallest), user_key(&file.largest));
            let user = inner.order.user();
            let covers_older = staying.iter().any(|s| {
                user.compare(user_key(&s.smallest), largest).is_le()
                    && user.compare(user_key(&s.largest), smallest).is_ge()
            });
            let is_old = all_old || file.number < asked.next_file;
            if lies_inside(inner, file, range) && is_old && !covers_older {
                edit.deleted_files.insert((level, file.number));
                undo.new_files.push((level, file.to_new_file()));
            } else {
                staying.push(file.clone());
            }
        }
    }
    (!edit.deleted_files.is_empty()).then_some((edit, undo))
}

fn lies_inside(inner: &Inner, file: &crate::version::FileMetaData, (begin, end): UserRange<'_>) -> bool {
    let user = inner.order.user();
    begin.is_none_or(|b| user.compare(user_key(&file.smallest), b).is_ge())
        && end.is_none_or(|e| user.compare(user_key(&file.largest), e).is_lt())
}

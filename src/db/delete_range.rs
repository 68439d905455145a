//! Deletes a range of keys: whole tables first, then key by key.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use super::background::{flush_memtables, handle_failure, log_and_apply_unless};
use super::feed::{Hold, OwnedRange};
use super::obsolete_files::remove_obsolete;
use super::read::DbIterator;
use super::state::Inner;
use super::write::{Clear, Mark, clear};
use crate::base::{Driven, to_u64, user_key};
use crate::batch::WriteBatch;
use crate::budget::{pause, slice_size};
use crate::error::{Error, Result};
use crate::options::ReadOptions;
use crate::version::{LEVELS, UserRange, VersionEdit};

/// Bytes of tombstones in one batch, written in a few milliseconds.
const BATCH_SIZE: usize = 32 << 10;

/// Implements [`Db::delete_range`](super::Db::delete_range).
pub(crate) async fn delete_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
    inner.check_open()?;
    let hold = Hold::new(&inner.feed, (begin.map(<[u8]>::to_vec), end.map(<[u8]>::to_vec)));
    // Writes continue meanwhile; newer entries are kept.
    let Some(asked) = clear(inner, Clear::Begin(Rc::downgrade(&hold)), None).await? else { return Ok(0) };
    let deleted = delete_rest(inner, (begin, end), asked).await?;
    hold.done();
    Ok(u64::from(asked.written).saturating_add(deleted))
}

async fn delete_rest(inner: &Rc<Inner>, (begin, end): UserRange<'_>, asked: Mark) -> Result<u64> {
    let mut options = ReadOptions {
        lower_bound: begin.map(<[u8]>::to_vec),
        upper_bound: end.map(<[u8]>::to_vec),
        fill_cache: false,
        ..ReadOptions::default()
    };
    match drop_whole_tables(inner, (begin, end), asked).await {
        // Deletes may still fit the log.
        Err(Error::Full(_)) if inner.check_writes(true).is_ok() => {}
        dropped => dropped?,
    }
    let mut it = DbIterator::new(inner, &options)?;
    let mut read = inner.state.borrow().last_sequence();
    let mut valid = it.seek_to_first().await?;
    let mut deleted = 0;
    while valid {
        if inner.state.borrow().last_sequence() != read {
            // Another writer may have replaced the keys that come next.
            options.lower_bound = Some(it.key().to_vec());
            it = DbIterator::new(inner, &options)?;
            read = inner.state.borrow().last_sequence();
            valid = it.seek_to_first().await?;
        }
        let mut batch = WriteBatch::new();
        let mut left = slice_size(&inner.options.pause);
        let first = valid.then(|| it.key().to_vec());
        while valid && left > 0 && batch.byte_size() < BATCH_SIZE {
            if it.sequence().is_none_or(|sequence| sequence <= asked.sequence) {
                batch.delete(it.key());
            }
            left = left.saturating_sub(to_u64(it.key().len() + it.value().len()).max(1));
            valid = it.next().await?;
        }
        if !batch.is_empty() {
            match clear(inner, Clear::GoOn { asked: asked.sequence, read }, Some(batch)).await? {
                Some(mark) => {
                    deleted += u64::from(mark.written);
                    read = read.advance(u64::from(mark.written)).unwrap_or(read);
                }
                None => {
                    options.lower_bound = first;
                    it = DbIterator::new(inner, &options)?;
                    read = inner.state.borrow().last_sequence();
                    valid = it.seek_to_first().await?;
                }
            }
        }
        pause(&inner.options.pause).await;
    }
    Ok(deleted)
}

/// Drops the tables inside the range, unless that would expose an older entry of a key. Levels hold
/// newer entries above older ones, so all tables of the range in a level and below are dropped
/// together, or the ones that cross its bounds stay, with every table above that overlaps them.
async fn drop_whole_tables(inner: &Rc<Inner>, range: UserRange<'_>, asked: Mark) -> Result<()> {
    let any_inside = {
        let state = inner.state.borrow();
        let version = state.version();
        // A full disk has no room for a manifest record, but deletes may still fit the log.
        state.works() && version.files().any(|(_, f)| lies_inside(inner, f, range))
    };
    if !any_inside || inner.options.read_only {
        return Ok(());
    }
    flush_memtables(inner).await?;
    let range = (range.0.map(<[u8]>::to_vec), range.1.map(<[u8]>::to_vec));
    let outcome = Rc::new(RefCell::new(None));
    // Runs as a job, because only one job at a time may change the version.
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
                // Called from inside a job: delete key by key instead.
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

async fn drop_job(inner: Rc<Inner>, range: OwnedRange, asked: Mark, outcome: Rc<RefCell<Option<Result<()>>>>) {
    inner.job_is_tight.set(inner.state.borrow().is_tight());
    let edit = drop_edit(&inner, (range.0.as_deref(), range.1.as_deref()), asked);
    let result = match edit {
        Some((edit, undo)) => {
            // A snapshot taken while the record was written can see the dropped tables, so they are
            // kept.
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

/// Returns the edit that drops the tables and the edit that restores them. `None` if every table
/// must stay: a snapshot (even a current one) needs it, or it may hold entries newer than `asked`.
fn drop_edit(inner: &Inner, range: UserRange<'_>, asked: Mark) -> Option<(VersionEdit, VersionEdit)> {
    let state = inner.state.borrow();
    if !inner.snapshots.is_empty() || !state.works() {
        return None;
    }
    let all_old = state.counts().flushed_sequence <= asked.sequence;
    let (mut edit, mut undo) = (VersionEdit::default(), VersionEdit::default());
    // From the deepest level up and from the oldest table on: a table that stays protects newer
    // ones that overlap it.
    let mut staying: Vec<Rc<crate::version::FileMetaData>> = Vec::new();
    for level in (0..LEVELS).rev() {
        // Level 0 lists newest first. Deeper, older entries of a key shared by two tables are in
        // the later one.
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

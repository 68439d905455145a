//! Deleting many keys: whole tables first, then key by key.

use std::rc::Rc;

use super::background::{flush_memtables, log_and_apply, work_until};
use super::files::remove_obsolete;
use super::iter::DbIterator;
use super::state::Inner;
use super::write::write;
use crate::base::user_key;
use crate::batch::WriteBatch;
use crate::error::Result;
use crate::options::ReadOptions;
use crate::version::{LEVELS, UserRange, VersionEdit};

/// Bytes of tombstones in one batch.
const BATCH_SIZE: usize = 256 << 10;

/// See [`Db::delete_range`](super::Db::delete_range). Answers how many keys were deleted one by one.
pub(crate) async fn delete_range(inner: &Rc<Inner>, begin: Option<&[u8]>, end: Option<&[u8]>) -> Result<u64> {
    inner.check_open()?;
    drop_whole_tables(inner, (begin, end)).await?;
    let options = ReadOptions {
        lower_bound: begin.map(<[u8]>::to_vec),
        upper_bound: end.map(<[u8]>::to_vec),
        fill_cache: false,
        ..ReadOptions::default()
    };
    let mut it = DbIterator::new(inner, &options)?;
    let mut valid = it.seek_to_first().await?;
    let mut deleted = 0;
    while valid {
        let mut batch = WriteBatch::new();
        while valid && batch.byte_size() < BATCH_SIZE {
            batch.delete(it.key());
            valid = it.next().await?;
        }
        deleted += u64::from(batch.count());
        write(inner, Some(batch), false).await?;
    }
    Ok(deleted)
}

/// A table may go only if no older entry of its keys stays behind, above or below: entries of a key are newest first from
/// level to level, so all tables of the range in this and all deeper levels go together, or those that reach out of the
/// range stay, and with them everything above that overlaps them.
async fn drop_whole_tables(inner: &Rc<Inner>, range: UserRange<'_>) -> Result<()> {
    let any_inside = {
        let state = inner.state.borrow();
        let version = state.versions.current();
        version.files().any(|(_, f)| lies_inside(inner, f, range))
    };
    if !any_inside || inner.options.read_only {
        return Ok(());
    }
    flush_memtables(inner).await?;
    // No compaction may be under way: its inputs must not vanish.
    work_until(inner, || !inner.background.is_busy()).await?;
    let edit = {
        let state = inner.state.borrow();
        let version = state.versions.current();
        let last = state.last_sequence();
        if inner.snapshots.oldest(last) < last || inner.background.is_busy() {
            return Ok(());
        }
        let mut edit = VersionEdit::default();
        // From the deepest level up: what stays protects what overlaps it above.
        let mut staying: Vec<Rc<crate::version::FileMetaData>> = Vec::new();
        for level in (0..LEVELS).rev() {
            let mut files: Vec<_> = version.level(level).to_vec();
            if level == 0 {
                files.reverse(); // oldest first
            }
            for file in files {
                let (smallest, largest) = (user_key(&file.smallest), user_key(&file.largest));
                let user = inner.order.user();
                let covers_older = staying.iter().any(|s| {
                    user.compare(user_key(&s.smallest), largest).is_le()
                        && user.compare(user_key(&s.largest), smallest).is_ge()
                });
                if lies_inside(inner, &file, range) && !covers_older {
                    edit.deleted_files.insert((level, file.number));
                } else {
                    staying.push(file);
                }
            }
        }
        edit
    };
    if edit.deleted_files.is_empty() {
        return Ok(());
    }
    log_and_apply(inner, edit).await?;
    remove_obsolete(inner).await
}

fn lies_inside(inner: &Inner, file: &crate::version::FileMetaData, (begin, end): UserRange<'_>) -> bool {
    let user = inner.order.user();
    begin.is_none_or(|b| user.compare(user_key(&file.smallest), b).is_ge())
        && end.is_none_or(|e| user.compare(user_key(&file.largest), e).is_lt())
}

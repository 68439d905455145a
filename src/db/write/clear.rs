//! What each step of the deletion of a range deletes, decided between the other writes.

use std::rc::Rc;

use super::ticket::{Clear, Mark, Ticket};
use crate::base::SequenceNumber;
use crate::batch::{BatchOperation, WriteBatch};
use crate::db::feed::Hold;
use crate::db::read::DbIterator;
use crate::db::state::Inner;
use crate::error::Result;
use crate::options::ReadOptions;

/// Returns the deletions of a step whose turn it is, if there are any.
pub(super) async fn deletions(inner: &Rc<Inner>, ticket: &Ticket) -> Result<Option<WriteBatch>> {
    match &ticket.clear {
        Some(Clear::Begin(hold)) => match hold.upgrade() {
            // A commit's future has no room for an iterator.
            Some(hold) => Box::pin(first_deletion(inner, &hold)).await,
            None => Ok(None),
        },
        Some(Clear::GoOn { asked, read }) => {
            let due = ticket.batch.take().and_then(|batch| still_due(inner, batch, *asked, *read));
            if due.as_ref().is_some_and(WriteBatch::is_empty) {
                ticket.mark.set(Some(Mark::now(inner)));
            }
            Ok(due)
        }
        None => Ok(None),
    }
}

/// Returns the deletion of the first key. It takes a sequence number in the logs, so that no reader
/// of them misses tables that are dropped.
async fn first_deletion(inner: &Rc<Inner>, hold: &Hold) -> Result<Option<WriteBatch>> {
    let (begin, end) = &*hold.range;
    let bounds = ReadOptions {
        lower_bound: begin.clone(),
        upper_bound: end.clone(),
        fill_cache: false,
        ..ReadOptions::default()
    };
    let mut it = DbIterator::new(inner, &bounds)?;
    let mut batch = WriteBatch::new();
    match it.seek_to_first().await {
        Ok(false) => return Ok(None),
        Ok(true) => batch.delete(it.key()),
        // Damage proves nothing: its table may be dropped.
        Err(_) => batch.delete(begin.as_deref().unwrap_or_default()),
    }
    Ok(Some(batch))
}

/// Leaves out keys that were written after `asked`, since `read`. `None` if memtables cannot tell.
fn still_due(inner: &Inner, batch: WriteBatch, asked: SequenceNumber, read: SequenceNumber) -> Option<WriteBatch> {
    let state = inner.state.borrow();
    if state.last_sequence() == read {
        return Some(batch);
    }
    if state.counts().flushed_sequence > read {
        return None;
    }
    let mut due = WriteBatch::with_capacity(batch.byte_size());
    for operation in batch.iter().map_while(Result::ok) {
        if let BatchOperation::Delete { key } = operation
            && !state.memtables().any(|memtable| memtable.newest(key).is_some_and(|newest| newest > asked))
        {
            due.delete(key);
        }
    }
    Some(due)
}

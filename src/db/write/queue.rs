//! The queue of writers: one commit at a time, done by the first writer for a group.

use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};

use super::ticket::{Mark, Ticket, Wants};
use crate::base::Driven;
use crate::db::state::Inner;
use crate::error::{Error, Result};

/// Largest size of the batches combined in one log record.
const GROUP_SIZE_MAX: usize = 1 << 20;

/// Largest group that a small write must wait for beyond its own size.
pub(super) const SMALL_GROUP: usize = 128 << 10;

impl Mark {
    pub(super) fn now(inner: &Inner) -> Mark {
        let state = inner.state.borrow();
        Mark { sequence: state.last_sequence(), next_file: state.counts().next_file_number, written: 0 }
    }
}

/// Returns whether a request would be served immediately.
pub(crate) fn nobody_writes(inner: &Inner) -> bool {
    inner.queue.borrow().front().is_none() && !inner.commits.is_busy()
}

/// Starts a new log and an empty memtable between two commits.
pub(crate) async fn rotate_in_turn(inner: &Rc<Inner>) -> Result<()> {
    let ticket = line_up(inner, Ticket::new(None, false, Wants::Rotation))?;
    poll_fn(|cx| poll_ticket(inner, &ticket, cx)).await
}

/// Adds a writer to the queue; `poll_ticket` then works on it.
pub(super) fn line_up(inner: &Inner, ticket: Ticket) -> Result<Rc<Ticket>> {
    let ticket = Rc::new(ticket);
    inner.queue.borrow_mut().push(ticket.clone())?;
    Ok(ticket)
}

pub(super) fn poll_ticket(inner: &Rc<Inner>, ticket: &Ticket, cx: &mut Context<'_>) -> Poll<Result<()>> {
    loop {
        if let Some(result) = ticket.result.take() {
            return Poll::Ready(result);
        }
        if inner.is_closed() {
            return Poll::Ready(Err(Error::Closed));
        }
        match inner.commits.poll(cx, inner) {
            Driven::Finished => {}
            Driven::Pending | Driven::Idle => {
                ticket.waker.replace(Some(cx.waker().clone()));
                // The commit may have finished this ticket already.
                match ticket.result.take() {
                    Some(result) => return Poll::Ready(result),
                    None => return Poll::Pending,
                }
            }
        }
    }
}

pub(super) fn wake_next(inner: &Inner) {
    let next = inner.queue.borrow().front().and_then(|t| t.waker.borrow().clone());
    if let Some(waker) = next {
        waker.wake();
    }
}

/// Takes at least one writer; sync writers never join a group whose first is not sync.
pub(super) fn take_group(inner: &Inner) -> Vec<Rc<Ticket>> {
    // A full storage takes deletes but no puts, so they are committed apart.
    let alone = !inner.state.borrow().is_open();
    let apart = inner.found_no_room.get() || inner.state.borrow().is_tight();
    let has_quota = inner.env.has_quota();
    let mut queue = inner.queue.borrow_mut();
    let Some(first) = queue.pop() else { return Vec::new() };
    // Room was kept for so much.
    let is_small = has_quota || first.bytes <= SMALL_GROUP;
    let size_max = if is_small { first.bytes.saturating_add(SMALL_GROUP) } else { GROUP_SIZE_MAX };
    let (mut size, sync, wants, adds) = (first.bytes, first.sync, first.wants, first.adds());
    let mut group = vec![first];
    while let Some(next) = queue.front() {
        size = size.saturating_add(next.bytes);
        let is_other = apart && next.adds() != adds || next.wants != Wants::Write || wants != Wants::Write;
        if alone || is_other || size > size_max || next.sync && !sync {
            break;
        }
        group.extend(queue.pop());
    }
    group
}

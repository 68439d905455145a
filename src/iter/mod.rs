//! What every sorted source obeys.
//!
//! # Contract
//!
//! 1. A new iterator stands nowhere: `valid` is false.
//! 2. A move is synchronous inside loaded blocks. It answers [`Step::Done`], or [`Step::NeedsBlock`] when a block (or table)
//!    is missing: the iterator then keeps its progress and pins what it stands on. The caller polls
//!    [`poll_fill`](InternalIterator::poll_fill) until it is ready, then calls [`resume`](InternalIterator::resume), which
//!    goes on where the move stopped and may need another block. Until the move is `Done`, `valid` is false. A new seek may
//!    be started at any time instead; it abandons the move.
//! 3. After a move is `Done`: `valid` says whether there is an entry; `key` and `value` hold until the next call that takes
//!    `&mut self`.
//! 4. `next` and `prev` are called only while `valid`; both orders of `next` and `prev` come back to the same entry.
//! 5. `seek(target)` stands on the first entry at or after `target`.
//! 6. **Errors.** With [`OnBadBlock::Stop`] the first error ends the move: the iterator is not valid, and
//!    [`status`](InternalIterator::status) has the error until the next seek. With [`OnBadBlock::Skip`] (LevelDB's own way,
//!    used by `compat` alone) the move goes on behind the damage; `status` keeps the first error for good.
//!    An iterator that is not valid is at its end only if `status` is `Ok`.

#[cfg(test)]
pub(crate) mod conformance;
mod merging;

use std::future::poll_fn;
use std::task::{Context, Poll};

pub use merging::MergingIterator;

use crate::error::Result;

/// How a move ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The move is complete.
    Done,
    /// A block must be filled in first.
    NeedsBlock,
}

/// What an iterator does at a block that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadBlock {
    /// It stops and reports.
    #[default]
    Stop,
    /// It goes on behind the block, as LevelDB does. Older values of the lost keys come back to life.
    Skip,
}

/// A sorted source of entries. Keys are opaque bytes in the source's own order.
pub trait InternalIterator {
    /// Whether the iterator stands on an entry.
    fn valid(&self) -> bool;
    /// The entry's key; empty if not valid.
    fn key(&self) -> &[u8];
    /// The entry's value; empty if not valid.
    fn value(&self) -> &[u8];
    /// The value's length, where that is known without the value.
    #[inline]
    fn value_len(&self) -> usize {
        self.value().len()
    }
    /// The first error met.
    fn status(&self) -> Result<()>;
    /// To the first entry.
    fn seek_to_first(&mut self) -> Step;
    /// To the last entry.
    fn seek_to_last(&mut self) -> Step;
    /// To the first entry at or after `target`.
    fn seek(&mut self, target: &[u8]) -> Step;
    /// To the entry behind.
    fn next(&mut self) -> Step;
    /// To the entry before.
    fn prev(&mut self) -> Step;
    /// Loads what the move that answered `NeedsBlock` is missing. A failure shows in `status` after `resume`.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Goes on with the move that answered `NeedsBlock`.
    fn resume(&mut self) -> Step;
}

/// Carries a move that answered `step` to its end.
pub async fn finish<I: InternalIterator + ?Sized>(iterator: &mut I, mut step: Step) {
    while step == Step::NeedsBlock {
        poll_fn(|cx| iterator.poll_fill(cx)).await;
        step = iterator.resume();
    }
}

//! The contract of all iterators over sorted entries.
//!
//! # Contract
//!
//! 1. A new iterator is not positioned: `valid` is false.
//! 2. A move is synchronous inside loaded blocks. It returns [`Step::Done`], or
//!    [`Step::NeedsBlock`] if a block (or table) is missing: the iterator then keeps its progress
//!    and pins its current block. The caller polls [`poll_fill`](InternalIterator::poll_fill) until
//!    it is ready, then calls [`resume`](InternalIterator::resume), which continues the move and
//!    may need another block. Until the move is `Done`, `valid` is false. A new seek may be started
//!    at any time instead; it abandons the move.
//! 3. After a move is `Done`, `valid` tells whether there is an entry; `key` and `value` are valid
//!    until the next call that takes `&mut self`.
//! 4. `next` and `prev` are called only while `valid`; `next` then `prev`, or the reverse, returns
//!    to the same entry.
//! 5. `seek(target)` positions at the first entry at or after `target`.
//! 6. **Errors.** With [`OnBadBlock::Stop`] the first error ends the move: the iterator is not
//!    valid, and [`status`](InternalIterator::status) has the error until the next seek. With
//!    [`OnBadBlock::Skip`] (LevelDB's behaviour, used by `compat` alone) the move continues after
//!    the damage; `status` keeps the first error. An iterator that is not valid is at its end only
//!    if `status` is `Ok`.

#[cfg(test)]
pub(crate) mod conformance;
mod merging;

use std::future::poll_fn;
use std::task::{Context, Poll};

pub use merging::MergingIterator;

use crate::error::Result;

/// The result of a move.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Step {
    /// The move is complete.
    Done,
    /// A block must be loaded first.
    NeedsBlock,
}

/// How an iterator handles a block that cannot be read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum OnBadBlock {
    /// It stops and reports the error.
    #[default]
    Stop,
    /// It continues after the block, as LevelDB does. Older values of the lost keys reappear.
    Skip,
}

/// An iterator over sorted entries. Keys are opaque bytes in the source's own order.
pub trait InternalIterator {
    /// Whether the iterator is positioned at an entry.
    fn valid(&self) -> bool;
    /// The entry's key; empty if not valid.
    fn key(&self) -> &[u8];
    /// The entry's value; empty if not valid.
    fn value(&self) -> &[u8];
    /// The value's length, if it is known without loading the value.
    #[inline]
    fn value_len(&self) -> usize {
        self.value().len()
    }
    /// The first error found.
    fn status(&self) -> Result<()>;
    /// Moves to the first entry.
    fn seek_to_first(&mut self) -> Step;
    /// Moves to the last entry.
    fn seek_to_last(&mut self) -> Step;
    /// Moves to the first entry at or after `target`.
    fn seek(&mut self, target: &[u8]) -> Step;
    /// Moves to the next entry.
    fn next(&mut self) -> Step;
    /// Moves to the previous entry.
    fn prev(&mut self) -> Step;
    /// Loads the block that the move needs. A failure is returned by `status` after `resume`.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()>;
    /// Continues the move that returned `NeedsBlock`.
    fn resume(&mut self) -> Step;
}

/// Completes a move that returned `step`.
pub async fn finish<I: InternalIterator + ?Sized>(iterator: &mut I, mut step: Step) {
    while step == Step::NeedsBlock {
        poll_fn(|cx| iterator.poll_fill(cx)).await;
        step = iterator.resume();
    }
}

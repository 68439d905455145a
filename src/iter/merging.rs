//! Merges several sorted iterators into one, in both directions.
//!
//! Equal keys are returned in the order of the sources, so that a newer source wins where keys have
//! no tag.

use std::cmp::Ordering;
use std::task::{Context, Poll};

use super::{InternalIterator, OnBadBlock, Step};
use crate::base::KeyOrder;
use crate::error::Result;

/// The union of its sources.
///
/// Invariants, while no move is unfinished:
/// 1. Forward: every source but `current` is at its first entry after `key`; backward: at its last
///    entry before it.
/// 2. `heap` holds the valid sources, smallest first (backward: largest first), `current` at its
///    root.
pub struct MergingIterator<I> {
    sources: Vec<I>,
    order: KeyOrder,
    on_bad_block: OnBadBlock,
    heap: Vec<usize>,
    backward: bool,
    /// A source found damage and the iterator must stop there: the lost entries might be next.
    stopped: bool,
    unfinished: Option<Unfinished>,
    /// The key at which the direction is reversed.
    pivot: Vec<u8>,
}

/// The point where a move stopped for a block. `source` is the one that needs it.
#[derive(Clone, Copy)]
enum Unfinished {
    Seek {
        source: usize,
        kind: Seek,
    },
    Turn {
        source: usize,
        current: usize,
        stage: Stage,
    },
    Advance,
    /// A source other than the current one continues its move.
    Pass {
        source: usize,
    },
}

#[derive(Clone, Copy, PartialEq)]
enum Seek {
    First,
    Last,
    Pivot,
}

/// A reversal takes up to two moves of a source.
///
/// A seek to the pivot, then a step off it or back from it.
#[derive(Clone, Copy, PartialEq)]
enum Stage {
    Sought,
    Stepped,
}

impl<I: InternalIterator> MergingIterator<I> {
    /// Merges `sources`, each sorted by `order`.
    pub fn new(sources: Vec<I>, order: KeyOrder, on_bad_block: OnBadBlock) -> MergingIterator<I> {
        let heap = Vec::with_capacity(sources.len());
        MergingIterator {
            sources,
            order,
            on_bad_block,
            heap,
            backward: false,
            stopped: false,
            unfinished: None,
            pivot: Vec::new(),
        }
    }

    #[inline]
    fn current(&self) -> Option<&I> {
        if self.unfinished.is_some() || self.stopped {
            return None;
        }
        self.heap.first().and_then(|i| self.sources.get(*i))
    }

    fn seek_all(&mut self, from: usize, kind: Seek) -> Step {
        for source in from..self.sources.len() {
            let Some(iterator) = self.sources.get_mut(source) else { break };
            let step = match kind {
                Seek::First => iterator.seek_to_first(),
                Seek::Last => iterator.seek_to_last(),
                Seek::Pivot => iterator.seek(&self.pivot),
            };
            if step == Step::NeedsBlock {
                self.unfinished = Some(Unfinished::Seek { source, kind });
                return step;
            }
        }
        self.backward = kind == Seek::Last;
        self.rebuild();
        Step::Done
    }

    /// Moves every source but `current` to the other side of the pivot.
    fn turn(&mut self, from: usize, current: usize) -> Step {
        for source in from..self.sources.len() {
            if source == current {
                continue;
            }
            let Some(iterator) = self.sources.get_mut(source) else { break };
            if iterator.seek(&self.pivot) == Step::NeedsBlock {
                return self.stop_turn(source, current, Stage::Sought);
            }
            if self.step_off_pivot(source, current) == Step::NeedsBlock {
                return self.stop_turn(source, current, Stage::Stepped);
            }
        }
        self.advance_source(current)
    }

    fn stop_turn(&mut self, source: usize, current: usize, stage: Stage) -> Step {
        self.unfinished = Some(Unfinished::Turn { source, current, stage });
        Step::NeedsBlock
    }

    /// Moves `source`, which is at or after the pivot. Forward: past it. Backward: before it.
    fn step_off_pivot(&mut self, source: usize, current: usize) -> Step {
        let Some(iterator) = self.sources.get_mut(source) else { return Step::Done };
        let at_pivot = iterator.valid() && self.order.compare(iterator.key(), &self.pivot) == Ordering::Equal;
        match (self.backward, iterator.valid()) {
            // Of equal keys, those of later sources come after the current one, those of earlier
            // sources before it.
            (false, true) if at_pivot && source < current => iterator.next(),
            (false, _) => Step::Done,
            (true, true) if at_pivot && source < current => Step::Done,
            (true, true) => iterator.prev(),
            (true, false) => iterator.seek_to_last(),
        }
    }

    fn advance_source(&mut self, current: usize) -> Step {
        let Some(iterator) = self.sources.get_mut(current) else { return Step::Done };
        let step = if self.backward { iterator.prev() } else { iterator.next() };
        if step == Step::NeedsBlock {
            self.unfinished = Some(Unfinished::Advance);
            return step;
        }
        self.rebuild();
        Step::Done
    }

    /// Whether source `a` comes before source `b`; both are valid.
    #[inline]
    fn before(&self, a: usize, b: usize) -> bool {
        let (Some(x), Some(y)) = (self.sources.get(a), self.sources.get(b)) else { return false };
        match self.order.compare(x.key(), y.key()) {
            Ordering::Less => !self.backward,
            Ordering::Greater => self.backward,
            Ordering::Equal => (a < b) != self.backward,
        }
    }

    fn rebuild(&mut self) {
        self.heap.clear();
        self.stopped = false;
        for (i, source) in self.sources.iter().enumerate() {
            if source.valid() {
                self.heap.push(i);
            } else {
                self.stopped |= self.on_bad_block == OnBadBlock::Stop && source.status().is_err();
            }
        }
        for at in (0..self.heap.len() / 2).rev() {
            self.sift_down(at);
        }
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize) {
        loop {
            let mut first = at;
            for child in [2 * at + 1, 2 * at + 2] {
                if let (Some(a), Some(b)) = (self.heap.get(child), self.heap.get(first))
                    && self.before(*a, *b)
                {
                    first = child;
                }
            }
            if first == at {
                return;
            }
            self.heap.swap(at, first);
            at = first;
        }
    }

    /// Restores the heap after the current source has moved.
    #[inline]
    fn settle(&mut self) {
        let Some(current) = self.heap.first().copied() else { return };
        if let Some(source) = self.sources.get(current)
            && !source.valid()
        {
            self.stopped |= self.on_bad_block == OnBadBlock::Stop && source.status().is_err();
            self.heap.swap_remove(0);
        }
        if self.heap.len() > 1 {
            self.sift_down(0);
        }
    }

    #[inline]
    fn move_by_one(&mut self, backward: bool) -> Step {
        let Some(current) = self.heap.first().copied() else { return Step::Done };
        if self.unfinished.is_some() || self.stopped {
            return Step::Done;
        }
        if self.backward != backward {
            self.pivot.clear();
            if let Some(iterator) = self.sources.get(current) {
                self.pivot.extend_from_slice(iterator.key());
            }
            self.backward = backward;
            return self.turn(0, current);
        }
        let Some(iterator) = self.sources.get_mut(current) else { return Step::Done };
        let step = if backward { iterator.prev() } else { iterator.next() };
        if step == Step::NeedsBlock {
            self.unfinished = Some(Unfinished::Advance);
            return step;
        }
        self.settle();
        Step::Done
    }

    /// Moves forward past the current entry and all following ones that are `hidden`.
    ///
    /// They need not pass through the merge one by one. Adds their bytes to `passed`. If a block is
    /// missing, some of them may still be returned.
    #[inline]
    pub(crate) fn pass(&mut self, hidden: impl Fn(&[u8]) -> bool, passed: &mut usize) -> Step {
        if !self.valid() || self.backward {
            return self.move_by_one(false);
        }
        // The root is the smallest: the next entry is its child, or below children of the same
        // source.
        let mut at = 1;
        while at <= 2 {
            let Some(source) = self.heap.get(at).copied() else { break };
            let Some(iterator) = self.sources.get_mut(source) else { break };
            if !hidden(iterator.key()) {
                at += 1;
                continue;
            }
            *passed += iterator.key().len() + iterator.value_len();
            if iterator.next() == Step::NeedsBlock {
                self.unfinished = Some(Unfinished::Pass { source });
                return Step::NeedsBlock;
            }
            if !iterator.valid() {
                self.stopped |= self.on_bad_block == OnBadBlock::Stop && iterator.status().is_err();
                self.heap.swap_remove(at);
            }
            self.sift_down(at);
        }
        let Some(iterator) = self.heap.first().and_then(|i| self.sources.get_mut(*i)) else { return Step::Done };
        loop {
            if iterator.next() == Step::NeedsBlock {
                self.unfinished = Some(Unfinished::Advance);
                return Step::NeedsBlock;
            }
            if !iterator.valid() || !hidden(iterator.key()) {
                break;
            }
            *passed += iterator.key().len() + iterator.value_len();
        }
        self.settle();
        Step::Done
    }

    fn pending_source(&mut self) -> Option<&mut I> {
        let source = match self.unfinished? {
            Unfinished::Seek { source, .. } | Unfinished::Turn { source, .. } | Unfinished::Pass { source } => source,
            Unfinished::Advance => *self.heap.first()?,
        };
        self.sources.get_mut(source)
    }
}

impl<I: InternalIterator> InternalIterator for MergingIterator<I> {
    #[inline]
    fn valid(&self) -> bool {
        self.current().is_some()
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.current().map_or(&[], I::key)
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.current().map_or(&[], I::value)
    }

    #[inline]
    fn value_len(&self) -> usize {
        self.current().map_or(0, I::value_len)
    }

    fn status(&self) -> Result<()> {
        self.sources.iter().try_for_each(I::status)
    }

    fn seek_to_first(&mut self) -> Step {
        self.unfinished = None;
        self.seek_all(0, Seek::First)
    }

    fn seek_to_last(&mut self) -> Step {
        self.unfinished = None;
        self.seek_all(0, Seek::Last)
    }

    fn seek(&mut self, target: &[u8]) -> Step {
        self.unfinished = None;
        self.pivot.clear();
        self.pivot.extend_from_slice(target);
        self.seek_all(0, Seek::Pivot)
    }

    #[inline]
    fn next(&mut self) -> Step {
        self.move_by_one(false)
    }

    #[inline]
    fn prev(&mut self) -> Step {
        self.move_by_one(true)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match self.pending_source() {
            Some(source) => source.poll_fill(cx),
            None => Poll::Ready(()),
        }
    }

    fn resume(&mut self) -> Step {
        let Some(unfinished) = self.unfinished else { return Step::Done };
        if self.pending_source().map(I::resume) == Some(Step::NeedsBlock) {
            return Step::NeedsBlock;
        }
        self.unfinished = None;
        match unfinished {
            Unfinished::Seek { source, kind } => self.seek_all(source + 1, kind),
            Unfinished::Turn { source, current, stage: Stage::Sought } => {
                if self.step_off_pivot(source, current) == Step::NeedsBlock {
                    return self.stop_turn(source, current, Stage::Stepped);
                }
                self.turn(source + 1, current)
            }
            Unfinished::Turn { source, current, stage: Stage::Stepped } => self.turn(source + 1, current),
            Unfinished::Advance | Unfinished::Pass { .. } => {
                self.rebuild();
                Step::Done
            }
        }
    }
}

//! Reads a database whose order of keys is not known: source after source, as they are stored.
//!
//! ```text
//! memtables, newest first; tables of level 0, newest first; the tables of each deeper level, by number
//! ```
//! Sources are searched from the newest to the oldest, so the first entry of a key decides: later ones
//! are passed over. Which keys were returned must be remembered, except those of the last source.

use std::collections::BTreeSet;
use std::task::{Context, Poll};

use crate::base::user_key;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, OnBadBlock, Step};

/// Bytes of keys that are remembered: those outside the deepest level, which has most of them.
const SEEN_MAX: usize = 128 << 20;
/// What a key in the set takes beside its bytes, about.
const KEY_OVERHEAD: usize = 32;

/// One source after the other; moves forward only.
pub(crate) struct StoredIterator<I> {
    /// Newest first.
    sources: Vec<I>,
    at: usize,
    on_bad_block: OnBadBlock,
    /// User keys of the sources before the current one.
    seen: BTreeSet<Vec<u8>>,
    seen_bytes: usize,
    error: Option<Error>,
}

impl<I: InternalIterator> StoredIterator<I> {
    pub(crate) fn new(sources: Vec<I>, on_bad_block: OnBadBlock) -> StoredIterator<I> {
        StoredIterator { at: sources.len(), sources, on_bad_block, seen: BTreeSet::new(), seen_bytes: 0, error: None }
    }

    fn current(&self) -> Option<&I> {
        if self.error.is_some() { None } else { self.sources.get(self.at) }
    }

    /// Goes on until a source is at an entry whose key none had before.
    fn settle(&mut self, mut step: Step) -> Step {
        while step == Step::Done {
            let is_last = self.at + 1 >= self.sources.len();
            let Some(source) = self.sources.get_mut(self.at) else { break };
            if source.valid() {
                let key = user_key(source.key());
                if !self.seen.contains(key) {
                    if !is_last {
                        self.seen_bytes += key.len() + KEY_OVERHEAD;
                        self.seen.insert(key.to_vec());
                    }
                    if self.seen_bytes > SEEN_MAX {
                        self.error = Some(Error::LimitExceeded(format!(
                            "the order of keys is not known, and those outside the deepest level have over {SEEN_MAX} bytes"
                        )));
                    }
                    break;
                }
                step = source.next();
            } else if self.on_bad_block == OnBadBlock::Stop && source.status().is_err() {
                break;
            } else {
                self.at += 1;
                step = self.sources.get_mut(self.at).map_or(Step::Done, I::seek_to_first);
            }
        }
        step
    }

    /// Callers refuse these moves before they reach it.
    fn refuse(&mut self) -> Step {
        self.at = self.sources.len();
        self.error = Some(Error::NotSupported("the order of keys is not known".into()));
        Step::Done
    }
}

impl<I: InternalIterator> InternalIterator for StoredIterator<I> {
    fn valid(&self) -> bool {
        self.current().is_some_and(I::valid)
    }

    fn key(&self) -> &[u8] {
        self.current().map_or(&[], I::key)
    }

    fn value(&self) -> &[u8] {
        self.current().map_or(&[], I::value)
    }

    fn value_len(&self) -> usize {
        self.current().map_or(0, I::value_len)
    }

    fn status(&self) -> Result<()> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => self.sources.iter().try_for_each(I::status),
        }
    }

    fn seek_to_first(&mut self) -> Step {
        (self.at, self.seen_bytes, self.error) = (0, 0, None);
        self.seen.clear();
        let step = self.sources.first_mut().map_or(Step::Done, I::seek_to_first);
        self.settle(step)
    }

    fn seek_to_last(&mut self) -> Step {
        self.refuse()
    }

    fn seek(&mut self, _target: &[u8]) -> Step {
        self.refuse()
    }

    fn next(&mut self) -> Step {
        let step = self.sources.get_mut(self.at).map_or(Step::Done, I::next);
        self.settle(step)
    }

    fn prev(&mut self) -> Step {
        self.refuse()
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.sources.get_mut(self.at).map_or(Poll::Ready(()), |source| source.poll_fill(cx))
    }

    fn resume(&mut self) -> Step {
        let step = self.sources.get_mut(self.at).map_or(Step::Done, I::resume);
        self.settle(step)
    }
}

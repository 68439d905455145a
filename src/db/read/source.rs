//! The sources of an iterator: memtables, and tables of a level.

use std::task::{Context, Poll};

#[cfg(feature = "comparators")]
use super::stored::StoredIterator;
use crate::error::Result;
use crate::iter::{InternalIterator, Step};
use crate::memtable::MemTableIterator;
use crate::version::LevelIterator;

/// One sorted source of a database.
pub(crate) enum Source {
    Memtable(MemTableIterator),
    Level(LevelIterator),
    #[cfg(feature = "comparators")]
    Stored(Box<StoredIterator<Source>>),
}

macro_rules! delegate {
    ($self:ident, $it:ident => $call:expr) => {
        match $self {
            Source::Memtable($it) => $call,
            Source::Level($it) => $call,
            #[cfg(feature = "comparators")]
            Source::Stored($it) => $call,
        }
    };
}

impl InternalIterator for Source {
    #[inline]
    fn valid(&self) -> bool {
        delegate!(self, it => it.valid())
    }
    #[inline]
    fn key(&self) -> &[u8] {
        delegate!(self, it => it.key())
    }
    #[inline]
    fn value(&self) -> &[u8] {
        delegate!(self, it => it.value())
    }
    #[inline]
    fn value_len(&self) -> usize {
        delegate!(self, it => it.value_len())
    }
    fn status(&self) -> Result<()> {
        delegate!(self, it => it.status())
    }
    fn seek_to_first(&mut self) -> Step {
        delegate!(self, it => it.seek_to_first())
    }
    fn seek_to_last(&mut self) -> Step {
        delegate!(self, it => it.seek_to_last())
    }
    fn seek(&mut self, target: &[u8]) -> Step {
        delegate!(self, it => it.seek(target))
    }
    #[inline]
    fn next(&mut self) -> Step {
        delegate!(self, it => it.next())
    }
    #[inline]
    fn prev(&mut self) -> Step {
        delegate!(self, it => it.prev())
    }
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        delegate!(self, it => it.poll_fill(cx))
    }
    fn resume(&mut self) -> Step {
        delegate!(self, it => it.resume())
    }
}

//! Iterates over the tables of one sorted run, opening each when it is reached.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

use super::file_meta::{FileMetaData, find_file};
use crate::base::{FileNumber, InternalKeyComparator};
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, OnBadBlock, Step};
use crate::table::{BlockRead, Table, TableCache, TableIterator};

type Opening = Pin<Box<dyn Future<Output = Result<Rc<Table>>>>>;

/// Tables with disjoint ranges, in key order: a level below 0, or any single table.
pub(crate) struct LevelIterator {
    files: Rc<[Rc<FileMetaData>]>,
    order: InternalKeyComparator,
    tables: Rc<TableCache>,
    read: BlockRead,
    /// Index of the current file, or of the one about to be opened.
    at: usize,
    /// The iterator of that file once open. Boxed, because a database's iterator has many and opens
    /// few.
    table: Option<(FileNumber, Box<TableIterator>)>,
    landing: Landing,
    target: Vec<u8>,
    unfinished: Option<Unfinished>,
    error: Option<Error>,
}

/// The position wanted in the next file.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Landing {
    First,
    Last,
    Target,
}

enum Unfinished {
    Opening(Opening),
    Opened(Result<Rc<Table>>),
    Moving { backward: bool },
}

impl LevelIterator {
    pub(crate) fn new(
        files: Rc<[Rc<FileMetaData>]>,
        order: InternalKeyComparator,
        tables: Rc<TableCache>,
        read: BlockRead,
    ) -> LevelIterator {
        let at = files.len();
        LevelIterator {
            files,
            order,
            tables,
            read,
            at,
            table: None,
            landing: Landing::First,
            target: Vec::new(),
            unfinished: None,
            error: None,
        }
    }

    fn start(&mut self, at: usize, landing: Landing) -> Step {
        self.unfinished = None;
        if self.read.policy.on_bad_block == OnBadBlock::Stop {
            self.error = None;
            if self.table.as_ref().is_some_and(|(_, table)| table.status().is_err()) {
                self.table = None;
            }
        }
        self.at = at;
        self.landing = landing;
        self.enter()
    }

    /// Opens the file at `at` and seeks in it; continues with the next file if it has no such
    /// entry.
    fn enter(&mut self) -> Step {
        loop {
            let Some(file) = self.files.get(self.at).cloned() else {
                self.leave_table();
                return Step::Done;
            };
            if self.table.as_ref().is_none_or(|(number, _)| *number != file.number) {
                self.leave_table();
                match self.tables.cached(file.number) {
                    Some(table) => self.table = Some((file.number, Box::new(table.iter(self.read)))),
                    None => match self.begin_open(file.number, file.size) {
                        Poll::Pending => return Step::NeedsBlock,
                        Poll::Ready(Ok(table)) => self.take_table(&table),
                        Poll::Ready(Err(error)) => {
                            if !self.pass_bad_table(error) {
                                return Step::Done;
                            }
                            continue;
                        }
                    },
                }
            }
            let Some((_, table)) = &mut self.table else { return Step::Done };
            let (step, backward) = match self.landing {
                Landing::First => (table.seek_to_first(), false),
                Landing::Last => (table.seek_to_last(), true),
                Landing::Target => (table.seek(&self.target), false),
            };
            if step == Step::NeedsBlock {
                self.unfinished = Some(Unfinished::Moving { backward });
                return step;
            }
            if self.settled(backward) {
                return Step::Done;
            }
        }
    }

    /// Returns true if a move inside a table found an entry or stopped, false to enter another
    /// file.
    #[inline]
    fn settled(&mut self, backward: bool) -> bool {
        match &self.table {
            Some((_, table)) if table.valid() => true,
            _ => self.settled_past_end(backward),
        }
    }

    fn settled_past_end(&mut self, backward: bool) -> bool {
        if let Some((_, table)) = &self.table
            && let Err(error) = table.status()
        {
            self.error.get_or_insert(error);
            if self.read.policy.on_bad_block == OnBadBlock::Stop {
                return true;
            }
        }
        self.step_file(backward);
        self.at >= self.files.len() && {
            self.leave_table();
            true
        }
    }

    fn step_file(&mut self, backward: bool) {
        self.at = if backward { self.at.checked_sub(1).unwrap_or(self.files.len()) } else { self.at + 1 };
        self.landing = if backward { Landing::Last } else { Landing::First };
    }

    fn leave_table(&mut self) {
        if let Some((_, table)) = self.table.take()
            && let Err(error) = table.status()
        {
            self.error.get_or_insert(error);
        }
    }

    fn take_table(&mut self, table: &Rc<Table>) {
        if let Some(file) = self.files.get(self.at) {
            self.table = Some((file.number, Box::new(table.iter(self.read))));
        }
    }

    /// Returns whether to skip a table that cannot be opened.
    fn pass_bad_table(&mut self, error: Error) -> bool {
        self.error.get_or_insert(error);
        if self.read.policy.on_bad_block == OnBadBlock::Stop {
            self.at = self.files.len();
            return false;
        }
        self.step_file(self.landing == Landing::Last);
        true
    }

    fn begin_open(&mut self, number: FileNumber, size: u64) -> Poll<Result<Rc<Table>>> {
        let tables = self.tables.clone();
        let mut opening: Opening = Box::pin(async move { tables.table(number, size).await });
        let poll = opening.as_mut().poll(&mut Context::from_waker(Waker::noop()));
        if poll.is_pending() {
            self.unfinished = Some(Unfinished::Opening(opening));
        }
        poll
    }

    #[inline]
    fn step_table(&mut self, backward: bool) -> Step {
        if self.unfinished.is_some() {
            return Step::Done;
        }
        let Some((_, table)) = &mut self.table else { return Step::Done };
        let step = if backward { table.prev() } else { table.next() };
        if step == Step::NeedsBlock {
            self.unfinished = Some(Unfinished::Moving { backward });
            return step;
        }
        if self.settled(backward) { Step::Done } else { self.enter() }
    }

    #[inline]
    fn current(&self) -> Option<&TableIterator> {
        match &self.table {
            Some((_, table)) if self.unfinished.is_none() => Some(table),
            _ => None,
        }
    }
}

impl InternalIterator for LevelIterator {
    #[inline]
    fn valid(&self) -> bool {
        self.current().is_some_and(TableIterator::valid)
    }

    #[inline]
    fn key(&self) -> &[u8] {
        self.current().map_or(&[], TableIterator::key)
    }

    #[inline]
    fn value(&self) -> &[u8] {
        self.current().map_or(&[], TableIterator::value)
    }

    fn status(&self) -> Result<()> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => self.table.as_ref().map_or(Ok(()), |(_, table)| table.status()),
        }
    }

    fn seek_to_first(&mut self) -> Step {
        self.start(0, Landing::First)
    }

    fn seek_to_last(&mut self) -> Step {
        match self.files.len().checked_sub(1) {
            Some(last) => self.start(last, Landing::Last),
            None => Step::Done,
        }
    }

    fn seek(&mut self, target: &[u8]) -> Step {
        self.target.clear();
        self.target.extend_from_slice(target);
        let at = find_file(&self.files, &self.order, target);
        self.start(at, Landing::Target)
    }

    #[inline]
    fn next(&mut self) -> Step {
        self.step_table(false)
    }

    #[inline]
    fn prev(&mut self) -> Step {
        self.step_table(true)
    }

    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        match &mut self.unfinished {
            Some(Unfinished::Opening(opening)) => match opening.as_mut().poll(cx) {
                Poll::Pending => Poll::Pending,
                Poll::Ready(result) => {
                    self.unfinished = Some(Unfinished::Opened(result));
                    Poll::Ready(())
                }
            },
            Some(Unfinished::Moving { .. }) => match &mut self.table {
                Some((_, table)) => table.poll_fill(cx),
                None => Poll::Ready(()),
            },
            Some(Unfinished::Opened(_)) | None => Poll::Ready(()),
        }
    }

    fn resume(&mut self) -> Step {
        match self.unfinished.take() {
            None => Step::Done,
            opening @ Some(Unfinished::Opening(_)) => {
                self.unfinished = opening;
                Step::NeedsBlock
            }
            Some(Unfinished::Opened(Ok(table))) => {
                self.take_table(&table);
                self.enter()
            }
            Some(Unfinished::Opened(Err(error))) => {
                if self.pass_bad_table(error) {
                    self.enter()
                } else {
                    Step::Done
                }
            }
            Some(Unfinished::Moving { backward }) => {
                let Some((_, table)) = &mut self.table else { return Step::Done };
                if table.resume() == Step::NeedsBlock {
                    self.unfinished = Some(Unfinished::Moving { backward });
                    return Step::NeedsBlock;
                }
                if self.settled(backward) { Step::Done } else { self.enter() }
            }
        }
    }
}

//! What calls change, as one transaction.

use std::io::ErrorKind;
use std::rc::Rc;

use super::database::{Change, Commit};
use super::directory::{Directory, Stored};
use super::layout::{CHUNK, CHUNK_SIZE, Head};
use crate::base::to_u64;
use crate::env::NameEdit;
use crate::error::{Error, Result};

/// A truncation adds at most so many zeros.
const ZEROS_MAX: u64 = 256 << 20;

/// A call that changes something.
#[derive(Debug)]
pub(super) enum Op {
    /// Makes an empty file of that name; the result is its number.
    Create {
        name: String,
    },
    /// The result is the number of bytes.
    Append {
        file: u64,
        data: Vec<u8>,
        is_strict: bool,
    },
    Truncate {
        file: u64,
        size: u64,
    },
    EditNames(Vec<NameEdit>),
    Sync,
    /// Waits for the calls before it.
    Wait,
}

impl Op {
    /// The bytes that it writes.
    pub(super) fn weight(&self) -> usize {
        match self {
            Op::Append { data, .. } => data.len(),
            _ => 0,
        }
    }

    /// The chunk whose content must be known: that at the end of the file, or after it.
    pub(super) fn needs(&self, directory: &Directory) -> Option<Needed> {
        let (file, size) = match self {
            Op::Append { file, data, .. } if !data.is_empty() => (*file, directory.file(*file)?.size),
            Op::Truncate { file, size } => (*file, *size),
            _ => return None,
        };
        let stored = directory.file(file)?;
        let is_known = if size < stored.size && size / CHUNK_SIZE < stored.last_chunk() {
            size.is_multiple_of(CHUNK_SIZE)
        } else {
            stored.tail.is_some()
        };
        (!is_known).then_some(Needed { file, size: size.min(stored.size) })
    }
}

/// The last chunk of a file as if it had `size` bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Needed {
    pub(super) file: u64,
    pub(super) size: u64,
}

/// A transaction, and the state after it.
#[derive(Debug)]
pub(super) struct Plan {
    pub(super) commit: Commit,
    pub(super) head: Head,
    pub(super) directory: Directory,
    /// Files whose content was cut.
    pub(super) cut: Vec<u64>,
}

impl Plan {
    fn removes(&self, file: u64) -> bool {
        self.commit
            .changes
            .iter()
            .any(|change| matches!(change, Change::RemoveFile { file: removed } if *removed == file))
    }
}

/// Whether a transaction that is not complete removes a file.
pub(super) fn any_removes<'p>(plans: impl IntoIterator<Item = &'p Rc<Plan>>, file: u64) -> bool {
    plans.into_iter().any(|plan| plan.removes(file))
}

/// Makes one transaction of several calls.
pub(super) struct Planner<'a> {
    head: Head,
    directory: Directory,
    changes: Vec<Change>,
    /// Files whose row is written at the end.
    touched: Vec<u64>,
    cut: Vec<u64>,
    is_strict: bool,
    /// Whether a file is open here.
    is_open: &'a dyn Fn(u64) -> bool,
    /// Contents that were read for this.
    known: &'a [(Needed, Vec<u8>)],
}

impl<'a> Planner<'a> {
    pub(super) fn new(
        head: Head,
        directory: Directory,
        is_open: &'a dyn Fn(u64) -> bool,
        known: &'a [(Needed, Vec<u8>)],
    ) -> Planner<'a> {
        let (changes, touched, cut) = (Vec::new(), Vec::new(), Vec::new());
        Planner { head, directory, changes, touched, cut, is_strict: false, is_open, known }
    }

    /// Plans all calls: their results, and the transaction unless nothing is to be written.
    ///
    /// `is_dirty`: there are transactions that were not flushed.
    pub(super) fn plan<'o>(
        mut self,
        ops: impl Iterator<Item = &'o Op>,
        is_dirty: bool,
    ) -> (Vec<Result<u64>>, Option<Plan>) {
        let before = self.head;
        let answers: Vec<Result<u64>> = ops.map(|op| self.add(op)).collect();
        self.clean();
        let touched = std::mem::take(&mut self.touched);
        for file in touched {
            if let Some(stored) = self.directory.file(file) {
                self.changes.push(Change::PutFile { file, row: stored.row() });
            }
        }
        if self.changes.is_empty() && !(self.is_strict && is_dirty) {
            return (answers, None);
        }
        let head = Head { commits: before.commits.saturating_add(1), ..self.head };
        let commit =
            Commit { expected: before.encode(), head: head.encode(), changes: self.changes, is_strict: self.is_strict };
        let plan = Plan { commit, head, directory: self.directory, cut: self.cut };
        (answers, Some(plan))
    }

    /// A plan that gives the database another owner.
    pub(super) fn own(mut self) -> Plan {
        let before = self.head;
        self.clean();
        let head = Head { epoch: before.epoch.saturating_add(1), commits: before.commits.saturating_add(1), ..before };
        let (expected, head_row) = (before.encode(), head.encode());
        let commit = Commit { expected, head: head_row, changes: self.changes, is_strict: false };
        Plan { commit, head, directory: self.directory, cut: self.cut }
    }

    fn add(&mut self, op: &Op) -> Result<u64> {
        match op {
            Op::Create { name } => self.create(name, &[]),
            Op::Append { file, data, is_strict } => {
                self.append(*file, data)?;
                self.is_strict |= is_strict;
                Ok(to_u64(data.len()))
            }
            Op::Truncate { file, size } => self.truncate(*file, *size).map(|()| 0),
            Op::EditNames(edits) => {
                self.edit(edits)?;
                self.is_strict = true;
                Ok(0)
            }
            Op::Sync => {
                self.is_strict = true;
                Ok(0)
            }
            Op::Wait => Ok(0),
        }
    }

    /// Removes files without a name that nobody has open.
    fn clean(&mut self) {
        let removed: Vec<u64> = self.directory.removed().filter(|file| !(self.is_open)(*file)).collect();
        for file in removed {
            self.directory.forget(file);
            self.changes.push(Change::RemoveFile { file });
        }
    }

    fn touch(&mut self, file: u64) {
        if !self.touched.contains(&file) {
            self.touched.push(file);
        }
    }

    fn remove(&mut self, name: &str) {
        if let Some(file) = self.directory.unname(name) {
            self.touch(file);
        }
    }

    fn create(&mut self, name: &str, content: &[u8]) -> Result<u64> {
        self.remove(name);
        let file = self.head.next_file;
        self.head.next_file = file.saturating_add(1);
        self.directory.add(file, Stored::new(name));
        self.touch(file);
        self.append(file, content)?;
        Ok(file)
    }

    fn stored(&self, file: u64) -> Result<Stored> {
        self.directory.file(file).map(|stored| Stored::clone(stored)).ok_or(Error::Closed)
    }

    /// The content of the last chunk if the file had `size` bytes.
    fn tail(&self, file: u64, stored: &Stored, size: u64) -> Result<Vec<u8>> {
        let kept = usize::try_from(size % CHUNK_SIZE).unwrap_or(CHUNK);
        if kept == 0 {
            return Ok(Vec::new());
        }
        let own = stored.tail.as_ref().filter(|_| size / CHUNK_SIZE == stored.last_chunk());
        let known = || self.known.iter().find(|(needed, _)| *needed == Needed { file, size }).map(|(_, tail)| tail);
        let tail = own.or_else(known).and_then(|tail| tail.get(..kept));
        tail.map(<[u8]>::to_vec).ok_or_else(|| {
            Error::io(&*stored.name, "read", ErrorKind::Other, "the end of the file was not read before a change")
        })
    }

    fn append(&mut self, file: u64, data: &[u8]) -> Result<()> {
        if data.is_empty() {
            return Ok(());
        }
        let mut stored = self.stored(file)?;
        let mut tail = self.tail(file, &stored, stored.size)?;
        let mut rest = data;
        while !rest.is_empty() {
            let chunk = stored.last_chunk();
            let (piece, after) = rest.split_at_checked(CHUNK.saturating_sub(tail.len())).unwrap_or((rest, &[]));
            let offset = tail.len();
            tail.extend_from_slice(piece);
            if tail.len() == CHUNK {
                if offset > 0 {
                    self.changes.push(Change::Cut { file, chunk });
                }
                self.changes.push(Change::PutChunk { file, chunk, offset: None, data: std::mem::take(&mut tail) });
            } else {
                let offset = u32::try_from(offset).ok();
                self.changes.push(Change::PutChunk { file, chunk, offset, data: piece.to_vec() });
            }
            stored.size = stored.size.saturating_add(to_u64(piece.len()));
            rest = after;
        }
        stored.tail = Some(tail);
        self.directory.update(file, stored);
        self.touch(file);
        Ok(())
    }

    fn truncate(&mut self, file: u64, size: u64) -> Result<()> {
        let mut stored = self.stored(file)?;
        if size > stored.size {
            let zeros = size.saturating_sub(stored.size);
            if zeros > ZEROS_MAX {
                return Err(Error::LimitExceeded(format!("{} cannot be extended by {zeros} zeros", stored.name)));
            }
            return self.append(file, &vec![0; usize::try_from(zeros).unwrap_or_default()]);
        }
        if size == stored.size {
            return Ok(());
        }
        let tail = self.tail(file, &stored, size)?;
        stored.size = size;
        let chunk = stored.last_chunk();
        self.changes.push(Change::Cut { file, chunk });
        if !tail.is_empty() {
            self.changes.push(Change::PutChunk { file, chunk, offset: Some(0), data: tail.clone() });
        }
        stored.tail = Some(tail);
        self.directory.update(file, stored);
        self.touch(file);
        self.cut.push(file);
        Ok(())
    }

    /// Changes names: all of them, or none.
    fn edit(&mut self, edits: &[NameEdit]) -> Result<()> {
        let before = (self.head, self.directory.clone(), self.changes.len(), self.touched.len());
        let done = edits.iter().try_for_each(|edit| self.edit_one(edit));
        if done.is_err() {
            (self.head, self.directory) = (before.0, before.1);
            self.changes.truncate(before.2);
            self.touched.truncate(before.3);
        }
        done
    }

    fn edit_one(&mut self, edit: &NameEdit) -> Result<()> {
        match edit {
            NameEdit::Rename { from, to } => {
                let Some(file) = self.directory.unname(from) else {
                    return Err(Error::io(&**from, "rename", ErrorKind::NotFound, "there is no such file"));
                };
                self.remove(to);
                self.directory.name(file, to.clone());
                self.touch(file);
                Ok(())
            }
            NameEdit::Remove { name } => {
                self.remove(name);
                Ok(())
            }
            NameEdit::Replace { name, via, content } => {
                self.remove(via);
                self.create(name, content).map(drop)
            }
        }
    }
}

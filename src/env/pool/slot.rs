//! A raw file of the pool, and the file of the engine that it holds.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

use super::header::{HEADER_SIZE, Header};
use super::raw::{RawFile, write_checked};
use super::turn::Turn;
use crate::base::to_u64;
use crate::env::checked::opened_to_be_read;
use crate::env::{Access, Durability, File, Io};
use crate::error::{Error, Result};

/// A raw file. The pool holds one reference; the others are open files of the engine.
pub(super) struct Slot {
    pub(super) number: u32,
    raw: RefCell<Option<Rc<dyn RawFile>>>,
    /// Of the call that opens it.
    pub(super) turn: Turn,
    /// Of the content; 0 while it holds none.
    pub(super) generation: Cell<u64>,
    /// The size of the content, while the raw file is open.
    end: Cell<u64>,
    /// Whether header and content have been flushed; an earlier owner may have ended before it did.
    is_flushed: Cell<bool>,
    /// Why it could not be flushed when it was to be closed for room.
    failed: RefCell<Option<Error>>,
    /// Whether it is empty, also after a power failure.
    is_clean: Cell<bool>,
    /// Whether it has grown, or was cut, since it was opened: it may take more of the quota than its size.
    has_grown: Cell<bool>,
    /// When it was last opened; larger is later.
    pub(super) used: Cell<u64>,
}

impl Slot {
    pub(super) fn new(number: u32) -> Rc<Slot> {
        Rc::new(Slot {
            number,
            raw: RefCell::new(None),
            turn: Turn::default(),
            generation: Cell::new(0),
            end: Cell::new(0),
            is_flushed: Cell::new(false),
            failed: RefCell::new(None),
            is_clean: Cell::new(false),
            has_grown: Cell::new(false),
            used: Cell::new(0),
        })
    }

    pub(super) fn name(&self) -> String {
        name_of(self.number)
    }

    pub(super) fn is_open(&self) -> bool {
        self.raw.borrow().is_some()
    }

    /// Whether no file of the engine is open on it.
    pub(super) fn is_idle(self: &Rc<Slot>) -> bool {
        Rc::strong_count(self) == 1
    }

    pub(super) fn opened(&self, raw: Rc<dyn RawFile>) {
        self.has_grown.set(false);
        self.raw.replace(Some(raw));
    }

    pub(super) fn close(&self) {
        self.raw.take();
    }

    /// Whether closing it may give back a part of the quota.
    pub(super) fn has_grown(&self) -> bool {
        self.has_grown.get() && self.is_open()
    }

    /// Closes it. It could not be flushed afterwards.
    pub(super) fn settle_and_close(&self) -> Result<()> {
        if let Err(error) = self.settle() {
            // The engine asks later, and what a flush left out is not flushed by the next one.
            self.failed.replace(Some(error.clone()));
            return Err(error);
        }
        self.close();
        Ok(())
    }

    /// Whether it was closed for room, with everything flushed.
    fn was_settled(&self) -> bool {
        self.is_flushed.get() && !self.is_open()
    }

    fn raw(&self) -> Result<Rc<dyn RawFile>> {
        self.raw.borrow().clone().ok_or(Error::Closed)
    }

    /// Makes it an empty file. Its name can be durable once [`Slot::settle`] has succeeded.
    pub(super) fn begin(&self, header: &Header) -> Result<()> {
        self.clean()?;
        let raw = self.raw()?;
        self.is_clean.set(false);
        self.is_flushed.set(false);
        self.failed.take();
        self.has_grown.set(true);
        self.generation.set(header.generation);
        // All of it, so that the size proves that it was written.
        let mut bytes = header.encode();
        bytes.resize(usize::try_from(HEADER_SIZE).unwrap_or_default(), 0);
        write_checked(&*raw, &self.name(), 0, &bytes)?;
        self.measure(&*raw)?;
        if self.end.get() == 0 {
            return Ok(());
        }
        let message = format!("a new file has {} bytes, expected none", self.end.get());
        Err(Error::io(self.name(), "truncate", ErrorKind::InvalidData, message))
    }

    /// Makes header and content durable, if they are not; one that is closed was never written, or is.
    pub(super) fn settle(&self) -> Result<()> {
        if self.is_flushed.get() || !self.is_open() { Ok(()) } else { self.sync() }
    }

    /// Makes header and content durable.
    pub(super) fn sync(&self) -> Result<()> {
        if let Some(error) = self.failed.take() {
            return Err(error);
        }
        self.raw()?.flush()?;
        self.is_flushed.set(true);
        Ok(())
    }

    /// The raw file was just created.
    pub(super) fn set_clean(&self) {
        self.is_clean.set(true);
    }

    pub(super) fn is_clean(&self) -> bool {
        self.is_clean.get()
    }

    /// Makes it take of the quota what it will once it grows. A byte more, after a kill, is the torn
    /// end of a record.
    pub(super) fn claim(&self) -> Result<()> {
        let raw = self.raw()?;
        let size = raw.size()?;
        let claimed = raw.truncate(size.saturating_add(1));
        self.has_grown.set(claimed.is_ok());
        raw.truncate(size)?;
        claimed
    }

    /// Gives the space of a removed file back.
    pub(super) fn clear(&self) -> Result<()> {
        self.generation.set(0);
        let raw = self.raw()?;
        if raw.size()? == 0 {
            return Ok(());
        }
        self.has_grown.set(true);
        raw.truncate(0)
    }

    /// Makes it empty, durably: if content came back in a power failure, it would be taken for the next
    /// file's, and the records of an old log would be replayed.
    pub(super) fn clean(&self) -> Result<()> {
        if !self.is_clean.get() {
            self.clear()?;
            self.raw()?.flush()?;
            self.is_clean.set(true);
        }
        Ok(())
    }

    pub(super) fn read_header(&self) -> Result<Header> {
        let mut bytes = vec![0; 1024];
        let count = self.raw()?.read(0, &mut bytes)?;
        bytes.truncate(count);
        Header::decode(&bytes).map_err(|malformed| malformed.in_file(&self.name(), 0))
    }

    /// Checks that it holds the content with this generation.
    pub(super) fn check(&self, name: &str, generation: u64) -> Result<()> {
        self.generation.set(generation);
        let header = self.read_header()?;
        self.measure(&*self.raw()?)?;
        if header.generation == generation {
            return Ok(());
        }
        let reason = format!(
            "its raw file {} holds generation {} ({}), expected {generation}",
            self.name(),
            header.generation,
            header.name
        );
        Err(Error::corruption(name, 0, reason))
    }

    fn measure(&self, raw: &dyn RawFile) -> Result<()> {
        self.end.set(raw.size()?.saturating_sub(HEADER_SIZE));
        Ok(())
    }
}

pub(super) fn name_of(number: u32) -> String {
    format!("p{number:05}")
}

/// The number of a pool file with this name.
pub(super) fn number_of(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('p')?;
    let number = digits.parse().ok()?;
    (name_of(number) == name).then_some(number)
}

/// Where a quota that is used up may have room.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Room {
    /// Removed files.
    Unused,
    /// What open files take beyond their size.
    Claims,
    /// What is kept for flushes and compactions.
    Reserve,
}

impl Room {
    pub(super) const ALL: [Room; 3] = [Room::Unused, Room::Claims, Room::Reserve];
}

/// An open file of the engine.
#[derive(Clone)]
pub(super) struct PoolFile {
    pub(super) slot: Rc<Slot>,
    pub(super) name: Rc<str>,
    pub(super) access: Access,
    pub(super) durability: Durability,
    /// Where the quota is used up: gives room back, if this file may have it; whether there was any.
    pub(super) find_room: Rc<dyn Fn(Room) -> bool>,
    /// Opens the raw file again, which was closed for room.
    pub(super) reopen: Rc<dyn Fn() -> Io<()>>,
}

impl PoolFile {
    fn read_now(&self, offset: u64, length: usize, mut buffer: Vec<u8>) -> Result<Vec<u8>> {
        let raw = self.slot.raw()?;
        let there = self.slot.end.get().saturating_sub(offset);
        let length = length.min(usize::try_from(there).unwrap_or(usize::MAX));
        if length > buffer.capacity() && buffer.try_reserve_exact(length.saturating_sub(buffer.len())).is_err() {
            return Err(Error::LimitExceeded(format!("no memory to read {length} bytes of {}", self.name)));
        }
        // The content of the buffer is overwritten: no need to clear it.
        buffer.resize(length, 0);
        if length > 0 {
            let count = raw.read(HEADER_SIZE.saturating_add(offset), &mut buffer).map_err(|e| self.named(e))?;
            if count > length {
                let message = format!("the storage read {count} bytes, {length} were asked for");
                return Err(Error::io(&*self.name, "read", ErrorKind::InvalidData, message));
            }
            buffer.truncate(count);
        }
        Ok(buffer)
    }

    fn append_now(&self, data: &[u8]) -> Result<u64> {
        if self.access == Access::Read {
            return Err(opened_to_be_read(&self.name, "append"));
        }
        if data.is_empty() {
            return Ok(0);
        }
        let end = self.slot.end.get();
        let mut done = self.append_once(data);
        for source in Room::ALL {
            if matches!(done, Err(Error::Full(_))) && (self.find_room)(source) && self.truncate_now(end).is_ok() {
                done = self.append_once(data);
            }
        }
        done
    }

    fn append_once(&self, data: &[u8]) -> Result<u64> {
        let raw = self.slot.raw()?;
        let end = self.slot.end.get();
        self.slot.is_flushed.set(false);
        self.slot.has_grown.set(true);
        let taken = raw.write(HEADER_SIZE.saturating_add(end), data);
        // What is there now, whatever was reported.
        self.slot.measure(&*raw).map_err(|e| self.named(e))?;
        let taken = taken.map_err(|e| self.named(e))?;
        let (asked, grown) = (to_u64(data.len()), self.slot.end.get().saturating_sub(end));
        if grown < asked {
            // Firefox reports a full quota as 0 bytes, and a full disk as a count that means nothing.
            let message = format!("{grown} of {asked} bytes were written ({taken} by the storage's count)");
            return Err(Error::io(&*self.name, "append", ErrorKind::StorageFull, message));
        }
        Ok(taken)
    }

    fn truncate_now(&self, size: u64) -> Result<()> {
        if self.access == Access::Read {
            return Err(opened_to_be_read(&self.name, "truncate"));
        }
        let raw = self.slot.raw()?;
        self.slot.is_flushed.set(false);
        let done = raw.truncate(HEADER_SIZE.saturating_add(size));
        self.slot.measure(&*raw).map_err(|e| self.named(e))?;
        done.map_err(|e| self.named(e))?;
        let found = self.slot.end.get();
        if found == size {
            return Ok(());
        }
        let message = format!("the file has {found} bytes, expected {size}");
        Err(Error::io(&*self.name, "truncate", ErrorKind::InvalidData, message))
    }

    fn sync_now(&self) -> Result<Durability> {
        if !self.slot.was_settled() {
            self.slot.sync().map_err(|e| self.named(e))?;
        }
        Ok(self.durability)
    }

    /// The error with the name that the engine knows.
    fn named(&self, error: Error) -> Error {
        match error {
            Error::Io(mut e) => {
                e.file = self.name.to_string();
                Error::Io(e)
            }
            Error::Full(mut e) => {
                e.file = self.name.to_string();
                Error::Full(e)
            }
            other => other,
        }
    }
}

impl File for PoolFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        self.read_into(offset, length, Vec::new())
    }

    fn read_into(&self, offset: u64, length: usize, buffer: Vec<u8>) -> Io<Vec<u8>> {
        if !self.slot.was_settled() {
            return Io::ready(self.read_now(offset, length, buffer));
        }
        let this = self.clone();
        (self.reopen)().map(move |opened| opened.and_then(|()| this.read_now(offset, length, buffer)))
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        if !self.slot.was_settled() || self.access == Access::Read {
            return Io::ready(self.append_now(data));
        }
        let (this, data) = (self.clone(), data.to_vec());
        (self.reopen)().map(move |opened| opened.and_then(|()| this.append_now(&data)))
    }

    fn sync(&self) -> Io<Durability> {
        Io::ready(self.sync_now())
    }

    fn truncate(&self, size: u64) -> Io<()> {
        Io::ready(self.truncate_now(size))
    }

    fn size(&self) -> Io<u64> {
        let is_known = self.slot.was_settled() || self.slot.is_open();
        Io::ready(if is_known { Ok(self.slot.end.get()) } else { Err(Error::Closed) })
    }
}

/// A small file whose content is in the superblock.
pub(super) struct InlineFile {
    pub(super) name: Rc<str>,
    pub(super) content: Vec<u8>,
    pub(super) durability: Durability,
}

impl File for InlineFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let rest = usize::try_from(offset).ok().and_then(|at| self.content.get(at..)).unwrap_or_default();
        Io::ready(Ok(rest.get(..length).unwrap_or(rest).to_vec()))
    }

    fn append(&self, _: &[u8]) -> Io<u64> {
        Io::ready(Err(opened_to_be_read(&self.name, "append")))
    }

    fn sync(&self) -> Io<Durability> {
        Io::ready(Ok(self.durability))
    }

    fn truncate(&self, _: u64) -> Io<()> {
        Io::ready(Err(opened_to_be_read(&self.name, "truncate")))
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(to_u64(self.content.len())))
    }
}

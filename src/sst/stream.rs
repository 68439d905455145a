//! Writes a table piece by piece to whoever takes the pieces: no file is needed.
//!
//! Memory holds the current piece, and what a table has at its end: its index and filter, about two bytes for
//! each entry.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::Rc;

use crate::base::to_u64;
use crate::env::{Durability, File, Io, MemoryEnv};
use crate::error::{Error, Result};
use crate::table::{TableBuilder, TableOptions};

/// For error messages.
const NAME: &str = "the new table";

/// A table that is being written.
pub(crate) struct TableStream {
    builder: TableBuilder,
    pieces: Rc<Pieces>,
}

impl TableStream {
    pub(crate) fn new(options: Rc<TableOptions>) -> TableStream {
        let pieces = Rc::<Pieces>::default();
        let builder = TableBuilder::new(Rc::new(MemoryEnv::new()), pieces.clone(), NAME.to_owned(), options);
        TableStream { builder, pieces }
    }

    /// Adds an entry; keys must increase.
    pub(crate) async fn add(&mut self, key: &[u8], value: &[u8]) -> Result<()> {
        self.builder.add(key, value)?;
        if self.builder.wants_write() { self.builder.write_out().await } else { Ok(()) }
    }

    /// How many bytes can be taken.
    pub(crate) fn len(&self) -> usize {
        self.pieces.bytes.borrow().len()
    }

    /// Takes what is written so far.
    pub(crate) fn take(&self) -> Vec<u8> {
        self.pieces.bytes.take()
    }

    /// Writes the rest, and takes it.
    pub(crate) async fn finish(self) -> Result<Vec<u8>> {
        self.builder.finish().await?;
        Ok(self.pieces.bytes.take())
    }
}

/// A file whose bytes are taken away.
#[derive(Default)]
struct Pieces {
    bytes: RefCell<Vec<u8>>,
    size: Cell<u64>,
}

impl File for Pieces {
    fn read_at(&self, _offset: u64, _length: usize) -> Io<Vec<u8>> {
        refused("read")
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        self.bytes.borrow_mut().extend_from_slice(data);
        let taken = to_u64(data.len());
        self.size.set(self.size.get().saturating_add(taken));
        Io::ready(Ok(taken))
    }

    fn sync(&self) -> Io<Durability> {
        Io::ready(Ok(Durability::Volatile))
    }

    fn truncate(&self, _size: u64) -> Io<()> {
        refused("truncate")
    }

    fn size(&self) -> Io<u64> {
        Io::ready(Ok(self.size.get()))
    }
}

fn refused<T>(operation: &'static str) -> Io<T> {
    let message = "its bytes are taken away as they are written";
    Io::ready(Err(Error::io(NAME, operation, ErrorKind::Unsupported, message)))
}

//! The database under the chunks: three stores of rows, changed in transactions.
//!
//! In a browser this is IndexedDB, natively a model of it. A call is one transaction with all that it
//! reads or writes, so that none stays open while somebody else has the turn: an open transaction
//! blocks every other writer, also while its page is frozen.

use std::io::ErrorKind;

use crate::env::{Durability, Io};
use crate::error::{Error, Result};

/// The value of a row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Row {
    /// Bytes, as this storage writes them.
    Bytes(Vec<u8>),
    /// Anything else, and what it is.
    Foreign(String),
}

/// One change in a transaction.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// Sets the row of a file.
    PutFile {
        /// Its number.
        file: u64,
        /// The row.
        row: Vec<u8>,
    },
    /// Removes the row of a file, and its content.
    RemoveFile {
        /// Its number.
        file: u64,
    },
    /// Removes the content of a file from a chunk on.
    Cut {
        /// Its number.
        file: u64,
        /// The first chunk to remove.
        chunk: u64,
    },
    /// Adds a chunk, or a piece of one.
    PutChunk {
        /// The number of the file.
        file: u64,
        /// The number of the chunk.
        chunk: u64,
        /// Where the piece begins in the chunk; `None`: it is the whole chunk.
        offset: Option<u32>,
        /// The content.
        data: Vec<u8>,
    },
}

/// A transaction that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Commit {
    /// The head that must be there.
    pub expected: Vec<u8>,
    /// The head that replaces it.
    pub head: Vec<u8>,
    /// In their order.
    pub changes: Vec<Change>,
    /// Whether it is flushed, with all transactions before it.
    pub is_strict: bool,
}

/// The result of a transaction that writes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Written {
    /// It is complete.
    Done,
    /// Nothing was changed: another head, or none, is there.
    Refused(Option<Row>),
}

/// All that is not content.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Loaded {
    /// The head.
    pub head: Option<Row>,
    /// The rows of all files by number; `None`: the key is no number of a file.
    pub files: Vec<(Option<u64>, Row)>,
}

/// The stores of one database, and a connection to them.
///
/// After the error [`lost`], the connection is gone, and whether a transaction was completed is unknown.
/// After any other error nothing was changed.
pub trait ChunkDatabase {
    /// Excludes other owners; `Locked` if there is one. Does nothing if it is held.
    fn acquire(&self) -> Io<()>;
    /// Lets other owners in.
    fn release(&self);
    /// Connects, or does nothing if there is a connection. With `head`, creates a database with this head
    /// where there is none.
    ///
    /// `NotFound` if there is none, `Evicted` if there are its remains.
    fn connect(&self, head: Option<Vec<u8>>) -> Io<()>;
    /// Ends the connection. Calls that have not answered fail with [`lost`].
    fn disconnect(&self);
    /// Reads all rows that are not content.
    fn load(&self) -> Io<Loaded>;
    /// Reads the chunks from `first` on up to but without `end`, and pieces of chunks, in order.
    fn read(&self, file: u64, first: u64, end: u64) -> Io<Vec<Row>>;
    /// Writes, if the head is the expected one.
    fn write(&self, commit: &Commit) -> Io<Written>;
    /// Removes the database. There is no connection.
    fn remove(&self) -> Io<()>;
    /// Waits so many milliseconds.
    fn pause(&self, ms: u64) -> Io<()>;
    /// A number that no other database has.
    fn unique(&self) -> u64;
    /// How durable a strict transaction is.
    fn durability(&self) -> Durability;
}

/// The error of a call whose connection was lost.
pub fn lost(operation: &'static str, message: impl Into<String>) -> Error {
    Error::io("the database", operation, ErrorKind::ConnectionAborted, message)
}

/// Whether the connection was lost.
pub(super) fn is_lost(error: &Error) -> bool {
    matches!(error, Error::Io(e) if e.kind == ErrorKind::ConnectionAborted)
}

/// Waiting times before another attempt to connect, in ms.
const PAUSES_MS: [u64; 4] = [0, 100, 500, 2000];

/// Connects again, and reads what `load` reads; creates the database as [`ChunkDatabase::connect`] does.
pub(super) async fn reconnect(database: &dyn ChunkDatabase, head: Option<&[u8]>) -> Result<Loaded> {
    let mut failure = Error::Closed;
    for pause in PAUSES_MS {
        if pause > 0 {
            database.pause(pause).await?;
        }
        database.disconnect();
        match connect(database, head).await {
            Err(error) if is_lost(&error) => failure = error,
            done => return done,
        }
    }
    Err(failure)
}

/// Connects, and reads what `load` reads.
pub(super) async fn connect(database: &dyn ChunkDatabase, head: Option<&[u8]>) -> Result<Loaded> {
    database.connect(head.map(<[u8]>::to_vec)).await?;
    database.load().await
}

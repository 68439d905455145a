//! The raw files under the pool: one flat directory of files that are read and written in place.
//!
//! In a browser these are the files of the origin private file system, natively a model of it.

use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;

use crate::env::{Durability, Io};
use crate::error::{Error, Result};

/// A directory of raw files.
pub trait RawDirectory {
    /// Excludes other owners, where opening the superblocks alone does not; `Locked` if there is one.
    fn acquire(&self) -> Io<()> {
        Io::ready(Ok(()))
    }
    /// Lets other owners in. All files are closed.
    fn release(&self) {}
    /// Lists all names, in any order; creates the directory if `create` is set and it does not exist.
    ///
    /// `NotFound` if it does not exist.
    fn list(&self, create: bool) -> Io<Vec<String>>;
    /// Opens a file for reading and writing, which excludes every other opener; creates it if
    /// `create` is set and it does not exist.
    ///
    /// The error is [`busy`] if another opener is the reason, or `Locked`. Whether a creation, or a removal,
    /// survives a power failure is unknown until later.
    fn open(&self, name: &str, create: bool) -> Io<Rc<dyn RawFile>>;
    /// Removes a file that is not open.
    fn remove(&self, name: &str) -> Io<()>;
    /// Removes the directory and all files in it, none of which is open.
    fn remove_all(&self) -> Io<()>;
    /// Milliseconds since 1970, by the clock of the platform, which may be set back.
    fn now(&self) -> u64;
    /// A number that no other database has.
    fn unique(&self) -> u64;
    /// Runs `work` after `delay` milliseconds, or never.
    fn run_later(&self, delay: u64, work: Pin<Box<dyn Future<Output = ()>>>);
    /// How durable a flush is.
    fn durability(&self) -> Durability;
    /// Whether a file that has grown takes more of the quota than its size until it is closed: a power of
    /// two, at least 1 MiB (Chromium, WebKit).
    fn reserves(&self) -> bool {
        false
    }
}

/// An open raw file. It is closed when it is dropped.
pub trait RawFile {
    /// Reads at `offset` into `into`; returns how many bytes it read.
    fn read(&self, offset: u64, into: &mut [u8]) -> Result<usize>;
    /// Writes at `offset`; returns how many bytes the platform *reports* as written.
    fn write(&self, offset: u64, data: &[u8]) -> Result<u64>;
    /// The size in bytes.
    fn size(&self) -> Result<u64>;
    /// Truncates, or extends with zeros.
    fn truncate(&self, size: u64) -> Result<()>;
    /// Makes everything written so far durable.
    fn flush(&self) -> Result<()>;
}

/// The error of opening a raw file that is open elsewhere.
pub fn busy(name: &str, message: impl Into<String>) -> Error {
    Error::io(name, "open", ErrorKind::WouldBlock, message)
}

/// The error of opening a raw file that only the owner opens.
pub(super) fn as_locked(error: Error) -> Error {
    let is_busy = matches!(&error, Error::Io(e) if e.kind == ErrorKind::WouldBlock);
    if is_busy { Error::Locked("the database is open elsewhere".to_owned()) } else { error }
}

/// Writes `data` at `offset` and verifies it: the reported count alone is no proof that anything was
/// written.
pub(super) fn write_checked(file: &dyn RawFile, name: &str, offset: u64, data: &[u8]) -> Result<()> {
    let taken = file.write(offset, data)?;
    let (size, end) = (file.size()?, offset.saturating_add(crate::base::to_u64(data.len())));
    if size < end {
        let message = format!("the storage took {taken} bytes but the file ends at {size}, expected {end} or more");
        // Firefox reports a full quota as 0 bytes, and a full disk as a count that means nothing.
        return Err(Error::io(name, "write", ErrorKind::StorageFull, message));
    }
    crate::env::check_taken(name, crate::base::to_u64(data.len()), taken)
}

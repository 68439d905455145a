//! The engine's only access to the outside: one flat set of named files.
//!
//! # Contract
//!
//! Every storage passes the same test suite (`tests/engine/env_contract.rs`).
//!
//! 1. **Results.** Each call returns an [`Io`]: either ready, without allocation, or a boxed
//!    future. A storage may return either from call to call. Futures own what they need: dropping
//!    one leaves the file usable, although the operation may or may not happen. The next call on a
//!    file is made after the last one has completed, with one exception: while a sync is in
//!    progress, the file may be read and appended to (the sync covers the bytes that were there
//!    before).
//! 2. **Append** adds all bytes at the end and returns how many the storage *reports* as written. A
//!    caller must compare that number and, unless [`Env::appends_are_exact`], the file's
//!    [`size`](File::size) too ([`append_checked`] does both). After an error, the size tells what
//!    was written; [`truncate`](File::truncate) removes a failed append, even when the disk is
//!    full. Truncating to more than the size fills with zeros. A file opened for reading refuses
//!    both.
//! 3. **Read** returns exactly the bytes requested, or fewer if the file ends before.
//! 4. **Sync** is the platform's strongest flush, and returns how durable it is. After a failed
//!    sync, the bytes since the last successful one may be lost, and the file must not be appended
//!    to again.
//! 5. **Names** are those that [`check_name`] allows; others are `InvalidArgument`. [`Env::create`]
//!    immediately gives the name a new empty file; open handles of the old file keep it. All other
//!    changes are made in groups: [`Env::edit_names`] applies its edits in order and returns when
//!    they, and the names of all files created before, are durable. A group is atomic where the
//!    storage supports it, also if an error occurs; in a directory, each edit is. `Replace` is
//!    always atomic: after a crash the file has either the old content or the new, all of it
//!    durable. A name that must exist but does not is `NotFound`.
//! 6. **Order.** A file's content is synced first, then its name is made durable, then the manifest
//!    record is synced, then old files are removed. Nothing else is promised about order: between
//!    two syncs, files may reach the disk in any order and torn at any byte.
//! 7. **Remove** is a request: a storage may delay it, and a later `list` may still return the
//!    file. A removed file that is open stays readable through its handle.
//! 8. **Lock** excludes every other user of the same files, in this process too, until `unlock` or
//!    until the Env is dropped; it returns an epoch that increases with every owner if the storage
//!    can count them (0 if not). Any later call may fail with `Fenced`. The lock is not a file: no
//!    call accepts or lists the name `LOCK`.
//! 9. **The place** is created by `lock(true)`. While it does not exist, `lock(false)` and `list`
//!    return `NotFound`. `remove_place` takes the lock (if its caller does not hold it), and ends
//!    with the lock released and, unless a file is left, the place removed. Files that are left
//!    stay as they are; that is not an error.

mod block_on;
mod checked;
mod chunks;
mod io;
mod memory;
mod names;
mod pool;
mod sealed;
#[cfg(all(feature = "std-fs", not(target_arch = "wasm32")))]
mod std_fs;
#[cfg(feature = "testing")]
mod testing;
#[cfg(feature = "wasm")]
mod web;

use std::rc::Rc;

pub use crate::base::FileKind;

#[cfg(not(target_arch = "wasm32"))]
pub use block_on::block_on;
pub use block_on::try_now;
pub use checked::{append_checked, read_exact, read_file};
pub(crate) use checked::{append_checked_as, check_taken};
pub use chunks::{
    CHUNK_BYTES, Change, ChunkDatabase, ChunkEnv, ChunkName, ChunkNames, Commit, Loaded, Row, Written, chunk_file_size,
    chunk_names, lost,
};
#[cfg(feature = "testing")]
pub use chunks::{ChunkCounts, ChunkFault, ChunkModel};
pub use io::Io;
pub use memory::MemoryEnv;
#[cfg(feature = "testing")]
pub use memory::{CrashModel, CrashNames, CrashTail};
pub use names::{NameEdit, check_name};
pub use pool::{
    NEWER_MAX, PoolContent, PoolEnv, PoolName, PoolNames, RAW_HEADER_SIZE, RawDirectory, RawFile, busy, pool_names,
    raw_generation,
};
#[cfg(feature = "testing")]
pub use pool::{RawCrash, RawFault, RawLimit, RawModel};
#[cfg(all(feature = "std-fs", not(target_arch = "wasm32")))]
pub use std_fs::StdFsEnv;
#[cfg(feature = "testing")]
pub use testing::{Call, FaultEnv, FaultKind, FaultRule, Operation, SectorFault};
#[cfg(all(feature = "wasm", feature = "testing"))]
pub use web::opfs_directory;
#[cfg(feature = "wasm")]
pub(crate) use web::{ForeignEnv, Storage, raw_files, thrown_as};
#[cfg(feature = "full")]
pub(crate) use web::{chunk_database, chunk_rows, row_of};

/// How durable a successful sync is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Lost when the process ends (memory).
    Volatile,
    /// Survives the process; the machine's caches are not flushed.
    OsBuffered,
    /// Survives a power failure, as far as the platform's strongest flush guarantees it.
    Durable,
}

/// The mode in which an existing file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// For reading.
    Read,
    /// For reading, appending and truncating.
    Append,
}

/// One open file.
pub trait File {
    /// Reads up to `length` bytes at `offset`; fewer only if the file ends before.
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>>;
    /// The same; the result may reuse `buffer`'s memory, whose content is ignored.
    fn read_into(&self, offset: u64, length: usize, buffer: Vec<u8>) -> Io<Vec<u8>> {
        drop(buffer);
        self.read_at(offset, length)
    }
    /// Appends `data`; returns how many bytes the storage reports as written.
    fn append(&self, data: &[u8]) -> Io<u64>;
    /// The same, and a sync of this file follows: a storage that can do both at once does so.
    fn append_before_sync(&self, data: &[u8]) -> Io<u64> {
        self.append(data)
    }
    /// Makes everything appended so far durable; the result says how durable.
    fn sync(&self) -> Io<Durability>;
    /// Truncates the file to `size` bytes.
    fn truncate(&self, size: u64) -> Io<()>;
    /// The file's size in bytes.
    fn size(&self) -> Io<u64>;
}

/// One flat set of named files; the module documentation has the contract.
pub trait Env {
    /// Takes the lock; creates the place if `create` is set and it does not exist.
    fn lock(&self, create: bool) -> Io<u64>;
    /// Releases the lock. Does nothing if it is not held.
    fn unlock(&self);
    /// Lists all names, in any order. `NotSupported` if the storage cannot list (HTTP).
    fn list(&self) -> Io<Vec<String>>;
    /// Creates an empty file of that name, replacing any other, for reading and appending.
    ///
    /// `size_hint` is the size that it is expected to reach, in bytes; 0 = unknown.
    fn create(&self, name: &str, kind: FileKind, size_hint: u64) -> Io<Rc<dyn File>>;
    /// Opens an existing file.
    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>>;
    /// Opens an existing table for reading.
    ///
    /// It has `size` bytes if the manifest is right, so that a remote storage may fetch its end
    /// with the same request.
    fn open_table(&self, name: &str, size: u64) -> Io<Rc<dyn File>> {
        let _ = size;
        self.open(name, Access::Read)
    }
    /// Changes names; returns when the changes, and all earlier creations, are durable.
    ///
    /// An empty group is a barrier.
    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()>;
    /// Releases the lock and, if it holds no file, removes the place itself (`destroy`).
    fn remove_place(&self) -> Io<()>;
    /// How durable a successful sync is here.
    fn durability(&self) -> Durability;
    /// Whether the result of `append` alone can be trusted (POSIX), so that the size need not be
    /// read.
    fn appends_are_exact(&self) -> bool;
    /// Whether an append that fails because the quota or disk is full has changed nothing.
    ///
    /// It need then not be undone durably, which would need room.
    fn appends_are_atomic(&self) -> bool {
        false
    }
    /// Whether a log can be created by a call that is ready at once, for a write that cannot wait.
    fn creates_at_once(&self) -> bool {
        true
    }
    /// Whether a quota may end long before the disk does, so that room must be [kept](Env::keep_room).
    fn has_quota(&self) -> bool {
        false
    }
    /// Whether a file that grows takes a power of two of the quota until it is closed, so that files
    /// had better end just below one.
    fn claims_powers_of_two(&self) -> bool {
        false
    }
    /// Keeps at least `bytes` for when the storage is full: new files, tables and manifests use them
    /// then, and the next call keeps as much again. Returns whether that much is kept.
    ///
    /// The default keeps nothing, and returns `true`: a full disk can be given more room.
    fn keep_room(&self, bytes: u64) -> Io<bool> {
        let _ = bytes;
        Io::ready(Ok(true))
    }
    /// Whether [`keep_room`](Env::keep_room) answers at once if there is room.
    fn knows_room(&self) -> bool {
        true
    }
    /// Gives up what is kept, for a log of deletes; whether there was any.
    fn use_room(&self) -> bool {
        false
    }
    /// A thread for work that uses no storage, such as compressing blocks.
    ///
    /// `None` (the default) if the platform has none to spare: the work is then done in place.
    fn compute_thread(&self) -> Option<Rc<dyn ComputeThread>> {
        None
    }
}

/// A thread for computation; see [`Env::compute_thread`].
pub trait ComputeThread {
    /// Runs `work` there; the result is ready when it is done.
    ///
    /// It runs even if the result is dropped.
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Io<()>;
}

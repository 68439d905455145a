//! The only door to the outside: one flat set of named files.
//!
//! # Contract
//!
//! Every storage passes the same suite (`tests/engine/env_contract.rs`).
//!
//! 1. **Answers.** Each call answers an [`Io`]: ready, without allocation, or a boxed future. One storage may do either from
//!    call to call. Futures own what they need: dropping one leaves the file usable, though the call may or may not happen.
//!    The next call on a file is made when the last one has answered; only while a sync is under way may the file be read
//!    and appended to (the sync vouches for what was there before).
//! 2. **Append** adds all bytes at the end and answers how many the storage *says* it took. A caller must compare that, and,
//!    unless [`Env::appends_are_exact`], the file's [`size`](File::size) too ([`append_checked`] does both). After an error
//!    the size says what is there; [`truncate`](File::truncate) takes a failed append back, also when the disk is full.
//!    Truncating to more than the size fills with zeros. A file opened to be read refuses both.
//! 3. **Read** answers exactly the bytes asked for, fewer only at the end of the file, none beyond it.
//! 4. **Sync** is the platform's strongest flush, and says what that was. After a failed sync nothing is known of the bytes
//!    since the last good one, and the file must not be appended to again.
//! 5. **Names** are those that [`check_name`] allows; others are `InvalidArgument`. [`Env::create`] gives the name a new empty
//!    file at once; whoever has the old one open keeps it. All other changes come in groups: [`Env::edit_names`] applies its
//!    edits in order and returns when they, and the names of all files created before, are durable. Where the storage can, a
//!    group is atomic, at an error too; on a directory each edit is. `Replace` is always atomic: after a crash the file holds
//!    the old content or the new, all of it durable. A name that must exist and does not is `NotFound`.
//! 6. **Order.** Content synced, then its name durable, then the manifest record synced, then old files removed. Nothing
//!    else is promised about order: between two syncs, files may reach the disk in any order and torn at any byte.
//! 7. **Remove** is a request: a storage may delay it, a later `list` may still show the file. A removed file that is open
//!    stays readable through its handle.
//! 8. **Lock** excludes every other user of the same files, in this process too, until
//!    `unlock` or the Env's end; it answers an epoch that grows with every owner where the storage can count them (0 where
//!    not). Any later call may fail with `Fenced`. The lock is not a file: no call takes or lists the name `LOCK`.
//! 9. **The place** is made by `lock(true)`. While there is none, `lock(false)` and `list` are `NotFound`.
//!    `remove_place` takes the lock (if its caller does not have it), and ends with no lock and, unless a file is left, with
//!    no place. Files that are left stay as they are; that is no error.

mod block_on;
mod checked;
mod io;
mod memory;
mod names;
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
pub(crate) use checked::check_taken;
pub use checked::{append_checked, read_exact, read_file};
pub use io::Io;
pub use memory::MemoryEnv;
#[cfg(feature = "testing")]
pub use memory::{CrashModel, CrashNames, CrashTail};
pub use names::{NameEdit, check_name};
#[cfg(all(feature = "std-fs", not(target_arch = "wasm32")))]
pub use std_fs::StdFsEnv;
#[cfg(feature = "testing")]
pub use testing::{Call, FaultEnv, FaultKind, FaultRule, Operation, SectorFault};
#[cfg(feature = "wasm")]
pub(crate) use web::{ForeignEnv, Storage, thrown_as};

/// What a successful sync means.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Durability {
    /// Gone with the process (memory).
    Volatile,
    /// Survives the process; the machine's caches are not emptied.
    OsBuffered,
    /// Survives the machine, as far as the platform's strongest flush goes.
    Durable,
}

/// How an existing file is opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Access {
    /// To be read.
    Read,
    /// To be read, appended to and truncated.
    Append,
}

/// One open file.
pub trait File {
    /// Up to `length` bytes from `offset`; fewer only where the file ends.
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>>;
    /// The same; the answer may be in `buffer`'s memory, whose content does not matter.
    fn read_into(&self, offset: u64, length: usize, buffer: Vec<u8>) -> Io<Vec<u8>> {
        drop(buffer);
        self.read_at(offset, length)
    }
    /// Adds `data` at the end; answers how many bytes the storage says it took.
    fn append(&self, data: &[u8]) -> Io<u64>;
    /// Makes all that was appended durable, as far as the answer says.
    fn sync(&self) -> Io<Durability>;
    /// Cuts the file to `size` bytes.
    fn truncate(&self, size: u64) -> Io<()>;
    /// Bytes in the file.
    fn size(&self) -> Io<u64>;
}

/// One flat set of named files; see the module for the contract.
pub trait Env {
    /// Takes the lock; makes the place if `create` is set and it does not exist.
    fn lock(&self, create: bool) -> Io<u64>;
    /// Gives the lock back. Without one it does nothing.
    fn unlock(&self);
    /// All names, in any order. `NotSupported` where the storage cannot tell (HTTP).
    fn list(&self) -> Io<Vec<String>>;
    /// A new empty file of that name, replacing any other, to be read and appended to. `size_hint` is about how large it
    /// will become, in bytes; 0 = unknown.
    fn create(&self, name: &str, kind: FileKind, size_hint: u64) -> Io<Rc<dyn File>>;
    /// An existing file.
    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>>;
    /// An existing table, to be read, which has `size` bytes if the manifest is right: a storage far away may fetch its end
    /// at once.
    fn open_table(&self, name: &str, size: u64) -> Io<Rc<dyn File>> {
        let _ = size;
        self.open(name, Access::Read)
    }
    /// Changes names; returns when they, and all earlier creations, are durable. An empty group is a barrier.
    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()>;
    /// Removes the lock and, if no file is left in it, the place itself (`destroy`).
    fn remove_place(&self) -> Io<()>;
    /// What a successful sync means here.
    fn durability(&self) -> Durability;
    /// Whether the answer of `append` alone can be trusted (POSIX), so that the size need not be asked.
    fn appends_are_exact(&self) -> bool;
    /// A thread for work that touches no storage, such as compressing blocks, where the platform has one to spare. `None`
    /// (the default): it is done in place.
    fn compute_thread(&self) -> Option<Rc<dyn ComputeThread>> {
        None
    }
}

/// A thread that computes; see [`Env::compute_thread`].
pub trait ComputeThread {
    /// Hands `work` over; the answer comes when it is done. It is done even if the answer is dropped.
    fn run(&self, work: Box<dyn FnOnce() + Send>) -> Io<()>;
}

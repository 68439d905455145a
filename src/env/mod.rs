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
mod crash;
mod fault;
#[cfg(feature = "wasm")]
mod foreign;
mod memory;
mod seeded;
#[cfg(all(feature = "std-fs", not(target_arch = "wasm32")))]
mod std_fs;

use std::fmt;
use std::future::Future;
use std::io::ErrorKind;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

pub use crate::base::FileKind;
use crate::base::to_u64;
use crate::error::{Error, Result};

#[cfg(not(target_arch = "wasm32"))]
pub use block_on::block_on;
pub use block_on::try_now;
pub use crash::{CrashModel, CrashNames, CrashTail};
pub use fault::{Call, FaultEnv, FaultKind, FaultRule, Operation, SectorFault};
#[cfg(feature = "wasm")]
pub(crate) use foreign::{ForeignEnv, Storage, thrown_as};
pub use memory::MemoryEnv;
#[cfg(all(feature = "std-fs", not(target_arch = "wasm32")))]
pub use std_fs::StdFsEnv;

/// The answer of a storage: ready at once, or later.
pub enum Io<T> {
    /// Known already (`None` once it has been taken).
    Ready(Option<Result<T>>),
    /// To be awaited.
    Pending(Pin<Box<dyn Future<Output = Result<T>>>>),
}

impl<T> Io<T> {
    /// Known already.
    #[inline]
    pub fn ready(result: Result<T>) -> Io<T> {
        Io::Ready(Some(result))
    }

    /// To be awaited.
    pub fn pending(future: impl Future<Output = Result<T>> + 'static) -> Io<T> {
        Io::Pending(Box::pin(future))
    }

    /// The same answer, changed by `then` when it is known.
    pub fn map<U>(self, then: impl FnOnce(Result<T>) -> Result<U> + 'static) -> Io<U>
    where
        T: 'static,
    {
        match self {
            Io::Ready(result) => Io::ready(then(result.unwrap_or(Err(Error::Closed)))),
            Io::Pending(future) => Io::pending(async move { then(future.await) }),
        }
    }
}

impl<T> Unpin for Io<T> {}

impl<T> Future for Io<T> {
    type Output = Result<T>;

    #[inline]
    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Result<T>> {
        match &mut *self {
            Io::Ready(result) => Poll::Ready(result.take().unwrap_or(Err(Error::Closed))),
            Io::Pending(future) => future.as_mut().poll(cx),
        }
    }
}

impl<T> fmt::Debug for Io<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if matches!(self, Io::Ready(_)) { "Io::Ready" } else { "Io::Pending" })
    }
}

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

/// One change of the set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameEdit {
    /// `from` becomes `to`, replacing it. `to` may begin with `lost/`: kept, but out of the way of `list`.
    Rename {
        /// The old name; it must exist.
        from: String,
        /// The new name.
        to: String,
    },
    /// The name goes away. A name that does not exist is no error.
    Remove {
        /// The name.
        name: String,
    },
    /// The file holds exactly `content`, atomically.
    Replace {
        /// The name, whether it exists or not.
        name: String,
        /// A name that the storage may use on the way; a crash may leave it behind.
        via: String,
        /// The whole content.
        content: Vec<u8>,
    },
}

impl NameEdit {
    /// Whether all names in it are allowed ([`check_name`]).
    pub fn check(&self) -> Result<()> {
        let (one, other) = match self {
            NameEdit::Rename { from, to } => (from, to),
            NameEdit::Remove { name } => (name, name),
            NameEdit::Replace { name, via, .. } => (name, via),
        };
        check_name(one)?;
        check_name(other)
    }
}

/// Whether a storage takes this name: 1 to 255 bytes, none of `/ \ :` and no control character, not `.`, `..` or `LOCK`
/// (which is the lock's own); all this may follow one `lost/`.
pub fn check_name(name: &str) -> Result<()> {
    let bare = name.strip_prefix("lost/").unwrap_or(name);
    let forbidden = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    if bare.is_empty() || bare.len() > 255 || matches!(bare, "." | ".." | "LOCK" | "lost") || bare.contains(forbidden) {
        // Not `{:?}`: that brings Unicode's tables with it, for what may be printed.
        return Err(Error::InvalidArgument(format!("\"{}\" cannot be the name of a file", name.escape_default())));
    }
    Ok(())
}

/// The answer of an append to a file that was opened to be read.
fn opened_to_be_read(name: &str, operation: &'static str) -> Error {
    Error::io(name, operation, ErrorKind::PermissionDenied, "the file was opened to be read")
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

/// Appends and proves it: `end` is the size that the file must have afterwards.
pub async fn append_checked(env: &dyn Env, file: &dyn File, name: &str, data: &[u8], end: u64) -> Result<()> {
    let asked = to_u64(data.len());
    let taken = file.append(data).await?;
    check_taken(name, asked, taken)?;
    if !env.appends_are_exact() && !crate::bugs::seeded(crate::bugs::Bug::SizeNotChecked) {
        let size = file.size().await?;
        if size != end {
            let message = format!("the storage took {taken} bytes but the file ends at {size}, expected {end}");
            return Err(Error::io(name, "append", ErrorKind::WriteZero, message));
        }
    }
    Ok(())
}

/// An append took all the bytes it was given.
pub(crate) fn check_taken(name: &str, asked: u64, taken: u64) -> Result<()> {
    if taken == asked {
        return Ok(());
    }
    let message = format!("the storage took {taken} of {asked} bytes");
    Err(Error::io(name, "append", ErrorKind::WriteZero, message))
}

/// The whole of a file of at most `size_max` bytes.
pub async fn read_file(env: &dyn Env, name: &str, size_max: u64) -> Result<Vec<u8>> {
    let file = env.open(name, Access::Read).await?;
    let size = file.size().await?;
    if size > size_max {
        return Err(Error::LimitExceeded(format!("{name} has {size} bytes, at most {size_max} are read at once")));
    }
    read_exact(&*file, name, 0, usize::try_from(size).unwrap_or(usize::MAX)).await
}

/// Exactly `length` bytes; a file that ends before is an error.
pub async fn read_exact(file: &dyn File, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
    let data = file.read_at(offset, length).await?;
    if data.len() == length { Ok(data) } else { Err(short_read(name, offset, length, data.len())) }
}

/// What a read that came back short means: the file is shorter than what points into it says.
pub(crate) fn short_read(name: &str, offset: u64, expected: usize, found: usize) -> Error {
    Error::corruption(name, offset, format!("{expected} bytes expected, the file has {found} there"))
}

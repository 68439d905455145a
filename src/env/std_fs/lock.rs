//! LevelDB's lock: the file `LOCK`, locked with fcntl by one process, and in it by one Env.
//!
//! A process's fcntl locks do not exclude the process itself, and closing *any* descriptor of
//! `LOCK` releases them. So a table of the process's own locks is checked before `LOCK` is opened,
//! and nothing else here opens it.

use std::fs;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use super::descriptors::with_spare;
use crate::base::FileName;
use crate::error::{Error, Result};

/// The lock of one directory, held until it is dropped.
#[derive(Debug)]
pub(super) struct DirectoryLock {
    // Fields drop in order: the file's lock is released before the table's entry.
    file: fs::File,
    _entry: Entry,
    /// Whether `LOCK` is removed with the lock if there is no database then.
    passing: bool,
}

impl DirectoryLock {
    /// Locks a directory that exists.
    ///
    /// If there is no database, a `LOCK` created here stays only if `may_stay`.
    pub(super) fn take(directory: &Path, may_stay: bool) -> Result<DirectoryLock> {
        let failed = |e: &io::Error| Error::from_std(directory.display().to_string(), "lock", e);
        let metadata = fs::metadata(directory).map_err(|e| failed(&e))?;
        if !metadata.is_dir() {
            let shown = directory.display().to_string();
            return Err(Error::io(shown, "lock", ErrorKind::NotADirectory, "not a directory"));
        }
        let id = id_of(directory, &metadata).map_err(|e| failed(&e))?;
        let Some(entry) = Entry::take(id) else { return Err(locked(directory, "this process")) };
        let passing = !may_stay && !directory.join("LOCK").exists();
        loop {
            let Some(file) = open_locked(&directory.join("LOCK")).map_err(|e| failed(&e))? else {
                return Err(locked(directory, "another process"));
            };
            // Another process may have destroyed the database in between, and removed the locked
            // file.
            if !is_unlinked(&file).map_err(|e| failed(&e))? {
                return Ok(DirectoryLock { file, _entry: entry, passing });
            }
        }
    }

    /// Releases the lock.
    pub(super) fn release(self, directory: &Path) {
        // A C++ LevelDB that is about to lock has created its LOG before.
        if self.passing && holds_no_database(directory) {
            // An empty `LOCK` that stays is harmless.
            let _ = self.release_and_remove(directory);
        }
    }

    /// Releases the lock and removes `LOCK`.
    ///
    /// As late as possible, so that no process can hold a `LOCK` without a name.
    pub(super) fn release_and_remove(self, directory: &Path) -> io::Result<()> {
        let path = directory.join("LOCK");
        if cfg!(unix) {
            return fs::remove_file(path);
        }
        drop(self.file);
        fs::remove_file(path)
    }
}

/// Whether the directory has no file of a database but `LOCK`.
fn holds_no_database(directory: &Path) -> bool {
    let is_foreign = |entry: io::Result<fs::DirEntry>| {
        let name = entry.ok().and_then(|entry| entry.file_name().into_string().ok()).unwrap_or_default();
        FileName::parse(&name).is_none_or(|known| known == FileName::Lock)
    };
    fs::read_dir(directory).is_ok_and(|mut entries| entries.all(is_foreign))
}

fn locked(directory: &Path, by: &str) -> Error {
    Error::Locked(format!("{} is in use by {by}", directory.join("LOCK").display()))
}

/// The directories that this process has locked.
static HELD: Mutex<Vec<DirectoryId>> = Mutex::new(Vec::new());

fn held() -> MutexGuard<'static, Vec<DirectoryId>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// One row of [`HELD`], removed when this is dropped.
#[derive(Debug)]
struct Entry(DirectoryId);

impl Entry {
    fn take(id: DirectoryId) -> Option<Entry> {
        let mut held = held();
        if held.contains(&id) {
            return None;
        }
        held.push(id.clone());
        Some(Entry(id))
    }
}

impl Drop for Entry {
    fn drop(&mut self) {
        held().retain(|id| *id != self.0);
    }
}

/// Device and inode: the same for every path to a directory.
#[cfg(unix)]
#[derive(Clone, Debug, PartialEq)]
struct DirectoryId(u64, u64);

#[cfg(unix)]
fn id_of(_directory: &Path, metadata: &fs::Metadata) -> io::Result<DirectoryId> {
    use std::os::unix::fs::MetadataExt;
    Ok(DirectoryId(metadata.dev(), metadata.ino()))
}

#[cfg(not(unix))]
#[derive(Clone, Debug, PartialEq)]
struct DirectoryId(std::path::PathBuf);

#[cfg(not(unix))]
fn id_of(directory: &Path, _metadata: &fs::Metadata) -> io::Result<DirectoryId> {
    directory.canonicalize().map(DirectoryId)
}

/// `None` if the lock is held elsewhere.
#[cfg(unix)]
fn open_locked(path: &Path) -> io::Result<Option<fs::File>> {
    use rustix::fs::{FlockOperation, fcntl_lock};
    let mut options = fs::OpenOptions::new();
    options.read(true).write(true).create(true).truncate(false);
    let file = with_spare(|| options.open(path))?;
    match fcntl_lock(&file, FlockOperation::NonBlockingLockExclusive) {
        Ok(()) => Ok(Some(file)),
        Err(rustix::io::Errno::ACCESS | rustix::io::Errno::AGAIN) => Ok(None),
        Err(e) => Err(e.into()),
    }
}

#[cfg(unix)]
fn is_unlinked(file: &fs::File) -> io::Result<bool> {
    use std::os::unix::fs::MetadataExt;
    Ok(file.metadata()?.nlink() == 0)
}

/// Opened without sharing.
///
/// No other process, LevelDB included, can open the file until it is closed.
#[cfg(windows)]
fn open_locked(path: &Path) -> io::Result<Option<fs::File>> {
    use std::os::windows::fs::OpenOptionsExt;
    const ERROR_SHARING_VIOLATION: i32 = 32;
    let mut options = fs::OpenOptions::new();
    match options.read(true).write(true).create(true).truncate(false).share_mode(0).open(path) {
        Ok(file) => Ok(Some(file)),
        Err(e) if e.raw_os_error() == Some(ERROR_SHARING_VIOLATION) => Ok(None),
        Err(e) => Err(e),
    }
}

#[cfg(not(any(unix, windows)))]
fn open_locked(_path: &Path) -> io::Result<Option<fs::File>> {
    Err(io::Error::new(ErrorKind::Unsupported, "this system has no locks"))
}

#[cfg(not(unix))]
fn is_unlinked(_file: &fs::File) -> io::Result<bool> {
    Ok(false)
}

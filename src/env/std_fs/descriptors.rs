//! Limits the file descriptors of tables, for all databases of the process together.
//!
//! A table does not change while it has its name, so its descriptor can be closed and the file
//! reopened for the next read. The least recently used are closed when there are too many, or when
//! the process has none left for another file.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError, RwLock, TryLockError};
use std::time::SystemTime;

use crate::error::{Error, Result, is_exhausted};

/// The number that is always kept.
const OPEN_MIN: usize = 8;
/// Used if the limit is unknown.
const OPEN_MAX_UNKNOWN: usize = 1000;

/// The file under this name is another one now, or missing.
///
/// Our file was removed (for example, on a file server).
const CHANGED: io::ErrorKind = io::ErrorKind::StaleNetworkFileHandle;

/// A table open for reading, whether or not it has a descriptor at the moment.
pub(super) struct TableDescriptor(Arc<Slot>);

struct Slot {
    id: u64,
    path: PathBuf,
    /// `None` if we hold the lock: then no other process changes files, and the file under the name
    /// is the same one.
    found: Option<Stamp>,
    file: RwLock<Option<fs::File>>,
    /// Whether it was used since it was last considered for closing.
    used: AtomicBool,
    /// Its name is removed, or about to be.
    kept: AtomicBool,
}

/// Distinguishes this file from another of the same name.
#[derive(Debug, PartialEq)]
struct Stamp(u64, Option<SystemTime>);

/// Invariants:
/// 1. `all` has every slot, by path; `closable` has those with a descriptor that may be closed, and
///    possibly some without one.
/// 2. A slot whose name is removed keeps its descriptor and is not in `closable`.
/// 3. Slots are locked before the pool, or with `try_lock` after it: so there is no deadlock.
struct Pool {
    all: BTreeMap<(PathBuf, u64), Arc<Slot>>,
    closable: BTreeMap<u64, Arc<Slot>>,
    next_id: u64,
    /// The clock's hand: number of the slot to consider next.
    hand: u64,
}

static POOL: Mutex<Pool> = Mutex::new(Pool { all: BTreeMap::new(), closable: BTreeMap::new(), next_id: 0, hand: 0 });

fn pool() -> MutexGuard<'static, Pool> {
    POOL.lock().unwrap_or_else(PoisonError::into_inner)
}

impl TableDescriptor {
    /// Adds `file`, just opened at `path`. `is_ours`: we hold the lock of its directory.
    pub(super) fn new(path: PathBuf, file: fs::File, metadata: &fs::Metadata, is_ours: bool) -> TableDescriptor {
        let found = (!is_ours).then(|| stamp(metadata));
        let mut pool = pool();
        let id = pool.next_id;
        pool.next_id = id.saturating_add(1);
        let slot = Arc::new(Slot {
            id,
            path,
            found,
            file: RwLock::new(Some(file)),
            used: AtomicBool::new(true),
            kept: AtomicBool::new(false),
        });
        pool.all.insert((slot.path.clone(), id), Arc::clone(&slot));
        pool.add(&slot);
        TableDescriptor(slot)
    }

    /// Calls `act` with the file, reopened if necessary.
    pub(super) fn with<T>(&self, name: &str, act: impl FnOnce(&fs::File) -> Result<T>) -> Result<T> {
        loop {
            let file = self.0.file.read().unwrap_or_else(PoisonError::into_inner);
            if let Some(file) = &*file {
                self.0.used.store(true, Ordering::Relaxed);
                return act(file);
            }
            drop(file);
            if self.0.reopen().map_err(|e| failed(name, &e))? {
                pool().add(&self.0);
            }
        }
    }
}

fn failed(name: &str, error: &io::Error) -> Error {
    match error.kind() {
        CHANGED => Error::SourceChanged(error.to_string()),
        _ => Error::from_std(name, "open", error),
    }
}

impl Drop for TableDescriptor {
    fn drop(&mut self) {
        let mut pool = pool();
        pool.closable.remove(&self.0.id);
        pool.all.remove(&(self.0.path.clone(), self.0.id));
    }
}

impl Slot {
    /// Returns whether it had no descriptor.
    fn reopen(&self) -> io::Result<bool> {
        let mut slot = self.file.write().unwrap_or_else(PoisonError::into_inner);
        if slot.is_some() {
            return Ok(false);
        }
        let changed = |how: &str| {
            let path = self.path.display();
            io::Error::new(CHANGED, format!("{path} {how} by another process: open the database again"))
        };
        let file = match with_spare(|| fs::File::open(&self.path)) {
            Err(e) if e.kind() == io::ErrorKind::NotFound && self.found.is_some() => {
                return Err(changed("was removed"));
            }
            file => file?,
        };
        if let Some(found) = &self.found
            && *found != stamp(&file.metadata()?)
        {
            return Err(changed("was replaced"));
        }
        self.used.store(true, Ordering::Relaxed);
        *slot = Some(file);
        Ok(true)
    }

    /// Closes the descriptor unless it is being read.
    fn close(&self) -> bool {
        let mut slot = match self.file.try_write() {
            Ok(slot) => slot,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => return false,
        };
        *slot = None;
        true
    }
}

impl Pool {
    fn add(&mut self, slot: &Arc<Slot>) {
        if slot.kept.load(Ordering::Relaxed) {
            return;
        }
        self.closable.insert(slot.id, Arc::clone(slot));
        let most = open_max();
        if self.closable.len() > most {
            self.close_until(most);
        }
    }

    /// Closes one descriptor by the clock algorithm.
    ///
    /// A recently used one is skipped once, so two rounds find one that is not being read, if there
    /// is one.
    fn close_until(&mut self, count: usize) {
        let mut looks = self.closable.len().saturating_mul(2);
        while self.closable.len() > count && looks > 0 {
            looks = looks.saturating_sub(1);
            let next = self.closable.range(self.hand..).next().or_else(|| self.closable.first_key_value());
            let Some((id, slot)) = next.map(|(id, slot)| (*id, Arc::clone(slot))) else { return };
            self.hand = id.saturating_add(1);
            if !slot.used.swap(false, Ordering::Relaxed) && slot.close() {
                self.closable.remove(&id);
            }
        }
    }
}

fn stamp(metadata: &fs::Metadata) -> Stamp {
    Stamp(metadata.len(), metadata.modified().ok())
}

/// Called before the name of the file at `path` is removed: open handles keep reading it.
pub(super) fn keep_open(path: &Path) -> io::Result<()> {
    let slots: Vec<Arc<Slot>> = {
        let mut pool = pool();
        let found = pool.all.range((path.to_path_buf(), 0)..=(path.to_path_buf(), u64::MAX));
        let slots: Vec<_> = found.map(|(_, slot)| Arc::clone(slot)).collect();
        for slot in &slots {
            slot.kept.store(true, Ordering::Relaxed);
            pool.closable.remove(&slot.id);
        }
        slots
    };
    for slot in slots {
        match slot.reopen() {
            // It was removed already: there is nothing to keep.
            Err(e) if matches!(e.kind(), CHANGED | io::ErrorKind::NotFound) => {}
            result => drop(result?),
        }
    }
    Ok(())
}

/// Does work that needs a descriptor. While the process has none left, tables release theirs.
pub(super) fn with_spare<T>(act: impl Fn() -> io::Result<T>) -> io::Result<T> {
    loop {
        match act() {
            Err(e) if is_exhausted(&e) && give_back() => {}
            result => return result,
        }
    }
}

/// Closes half of the closable descriptors; returns whether it closed one or more.
fn give_back() -> bool {
    let mut pool = pool();
    let before = pool.closable.len();
    pool.close_until(before / 2);
    pool.closable.len() < before
}

/// LevelDB's share, a fifth of the limit; half of it if enough is left for others.
fn open_max() -> usize {
    static OPEN_MAX: OnceLock<usize> = OnceLock::new();
    *OPEN_MAX.get_or_init(|| {
        let share = limit().map_or(OPEN_MAX_UNKNOWN, |limit| limit / if limit < 1024 { 5 } else { 2 });
        share.max(OPEN_MIN)
    })
}

#[cfg(unix)]
fn limit() -> Option<usize> {
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile).current;
    Some(limit.map_or(usize::MAX, |limit| usize::try_from(limit).unwrap_or(usize::MAX)))
}

#[cfg(not(unix))]
fn limit() -> Option<usize> {
    None
}

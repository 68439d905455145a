//! Named files in a pool of raw files, for a directory whose own names are not durable: a browser's
//! origin private file system (OPFS).
//!
//! ```text
//! super-a, -b, -c       which name is in which pool file (superblock.rs), written in turn
//! p00000, p00001 ...   [header of 4096 bytes][content]
//! reserve               space for when the quota is used up (reserve.rs)
//! ```
//! Opening a raw file takes time and is asynchronous, and a new one may be lost in a power failure
//! (maturity.rs). So files are opened ahead, and used again. Creating, renaming and removing a name,
//! and replacing `CURRENT`, is a change of the superblock: one write and one flush, durable and
//! atomic. Calls on open files are ready at once.
//!
//! A raw file is used again only after no superblock names it, so that whichever one a crash leaves,
//! its files are whole. If all are damaged, the headers of the pool files tell their names
//! (salvage.rs).

mod handles;
mod header;
#[cfg(feature = "testing")]
mod limit;
mod maturity;
#[cfg(feature = "testing")]
mod model;
mod mount;
#[cfg(feature = "testing")]
mod node;
mod raw;
mod reserve;
mod room;
mod salvage;
mod slot;
mod state;
mod superblock;
mod turn;
mod view;

use std::rc::Rc;

#[cfg(feature = "testing")]
pub use limit::RawLimit;
#[cfg(feature = "testing")]
pub use model::{RawCrash, RawFault, RawModel};
pub use raw::{RawDirectory, RawFile, busy};
pub use view::{NEWER_MAX, PoolContent, PoolName, PoolNames, RAW_HEADER_SIZE, pool_names, raw_generation};

use self::handles::Pool;
use self::mount::mount;
use self::state::State;
use super::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};

/// A storage in a pool of raw files.
pub struct PoolEnv {
    pool: Rc<Pool>,
}

impl PoolEnv {
    /// The storage in `raw`.
    pub fn new(raw: Rc<dyn RawDirectory>) -> PoolEnv {
        PoolEnv { pool: Pool::new(raw) }
    }

    /// Whether a synced write survives a power failure: not in the first minute of a database, nor after
    /// so many files were created that none was left that is a minute old. `false` without the lock.
    pub fn is_settled(&self) -> bool {
        let now = self.pool.raw.now();
        self.pool.with(|state| Ok(state.is_settled(now))).unwrap_or(false)
    }
}

impl Env for PoolEnv {
    fn lock(&self, create: bool) -> Io<u64> {
        Io::pending(self.pool.clone().lock(create))
    }

    fn unlock(&self) {
        self.pool.unlock();
    }

    fn list(&self) -> Io<Vec<String>> {
        let names = |state: &State| {
            state.block().names.keys().filter(|name| !name.starts_with("lost/")).cloned().collect::<Vec<_>>()
        };
        if let Ok(names) = self.pool.with(|state| Ok(names(state))) {
            return Io::ready(Ok(names));
        }
        let pool = self.pool.clone();
        Io::pending(async move { mount(pool.raw.clone(), false).await.map(|state| names(&state)) })
    }

    fn create(&self, name: &str, kind: FileKind, _size_hint: u64) -> Io<Rc<dyn File>> {
        match check_name(name).and_then(|()| self.pool.create(name, kind)) {
            Ok(io) => io,
            Err(error) => Io::ready(Err(error)),
        }
    }

    fn open(&self, name: &str, access: Access) -> Io<Rc<dyn File>> {
        match check_name(name) {
            Ok(()) => self.pool.open(name, access),
            Err(error) => Io::ready(Err(error)),
        }
    }

    fn edit_names(&self, edits: Vec<NameEdit>) -> Io<()> {
        if let Some(error) = edits.iter().find_map(|edit| edit.check().err()) {
            return Io::ready(Err(error));
        }
        let now = self.pool.raw.now();
        Io::ready(self.pool.with_room(|state| state.edit(edits.clone(), now)))
    }

    fn remove_place(&self) -> Io<()> {
        Io::pending(self.pool.clone().remove_place())
    }

    fn durability(&self) -> Durability {
        self.pool.raw.durability()
    }

    fn appends_are_exact(&self) -> bool {
        false
    }

    fn has_quota(&self) -> bool {
        true
    }

    fn claims_powers_of_two(&self) -> bool {
        self.pool.raw.reserves()
    }

    fn keep_room(&self, bytes: u64) -> Io<bool> {
        self.pool.keep_room(bytes)
    }

    fn knows_room(&self) -> bool {
        self.pool.reserve.was_opened.get()
    }

    fn use_room(&self) -> bool {
        self.pool.use_room()
    }

    fn creates_at_once(&self) -> bool {
        let now = self.pool.raw.now();
        let is_ready = self.pool.with(|state| Ok(state.has_open_spare(FileKind::Log, now))).unwrap_or(true);
        if !is_ready {
            self.pool.grow();
        }
        is_ready
    }
}

impl Drop for PoolEnv {
    fn drop(&mut self) {
        self.pool.unlock();
    }
}

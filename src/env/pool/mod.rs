//! Named files in a pool of raw files, for a directory whose own names are not durable: a browser's
//! origin private file system (OPFS).
//!
//! ```text
//! super-a, -b, -c       which name is in which pool file (superblock.rs), written in turn
//! p00000, p00001 ...   [header of 4096 bytes][content]
//! ```
//! Opening a raw file takes time and is asynchronous, and a new one may be lost in a power failure
//! (maturity.rs). So files are opened ahead, and used again. Creating, renaming and removing a name,
//! and replacing `CURRENT`, is a change of the superblock: one write and one flush, durable and
//! atomic. Calls on open files are ready at once.
//!
//! A raw file is used again only after no superblock names it, so that whichever one a crash leaves,
//! its files are whole. If all are damaged, the headers of the pool files tell their names
//! (salvage.rs).

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
mod salvage;
mod slot;
mod state;
mod superblock;
mod turn;

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::{Rc, Weak};

#[cfg(feature = "testing")]
pub use limit::RawLimit;
#[cfg(feature = "testing")]
pub use model::{RawCrash, RawFault, RawModel};
pub use raw::{RawDirectory, RawFile, busy};

use self::mount::mount;
use self::raw::as_locked;
use self::slot::{InlineFile, PoolFile, Slot};
use self::state::State;
use self::superblock::{Place, SLOTS};
use self::turn::Held;
use super::{Access, Durability, Env, File, FileKind, Io, NameEdit, check_name};
use crate::error::{Error, Result};

/// So many raw files are open at most: Safari allows about 250 in a process.
const HANDLES_MAX: usize = 128;

/// So many spares are kept ready.
const SPARES_MIN: usize = 8;

/// Files are added to the pool, one at a time, while nothing else happens, in ms.
const GROWTH_PAUSE_MS: u64 = 20;

/// A storage in a pool of raw files.
pub struct PoolEnv {
    pool: Rc<Pool>,
}

struct Pool {
    raw: Rc<dyn RawDirectory>,
    /// While the lock is held.
    state: RefCell<Option<State>>,
    is_growing: Cell<bool>,
    /// Counts openings of raw files.
    clock: Cell<u64>,
}

impl PoolEnv {
    /// The storage in `raw`.
    pub fn new(raw: Rc<dyn RawDirectory>) -> PoolEnv {
        let pool = Pool { raw, state: RefCell::new(None), is_growing: Cell::new(false), clock: Cell::new(0) };
        PoolEnv { pool: Rc::new(pool) }
    }

    /// Whether a synced write survives a power failure: not in the first minute of a database, nor after
    /// so many files were created that none was left that is a minute old. `false` without the lock.
    pub fn is_settled(&self) -> bool {
        let now = self.pool.raw.now();
        self.pool.with(|state| Ok(state.is_settled(now))).unwrap_or(false)
    }
}

impl Pool {
    /// Runs `call` on the state; `Closed` without the lock.
    fn with<T>(&self, call: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.state.borrow_mut().as_mut().map_or(Err(Error::Closed), call)
    }

    fn unlock(&self) {
        if let Some(state) = self.state.take() {
            state.close();
            self.raw.release();
        }
    }

    async fn lock(self: Rc<Pool>, create: bool) -> Result<u64> {
        if self.state.borrow().is_some() {
            return Err(Error::Locked("the database is already open here".to_owned()));
        }
        self.raw.acquire().await?;
        let owned = async {
            let mut state = mount(self.raw.clone(), create).await?;
            let epoch = state.own()?;
            Ok((state, epoch))
        };
        match owned.await {
            Ok((state, epoch)) => {
                self.state.replace(Some(state));
                self.grow();
                Ok(epoch)
            }
            Err(error) => {
                self.raw.release();
                Err(error)
            }
        }
    }

    /// Closes a raw file that nobody uses if too many are open. An error tells the engine to close one.
    fn make_room(&self) -> Result<()> {
        self.with(|state| {
            if state.open_count() + SLOTS.len() < HANDLES_MAX {
                return Ok(());
            }
            let Some(slot) = state.idlest() else {
                let message = format!("{HANDLES_MAX} files are open, and all are in use");
                return Err(Error::io("the database", "open", ErrorKind::ResourceBusy, message));
            };
            slot.settle_and_close()
        })
    }

    /// Opens the raw file of a slot.
    fn open_slot(self: &Rc<Pool>, slot: &Rc<Slot>, create: bool) -> Io<()> {
        if slot.is_open() {
            return Io::ready(Ok(()));
        }
        if let Some(turn) = slot.turn.try_take() {
            return self.open_in_turn(slot, create, turn);
        }
        let (pool, slot) = (self.clone(), slot.clone());
        Io::pending(async move {
            let turn = slot.turn.take().await;
            if slot.is_open() { Ok(()) } else { pool.open_in_turn(&slot, create, turn).await }
        })
    }

    fn open_in_turn(self: &Rc<Pool>, slot: &Rc<Slot>, create: bool, turn: Held) -> Io<()> {
        if let Err(error) = self.make_room() {
            return Io::ready(Err(error));
        }
        let (pool, slot) = (self.clone(), slot.clone());
        self.raw.open(&slot.name(), create).map(move |raw| {
            let _turn = turn;
            let raw = raw?;
            // Meanwhile the lock may have been released.
            if pool.state.borrow().is_none() {
                return Err(Error::Closed);
            }
            slot.opened(raw);
            Ok(())
        })
    }

    fn use_slot(&self, slot: &Slot) {
        self.clock.set(self.clock.get().wrapping_add(1));
        slot.used.set(self.clock.get());
    }

    fn file(self: &Rc<Pool>, slot: Rc<Slot>, name: &str, access: Access) -> Rc<dyn File> {
        self.use_slot(&slot);
        let pool = Rc::downgrade(self);
        let reclaim = Box::new(move || pool.upgrade().is_some_and(|pool| pool.reclaim()));
        Rc::new(PoolFile { slot, name: name.into(), access, durability: self.raw.durability(), reclaim })
    }

    /// Makes the taken slot the empty file `name`.
    fn begin(self: &Rc<Pool>, taken: Taken, name: &str) -> Result<Rc<dyn File>> {
        let mut done = self.with(|state| state.name(&taken.slot, name));
        if matches!(done, Err(Error::Full(_))) && self.reclaim() {
            done = self.with(|state| state.name(&taken.slot, name));
        }
        done?;
        Ok(self.file(taken.named(), name, Access::Append))
    }

    /// Where the quota is used up: gives back the space of removed files. Returns whether it did.
    fn reclaim(&self) -> bool {
        let now = self.raw.now();
        self.with(|state| state.reclaim(now)).unwrap_or(false)
    }

    fn create(self: &Rc<Pool>, name: &str, kind: FileKind) -> Result<Io<Rc<dyn File>>> {
        let now = self.raw.now();
        let spare = self.with(|state| Ok(state.take(kind, now)))?;
        self.grow();
        if let Some(slot) = spare {
            let taken = Taken::new(self, slot);
            if taken.slot.is_open() {
                return Ok(Io::ready(self.begin(taken, name)));
            }
            let (pool, name) = (self.clone(), name.to_owned());
            return Ok(Io::pending(async move {
                pool.open_slot(&taken.slot, true).await?;
                pool.begin(taken, &name)
            }));
        }
        let (pool, name) = (self.clone(), name.to_owned());
        Ok(Io::pending(async move {
            let taken = pool.add().await?;
            pool.begin(taken, &name)
        }))
    }

    /// Adds a raw file to the pool.
    fn add(self: &Rc<Pool>) -> Io<Taken> {
        let slot = match self.with(|state| Ok(state.add())) {
            Ok(slot) => slot,
            Err(error) => return Io::ready(Err(error)),
        };
        let taken = Taken::new(self, slot);
        let pool = self.clone();
        self.open_slot(&taken.slot, true).map(move |opened| {
            let (number, now) = (taken.slot.number, pool.raw.now());
            pool.with(|state| {
                match opened {
                    Ok(()) => state.born(number, now),
                    Err(_) => state.forget(number),
                }
                opened
            })?;
            taken.slot.set_clean();
            Ok(taken)
        })
    }

    /// Cleans spares in the background, one at a time, and adds raw files until there are enough.
    fn grow(self: &Rc<Pool>) {
        let lacks = |state: &mut State| Ok(state.unclean().is_some() || state.spares().count() < SPARES_MIN);
        if !self.with(lacks).unwrap_or(false) || self.is_growing.replace(true) {
            return;
        }
        let pool = Rc::downgrade(self);
        let work = Box::pin(async move {
            let done = match pool.upgrade() {
                Some(pool) => pool.tend().await,
                None => return,
            };
            if let Some(pool) = Weak::upgrade(&pool) {
                pool.is_growing.set(false);
                // After an error, the next creation tries again.
                if done.is_ok() {
                    pool.grow();
                }
            }
        });
        self.raw.run_later(GROWTH_PAUSE_MS, work);
    }

    async fn tend(self: Rc<Pool>) -> Result<()> {
        let Some(slot) = self.with(|state| Ok(state.take_unclean()))? else {
            return self.add().await.map(drop);
        };
        let taken = Taken::new(&self, slot);
        self.open_slot(&taken.slot, true).await?;
        taken.slot.clean()
    }

    fn open(self: &Rc<Pool>, name: &str, access: Access) -> Io<Rc<dyn File>> {
        if self.state.borrow().is_none() {
            return self.open_unlocked(name, access);
        }
        let found = self.with(|state| {
            let Some(place) = state.block().names.get(name) else { return Err(not_found(name)) };
            match place {
                Place::Inline(content) => Ok(Err(content.clone())),
                Place::File { number, generation, .. } => match state.slot(*number) {
                    Some(slot) => Ok(Ok((slot.clone(), *generation))),
                    None => Err(not_found(name)),
                },
            }
        });
        match found {
            Err(error) => Io::ready(Err(error)),
            Ok(Err(content)) => Io::ready(Ok(self.inline(name, content))),
            Ok(Ok((slot, _))) if slot.is_open() && !self.is_complete(&slot, access) => {
                Io::ready(Ok(self.file(slot, name, access)))
            }
            Ok(Ok((slot, generation))) => {
                let (pool, name) = (self.clone(), name.to_owned());
                Io::pending(async move {
                    if pool.is_complete(&slot, access) {
                        slot.settle_and_close()?;
                    }
                    pool.open_slot(&slot, false).await.map_err(|error| is_lost(error, &slot, &name))?;
                    if let Err(error) = slot.check(&name, generation) {
                        slot.close();
                        return Err(error);
                    }
                    Ok(pool.file(slot, &name, access))
                })
            }
        }
    }

    /// Whether it is a file that was just written: opened again, it takes its size of the quota, not more.
    ///
    /// The caller and the pool have a reference each.
    fn is_complete(&self, slot: &Rc<Slot>, access: Access) -> bool {
        access == Access::Read && self.raw.reserves() && slot.has_grown() && Rc::strong_count(slot) == 2
    }

    fn inline(&self, name: &str, content: Vec<u8>) -> Rc<dyn File> {
        Rc::new(InlineFile { name: name.into(), content, durability: self.raw.durability() })
    }

    /// Opens a file without the lock: what the superblocks say now.
    fn open_unlocked(self: &Rc<Pool>, name: &str, access: Access) -> Io<Rc<dyn File>> {
        let (pool, name) = (self.clone(), name.to_owned());
        Io::pending(async move {
            let state = mount(pool.raw.clone(), false).await?;
            match state.block().names.get(&name) {
                None => Err(not_found(&name)),
                Some(Place::Inline(content)) => Ok(pool.inline(&name, content.clone())),
                Some(Place::File { number, generation, .. }) => {
                    let slot = Slot::new(*number);
                    let raw = pool.raw.open(&slot.name(), false).await;
                    slot.opened(raw.map_err(|error| is_lost(as_locked(error), &slot, &name))?);
                    slot.check(&name, *generation)?;
                    Ok(pool.file(slot, &name, access))
                }
            }
        })
    }

    async fn remove_place(self: Rc<Pool>) -> Result<()> {
        if self.state.borrow().is_none() {
            self.clone().lock(false).await?;
        }
        let is_empty = self.with(|state| Ok(state.block().names.is_empty()))?;
        self.unlock();
        if is_empty { self.raw.remove_all().await.map_err(as_locked) } else { Ok(()) }
    }
}

fn not_found(name: &str) -> Error {
    Error::io(name, "open", ErrorKind::NotFound, "there is no such file")
}

/// The error of a named file whose raw file is gone.
fn is_lost(error: Error, slot: &Slot, name: &str) -> Error {
    if error.is_not_found() { Error::missing(name, &format!("the storage lost {}", slot.name())) } else { error }
}

/// A slot that a call is making a file of; it is free again if the call fails or is dropped.
struct Taken {
    pool: Rc<Pool>,
    slot: Rc<Slot>,
    is_named: bool,
}

impl Taken {
    fn new(pool: &Rc<Pool>, slot: Rc<Slot>) -> Taken {
        Taken { pool: pool.clone(), slot, is_named: false }
    }

    fn named(mut self) -> Rc<Slot> {
        self.is_named = true;
        self.slot.clone()
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        if !self.is_named {
            let _ = self.pool.with(|state| {
                if state.slot(self.slot.number).is_some() {
                    state.put_back(self.slot.number);
                }
                Ok(())
            });
        }
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
        Io::ready(self.pool.with(|state| state.edit(edits, now)))
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

//! The raw files of an owner: opens, creates and cleans them.

use std::cell::{Cell, RefCell};
use std::io::ErrorKind;
use std::rc::{Rc, Weak};

use super::mount::mount;
use super::raw::{RawDirectory, as_locked};
use super::reserve::{RESERVE, Reserve};
use super::slot::{InlineFile, PoolFile, Room, Slot};
use super::state::State;
use super::superblock::{Place, SLOTS};
use super::turn::Held;
use crate::base::FileName;
use crate::env::{Access, File, FileKind, Io};
use crate::error::{Error, Result};

/// So many raw files are open at most: Safari allows about 250 in a process.
const HANDLES_MAX: usize = 128;

/// So many spares are kept ready.
const SPARES_MIN: usize = 8;

/// Files are added to the pool, one at a time, while nothing else happens, in ms.
const GROWTH_PAUSE_MS: u64 = 20;

/// An owner's raw files: those that are open, and the state that says what they hold.
pub(super) struct Pool {
    pub(super) raw: Rc<dyn RawDirectory>,
    /// While the lock is held.
    pub(super) state: RefCell<Option<State>>,
    is_growing: Cell<bool>,
    pub(super) reserve: Reserve,
    /// Counts openings of raw files.
    clock: Cell<u64>,
}

impl Pool {
    pub(super) fn new(raw: Rc<dyn RawDirectory>) -> Rc<Pool> {
        let (state, is_growing, clock) = (RefCell::new(None), Cell::new(false), Cell::new(0));
        Rc::new(Pool { raw, state, is_growing, reserve: Reserve::default(), clock })
    }

    /// Runs `call` on the state; `Closed` without the lock.
    pub(super) fn with<T>(&self, call: impl FnOnce(&mut State) -> Result<T>) -> Result<T> {
        self.state.borrow_mut().as_mut().map_or(Err(Error::Closed), call)
    }

    pub(super) fn unlock(&self) {
        if let Some(state) = self.state.take() {
            state.close();
            self.reserve.close();
            self.raw.release();
        }
    }

    pub(super) async fn lock(self: Rc<Pool>, create: bool) -> Result<u64> {
        if self.state.borrow().is_some() {
            return Err(Error::Locked("the database is already open here".to_owned()));
        }
        self.raw.acquire().await?;
        let reserve = self.raw.open(RESERVE, false);
        let owned = async {
            let mut state = mount(self.raw.clone(), create).await?;
            let epoch = state.own()?;
            Ok((state, epoch))
        };
        let owned = owned.await;
        // A new database has none.
        let reserve = reserve.await;
        match owned {
            Ok((state, epoch)) => {
                if let Ok(file) = reserve {
                    self.reserve.opened(file);
                }
                self.state.replace(Some(state));
                self.grow();
                Ok(epoch)
            }
            Err(error) => {
                drop(reserve);
                self.raw.release();
                Err(error)
            }
        }
    }

    /// Closes a raw file that nobody uses if too many are open. An error tells the engine to close one.
    fn make_room(&self) -> Result<()> {
        self.with(|state| {
            // With the superblocks and the reserve.
            if state.open_count() + SLOTS.len() + 1 < HANDLES_MAX {
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
        let is_log = matches!(FileName::parse(name), Some(FileName::Log(_)));
        let find_room = Rc::new(move |source| match pool.upgrade() {
            // A log is given the reserve by the engine, for deletes.
            Some(pool) => (!is_log || source == Room::Unused) && pool.find_room(source),
            None => false,
        });
        let (pool, closed) = (Rc::downgrade(self), slot.clone());
        let reopen = Rc::new(move || match pool.upgrade() {
            Some(pool) => pool.open_slot(&closed, false),
            None => Io::ready(Err(Error::Closed)),
        });
        let durability = self.raw.durability();
        Rc::new(PoolFile { slot, name: name.into(), access, durability, find_room, reopen })
    }

    /// Makes the taken slot the empty file `name`.
    fn begin(self: &Rc<Pool>, taken: Taken, name: &str) -> Result<Rc<dyn File>> {
        self.with_room(|state| state.name(&taken.slot, name))?;
        Ok(self.file(taken.named(), name, Access::Append))
    }

    /// Where the quota is used up: gives back the space of removed files. Returns whether it did.
    pub(super) fn reclaim(&self) -> bool {
        let now = self.raw.now();
        self.with(|state| state.reclaim(now)).unwrap_or(false)
    }

    /// Gives up the reserve; whether there was any.
    pub(super) fn use_room(&self) -> bool {
        self.reserve.give_up(self.raw.reserves())
    }

    /// Runs `call`, again where it found no room and there is some to give.
    pub(super) fn with_room(&self, mut call: impl FnMut(&mut State) -> Result<()>) -> Result<()> {
        let mut done = self.with(&mut call);
        for source in Room::ALL {
            if matches!(done, Err(Error::Full(_))) && self.find_room(source) {
                done = self.with(&mut call);
            }
        }
        done
    }

    /// Where the quota is used up: gives room from `source` back; whether there was any.
    pub(super) fn find_room(&self, source: Room) -> bool {
        match source {
            Room::Unused => self.reclaim(),
            Room::Claims => self.with(|state| state.close_grown()).unwrap_or(false),
            Room::Reserve => self.use_room(),
        }
    }

    pub(super) fn create(self: &Rc<Pool>, name: &str, kind: FileKind) -> Result<Io<Rc<dyn File>>> {
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

    /// Cleans spares in the background, one at a time, adds raw files until there are enough, and opens the
    /// reserve.
    pub(super) fn grow(self: &Rc<Pool>) {
        let now = self.raw.now();
        let lacks = |state: &mut State| {
            let has_spares = state.spares().count() >= SPARES_MIN && state.has_open_spare(FileKind::Log, now);
            Ok(!self.reserve.is_open() || state.unclean().is_some() || !has_spares)
        };
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
        if self.clean_one().await?.is_some() {
            return Ok(());
        }
        if !self.reserve.is_open() {
            return self.open_reserve().await;
        }
        let now = self.raw.now();
        let closed = self.with(|state| {
            let has_enough = state.spares().count() >= SPARES_MIN;
            Ok(if has_enough { state.take(FileKind::Log, now) } else { None })
        })?;
        match closed {
            Some(slot) => {
                let taken = Taken::new(&self, slot);
                self.open_slot(&taken.slot, true).await
            }
            None => self.add().await.map(drop),
        }
    }

    /// Opens the file of the reserve.
    pub(super) async fn open_reserve(&self) -> Result<()> {
        let _turn = self.reserve.turn.take().await;
        if self.reserve.is_open() {
            return Ok(());
        }
        let file = self.raw.open(RESERVE, true).await?;
        // Meanwhile the lock may have been released.
        self.with(|_| Ok(()))?;
        self.reserve.opened(file);
        Ok(())
    }

    /// Empties a spare that holds a removed file; returns it.
    pub(super) async fn clean_one(self: &Rc<Pool>) -> Result<Option<Rc<Slot>>> {
        let Some(slot) = self.with(|state| Ok(state.take_unclean()))? else { return Ok(None) };
        let taken = Taken::new(self, slot);
        self.open_slot(&taken.slot, true).await?;
        taken.slot.clean()?;
        Ok(Some(taken.slot.clone()))
    }

    pub(super) fn open(self: &Rc<Pool>, name: &str, access: Access) -> Io<Rc<dyn File>> {
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

    pub(super) async fn remove_place(self: Rc<Pool>) -> Result<()> {
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

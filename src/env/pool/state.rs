//! The names of an open pool, and the commit of a change to them.
//!
//! ```text
//! named      a name of the superblock holds it
//! retired    its name was removed, but files made from it are young: kept, see maturity.rs
//! free       a superblock on storage may still name it: not used again until all three are newer
//! spare      free, and named by none: the next file is created in it
//! ```

use std::rc::Rc;

use super::header::Header;
use super::maturity::{MATURITY_MS, is_mature, mature_from};
use super::raw::{RawFile, write_checked};
use super::slot::Slot;
use super::superblock::{Place, Retired, SLOTS, SUPERBLOCK_GRAIN, SUPERBLOCK_SIZE_MAX, Superblock};
use crate::base::{FileName, Sorted, to_u64};
use crate::env::{FileKind, NameEdit};
use crate::error::{Error, Result};

/// Longer content does not fit into the superblock. CURRENT has 16 bytes.
const INLINE_MAX: usize = 64 << 10;

/// Mature spares that tables leave to logs and manifests.
const RESERVED: usize = 4;

/// Invariants:
/// 1. Each slot is either named in `block`, retired in it, free, or taken by a call that is creating a file.
/// 2. A slot that a superblock on storage may name holds the content that it had when that was written.
/// 3. `block.sequence` is that of the last superblock that was written, or tried.
pub(super) struct State {
    /// What calls see: the last superblock, with the files created since.
    block: Superblock,
    supers: [Rc<dyn RawFile>; 3],
    /// The sequence of the oldest superblock that each of the files may hold after a power failure; `None`:
    /// it holds none.
    held: [Option<u64>; 3],
    /// The file with the newest superblock.
    newest: usize,
    /// The file with the newest superblock that was flushed.
    durable: usize,
    slots: Sorted<u32, Rc<Slot>>,
    free: Vec<Free>,
    /// Contents created by this owner.
    created: u64,
    next_number: u32,
    /// Whether an open file that has grown takes more of the quota than its size.
    reserves: bool,
    /// Until then, in ms since 1970, a power failure may lose synced writes: what young files were made
    /// from was given up for room.
    unsafe_until: u64,
}

/// A slot without a name.
#[derive(Clone, Copy)]
struct Free {
    number: u32,
    /// Superblocks up to this sequence may name it.
    named_up_to: u64,
}

impl State {
    /// `held` is the sequence of each superblock on storage, all flushed; `numbers` are those of all raw files.
    pub(super) fn new(
        block: Superblock,
        supers: [Rc<dyn RawFile>; 3],
        held: [Option<u64>; 3],
        numbers: &[u32],
        (reserves, now): (bool, u64),
    ) -> State {
        let named: Vec<u32> = places(&block).chain(block.retired.iter().map(|r| r.number)).collect();
        let mut slots = Sorted::default();
        for number in named.iter().chain(numbers) {
            slots.insert(*number, Slot::new(*number));
        }
        let free = numbers.iter().filter(|number| !named.contains(number));
        let free = free.map(|number| Free { number: *number, named_up_to: block.sequence }).collect();
        let next_number = slots.keys().last().map_or(0, |number| number.saturating_add(1));
        let newest = held.iter().enumerate().max_by_key(|(_, held)| **held).map_or(0, |(at, _)| at);
        // What young files were made from is retired, unless it was given up.
        let gave_up = block.retired.iter().all(|retired| retired.until <= now);
        let unsafe_until = mature_from(&block, now).filter(|_| gave_up).unwrap_or(0);
        State {
            block,
            supers,
            held,
            newest,
            durable: newest,
            slots,
            free,
            created: 0,
            next_number,
            reserves,
            unsafe_until,
        }
    }

    pub(super) fn block(&self) -> &Superblock {
        &self.block
    }

    /// Whether a power failure loses no synced write: the raw files of superblocks, logs and manifests are
    /// mature, and every table, or what it was made from.
    pub(super) fn is_settled(&self, now: u64) -> bool {
        let is_table = |name: &str| matches!(FileName::parse(name), Some(FileName::Table(_)));
        let others = self.block.names.iter().filter(|(name, _)| !is_table(name));
        let mut births = others.filter_map(|(_, place)| match place {
            Place::File { number, .. } => Some(self.birth_of(*number)),
            Place::Inline(_) => None,
        });
        // A young table may be lost, so what it was made from must be safe.
        let mut needed = self.block.retired.iter().filter(|retired| retired.until > now);
        self.unsafe_until <= now
            && is_mature(self.block.birth, now)
            && births.all(|birth| is_mature(birth, now))
            && needed.all(|retired| is_mature(self.birth_of(retired.number), now))
    }

    pub(super) fn slot(&self, number: u32) -> Option<&Rc<Slot>> {
        self.slots.get(&number)
    }

    pub(super) fn open_count(&self) -> usize {
        self.slots.values().filter(|slot| slot.is_open()).count()
    }

    /// The open slot without users that was used longest ago.
    pub(super) fn idlest(&self) -> Option<&Rc<Slot>> {
        self.slots.values().filter(|slot| slot.is_open() && slot.is_idle()).min_by_key(|slot| slot.used.get())
    }

    /// Closes all raw files.
    pub(super) fn close(self) {
        self.slots.values().for_each(|slot| slot.close());
    }

    /// Another owner: the epoch it has.
    pub(super) fn own(&mut self) -> Result<u64> {
        let epoch = self.block.epoch.saturating_add(1);
        self.commit(Superblock { epoch, ..self.block.clone() }, 0)?;
        Ok(epoch)
    }

    /// Changes names. Nothing is changed if it fails, but a crash may then leave either state.
    pub(super) fn edit(&mut self, edits: Vec<NameEdit>, now: u64) -> Result<()> {
        let mut next = self.block.clone();
        for edit in edits {
            apply(&mut next.names, edit)?;
        }
        self.commit(next, now)
    }

    fn commit(&mut self, mut next: Superblock, now: u64) -> Result<()> {
        let named: Vec<u32> = places(&next).collect();
        self.settle(&next, now)?;
        for place in next.names.values_mut() {
            if let Place::File { is_tentative, .. } = place {
                *is_tentative = false;
            }
        }
        let until = mature_from(&next, now).map(|time| time.min(now.saturating_add(MATURITY_MS)));
        let retired = std::mem::take(&mut next.retired);
        let (due, kept): (Vec<_>, Vec<_>) = retired.into_iter().partition(|retired| retired.until <= now);
        next.retired = kept;
        let mut freed: Vec<u32> = due.iter().map(|retired| retired.number).collect();
        for (name, place) in self.block.names.iter() {
            let Place::File { number, generation, .. } = *place else { continue };
            if named.contains(&number) {
                continue;
            }
            match until {
                Some(until) => {
                    // What a log holds may be durable in a young table alone.
                    if let Some(slot) = self.slots.get(&number) {
                        slot.settle()?;
                    }
                    next.retired.push(Retired { name: name.clone(), number, generation, until });
                }
                None => freed.push(number),
            }
        }
        // Superblocks up to the one that this replaces name what this one frees.
        let named_up_to = self.block.sequence;
        self.write(&mut next)?;
        self.flush()?;
        self.block = next;
        self.free.extend(freed.iter().map(|number| Free { number: *number, named_up_to }));
        self.give_back();
        Ok(())
    }

    /// Makes files durable before their names are.
    ///
    /// A log is flushed with the young table that was made from it: the table may be lost.
    fn settle(&self, next: &Superblock, now: u64) -> Result<()> {
        let files = || {
            next.names.iter().filter_map(|(name, place)| match place {
                Place::File { number, is_tentative, .. } => Some((FileName::parse(name), *number, *is_tentative)),
                Place::Inline(_) => None,
            })
        };
        let is_young = |number| !is_mature(self.birth_of(number), now);
        let adds_young_table = files()
            .any(|(name, number, is_new)| is_new && matches!(name, Some(FileName::Table(_))) && is_young(number));
        for (name, number, is_new) in files() {
            let is_source = adds_young_table && matches!(name, Some(FileName::Log(_)));
            if let Some(slot) = self.slots.get(&number).filter(|_| is_new || is_source) {
                slot.settle()?;
            }
        }
        Ok(())
    }

    /// Writes the superblock to the oldest file that may be lost.
    fn write(&mut self, next: &mut Superblock) -> Result<()> {
        let others = self.supers.iter().zip(SLOTS).zip(self.held).enumerate();
        let others = others.filter(|(at, _)| *at != self.newest && *at != self.durable);
        let Some((at, ((file, name), _))) = others.min_by_key(|(_, (_, held))| *held) else {
            return Err(Error::Closed);
        };
        // Never the sequence of an attempt that failed: what it wrote may appear after a crash.
        next.sequence = self.block.sequence.saturating_add(1);
        self.block.sequence = next.sequence;
        let mut bytes = next.encode();
        if to_u64(bytes.len()) > SUPERBLOCK_SIZE_MAX {
            return Err(Error::LimitExceeded(format!("the names of all files take {} bytes", bytes.len())));
        }
        // Room for more names, so that this works too when the quota is used up.
        let padded = bytes.len().next_multiple_of(SUPERBLOCK_GRAIN);
        if file.size()? < to_u64(padded) {
            bytes.resize(padded, 0);
        }
        write_checked(&**file, name, 0, &bytes)?;
        // It replaces bytes that were there, so the size proves nothing.
        let mut found = vec![0; bytes.len()];
        if file.read(0, &mut found)? != bytes.len() || found != bytes {
            let message = "what was written is not what is read";
            return Err(Error::io(name, "write", std::io::ErrorKind::InvalidData, message));
        }
        self.newest = at;
        Ok(())
    }

    /// Makes the superblock that was written durable.
    fn flush(&mut self) -> Result<()> {
        let Some(file) = self.supers.get(self.newest) else { return Err(Error::Closed) };
        file.flush()?;
        self.durable = self.newest;
        if let Some(held) = self.held.get_mut(self.newest) {
            *held = Some(self.block.sequence);
        }
        Ok(())
    }

    /// Gives back what is not needed: the space of removed files, also of those that are kept for young
    /// ones, and what idle files take beyond their size. Returns whether there was anything.
    pub(super) fn reclaim(&mut self, now: u64) -> Result<bool> {
        let has_retired = !self.block.retired.is_empty();
        let has_removed = has_retired || !self.free.iter().all(|free| self.is_spare(*free));
        if has_retired {
            // Safety from a power failure in the next minute yields.
            self.unsafe_until = self.unsafe_until.max(mature_from(&self.block, now).unwrap_or(0));
        }
        // With three new superblocks, every free file is a spare.
        for _ in SLOTS.iter().filter(|_| has_removed) {
            let mut next = self.block.clone();
            next.retired.iter_mut().for_each(|retired| retired.until = 0);
            self.commit(next, now)?;
        }
        let mut gave = has_removed;
        for slot in self.slots.values().filter(|slot| self.reserves && slot.has_grown() && slot.is_idle()) {
            slot.settle_and_close()?;
            gave = true;
        }
        Ok(gave)
    }

    /// The newest log and the manifests that are open, or the older logs.
    fn logs_or_manifests(&self, older_logs: bool) -> Vec<Rc<Slot>> {
        let names = || self.block.names.iter().filter_map(|(name, place)| Some((FileName::parse(name)?, place)));
        let log_number = |name: &FileName| if let FileName::Log(number) = name { Some(*number) } else { None };
        let newest = names().filter_map(|(name, _)| log_number(&name)).max();
        let wanted = names().filter(|(name, _)| match name {
            FileName::Log(number) => (Some(*number) != newest) == older_logs,
            FileName::Manifest(_) => !older_logs,
            _ => false,
        });
        let slots = wanted.filter_map(|(_, place)| match place {
            Place::File { number, .. } => self.slots.get(number).filter(|slot| slot.is_open()).cloned(),
            Place::Inline(_) => None,
        });
        slots.collect()
    }

    /// Closes older logs that take more of the quota than their size; returns whether there was one. The
    /// newest stays open for writes that cannot wait, and the manifest, whose next record must find room.
    pub(super) fn close_grown(&self) -> Result<bool> {
        let mut gave = false;
        for slot in self.logs_or_manifests(true).iter().filter(|slot| self.reserves && slot.has_grown()) {
            slot.settle_and_close()?;
            gave = true;
        }
        Ok(gave)
    }

    /// Lets the manifest and the newest log take now what their next record makes them take.
    pub(super) fn claim(&self) -> Result<()> {
        let all = self.logs_or_manifests(false);
        all.iter().filter(|slot| self.reserves && !slot.has_grown()).try_for_each(|slot| slot.claim())
    }

    /// Whether no superblock on storage names it.
    fn is_spare(&self, free: Free) -> bool {
        let oldest = self.held.iter().flatten().min().copied();
        let forgotten = oldest.is_none_or(|oldest| free.named_up_to < oldest);
        forgotten && self.slots.get(&free.number).is_some_and(Slot::is_idle)
    }

    /// Gives the space of spares back that are open.
    fn give_back(&self) {
        for slot in self.spares().filter(|slot| slot.is_open() && slot.generation.get() != 0) {
            // It is cleaned before it is used.
            let _ = slot.clear();
            if self.reserves {
                slot.close();
            }
        }
    }

    pub(super) fn spares(&self) -> impl Iterator<Item = &Rc<Slot>> {
        self.free.iter().filter(|free| self.is_spare(**free)).filter_map(|free| self.slots.get(&free.number))
    }

    fn birth_of(&self, number: u32) -> u64 {
        self.block.births.get(&number).copied().unwrap_or(u64::MAX)
    }

    /// Takes the spare that suits best, if there is one. It must be [named](State::name) or
    /// [given back](State::put_back).
    pub(super) fn take(&mut self, kind: FileKind, now: u64) -> Option<Rc<Slot>> {
        let number = self.best_spare(kind, now)?.number;
        self.free.retain(|free| free.number != number);
        self.slots.get(&number).cloned()
    }

    /// Whether the spare that [`take`](State::take) would return is open.
    pub(super) fn has_open_spare(&self, kind: FileKind, now: u64) -> bool {
        self.best_spare(kind, now).is_some_and(|slot| slot.is_open())
    }

    fn best_spare(&self, kind: FileKind, now: u64) -> Option<&Rc<Slot>> {
        let mature = |slot: &&Rc<Slot>| is_mature(self.birth_of(slot.number), now);
        let count = self.spares().filter(mature).count();
        let wants_mature = kind != FileKind::Table || count > RESERVED;
        let suits = |slot: &Rc<Slot>| (mature(&slot) == wants_mature, slot.is_open());
        self.spares().max_by_key(|slot| suits(slot))
    }

    /// A spare that holds a removed file's content, or may after a power failure.
    pub(super) fn unclean(&self) -> Option<u32> {
        self.spares().find(|slot| !slot.is_clean()).map(|slot| slot.number)
    }

    /// Takes such a spare, to clean it.
    pub(super) fn take_unclean(&mut self) -> Option<Rc<Slot>> {
        let number = self.unclean()?;
        self.free.retain(|free| free.number != number);
        self.slots.get(&number).cloned()
    }

    /// A new slot, whose raw file does not exist yet; taken, as by [`take`](State::take).
    pub(super) fn add(&mut self) -> Rc<Slot> {
        let slot = Slot::new(self.next_number);
        self.next_number = self.next_number.saturating_add(1);
        self.slots.insert(slot.number, slot.clone());
        slot
    }

    /// The raw file of a new slot was created.
    pub(super) fn born(&mut self, number: u32, now: u64) {
        self.block.births.insert(number, now);
    }

    /// A taken slot, which no superblock names, is free again.
    pub(super) fn put_back(&mut self, number: u32) {
        self.free.push(Free { number, named_up_to: 0 });
    }

    /// The raw file of a taken slot could not be created, or was removed.
    pub(super) fn forget(&mut self, number: u32) {
        self.slots.remove(&number);
        self.block.births.remove(&number);
    }

    /// Makes a taken slot, which is open, the empty file `name`.
    pub(super) fn name(&mut self, slot: &Slot, name: &str) -> Result<()> {
        self.created = self.created.saturating_add(1);
        let generation = (self.block.epoch << 32) | (self.created & 0xffff_ffff);
        let birth = self.birth_of(slot.number);
        slot.begin(&Header { database: self.block.database, generation, birth, name: name.to_owned() })?;
        let place = Place::File { number: slot.number, generation, is_tentative: true };
        let mut next = self.block.clone();
        let replaced = next.names.insert(name.to_owned(), place);
        let named_up_to = self.block.sequence;
        self.write(&mut next)?;
        self.block = next;
        if let Some(Place::File { number, .. }) = replaced {
            self.free.push(Free { number, named_up_to });
        }
        Ok(())
    }
}

/// The numbers of all named pool files.
fn places(block: &Superblock) -> impl Iterator<Item = u32> {
    block.names.values().filter_map(|place| match place {
        Place::File { number, .. } => Some(*number),
        Place::Inline(_) => None,
    })
}

fn apply(names: &mut Sorted<String, Place>, edit: NameEdit) -> Result<()> {
    match edit {
        NameEdit::Rename { from, to } => {
            let Some(place) = names.remove(&from) else {
                return Err(Error::io(from, "rename", std::io::ErrorKind::NotFound, "there is no such file"));
            };
            names.insert(to, place);
        }
        NameEdit::Remove { name } => {
            names.remove(&name);
        }
        NameEdit::Replace { name, via, content } => {
            if content.len() > INLINE_MAX {
                let message = format!("{name} cannot be replaced by {} bytes, at most {INLINE_MAX}", content.len());
                return Err(Error::LimitExceeded(message));
            }
            names.remove(&via);
            names.insert(name, Place::Inline(content));
        }
    }
    Ok(())
}

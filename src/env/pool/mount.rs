//! Opens the superblocks of a directory, and finds the newest state.

use std::io::ErrorKind;
use std::rc::Rc;

use super::maturity::correct_clock;
use super::raw::{RawDirectory, RawFile, as_locked, write_checked};
use super::salvage::{name_newest_manifest, salvage};
use super::slot::{Slot, number_of};
use super::state::State;
use super::superblock::{Place, SLOTS, SUPERBLOCK_GRAIN, SUPERBLOCK_SIZE_MAX, Superblock};
use crate::base::{FileName, sort_by};
use crate::env::Io;
use crate::error::{Error, Malformed, Result};

/// Reads the state of the directory; creates it if `create` is set and there is none.
///
/// `NotFound` if there is none, `Locked` if another owner has it open.
pub(super) fn mount(raw: Rc<dyn RawDirectory>, create: bool) -> Io<State> {
    // Boxed: called in several places, it would be compiled into each.
    Io::pending(async move { mounted(&*raw, create).await })
}

async fn mounted(raw: &dyn RawDirectory, create: bool) -> Result<State> {
    let names = raw.list(create).await?;
    let mut numbers: Vec<u32> = names.iter().filter_map(|name| number_of(name)).collect();
    sort_by(&mut numbers, Ord::cmp);
    let exists = |slot: &&str| names.iter().any(|name| name == slot);
    let is_new = numbers.is_empty() && !SLOTS.iter().any(&exists);
    if is_new && !create {
        return Err(no_database());
    }
    for slot in SLOTS.iter().filter(|slot| raw.reserves() && !exists(slot)) {
        // Closed again: a file that has grown takes 1 MiB of the quota.
        let file = raw.open(slot, true).await.map_err(as_locked)?;
        write_checked(&*file, slot, 0, &[0; SUPERBLOCK_GRAIN])?;
        file.flush()?;
    }
    let [a, b, c] = SLOTS.map(|slot| raw.open(slot, true));
    let supers = [a.await.map_err(as_locked)?, b.await.map_err(as_locked)?, c.await.map_err(as_locked)?];
    let found = [read(&*supers[0])?, read(&*supers[1])?, read(&*supers[2])?];
    let held = found.each_ref().map(|found| found.as_ref().ok().map(|block| block.sequence));
    let newest = found.into_iter().flatten().max_by_key(|block| block.sequence);
    let mut block = match newest {
        Some(block) => block,
        None => match salvage(raw, &numbers).await? {
            Some(block) => block,
            // It was being created.
            None if create => Superblock { database: raw.unique(), ..Superblock::default() },
            None => return Err(no_database()),
        },
    };
    let now = raw.now();
    let is_whole = SLOTS.iter().all(exists);
    block.birth = if is_whole && block.birth > 0 { block.birth.min(now) } else { now };
    correct_clock(&mut block.births, now);
    block.births.retain(|number, _| numbers.contains(number));
    for number in &numbers {
        if !block.births.contains(number) {
            block.births.insert(*number, now);
        }
    }
    restore_retired(&mut block, &numbers);
    drop_lost(raw, &mut block, &numbers).await?;
    // The newest may have been written without a flush, and another one is written next.
    for file in &supers {
        file.flush()?;
    }
    Ok(State::new(block, supers, held, &numbers, (raw.reserves(), now)))
}

fn no_database() -> Error {
    Error::io("the database", "open", ErrorKind::NotFound, "there is no database here")
}

fn read(file: &dyn RawFile) -> Result<Result<Superblock, Malformed>> {
    let size = file.size()?.min(SUPERBLOCK_SIZE_MAX.saturating_add(16));
    let mut bytes = vec![0; usize::try_from(size).unwrap_or_default()];
    let count = file.read(0, &mut bytes)?;
    bytes.truncate(count);
    Ok(Superblock::decode(&bytes))
}

/// Removes tentative names whose file was not created, and makes the other ones durable.
async fn drop_lost(raw: &dyn RawDirectory, block: &mut Superblock, numbers: &[u32]) -> Result<()> {
    for (name, place) in std::mem::take(&mut block.names).into_entries() {
        if let Place::File { number, generation, is_tentative: true } = place {
            if !numbers.contains(&number) {
                continue;
            }
            let slot = Slot::new(number);
            slot.opened(raw.open(&slot.name(), false).await.map_err(as_locked)?);
            match slot.check(&name, generation) {
                Ok(()) => slot.sync()?,
                Err(Error::Corruption(_)) => continue,
                Err(error) => return Err(error),
            }
        }
        block.names.insert(name, place);
    }
    Ok(())
}

/// Removes names whose raw file a power failure took away. The names of the files that it was made from come
/// back; if it was the manifest, `CURRENT` names the one before.
pub(super) fn restore_retired(block: &mut Superblock, numbers: &[u32]) {
    let count = block.names.len();
    block.names.retain(|_, place| !matches!(place, Place::File { number, .. } if !numbers.contains(number)));
    if block.names.len() == count {
        return;
    }
    for retired in std::mem::take(&mut block.retired) {
        if FileName::parse(&retired.name).is_some() && numbers.contains(&retired.number) {
            let place = Place::File { number: retired.number, generation: retired.generation, is_tentative: false };
            if !block.names.contains(&retired.name) {
                block.names.insert(retired.name, place);
            }
        }
    }
    if let Some(Place::Inline(content)) = block.names.get("CURRENT") {
        let manifest = content.strip_suffix(b"\n").unwrap_or(content);
        if !block.names.keys().any(|name| name.as_bytes() == manifest) {
            let lost = std::str::from_utf8(manifest).ok().and_then(FileName::parse).and_then(|name| name.number());
            name_newest_manifest(&mut block.names, lost);
        }
    }
}

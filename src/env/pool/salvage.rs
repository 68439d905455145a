//! Finds names by the headers of the pool files, where all superblocks are damaged.

use super::header::Header;
use super::raw::{RawDirectory, as_locked};
use super::slot::{Slot, name_of};
use super::superblock::{Place, Superblock};
use crate::base::{FileName, FileNumber, Sorted, sort_by};
use crate::error::Result;

/// The state that the headers tell; `None` if no file has one.
///
/// The files of the newest database count. Names that were removed or renamed since come back under the name
/// that they were created with; the engine, which knows which files it needs, removes the others.
pub(super) async fn salvage(raw: &dyn RawDirectory, numbers: &[u32]) -> Result<Option<Superblock>> {
    let mut found: Vec<(Header, u32)> = Vec::new();
    for number in numbers {
        let slot = Slot::new(*number);
        slot.opened(raw.open(&name_of(*number), false).await.map_err(as_locked)?);
        if let Ok(header) = slot.read_header() {
            found.push((header, *number));
        }
    }
    Ok(salvaged(found))
}

/// The same, of headers that were read.
pub(super) fn salvaged(mut found: Vec<(Header, u32)>) -> Option<Superblock> {
    let newest = found.iter().max_by_key(|(header, number)| (header.generation, header.birth, *number));
    let database = newest.map(|(header, _)| header.database)?;
    found.retain(|(header, _)| header.database == database);
    sort_by(&mut found, |(a, m), (b, n)| (a.generation, m).cmp(&(b.generation, n)));
    let mut block = Superblock { database, ..Superblock::default() };
    let mut names = Sorted::default();
    for (header, number) in found {
        block.epoch = block.epoch.max(header.generation >> 32);
        block.births.insert(number, header.birth);
        // Later ones replace earlier ones of the same name.
        names.insert(header.name, Place::File { number, generation: header.generation, is_tentative: false });
    }
    name_newest_manifest(&mut names, None);
    block.names = names;
    Some(block)
}

/// Lets `CURRENT` name the newest manifest that is there, older than `lost`: it was complete before
/// `CURRENT` named it.
pub(super) fn name_newest_manifest(names: &mut Sorted<String, Place>, lost: Option<FileNumber>) {
    let manifests = names.keys().filter_map(|name| match FileName::parse(name)? {
        FileName::Manifest(number) if lost.is_none_or(|lost| number < lost) => Some(number),
        _ => None,
    });
    if let Some(manifest) = manifests.max() {
        let content = format!("{}\n", FileName::Manifest(manifest)).into_bytes();
        names.insert(FileName::Current.to_string(), Place::Inline(content));
    }
}

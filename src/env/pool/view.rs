//! The names of a pool, read out of bytes by a reader that is not its owner: it opens no file, and the
//! owner may write meanwhile.
//!
//! A reader reads the superblocks, then the raw files that they name, then the superblocks again. A raw
//! file keeps the content that a superblock names until all three superblocks are newer (superblock.rs).
//! So what was read is what the first reading named, if the newest sequence number grew by less than
//! [`NEWER_MAX`], or if the name has the same generation still.

use super::header::{HEADER_SIZE, Header};
use super::mount::restore_retired;
use super::salvage::salvaged;
use super::slot::{name_of, number_of};
use super::superblock::{Place, SLOTS, Superblock};
use crate::base::sort_by;
use crate::error::Malformed;

/// The content of a raw file begins here.
pub const RAW_HEADER_SIZE: u64 = HEADER_SIZE;

/// So many superblocks written later may replace the content of a removed file.
pub const NEWER_MAX: u64 = SLOTS.len() as u64;

/// The names of a pool.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolNames {
    /// Of the superblock, larger with each change of names; `None`: all superblocks are damaged, and the
    /// headers of the raw files told the names.
    pub sequence: Option<u64>,
    /// By name.
    pub files: Vec<PoolName>,
}

/// A name, and its content.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolName {
    /// The name that the engine knows.
    pub name: String,
    /// Where its content is.
    pub content: PoolContent,
}

/// The content of a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum PoolContent {
    /// These bytes.
    Inline(Vec<u8>),
    /// What follows the header in a raw file.
    Raw {
        /// The name of the raw file.
        raw: String,
        /// That of its header, while it has this content.
        generation: u64,
        /// Whether it is being written: the name was not made durable yet.
        is_tentative: bool,
    },
}

/// The names that the superblocks tell; `None` if none can be read.
///
/// With the names and headers of all raw files, `headers`, the names are those that opening the database
/// finds: if a power failure took raw files, or all superblocks are damaged.
pub fn pool_names(superblocks: [&[u8]; 3], headers: Option<&[(&str, &[u8])]>) -> Option<PoolNames> {
    let newest = superblocks.into_iter().filter_map(|bytes| Superblock::decode(bytes).ok());
    let newest = newest.max_by_key(|block| block.sequence);
    let sequence = newest.as_ref().map(|block| block.sequence);
    let mut found: Vec<(Header, u32)> = Vec::new();
    let mut numbers = Vec::new();
    for (name, bytes) in headers.unwrap_or_default() {
        let Some(number) = number_of(name) else { continue };
        numbers.push(number);
        found.extend(Header::decode(bytes).ok().map(|header| (header, number)));
    }
    sort_by(&mut numbers, Ord::cmp);
    let holds = |number: u32, generation: u64| {
        found.iter().any(|(header, of)| *of == number && header.generation == generation)
    };
    let block = match newest {
        None => salvaged(found)?,
        Some(mut block) => {
            if headers.is_some() {
                restore_retired(&mut block, &numbers);
                block.names.retain(|_, place| match place {
                    Place::File { number, generation, is_tentative: true } => holds(*number, *generation),
                    _ => true,
                });
            }
            block
        }
    };
    let files = block.names.into_entries().into_iter().map(|(name, place)| PoolName { name, content: content(place) });
    Some(PoolNames { sequence, files: files.collect() })
}

fn content(place: Place) -> PoolContent {
    match place {
        Place::Inline(bytes) => PoolContent::Inline(bytes),
        Place::File { number, generation, is_tentative } => {
            PoolContent::Raw { raw: name_of(number), generation, is_tentative }
        }
    }
}

/// The generation of the content of a raw file that begins with these bytes.
pub fn raw_generation(bytes: &[u8]) -> Result<u64, Malformed> {
    Header::decode(bytes).map(|header| header.generation)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::Sorted;

    fn header(generation: u64, name: &str) -> Vec<u8> {
        Header { database: 9, generation, birth: 5, name: name.into() }.encode()
    }

    fn block(sequence: u64) -> Superblock {
        let mut block = Superblock { database: 9, sequence, ..Superblock::default() };
        block.names.insert("CURRENT".into(), Place::Inline(b"MANIFEST-000001\n".to_vec()));
        block.names.insert("000005.ldb".into(), Place::File { number: 2, generation: 76, is_tentative: false });
        block.names.insert("000006.log".into(), Place::File { number: 1, generation: 77, is_tentative: true });
        block
    }

    fn names(found: &Option<PoolNames>) -> Vec<&str> {
        found.iter().flat_map(|names| &names.files).map(|file| &*file.name).collect()
    }

    #[test]
    fn the_newest_superblock_that_is_whole_tells_the_names() {
        let (mut old, new) = (block(6), block(7));
        old.names = Sorted::default();
        let (old, new) = (old.encode(), new.encode());
        let mut torn = block(8).encode();
        torn.truncate(40);
        let found = pool_names([&old, &torn, &new], None);
        assert_eq!(names(&found), ["000005.ldb", "000006.log", "CURRENT"]);
        let found = found.unwrap();
        assert_eq!(found.sequence, Some(7));
        let raw = |raw: &str, generation, is_tentative| PoolContent::Raw { raw: raw.into(), generation, is_tentative };
        assert_eq!(found.files[0].content, raw("p00002", 76, false));
        assert_eq!(found.files[1].content, raw("p00001", 77, true));
        assert_eq!(found.files[2].content, PoolContent::Inline(b"MANIFEST-000001\n".to_vec()));
        assert_eq!(pool_names([&torn, &[], &torn], None), None);
    }

    #[test]
    fn with_headers_the_names_are_those_that_opening_finds() {
        let new = block(7).encode();
        let (table, log, other) = (header(76, "000005.ldb"), header(77, "000006.log"), header(78, "000009.log"));
        let all = |headers: &[(&str, &[u8])]| {
            let found = pool_names([&new, &[], &[]], Some(headers));
            names(&found).into_iter().map(str::to_owned).collect::<Vec<_>>()
        };
        assert_eq!(all(&[("p00002", &table), ("p00001", &log)]), ["000005.ldb", "000006.log", "CURRENT"]);
        // The raw file of the table is gone; that of the new log was never written.
        assert_eq!(all(&[("p00001", &log), ("other", &table)]), ["000006.log", "CURRENT"]);
        assert_eq!(all(&[("p00002", &table), ("p00001", &other)]), ["000005.ldb", "CURRENT"]);
        let salvaged = pool_names([&[], &[], &[]], Some(&[("p00001", &other), ("p00002", &table)]));
        assert_eq!(names(&salvaged), ["000005.ldb", "000009.log"]);
        assert_eq!(salvaged.unwrap().sequence, None);
        assert_eq!(pool_names([&[], &[], &[]], Some(&[("p00001", b"VARVEPF1")])), None);
    }

    #[test]
    fn the_generation_of_a_raw_file_is_in_its_header() {
        assert_eq!(raw_generation(&header(1 << 40, "000009.log")), Ok(1 << 40));
        assert!(raw_generation(&[0; 100]).is_err());
    }
}

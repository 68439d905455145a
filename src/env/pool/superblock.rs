//! The superblock: which pool file holds which name.
//!
//! Three files hold one each; the valid one with the largest sequence number counts. A write may be
//! torn, so it goes to neither the newest nor the newest that was flushed.
//!
//! When a file is created, its name is written without a flush: so the name survives the process, as
//! in a directory. It is *tentative* until the next change of names, which is flushed.
//!
//! ```text
//! 0    "VARVESB1"
//! 8    fixed32 length of the rest   fixed32 CRC-32C of the rest
//! 16   fixed64 database id, fixed64 sequence, fixed64 epoch, fixed64 birth (ms since 1970)
//!      varint32 count, then for each pool file: varint32 number, varint64 birth
//!      varint32 count, then for each name: lp(name), 0, varint32 number, varint64 generation
//!                                      or: lp(name), 1, lp(content)
//!                                      or: lp(name), 2, varint32 number, varint64 generation   (tentative)
//!      varint32 count, then for each retired name: lp(name), varint32 number, varint64 generation, varint64 until
//! ```

use crate::base::{Input, Sorted, put_fixed64, put_length_prefixed, put_varint32, put_varint64};
use crate::env::sealed::{opened, sealed, text};
use crate::error::Malformed;

/// The names of the files that hold the superblocks.
pub(super) const SLOTS: [&str; 3] = ["super-a", "super-b", "super-c"];

/// A larger one is not read: far more than the names of 100,000 files.
pub(super) const SUPERBLOCK_SIZE_MAX: u64 = 16 << 20;

/// The files grow by so many bytes.
pub(super) const SUPERBLOCK_GRAIN: usize = 16 << 10;

const MAGIC: &[u8; 8] = b"VARVESB1";
const IN_FILE: u8 = 0;
const INLINE: u8 = 1;
const TENTATIVE: u8 = 2;

/// The state of the directory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Superblock {
    pub(super) database: u64,
    pub(super) sequence: u64,
    /// The number of owners so far.
    pub(super) epoch: u64,
    /// When the files of the superblocks were created, in ms since 1970.
    pub(super) birth: u64,
    /// When each pool file was created, in ms since 1970.
    pub(super) births: Sorted<u32, u64>,
    pub(super) names: Sorted<String, Place>,
    /// Names that were removed, whose files are not used again yet.
    pub(super) retired: Vec<Retired>,
}

/// Where the content of a name is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// In a pool file, while its header has this generation.
    File {
        number: u32,
        generation: u64,
        /// Created since the last flush: after a power failure the file may lack its header.
        is_tentative: bool,
    },
    Inline(Vec<u8>),
}

/// A removed file that may be needed: if a young file that was made from it is lost.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Retired {
    pub(super) name: String,
    pub(super) number: u32,
    pub(super) generation: u64,
    /// From this time on, in ms since 1970, the files made from it are safe.
    pub(super) until: u64,
}

impl Superblock {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_fixed64(&mut body, self.database);
        put_fixed64(&mut body, self.sequence);
        put_fixed64(&mut body, self.epoch);
        put_fixed64(&mut body, self.birth);
        put_count(&mut body, self.births.len());
        for (number, birth) in self.births.iter() {
            put_varint32(&mut body, *number);
            put_varint64(&mut body, *birth);
        }
        put_count(&mut body, self.names.len());
        for (name, place) in self.names.iter() {
            put_length_prefixed(&mut body, name.as_bytes());
            match place {
                Place::File { number, generation, is_tentative } => {
                    body.push(if *is_tentative { TENTATIVE } else { IN_FILE });
                    put_varint32(&mut body, *number);
                    put_varint64(&mut body, *generation);
                }
                Place::Inline(content) => {
                    body.push(INLINE);
                    put_length_prefixed(&mut body, content);
                }
            }
        }
        put_count(&mut body, self.retired.len());
        for Retired { name, number, generation, until } in &self.retired {
            put_length_prefixed(&mut body, name.as_bytes());
            put_varint32(&mut body, *number);
            put_varint64(&mut body, *generation);
            put_varint64(&mut body, *until);
        }
        sealed(MAGIC, &body)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Superblock, Malformed> {
        let mut input = Input::new(opened(MAGIC, bytes)?);
        let mut found = Superblock {
            database: input.fixed64("database id")?,
            sequence: input.fixed64("sequence")?,
            epoch: input.fixed64("epoch")?,
            birth: input.fixed64("time of birth")?,
            ..Superblock::default()
        };
        for _ in 0..input.varint32("count of pool files")? {
            let number = input.varint32("number")?;
            found.births.insert(number, input.varint64("time of birth")?);
        }
        for _ in 0..input.varint32("count of names")? {
            let name = text(&mut input, "name")?;
            let place = match input.u8("kind of place")? {
                INLINE => Place::Inline(input.length_prefixed("content")?.to_vec()),
                kind @ (IN_FILE | TENTATIVE) => {
                    let number = input.varint32("number")?;
                    let generation = input.varint64("generation")?;
                    Place::File { number, generation, is_tentative: kind == TENTATIVE }
                }
                kind => return Err(input.malformed(format!("the kind of place is {kind}, expected 0, 1 or 2"))),
            };
            found.names.insert(name, place);
        }
        for _ in 0..input.varint32("count of retired names")? {
            let name = text(&mut input, "name")?;
            let number = input.varint32("number")?;
            let generation = input.varint64("generation")?;
            found.retired.push(Retired { name, number, generation, until: input.varint64("time")? });
        }
        Ok(found)
    }
}

fn put_count(out: &mut Vec<u8>, count: usize) {
    put_varint32(out, u32::try_from(count).unwrap_or(u32::MAX));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_superblock_is_read_back_and_every_flipped_bit_is_found() {
        let mut block = Superblock { database: 9, sequence: 300, epoch: 4, ..Superblock::default() };
        block.births.insert(2, 1_700_000_000_000);
        block.births.insert(0, 5);
        block.names.insert("CURRENT".into(), Place::Inline(b"MANIFEST-000001\n".to_vec()));
        block.names.insert("000005.ldb".into(), Place::File { number: 2, generation: 76, is_tentative: false });
        block.names.insert("000006.log".into(), Place::File { number: 1, generation: 77, is_tentative: true });
        block.retired.push(Retired { name: "000003.log".into(), number: 0, generation: 12, until: 8 });
        let bytes = block.encode();
        assert_eq!(Superblock::decode(&bytes), Ok(block));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Superblock::decode(&damaged).is_err(), "bit {bit}");
        }
        for end in 0..bytes.len() {
            assert!(Superblock::decode(&bytes[..end]).is_err(), "{end} bytes");
        }
    }
}

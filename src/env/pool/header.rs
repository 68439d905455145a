//! The header of a pool file: what it holds, for salvage when all superblocks are damaged.
//!
//! ```text
//! 0    "VARVEPF1"
//! 8    fixed32 length of the rest   fixed32 CRC-32C of the rest
//! 16   fixed64 database id, fixed64 generation, fixed64 birth (ms since 1970), lp(name at its creation)
//! 4096 the content begins
//! ```

use crate::base::{Input, put_fixed64, put_length_prefixed};
use crate::env::sealed::{opened, sealed, text};
use crate::error::Malformed;

/// Content begins here: a block of the file system, so that the content's blocks are aligned.
pub(super) const HEADER_SIZE: u64 = 4096;

const MAGIC: &[u8; 8] = b"VARVEPF1";

/// What a pool file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) database: u64,
    /// Larger than that of every file created before.
    pub(super) generation: u64,
    /// When the raw file was created, in ms since 1970.
    pub(super) birth: u64,
    pub(super) name: String,
}

impl Header {
    pub(super) fn encode(&self) -> Vec<u8> {
        let mut body = Vec::new();
        put_fixed64(&mut body, self.database);
        put_fixed64(&mut body, self.generation);
        put_fixed64(&mut body, self.birth);
        put_length_prefixed(&mut body, self.name.as_bytes());
        sealed(MAGIC, &body)
    }

    pub(super) fn decode(bytes: &[u8]) -> Result<Header, Malformed> {
        let mut input = Input::new(opened(MAGIC, bytes)?);
        let database = input.fixed64("database id")?;
        let generation = input.fixed64("generation")?;
        let birth = input.fixed64("time of birth")?;
        let name = text(&mut input, "name")?;
        Ok(Header { database, generation, birth, name })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_is_read_back_and_every_flipped_bit_is_found() {
        let header = Header { database: 7, generation: 1 << 40, birth: 1_700_000_000_000, name: "000005.ldb".into() };
        let bytes = header.encode();
        assert_eq!(Header::decode(&bytes), Ok(header));
        for bit in 0..bytes.len() * 8 {
            let mut damaged = bytes.clone();
            damaged[bit / 8] ^= 1 << (bit % 8);
            assert!(Header::decode(&damaged).is_err(), "bit {bit}");
        }
        assert!(Header::decode(&[]).is_err());
    }
}

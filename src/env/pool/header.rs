//! The header of a pool file: what it holds, for salvage when all superblocks are damaged.
//!
//! ```text
//! 0    "VARVEPF1"
//! 8    fixed32 length of the rest   fixed32 CRC-32C of the rest
//! 16   fixed64 database id, fixed64 generation, fixed64 birth (ms since 1970), lp(name at its creation)
//! 4096 the content begins
//! ```

use crate::base::{Input, crc32c, put_fixed32, put_fixed64, put_length_prefixed, to_u64};
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

/// `magic`, the length of `body`, its checksum, and `body`.
pub(super) fn sealed(magic: &[u8; 8], body: &[u8]) -> Vec<u8> {
    let mut out = magic.to_vec();
    put_fixed32(&mut out, u32::try_from(body.len()).unwrap_or(u32::MAX));
    put_fixed32(&mut out, crc32c(body));
    out.extend_from_slice(body);
    out
}

/// The body of what [`sealed`] made; bytes may follow it.
pub(super) fn opened<'a>(magic: &[u8; 8], bytes: &'a [u8]) -> Result<&'a [u8], Malformed> {
    let mut input = Input::new(bytes);
    if input.bytes(magic.len(), "magic")? != magic {
        return Err(Malformed::new(0, format!("expected {}", magic.escape_ascii())));
    }
    let length = input.fixed32("length")?;
    let expected = input.fixed32("checksum")?;
    let body = input.bytes(usize::try_from(length).unwrap_or(usize::MAX), "body")?;
    let found = crc32c(body);
    if found != expected {
        return Err(Malformed::new(to_u64(magic.len()), format!("checksum is {found:08x}, expected {expected:08x}")));
    }
    Ok(body)
}

/// A length-prefixed text.
pub(super) fn text(input: &mut Input<'_>, what: &str) -> Result<String, Malformed> {
    let at = to_u64(input.offset());
    let bytes = input.length_prefixed(what)?;
    String::from_utf8(bytes.to_vec()).map_err(|_| Malformed::new(at, format!("the {what} is not UTF-8")))
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

//! Small records that are checked as a whole.
//!
//! ```text
//! 0    magic, 8 bytes
//! 8    fixed32 length of the rest   fixed32 CRC-32C of the rest
//! 16   the body
//! ```

use crate::base::{Input, crc32c, put_fixed32, to_u64};
use crate::error::Malformed;

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

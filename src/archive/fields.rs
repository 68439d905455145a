//! The fields of a zip's headers, descriptors and extra fields.

use super::{DESCRIPTOR, LATER32, ZIP64};
use crate::base::Input;
use crate::error::Malformed;

/// Fields of both headers of an entry.
///
/// From the mark on: version, flags with method, date, checksum, stored size, size.
pub(super) fn head(input: &mut Input<'_>) -> Result<[u32; 6], Malformed> {
    input.bytes(4, "mark")?;
    let version = input.fixed16("version")?;
    let mut fields = [version.into(); 6];
    for field in fields.iter_mut().skip(1) {
        *field = input.fixed32("head")?;
    }
    Ok(fields)
}

/// Splits a 32-bit value into two fields of 16 bits.
pub(super) fn halves(field: u32) -> [u16; 2] {
    let [a, b, c, d] = field.to_le_bytes();
    [u16::from_le_bytes([a, b]), u16::from_le_bytes([c, d])]
}

/// The length of a descriptor with these values at the start of `bytes`, if there is one.
///
/// With or without its mark, with sizes of 32 or 64 bits: the bytes after it distinguish the short
/// forms from the beginning of a long one.
pub(super) fn descriptor(bytes: &[u8], crc: u32, stored: u64, size: u64) -> Option<usize> {
    [(true, true), (true, false), (false, true), (false, false)].into_iter().find_map(|(marked, wide)| {
        let mut said = Input::new(bytes);
        let mut number = |wide: bool| if wide { said.fixed64("").ok() } else { said.fixed32("").ok().map(u64::from) };
        let agrees = (!marked || number(false)? == u64::from(DESCRIPTOR))
            && number(false)? == u64::from(crc)
            && number(wide)? == stored
            && number(wide)? == size;
        (agrees && said.rest().get(..2).is_none_or(|next| next == b"PK")).then_some(said.offset())
    })
}

/// Sizes, and then an offset, some of them in the extra field. `None` if one is missing.
pub(super) fn wide<const N: usize>(extra: &[u8], fields: [u32; N]) -> Option<[u64; N]> {
    let mut found = Input::new(zip64_field(extra));
    let mut result = [0; N];
    for (field, place) in fields.into_iter().zip(&mut result) {
        *place = if field == LATER32 { found.fixed64("").ok()? } else { field.into() };
    }
    Some(result)
}

/// The data under zip64's id in the extra field. Malformed fields of other tools are ignored.
fn zip64_field(extra: &[u8]) -> &[u8] {
    let mut input = Input::new(extra);
    while let (Ok(id), Ok(length)) = (input.fixed16(""), input.fixed16("")) {
        let Ok(value) = input.bytes(length.into(), "") else { break };
        if id == ZIP64 {
            return value;
        }
    }
    &[]
}

//! Keys and values packed into one array: `(u32 length, bytes)*`, little-endian; length 0xffffffff
//! means no value.

use crate::base::put_fixed32;
use crate::error::{Error, Result};

/// The length of a missing value.
const NO_VALUE: u32 = u32::MAX;

pub(super) fn unpack(mut packed: &[u8]) -> Option<Vec<&[u8]>> {
    let mut parts = Vec::new();
    while let Some((length, rest)) = packed.split_first_chunk() {
        let length = usize::try_from(u32::from_le_bytes(*length)).ok()?;
        let (found, rest) = rest.split_at_checked(length)?;
        parts.push(found);
        packed = rest;
    }
    packed.is_empty().then_some(parts)
}

pub(super) fn pack(values: &[Option<Vec<u8>>]) -> Result<Vec<u8>> {
    let mut packed = Vec::new();
    for value in values {
        let Some(value) = value else {
            put_fixed32(&mut packed, NO_VALUE);
            continue;
        };
        let length =
            u32::try_from(value.len()).map_err(|_| Error::LimitExceeded("a value has 4 GiB or more".into()))?;
        if packed.try_reserve(value.len().saturating_add(4)).is_err() {
            return Err(Error::LimitExceeded("not enough memory for all values together".into()));
        }
        put_fixed32(&mut packed, length);
        packed.extend_from_slice(value);
    }
    Ok(packed)
}

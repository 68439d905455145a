//! CRC-32C (Castagnoli) and LevelDB's mask.
//!
//! Stored checksums are masked, because the CRC of data that contains its own CRC is degenerate:
//! `mask(c) = rotate_right(c, 15) + 0xa282ead8`. crc32c("123456789") = `e3069283`, masked
//! `c78ab0e5`. Source: LevelDB `util/crc32c.h`. The arithmetic is done by the `crc32c` crate, which
//! uses processor instructions. In WebAssembly, which has none, the `crc` crate is half again as
//! fast and its tables are not part of the module; [`fold`](super::fold) shortens long runs first.

const MASK_DELTA: u32 = 0xa282_ead8;

/// CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_extend(0, bytes)
}

/// Extends `crc` by `bytes`.
#[cfg(not(target_arch = "wasm32"))]
#[inline]
pub fn crc32c_extend(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

/// Extends `crc` by `bytes`.
#[cfg(target_arch = "wasm32")]
pub fn crc32c_extend(crc: u32, bytes: &[u8]) -> u32 {
    static TABLES: super::tables::Crc32Tables = super::tables::Crc32Tables::of(&::crc::CRC_32_ISCSI);
    match super::fold::fold(!crc, bytes) {
        Some((left, end)) => TABLES.extend(TABLES.extend(!0, &left), end),
        None => TABLES.extend(crc, bytes),
    }
}

/// Masks a checksum to store it.
#[inline]
pub const fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// Unmasks a stored checksum.
#[inline]
pub const fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(MASK_DELTA).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn checksum_and_mask_match_the_worked_examples() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(mask(0xe306_9283), 0xc78a_b0e5);
        assert_eq!(unmask(0xc78a_b0e5), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(mask(0), 0xa282_ead8);
        assert_eq!(crc32c_extend(crc32c(b"1234"), b"56789"), 0xe306_9283);
    }
}

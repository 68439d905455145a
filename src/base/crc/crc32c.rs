//! CRC-32C (Castagnoli) and LevelDB's mask.
//!
//! Stored checksums are masked, since data that holds its own checksum gives degenerate ones:
//! `mask(c) = rotate_right(c, 15) + 0xa282ead8`. crc32c("123456789") = `e3069283`, masked `c78ab0e5`.
//! Source: LevelDB `util/crc32c.h`. The polynomial arithmetic is the `crc32c` crate's, which knows the processor's instructions;
//! WebAssembly has none, and there it is the `crc` crate's, which is half again as fast and whose tables need not be shipped, after
//! [`fold`](super::fold) made long runs short.

const MASK_DELTA: u32 = 0xa282_ead8;

/// CRC-32C of `bytes`.
#[inline]
pub fn crc32c(bytes: &[u8]) -> u32 {
    crc32c_extend(0, bytes)
}

/// CRC-32C of what `crc` covers followed by `bytes`.
#[cfg(not(target_arch = "wasm32"))]
#[inline]
pub fn crc32c_extend(crc: u32, bytes: &[u8]) -> u32 {
    ::crc32c::crc32c_append(crc, bytes)
}

/// CRC-32C of what `crc` covers followed by `bytes`.
#[cfg(target_arch = "wasm32")]
pub fn crc32c_extend(crc: u32, bytes: &[u8]) -> u32 {
    static TABLES: super::tables::Crc32Tables = super::tables::Crc32Tables::of(&::crc::CRC_32_ISCSI);
    match super::fold::fold(!crc, bytes) {
        Some((left, end)) => TABLES.extend(TABLES.extend(!0, &left), end),
        None => TABLES.extend(crc, bytes),
    }
}

/// As stored.
#[inline]
pub const fn mask(crc: u32) -> u32 {
    crc.rotate_right(15).wrapping_add(MASK_DELTA)
}

/// From its stored form.
#[inline]
pub const fn unmask(masked: u32) -> u32 {
    masked.wrapping_sub(MASK_DELTA).rotate_left(15)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_worked_examples() {
        assert_eq!(crc32c(b"123456789"), 0xe306_9283);
        assert_eq!(mask(0xe306_9283), 0xc78a_b0e5);
        assert_eq!(unmask(0xc78a_b0e5), 0xe306_9283);
        assert_eq!(crc32c(&[0; 32]), 0x8a91_36aa);
        assert_eq!(mask(0), 0xa282_ead8);
        assert_eq!(crc32c_extend(crc32c(b"1234"), b"56789"), 0xe306_9283);
    }
}

//! The checksum of zip: CRC-32 of IEEE 802.3.

use crate::base::CrcTables;

const POLYNOMIAL: u32 = 0xedb8_8320;

/// Checksums, one after the other.
pub(crate) struct Crc32 {
    tables: Box<CrcTables>,
    state: u32,
}

impl Crc32 {
    /// Of nothing yet.
    pub(crate) fn new() -> Crc32 {
        Crc32 { tables: Box::new(CrcTables::new(POLYNOMIAL)), state: u32::MAX }
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.state = u32::MAX;
    }

    /// Of `bytes` alone.
    #[cfg(any(test, feature = "package", feature = "fuzzing"))]
    pub(crate) fn of(&mut self, bytes: &[u8]) -> u32 {
        self.reset();
        self.update(bytes);
        self.value()
    }

    /// Takes `bytes` in.
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        self.state = self.tables.update(self.state, bytes);
    }

    /// The checksum of what was taken in.
    pub(crate) fn value(&self) -> u32 {
        !self.state
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value() {
        assert_eq!(Crc32::new().of(b"123456789"), 0xcbf4_3926);
    }
}

//! The checksum of zip: CRC-32 of IEEE 802.3.

/// Checksums, one after the other.
#[derive(Default)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    /// Of nothing yet.
    pub(crate) fn new() -> Crc32 {
        Crc32::default()
    }

    /// Begins anew.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// Of `bytes` alone.
    #[cfg(any(test, feature = "package", feature = "fuzzing"))]
    pub(crate) fn of(&mut self, bytes: &[u8]) -> u32 {
        self.reset();
        self.update(bytes);
        self.value()
    }

    /// Takes `bytes` in.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        self.0 = hasher.finalize();
    }

    /// Takes `bytes` in. Not by crc32fast here: its tables would be data of the module.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        static TABLES: crate::base::Crc32Tables = crate::base::Crc32Tables::of(&crc::CRC_32_ISO_HDLC);
        self.0 = TABLES.extend(self.0, bytes);
    }

    /// The checksum of what was taken in.
    pub(crate) fn value(&self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_check_value() {
        assert_eq!(Crc32::new().of(b"123456789"), 0xcbf4_3926);
        let mut crc = Crc32::new();
        for byte in b"123456789" {
            crc.update(&[*byte]);
        }
        assert_eq!(crc.value(), 0xcbf4_3926);
    }
}

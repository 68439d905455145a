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
    #[cfg(any(test, feature = "full", feature = "fuzzing"))]
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
    fn the_check_value_and_any_cut() {
        let mut crc = Crc32::new();
        assert_eq!(crc.of(b"123456789"), 0xcbf4_3926);
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        // One bit at a time is the definition.
        let slow = bytes.iter().fold(u32::MAX, |crc, byte| {
            (0..8).fold(crc ^ u32::from(*byte), |c, _| if c & 1 == 0 { c >> 1 } else { c >> 1 ^ 0xedb8_8320 })
        });
        for cut in 0..40 {
            crc.reset();
            let (front, back) = bytes.split_at(cut);
            crc.update(front);
            crc.update(back);
            assert_eq!(crc.value(), !slow);
        }
    }
}

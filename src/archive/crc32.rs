//! The checksum of zip files: CRC-32 of IEEE 802.3.

/// A running checksum.
#[derive(Default)]
pub(crate) struct Crc32(u32);

impl Crc32 {
    /// The checksum of no bytes.
    pub(crate) fn new() -> Crc32 {
        Crc32::default()
    }

    /// Starts again.
    pub(crate) fn reset(&mut self) {
        self.0 = 0;
    }

    /// The checksum of `bytes`.
    #[cfg(any(test, feature = "full", feature = "fuzzing"))]
    pub(crate) fn of(&mut self, bytes: &[u8]) -> u32 {
        self.reset();
        self.update(bytes);
        self.value()
    }

    /// Adds `bytes`.
    #[cfg(not(target_arch = "wasm32"))]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        let mut hasher = crc32fast::Hasher::new_with_initial(self.0);
        hasher.update(bytes);
        self.0 = hasher.finalize();
    }

    /// Adds `bytes`. Not with crc32fast: its tables would enlarge the module.
    #[cfg(target_arch = "wasm32")]
    pub(crate) fn update(&mut self, bytes: &[u8]) {
        static TABLES: crate::base::Crc32Tables = crate::base::Crc32Tables::of(&crc::CRC_32_ISO_HDLC);
        self.0 = TABLES.extend(self.0, bytes);
    }

    /// The checksum of the bytes added.
    pub(crate) fn value(&self) -> u32 {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_matches_the_check_value_however_the_bytes_are_split() {
        let mut crc = Crc32::new();
        assert_eq!(crc.of(b"123456789"), 0xcbf4_3926);
        let bytes: Vec<u8> = (0..=255).cycle().take(1000).collect();
        // The definition, one bit at a time.
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

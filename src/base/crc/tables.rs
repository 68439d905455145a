//! CRCs where no instruction of the processor helps: sixteen bytes at a step, by the `crc` crate.
//!
//! The tables (16 KiB for each polynomial) are computed at first use: as data of the WebAssembly module they would be a large part of what
//! it costs a page, since random numbers do not compress.

use std::sync::OnceLock;

use crc::{Algorithm, Crc, Table};

/// One reflected CRC of 32 bits, all of whose bits are inverted at the beginning and the end.
pub(crate) struct Crc32Tables {
    algorithm: &'static Algorithm<u32>,
    tables: OnceLock<Crc<u32, Table<16>>>,
}

impl Crc32Tables {
    pub(crate) const fn of(algorithm: &'static Algorithm<u32>) -> Crc32Tables {
        Crc32Tables { algorithm, tables: OnceLock::new() }
    }

    /// The CRC of what `crc` covers followed by `bytes`.
    pub(crate) fn extend(&self, crc: u32, bytes: &[u8]) -> u32 {
        let tables = self.tables.get_or_init(|| Crc::<u32, Table<16>>::new(self.algorithm));
        // The crate takes the state as the polynomial's coefficients are written, highest first.
        let mut digest = tables.digest_with_initial((!crc).reverse_bits());
        digest.update(bytes);
        digest.finalize()
    }
}

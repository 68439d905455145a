//! CRCs from tables, where no processor instruction helps: sixteen bytes per step, by the `crc`
//! crate.
//!
//! The tables (16 KiB per polynomial) are computed at first use: as data of the WebAssembly module
//! they would be a large part of its size, since they do not compress.

use std::sync::OnceLock;

use crc::{Algorithm, Crc, Table};

/// A reflected 32-bit CRC whose bits are inverted at the beginning and the end.
pub(crate) struct Crc32Tables {
    algorithm: &'static Algorithm<u32>,
    tables: OnceLock<Crc<u32, Table<16>>>,
}

impl Crc32Tables {
    pub(crate) const fn of(algorithm: &'static Algorithm<u32>) -> Crc32Tables {
        Crc32Tables { algorithm, tables: OnceLock::new() }
    }

    /// Extends `crc` by `bytes`.
    pub(crate) fn extend(&self, crc: u32, bytes: &[u8]) -> u32 {
        let tables = self.tables.get_or_init(|| Crc::<u32, Table<16>>::new(self.algorithm));
        // The crate expects the state in the order of the polynomial's coefficients, highest first.
        let mut digest = tables.digest_with_initial((!crc).reverse_bits());
        digest.update(bytes);
        digest.finalize()
    }
}

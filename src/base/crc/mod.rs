//! Checksums: CRC-32C with LevelDB's mask, and its computation without processor instructions.

mod crc32c;
#[cfg(any(target_arch = "wasm32", test))]
mod fold;
#[cfg(target_arch = "wasm32")]
mod tables;

pub use crc32c::{crc32c, crc32c_extend, mask, unmask};
#[cfg(all(feature = "archive", target_arch = "wasm32"))]
pub(crate) use tables::Crc32Tables;

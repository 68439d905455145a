//! The keys of Chromium's IndexedDB: their parts, and their order.

mod key;
mod order;

pub(crate) use key::{KeyKind, KeyPrefix, take_byte, take_double, take_kind, take_sized, take_string, take_varint};
pub use order::{IDB_NAME, IdbComparator};

//! Basic types without I/O: keys, sequence numbers, orders, integers, checksums, file names, shared
//! futures.

mod bytes;
mod coding;
mod comparator;
mod crc;
mod driver;
mod file_name;
mod filter_policy;
#[cfg(feature = "comparators")]
mod idb;
mod key;
mod key_order;
mod lru;
mod orders;
mod sequence;
mod snapshot;
mod sort;
mod sorted;
mod survivors;

pub(crate) use bytes::{HEAD_SIZE, common_length, compare_bytes, compare_from, head_at, same_bytes};
pub use coding::{
    Input, decode_fixed32, decode_fixed64, put_fixed32, put_fixed64, put_length_prefixed, put_varint32, put_varint64,
    to_u64, varint_length,
};
pub use comparator::{BYTEWISE_NAME, Comparator, UserComparator};
#[cfg(all(feature = "archive", target_arch = "wasm32"))]
pub(crate) use crc::Crc32Tables;
pub use crc::{crc32c, crc32c_extend, mask, unmask};
pub(crate) use driver::{Driven, Driver, Work};
pub use file_name::{FileKind, FileName, FileNumber, table_file_name};
pub use filter_policy::{BloomFilterPolicy, FilterPolicy, hash32};
#[cfg(feature = "comparators")]
pub use idb::{IDB_NAME, IdbComparator};
#[cfg(feature = "comparators")]
pub(crate) use idb::{KeyKind, KeyPrefix, take_byte, take_double, take_kind, take_sized, take_string, take_varint};
pub(crate) use key::TAG_SIZE;
pub use key::{InternalKeyComparator, LookupKey, ParsedInternalKey, append_internal_key, parse_internal_key, user_key};
pub use key_order::KeyOrder;
pub use lru::WeightedLru;
pub use sequence::{SequenceNumber, Tag, ValueType};
pub use snapshot::Snapshot;
pub(crate) use snapshot::SnapshotList;
pub(crate) use sort::sort_by;
pub(crate) use sorted::Sorted;
pub(crate) use survivors::Survivors;

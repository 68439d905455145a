//! What can be chosen, with each default's reason. Names are LevelDB's.

use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::base::{BloomFilterPolicy, FilterPolicy, SequenceNumber, Snapshot, UserComparator};
use crate::budget::Pause;
use crate::error::{Error, Result};
use crate::events::Listener;

/// How table blocks are written. All kinds that this build knows are read, whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// As they are.
    None,
    /// Snappy: the default, as in LevelDB. A block that saves less than an eighth is stored as it is.
    #[default]
    Snappy,
}

/// What opening does when the write-ahead log or the manifest is damaged.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Any damage that can be detected is an error; a torn tail too.
    Strict,
    /// The longest prefix of the history that is whole: the default, since what is found is a state that once was.
    #[default]
    PointInTime,
    /// What LevelDB does: skip what is damaged and go on. The result may be a state that never was.
    Compat,
}

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Make the database if it is not there. Default false.
    pub create_if_missing: bool,
    /// Refuse a database that is there. Default false.
    pub error_if_exists: bool,
    /// Write nothing, take no lock; writes fail with `NotSupported`. Default false.
    pub read_only: bool,
    /// Refuse tables whose filter or metaindex is damaged, and stop at any damage in a log. Default false (LevelDB's
    /// `paranoid_checks`; the checksum of an index is verified anyway, but in `compat` only with this).
    pub paranoid_checks: bool,
    /// Logical bytes of entries that gather in memory before they become a table: 4 KiB to 1 GiB. Default 4 MiB.
    pub write_buffer_size: usize,
    /// Tables held open at once, with their indexes and filters: 10 to 50,000. Default 1,000. In a directory that is no number of
    /// descriptors: all databases of the process share a fifth of those it may have, or half of 1,024 and more.
    pub max_open_files: usize,
    /// Logical bytes of decoded blocks kept in memory; 0 keeps none. Default 8 MiB. Beside them up to an eighth as many bytes of rows
    /// are kept that were looked up more than once.
    pub block_cache_size: u64,
    /// Logical bytes of indexes and filters of open tables kept in memory. Default 64 MiB.
    pub table_cache_size: u64,
    /// Bytes of entries in a data block before compression: 64 bytes to 4 MiB. Default 4 KiB.
    pub block_size: usize,
    /// Every how many entries a key is stored whole: 1 to 65,536. Default 16.
    pub block_restart_interval: usize,
    /// Bytes at which compaction starts another table: 16 KiB to 1 GiB. Default 2 MiB.
    pub max_file_size: u64,
    /// Default Snappy.
    pub compression: Compression,
    /// Go on appending to the last log and manifest when they end cleanly. Default false.
    pub reuse_logs: bool,
    /// Default a Bloom filter of 10 bits a key (LevelDB's own default is none): a missing key costs no block read.
    pub filter_policy: Option<Rc<dyn FilterPolicy>>,
    /// Order of keys; must be the one that the database was made with. Default bytewise.
    pub comparator: UserComparator,
    /// Default [`RecoveryMode::PointInTime`].
    pub recovery: RecoveryMode,
    /// Largest key or value, written or read, in bytes: 1 KiB to 1 GiB. Default 256 MiB.
    pub max_value_size: usize,
    /// Bytes of background work that one write, or one call of `background(0)`, does at most. Default 64 KiB: a fraction
    /// of a millisecond.
    pub slice_size: usize,
    /// Hears of flushes, compactions, stalls and files. Default nobody.
    pub listener: Option<Rc<dyn Listener>>,
    /// Whom long calls (opening, `compact_range`, `verify` ...) let at the thread every 64 KiB of work. Default nobody.
    pub pause: Option<Rc<dyn Pause>>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            create_if_missing: false,
            error_if_exists: false,
            read_only: false,
            paranoid_checks: false,
            write_buffer_size: 4 << 20,
            max_open_files: 1000,
            block_cache_size: 8 << 20,
            table_cache_size: 64 << 20,
            block_size: 4 << 10,
            block_restart_interval: 16,
            max_file_size: 2 << 20,
            compression: Compression::Snappy,
            reuse_logs: false,
            filter_policy: Some(Rc::new(BloomFilterPolicy::new(10))),
            comparator: UserComparator::Bytewise,
            recovery: RecoveryMode::PointInTime,
            max_value_size: 256 << 20,
            slice_size: 64 << 10,
            listener: None,
            pause: None,
        }
    }
}

impl std::fmt::Debug for Options {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Options")
            .field("create_if_missing", &self.create_if_missing)
            .field("error_if_exists", &self.error_if_exists)
            .field("read_only", &self.read_only)
            .field("paranoid_checks", &self.paranoid_checks)
            .field("write_buffer_size", &self.write_buffer_size)
            .field("max_open_files", &self.max_open_files)
            .field("block_cache_size", &self.block_cache_size)
            .field("table_cache_size", &self.table_cache_size)
            .field("block_size", &self.block_size)
            .field("block_restart_interval", &self.block_restart_interval)
            .field("max_file_size", &self.max_file_size)
            .field("compression", &self.compression)
            .field("reuse_logs", &self.reuse_logs)
            .field("filter_policy", &self.filter_policy.as_ref().map(|p| p.name()))
            .field("comparator", &self.comparator)
            .field("recovery", &self.recovery)
            .field("max_value_size", &self.max_value_size)
            .field("slice_size", &self.slice_size)
            .finish_non_exhaustive()
    }
}

impl Options {
    /// Refuses what is out of range, naming the option and its range.
    pub(crate) fn check(&self) -> Result<()> {
        in_range("write_buffer_size", self.write_buffer_size, 4 << 10..=1 << 30)?;
        in_range("max_open_files", self.max_open_files, 10..=50_000)?;
        in_range("block_size", self.block_size, 64..=4 << 20)?;
        in_range("block_restart_interval", self.block_restart_interval, 1..=1 << 16)?;
        in_range("max_file_size", self.max_file_size, 16 << 10..=1 << 30)?;
        in_range("max_value_size", self.max_value_size, 1 << 10..=1 << 30)?;
        in_range("slice_size", self.slice_size, 1 << 10..=1 << 30)?;
        if self.create_if_missing && self.read_only {
            return Err(Error::InvalidArgument("create_if_missing and read_only exclude each other".into()));
        }
        Ok(())
    }
}

fn in_range<T: PartialOrd + std::fmt::Display>(name: &str, value: T, range: RangeInclusive<T>) -> Result<()> {
    if range.contains(&value) {
        return Ok(());
    }
    let (low, high) = range.into_inner();
    Err(Error::InvalidArgument(format!("{name} is {value}, expected {low} to {high}")))
}

/// How one read is done.
#[derive(Clone, Debug)]
pub struct ReadOptions {
    /// Verify the checksum of every block read from storage. Default true: it costs little beside the read, and damage
    /// would otherwise be answered as data. (LevelDB's default is false.)
    pub verify_checksums: bool,
    /// Keep the blocks read in the cache. Default true; turn it off for one long scan.
    pub fill_cache: bool,
    /// With `fill_cache` off, iterators yet keep the first two blocks of each table behind every seek: short ranges are read
    /// again and again, and a long scan adds next to nothing. Default false.
    pub fill_cache_sought: bool,
    /// Read as of this snapshot. Default: as of now.
    pub snapshot: Option<Snapshot>,
    /// Iterators give only keys at or after this one.
    pub lower_bound: Option<Vec<u8>>,
    /// Iterators give only keys before this one.
    pub upper_bound: Option<Vec<u8>>,
}

impl Default for ReadOptions {
    fn default() -> ReadOptions {
        ReadOptions {
            verify_checksums: true,
            fill_cache: true,
            fill_cache_sought: false,
            snapshot: None,
            lower_bound: None,
            upper_bound: None,
        }
    }
}

impl ReadOptions {
    pub(crate) fn sequence(&self, last: SequenceNumber) -> SequenceNumber {
        self.snapshot.as_ref().map_or(last, Snapshot::sequence)
    }
}

/// How one write is done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WriteOptions {
    /// Acknowledge only when the write survives the machine, not just the process. Default false, as in LevelDB.
    pub sync: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_nonsense_is_named() {
        Options::default().check().unwrap();
        let error = Options { block_size: 0, ..Options::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "invalid argument: block_size is 0, expected 64 to 4194304");
    }
}

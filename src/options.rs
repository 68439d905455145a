//! Options, with the reason for each default. Names are LevelDB's.

use std::ops::RangeInclusive;
use std::rc::Rc;

use crate::base::{BloomFilterPolicy, FilterPolicy, SequenceNumber, Snapshot, UserComparator};
use crate::budget::Pause;
use crate::error::{Error, Result};
use crate::events::Listener;

/// How table blocks are compressed. Every codec in this build can be read, whatever is chosen here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Compression {
    /// Not compressed.
    None,
    /// Snappy, the default, as in LevelDB.
    ///
    /// A block that saves less than an eighth is stored uncompressed.
    #[default]
    Snappy,
}

/// How opening handles a damaged write-ahead log or manifest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum RecoveryMode {
    /// Any detectable damage is an error, a torn tail included.
    Strict,
    /// Recovers the longest undamaged prefix of the history.
    ///
    /// The default, since the result is a state that once existed.
    #[default]
    PointInTime,
    /// As LevelDB does: skips damaged records. The result may be a state that never existed.
    ///
    /// Iterators skip damaged blocks of tables too, so that older values of lost keys can reappear.
    /// With `read_only`, this reads past damage and changes nothing. Otherwise opening writes what it
    /// replayed to a table, and keeps damaged logs as `NNNNNN.log.damaged`.
    Compat,
}

/// How a database is opened.
#[derive(Clone)]
pub struct Options {
    /// Create the database if it does not exist. Default false.
    pub create_if_missing: bool,
    /// Fail if the database exists. Default false.
    pub error_if_exists: bool,
    /// Write nothing and take no lock; writes fail with `NotSupported`. Default false.
    ///
    /// Another process may write meanwhile: reads see the state at opening. A file that is removed
    /// before it was opened fails the read with `SourceChanged`; open the database again.
    pub read_only: bool,
    /// Fail on a table with a damaged filter or metaindex, and on any damage in a log.
    ///
    /// Default false.
    ///
    /// This is LevelDB's `paranoid_checks`. The checksum of an index is verified anyway, but in
    /// `compat` only with this option.
    pub paranoid_checks: bool,
    /// Bytes of entries collected in memory before they are written to a table. Default 4 MiB.
    ///
    /// Logical bytes, 4 KiB to 1 GiB.
    pub write_buffer_size: usize,
    /// Tables kept open, with their indexes and filters: 10 to 50,000. Default 1,000.
    ///
    /// In a directory this does not limit file descriptors: all databases of the process share a
    /// fifth of its limit, or half of 1,024 if the limit is higher.
    pub max_open_files: usize,
    /// Open tables with the database, so that the first reads need not wait for that. Default false.
    ///
    /// At most 16, from level 0 on: in a browser, opening a file takes 2 to 15 ms. An error of a table
    /// is reported by its first read. RocksDB opens all with `max_open_files = -1`.
    pub open_tables: bool,
    /// Logical bytes of decoded blocks kept in memory; 0 keeps none. Default 8 MiB.
    ///
    /// In addition, up to an eighth as many bytes are used for rows that were looked up more than
    /// once.
    pub block_cache_size: u64,
    /// Logical bytes of indexes and filters of open tables kept in memory. Default 64 MiB.
    pub table_cache_size: u64,
    /// Bytes of entries in a data block before compression: 64 bytes to 4 MiB. Default 4 KiB.
    pub block_size: usize,
    /// Number of entries between keys that are stored whole: 1 to 65,536. Default 16.
    pub block_restart_interval: usize,
    /// Size in bytes at which compaction starts a new table: 16 KiB to 1 GiB. Default 2 MiB.
    pub max_file_size: u64,
    /// Compression of blocks. Default Snappy.
    pub compression: Compression,
    /// Continue the last log and manifest if they end cleanly. Default false.
    pub reuse_logs: bool,
    /// Filter policy.
    ///
    /// Default a Bloom filter of 10 bits per key, so that a missing key costs no block read.
    ///
    /// LevelDB's default is none.
    pub filter_policy: Option<Rc<dyn FilterPolicy>>,
    /// Order of keys; must be the one that the database was created with. Default bytewise.
    ///
    /// [`stored_comparator`](crate::stored_comparator) tells its name;
    /// [`repair_as`](crate::repair_as) sorts a database anew.
    pub comparator: UserComparator,
    /// How a damaged log is handled. Default [`RecoveryMode::PointInTime`].
    pub recovery: RecoveryMode,
    /// Largest key or value, written or read, in bytes: 1 KiB to 1 GiB. Default 256 MiB.
    pub max_value_size: usize,
    /// The work budget.
    ///
    /// Bytes of background work that one write, or one call of `background(0)`, does.
    ///
    /// It is a maximum. Default 64 KiB: a fraction of a millisecond.
    pub slice_size: usize,
    /// Receives events of flushes, compactions, stalls and files. Default none.
    pub listener: Option<Rc<dyn Listener>>,
    /// Called by long operations so that the host can run other tasks. Default none.
    ///
    /// Opening, `compact_range`, `verify` and others call it every 64 KiB of work.
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
            open_tables: false,
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
            .field("open_tables", &self.open_tables)
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
    /// Rejects values out of range; the error names the option and its range.
    pub(crate) fn check(&self) -> Result<()> {
        in_range("write_buffer_size", self.write_buffer_size, 4 << 10..=1 << 30)?;
        in_range("max_open_files", self.max_open_files, 10..=50_000)?;
        in_range("block_size", self.block_size, 64..=4 << 20)?;
        in_range("block_restart_interval", self.block_restart_interval, 1..=1 << 16)?;
        in_range("max_file_size", self.max_file_size, 16 << 10..=1 << 30)?;
        in_range("max_value_size", self.max_value_size, 1 << 10..=1 << 30)?;
        in_range("slice_size", self.slice_size, 1 << 10..=1 << 30)?;
        if self.comparator.is_as_stored() && !self.read_only {
            return Err(Error::InvalidArgument("the comparator as-stored needs read_only".into()));
        }
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
    /// Verify the checksum of every block read from storage. Default true.
    ///
    /// The cost is small beside that of the read, and without it damage would be returned as data.
    /// LevelDB's default is false.
    pub verify_checksums: bool,
    /// Cache the blocks read. Default true; set it to false for one long scan.
    pub fill_cache: bool,
    /// Cache the blocks read by a seek, even with `fill_cache` off. Default false.
    ///
    /// These are the first two blocks of each table after every seek: short ranges are often read
    /// again, and a long scan adds almost nothing.
    pub fill_cache_sought: bool,
    /// Read as of this snapshot. Default: the current state.
    pub snapshot: Option<Snapshot>,
    /// Iterators return only keys at or after this one.
    pub lower_bound: Option<Vec<u8>>,
    /// Iterators return only keys before this one.
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
    /// Return only when the write survives a power failure, not just the process.
    ///
    /// Default false, as in LevelDB.
    pub sync: bool,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn defaults_are_in_range_and_errors_name_the_option() {
        Options::default().check().unwrap();
        let error = Options { block_size: 0, ..Options::default() }.check().unwrap_err();
        assert_eq!(error.to_string(), "invalid argument: block_size is 0, expected 64 to 4194304");
    }
}

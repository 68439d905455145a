//! Opening: lock, replay the manifest, replay the logs.
//!
//! A log holds a prefix of the history; what ends it decides what is lost:
//!
//! ```text
//! clean     the file ends with a record
//! torn      nothing valid follows: a crash cut the last record, which was never acknowledged as durable
//! gap       something valid and newer follows: acknowledged writes are missing in between
//! ```
//! Point-in-time recovery keeps the prefix before the first gap, and the damaged logs beside it as `NNNNNN.log.damaged`.

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::rc::Rc;

use super::background::{log_and_apply, new_file};
use super::driver::Driver;
use super::files::remove_obsolete;
use super::snapshot::SnapshotList;
use super::state::{Buffer, DbState, Inner, Log, State};
use super::write::create_log;
use crate::base::{
    FileKind, FileName, FileNumber, InternalKeyComparator, KeyOrder, SequenceNumber, ValueType, table_file_name,
};
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::bugs::{Bug, seeded};
use crate::env::{Access, Env, NameEdit, append_checked};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::flush::{FlushContext, build_table};
use crate::log::{LogReader, LogWriter, Record, Semantics, Tail};
use crate::memtable::MemTable;
use crate::options::{Options, RecoveryMode};
use crate::slice::Budget;
use crate::table::{BlockCache, TableCache, TableOptions};
use crate::version::{LEVELS, Manifest, ManifestState, VersionEdit, VersionSet, read_current, recover_manifest};

/// What opening found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RecoveryReport {
    /// Logs replayed, oldest first.
    pub logs: Vec<LogReport>,
    /// Acknowledged writes are missing from here on, and why that is known.
    pub gap: Option<Error>,
    /// Damaged logs that were kept aside under these names.
    pub kept: Vec<String>,
    /// The manifest's tail was torn; every file that it names before is there.
    pub torn_manifest: Option<Error>,
}

/// What one log gave.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct LogReport {
    /// Its name.
    pub name: String,
    /// Batches taken from it.
    pub batches: u64,
    /// Entries in them.
    pub entries: u64,
    /// What ended it, if not the end of the file. In `compat` mode: the first damage passed over.
    pub damage: Option<Error>,
}

/// A database that could make fewer files than this is not opened to be written.
const FILE_NUMBERS_LEFT_MIN: u64 = 1 << 20;
/// So many logs are replayed into a memtable that is left to be flushed; more become a table at once, or short sessions
/// would pile them up.
const LOGS_KEPT_MAX: usize = 4;

/// Gives the lock back if opening fails or is given up.
struct LockGuard(Option<Rc<dyn Env>>);

impl Drop for LockGuard {
    fn drop(&mut self) {
        if let Some(env) = self.0.take() {
            env.unlock();
        }
    }
}

/// Opens the database in `env`.
pub(crate) async fn open(env: Rc<dyn Env>, options: Options) -> Result<Rc<Inner>> {
    options.check()?;
    if options.read_only {
        return open_locked(&env, options).await;
    }
    env.lock(options.create_if_missing).await?;
    let mut guard = LockGuard(Some(env.clone()));
    let inner = open_locked(&env, options).await?;
    guard.0 = None;
    Ok(inner)
}

async fn open_locked(env: &Rc<dyn Env>, options: Options) -> Result<Rc<Inner>> {
    let order = InternalKeyComparator::new(options.comparator.clone());
    let mut versions = VersionSet::new(order.clone());
    let Some(manifest) = existing_manifest(&**env, &options).await? else {
        let inner = build_inner(env, options, order, versions, BTreeMap::new(), RecoveryReport::default());
        start_new(&inner).await?;
        return Ok(Rc::new(inner));
    };
    let state = recover_manifest(&**env, manifest, &mut versions, options.recovery).await?;
    let names = list_or_probe(&**env, &versions, manifest).await?;
    check_files(&**env, &options, &versions, &state, &names).await?;
    let mut recovery = Recovery::new(&options, order.clone(), versions.counts.last_sequence);
    recovery.report.torn_manifest = state.torn.clone();
    let (files, largest) = known_files(&names);
    if let Some(largest) = largest.filter(|n| *n < FileNumber(u64::MAX))
        && !seeded(Bug::FileNumberReused)
    {
        versions.mark_used(largest)?;
    }
    if !options.read_only && versions.counts.next_file_number.0 > u64::MAX - FILE_NUMBERS_LEFT_MIN {
        let next = versions.counts.next_file_number;
        return Err(Error::LimitExceeded(format!(
            "MANIFEST-{manifest}: the next file number is {next}, too near to 2^64 to be written to"
        )));
    }
    let logs = logs_to_replay(&versions, &files);
    let mut inner = build_inner(env, options, order, versions, files, RecoveryReport::default());
    recovery.replay(&inner, &logs).await?;
    inner.recovery = if inner.options.read_only {
        recovery.keep_in_memory(&inner)
    } else {
        recovery.install(&inner, &logs, &state).await?
    };
    Ok(Rc::new(inner))
}

async fn existing_manifest(env: &dyn Env, options: &Options) -> Result<Option<FileNumber>> {
    match read_current(env).await {
        Ok(_) if options.error_if_exists => {
            Err(Error::InvalidArgument("the database exists (error_if_exists is true)".into()))
        }
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_not_found() && options.create_if_missing => {
            // Tables or manifests without CURRENT are a broken database, not a missing one.
            let names = env.list().await.unwrap_or_default();
            match witness(env, &names).await? {
                Some(name) => Err(Error::corruption(
                    "CURRENT",
                    0,
                    format!("CURRENT is missing but {name} exists; repair can rebuild it"),
                )),
                None => Ok(None),
            }
        }
        Err(error) if error.is_not_found() => Err(Error::InvalidArgument(
            "the database does not exist: there is no CURRENT (create_if_missing is false)".into(),
        )),
        Err(error) => Err(error),
    }
}

/// A file that only a database that was once whole can have: an interrupted creation leaves a manifest and an empty log.
async fn witness<'a>(env: &dyn Env, names: &'a [String]) -> Result<Option<&'a String>> {
    for name in names {
        match FileName::parse(name) {
            Some(FileName::Table(_)) => return Ok(Some(name)),
            Some(FileName::Log(_)) if env.open(name, Access::Read).await?.size().await? > 0 => return Ok(Some(name)),
            _ => {}
        }
    }
    Ok(None)
}

/// All names; where the storage cannot list, those that the manifest leads to.
async fn list_or_probe(env: &dyn Env, versions: &VersionSet, manifest: FileNumber) -> Result<Vec<String>> {
    match env.list().await {
        Err(Error::NotSupported(_)) => {}
        result => return result,
    }
    let mut names = vec![FileName::Manifest(manifest).to_string()];
    names.extend(versions.current().files().map(|(_, f)| table_file_name(f.number)));
    let (first, next) = (versions.counts.log_number.0, versions.counts.next_file_number.0);
    for number in first..next.saturating_add(8).min(first.saturating_add(10_000)) {
        let name = FileName::Log(FileNumber(number)).to_string();
        if env.open(&name, Access::Read).await.is_ok() {
            names.push(name);
        }
    }
    Ok(names)
}

/// Every table of the version must exist; after a torn manifest with its size, and the log too.
async fn check_files(
    env: &dyn Env,
    options: &Options,
    versions: &VersionSet,
    manifest: &ManifestState,
    names: &[String],
) -> Result<()> {
    let tables: BTreeSet<FileNumber> = names
        .iter()
        .filter_map(|n| match FileName::parse(n) {
            Some(FileName::Table(number)) => Some(number),
            // LevelDB looks for the number alone; the table is then missed when it is read.
            Some(name) if options.recovery == RecoveryMode::Compat => name.number(),
            _ => None,
        })
        .collect();
    let missing: Vec<_> = versions.current().files().filter(|(_, f)| !tables.contains(&f.number)).collect();
    if let Some((_, first)) = missing.first() {
        let name = table_file_name(first.number);
        return Err(Error::corruption(name.clone(), 0, format!("{} missing files; e.g.: {name}", missing.len())));
    }
    let log = FileName::Log(versions.counts.log_number).to_string();
    let log_is_missing = versions.counts.log_number != FileNumber(0) && !names.contains(&log);
    if log_is_missing && options.recovery == RecoveryMode::Strict {
        return Err(Error::corruption(log, 0, "the manifest names this log, and it is missing"));
    }
    if options.recovery == RecoveryMode::Compat {
        return Ok(());
    }
    let Some(torn) = &manifest.torn else { return check_not_cut(versions, manifest, log_is_missing, &tables) };
    if log_is_missing {
        return Err(with_reason(torn, &format!("{log}, which the records before it name, is missing")));
    }
    for (_, file) in versions.current().files() {
        let ldb = table_file_name(file.number);
        let name = if names.contains(&ldb) { ldb } else { format!("{}.sst", file.number) };
        let size = env.open(&name, Access::Read).await?.size().await?;
        if size != file.size {
            return Err(with_reason(
                torn,
                &format!("{name} has {size} bytes, the records before it say {}", file.size),
            ));
        }
    }
    Ok(())
}

/// A manifest cut exactly between two records looks whole. But the log that a version names goes only once a later record
/// names another: if it is missing beside tables that the manifest has not heard of, later records are lost.
fn check_not_cut(
    versions: &VersionSet,
    manifest: &ManifestState,
    log_is_missing: bool,
    tables: &BTreeSet<FileNumber>,
) -> Result<()> {
    let next = versions.counts.next_file_number;
    match tables.range(next..).next() {
        Some(table) if log_is_missing => {
            let table = table_file_name(*table);
            let reason = format!(
                "later records are missing: log {} is gone and the next file is {next}, but there is {table}",
                versions.counts.log_number
            );
            Err(Error::corruption(FileName::Manifest(manifest.number).to_string(), manifest.size, reason))
        }
        _ => Ok(()),
    }
}

fn with_reason(error: &Error, more: &str) -> Error {
    match error {
        Error::Corruption(c) => Error::corruption(&*c.file, c.offset, format!("{}; and {more}", c.reason)),
        other => other.clone(),
    }
}

type Files = BTreeMap<FileNumber, Vec<(FileName, String)>>;

fn known_files(names: &[String]) -> (Files, Option<FileNumber>) {
    let mut files = Files::new();
    for text in names {
        if let Some(name) = FileName::parse(text)
            && let Some(number) = name.number()
        {
            files.entry(number).or_default().push((name, text.clone()));
        }
    }
    let largest = files.keys().next_back().copied();
    (files, largest)
}

/// Logs with entries that no table has, oldest first.
fn logs_to_replay(versions: &VersionSet, files: &Files) -> Vec<(FileNumber, String)> {
    let counts = versions.counts;
    let names = files.values().flatten();
    names
        .filter_map(|(name, text)| match name {
            FileName::Log(n) if *n >= counts.log_number || *n == counts.previous_log_number => Some((*n, text.clone())),
            _ => None,
        })
        .collect()
}

fn build_inner(
    env: &Rc<dyn Env>,
    options: Options,
    order: InternalKeyComparator,
    versions: VersionSet,
    files: Files,
    recovery: RecoveryReport,
) -> Inner {
    let counters = Rc::new(LiveCounters::default());
    let tables = open_tables(env, &options, &order, &counters);
    let memtable = Rc::new(MemTable::new(order.clone()));
    let state = State {
        status: DbState::Open,
        active: Buffer::new(memtable, versions.counts.log_number),
        immutables: VecDeque::new(),
        log: None,
        versions,
        manifest: None,
        pending_outputs: BTreeSet::new(),
        files,
        quarantine: BTreeSet::new(),
        seek_candidate: None,
        manual: VecDeque::new(),
        resuming: false,
        level_work: [(0, 0); LEVELS],
    };
    Inner {
        env: env.clone(),
        locked: Cell::new(!options.read_only),
        options,
        order,
        tables,
        counters,
        snapshots: Rc::new(SnapshotList::default()),
        state: RefCell::new(state),
        queue: RefCell::default(),
        commits: Driver::default(),
        background: Driver::default(),
        budget: Budget::default(),
        debt: Cell::new(0),
        closed: Rc::new(Cell::new(false)),
        recovery,
    }
}

/// The tables of a database opened with `options`.
pub(crate) fn open_tables(
    env: &Rc<dyn Env>,
    options: &Options,
    order: &InternalKeyComparator,
    counters: &Rc<LiveCounters>,
) -> Rc<TableCache> {
    let compat = options.recovery == RecoveryMode::Compat;
    let value_max = u64::try_from(options.max_value_size).unwrap_or(u64::MAX);
    let table_options = Rc::new(TableOptions {
        order: KeyOrder::Internal(order.clone()),
        block_size: options.block_size,
        block_restart_interval: options.block_restart_interval,
        compression: options.compression,
        filter_policy: options.filter_policy.clone(),
        block_size_max: value_max.saturating_mul(2).saturating_add(64 << 20),
        verify_checksums: !compat || options.paranoid_checks,
        paranoid_checks: !compat && (options.paranoid_checks || options.recovery == RecoveryMode::Strict),
        lenient: compat,
    });
    let blocks = Rc::new(BlockCache::new(options.block_cache_size));
    let (capacity, files) = (options.table_cache_size, options.max_open_files);
    Rc::new(TableCache::new(env.clone(), table_options, blocks, counters.clone(), capacity, files))
}

/// A database where there was none.
async fn start_new(inner: &Inner) -> Result<()> {
    let log = create_log(inner).await?;
    inner.env.edit_names(Vec::new()).await?;
    log.name_durable.set(true);
    {
        let mut state = inner.state.borrow_mut();
        state.active.first_log = log.number;
        state.log = Some(log.clone());
    }
    let edit = VersionEdit {
        log_number: Some(log.number),
        previous_log_number: Some(FileNumber(0)),
        ..VersionEdit::default()
    };
    log_and_apply(inner, edit).await
}

/// The logs being replayed.
struct Recovery {
    mode: RecoveryMode,
    paranoid: bool,
    write_buffer_size: usize,
    order: InternalKeyComparator,
    memtable: Rc<MemTable>,
    /// The oldest log with an entry in `memtable`.
    first_log: Option<FileNumber>,
    edit: VersionEdit,
    last_sequence: SequenceNumber,
    /// The largest sequence number seen anywhere, in what is lost too.
    seen: SequenceNumber,
    /// No batch that follows in the logs has a smaller sequence number.
    next_in_logs: u64,
    flushed: bool,
    /// The last sequence number in the logs replayed so far.
    replayed: Option<SequenceNumber>,
    /// The last log ended cleanly here.
    clean_end: Option<(FileNumber, u64)>,
    /// From this log on, logs are damaged or lie behind damage.
    gap_from: Option<FileNumber>,
    empty_logs: Vec<FileNumber>,
    report: RecoveryReport,
}

impl Recovery {
    fn new(options: &Options, order: InternalKeyComparator, last_sequence: SequenceNumber) -> Recovery {
        Recovery {
            mode: options.recovery,
            paranoid: options.paranoid_checks,
            write_buffer_size: options.write_buffer_size,
            memtable: Rc::new(MemTable::new(order.clone())),
            order,
            first_log: None,
            edit: VersionEdit::default(),
            last_sequence,
            seen: last_sequence,
            next_in_logs: 0,
            flushed: false,
            replayed: None,
            clean_end: None,
            gap_from: None,
            empty_logs: Vec::new(),
            report: RecoveryReport::default(),
        }
    }

    async fn replay(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        let mut torn = self.missing_log(inner, logs);
        let mut before: Option<FileNumber> = None;
        for (number, name) in logs {
            if self.gap_from.is_some() {
                self.look_through(inner, name).await?;
                continue;
            }
            // A log that was lost to its last byte, or cut between two records, shows only in what the next one begins with.
            let follows = torn.is_some() || before.is_some();
            if follows
                && self.mode != RecoveryMode::Compat
                && !seeded(Bug::GapNotSeen)
                && let Some(jump) = self.jump_to(inner, name).await?
            {
                // What the older log lost came before what this one holds.
                let error = torn.take().unwrap_or(jump);
                if self.mode == RecoveryMode::Strict || self.paranoid {
                    return Err(error);
                }
                self.gap(before.unwrap_or(*number), error);
                self.look_through(inner, name).await?;
                continue;
            }
            torn = self.replay_log(inner, *number, name).await?;
            before = Some(*number);
        }
        Ok(())
    }

    /// The log that the manifest names, if it is not there: newer logs may then lie behind a gap.
    fn missing_log(&self, inner: &Inner, logs: &[(FileNumber, String)]) -> Option<Error> {
        let named = inner.state.borrow().versions.counts.log_number;
        let there = named == FileNumber(0) || logs.iter().any(|(number, _)| *number == named);
        (!there).then(|| {
            Error::corruption(FileName::Log(named).to_string(), 0, "the manifest names this log; it is missing")
        })
    }

    fn gap(&mut self, from: FileNumber, error: Error) {
        self.gap_from = Some(from);
        self.report.gap = Some(error);
        self.clean_end = None;
    }

    /// What is wrong if the log holds something and does not begin where the history so far ends.
    async fn jump_to(&self, inner: &Inner, name: &str) -> Result<Option<Error>> {
        let mut reader = LogReader::open(&*inner.env, name, Semantics::Prefix).await?;
        let last = self.replayed.unwrap_or(self.last_sequence).get();
        while let Some(record) = reader.next_record().await? {
            if let Ok(header) = BatchHeader::decode(&record.data) {
                let begin = header.sequence;
                let reason = || format!("the log begins with sequence {begin}, the history before it ends with {last}");
                return Ok((begin > last.saturating_add(1)).then(|| Error::corruption(name, record.offset, reason())));
            }
        }
        let end = reader.tail().offset().unwrap_or_else(|| reader.good_end());
        let found = reader.scan_for_record_after(end).await?;
        Ok(found
            .map(|f| Error::corruption(name, end, format!("a record follows at {}, none is whole before", f.offset))))
    }

    /// A log that is not replayed: its sequence numbers must not be used again.
    async fn look_through(&mut self, inner: &Inner, name: &str) -> Result<()> {
        let mut reader = LogReader::open(&*inner.env, name, Semantics::Compat { verify: true }).await?;
        while let Some(record) = reader.next_record().await? {
            self.saw(&record);
        }
        Ok(())
    }

    fn saw(&mut self, record: &Record) {
        if let Ok(header) = BatchHeader::decode(&record.data)
            && let Ok(first) = header.first_sequence()
        {
            let last = first.advance(u64::from(header.count).saturating_sub(1)).unwrap_or(first);
            self.seen = self.seen.max(last);
        }
    }

    /// Takes the log's prefix. Answers what tore it, if nothing valid follows there.
    async fn replay_log(&mut self, inner: &Inner, number: FileNumber, name: &str) -> Result<Option<Error>> {
        let compat = self.mode == RecoveryMode::Compat;
        let semantics = if compat { Semantics::Compat { verify: true } } else { Semantics::Prefix };
        let mut reader = LogReader::open(&*inner.env, name, semantics).await?;
        let mut log = LogReport { name: name.to_owned(), batches: 0, entries: 0, damage: None };
        let mut bad_batch = None;
        let mut held: Option<Record> = None;
        while let Some(record) = reader.next_record().await? {
            let record = if seeded(Bug::RecoveryOffByOne) {
                match held.replace(record) {
                    Some(record) => record,
                    None => continue,
                }
            } else {
                record
            };
            self.saw(&record);
            match self.apply(number, &record, compat, &mut log) {
                Ok(()) => {}
                Err(malformed) => {
                    let error = malformed.in_file(name, record.offset);
                    if !compat || self.paranoid {
                        bad_batch = Some(error);
                        break;
                    }
                    log.damage.get_or_insert(error);
                }
            }
            if self.memtable.logical_size() > self.write_buffer_size && !inner.options.read_only {
                self.flush(inner).await?;
            }
        }
        let damages = reader.take_damages();
        let first_damage = damages.first().map(|d| Error::corruption(name, d.offset, &*d.reason));
        if log.batches == 0 {
            self.empty_logs.push(number);
        }
        let torn = if compat {
            if self.paranoid
                && let Some(error) = bad_batch.or(first_damage.clone())
            {
                return Err(error);
            }
            log.damage = log.damage.take().or(first_damage);
            self.clean_end = log.damage.is_none().then_some((number, reader.good_end()));
            None
        } else {
            self.judge_tail(&mut reader, number, name, bad_batch, &mut log).await?
        };
        self.report.logs.push(log);
        Ok(torn)
    }

    /// What the end of the whole records means.
    async fn judge_tail(
        &mut self,
        reader: &mut LogReader,
        number: FileNumber,
        name: &str,
        bad_batch: Option<Error>,
        log: &mut LogReport,
    ) -> Result<Option<Error>> {
        let damage = match (bad_batch, reader.tail().clone()) {
            (Some(error), _) => {
                // A record whose checksum holds but which is no batch: nobody can know what it was.
                log.damage = Some(error.clone());
                if self.mode == RecoveryMode::Strict || self.paranoid {
                    return Err(error);
                }
                self.gap(number, error);
                self.look_through_rest(reader).await?;
                return Ok(None);
            }
            (None, Tail::Clean) => {
                if let Some(offset) = reader.odd_trailer().filter(|_| self.mode == RecoveryMode::Strict) {
                    return Err(Error::corruption(name, offset, "the unused end of a block is not zeros"));
                }
                self.clean_end = Some((number, reader.good_end()));
                return Ok(None);
            }
            (None, Tail::Zeros { offset }) => Error::corruption(name, offset, "the rest of the log is zeros"),
            (None, Tail::Torn { offset, reason }) => Error::corruption(name, offset, reason),
        };
        self.clean_end = None;
        log.damage = Some(damage.clone());
        if self.mode == RecoveryMode::Strict || self.paranoid {
            return Err(damage);
        }
        if self.newer_record_follows(reader).await? {
            self.gap(number, damage);
            return Ok(None);
        }
        Ok(Some(damage))
    }

    async fn look_through_rest(&mut self, reader: &mut LogReader) -> Result<()> {
        while let Some(record) = reader.next_record().await? {
            self.saw(&record);
        }
        Ok(())
    }

    /// Looks behind the damage for records newer than all before it.
    async fn newer_record_follows(&mut self, reader: &mut LogReader) -> Result<bool> {
        let mut from = reader.tail().offset().unwrap_or_else(|| reader.good_end());
        let mut found_newer = false;
        while let Some(found) = reader.scan_for_record_after(from).await? {
            if let Ok(header) = BatchHeader::decode(&found.head)
                && let Ok(first) = header.first_sequence()
                && first > self.last_sequence
            {
                found_newer = true;
                let last = first.advance(u64::from(header.count).saturating_sub(1)).unwrap_or(first);
                self.seen = self.seen.max(last);
            }
            from = found.end.max(from.saturating_add(1));
        }
        Ok(found_newer)
    }

    /// Enters one batch. In `compat` mode what is good of it stays, as LevelDB does.
    fn apply(
        &mut self,
        number: FileNumber,
        record: &Record,
        compat: bool,
        log: &mut LogReport,
    ) -> Result<(), crate::error::Malformed> {
        let header = BatchHeader::decode(&record.data)?;
        let exhausted = || crate::error::Malformed::new(0, "sequence numbers run past 2^56");
        let more = u64::from(header.count);
        let (first, last) = if compat {
            // LevelDB counts in 64 bits and stores the low 56.
            let last = header.sequence.wrapping_add(more).wrapping_sub(1);
            (SequenceNumber::truncated(header.sequence), SequenceNumber::new(last).unwrap_or(SequenceNumber::MAX))
        } else {
            // All of it or nothing.
            let first = header.first_sequence()?;
            if self.mode == RecoveryMode::Strict && header.sequence < self.next_in_logs {
                let reason = format!("sequence is {}, expected at least {}", header.sequence, self.next_in_logs);
                return Err(crate::error::Malformed::new(0, reason));
            }
            self.next_in_logs = header.sequence.saturating_add(more);
            let last = first.advance(more.saturating_sub(1)).ok_or_else(exhausted)?;
            for operation in operations(&record.data) {
                operation?;
            }
            (first, if more == 0 { self.last_sequence } else { last })
        };
        let memory = |e: Error| crate::error::Malformed::new(0, e.to_string());
        self.memtable
            .reserve(header.count.min(u32::try_from(record.data.len()).unwrap_or(u32::MAX)), record.data.len())
            .map_err(memory)?;
        self.first_log.get_or_insert(number);
        let mut sequence = first;
        let mut result = Ok(());
        let mut entered = 0u64;
        for operation in operations(&record.data) {
            match operation {
                Ok(BatchOperation::Put { key, value }) => self.memtable.insert(sequence, ValueType::Value, key, value),
                Ok(BatchOperation::Delete { key }) => self.memtable.insert(sequence, ValueType::Deletion, key, &[]),
                Err(malformed) => {
                    result = Err(malformed);
                    break;
                }
            }
            entered += 1;
            sequence = SequenceNumber::truncated(sequence.get().wrapping_add(1));
        }
        log.batches += 1;
        log.entries += entered;
        if header.count > 0 {
            self.last_sequence = self.last_sequence.max(last);
            self.replayed = self.replayed.max(Some(last));
        }
        result
    }

    /// The memtable so far becomes a table of level 0.
    async fn flush(&mut self, inner: &Inner) -> Result<()> {
        let full = std::mem::replace(&mut self.memtable, Rc::new(MemTable::new(self.order.clone())));
        self.first_log = None;
        if full.is_empty() {
            return Ok(());
        }
        let number = inner.new_output()?;
        let budget = Budget::default();
        budget.start(u64::MAX);
        let context = FlushContext { env: &inner.env, tables: &inner.tables, order: &inner.order, budget: &budget };
        if let Some(table) = build_table(&context, number, &[full]).await? {
            self.edit.new_files.push((0, new_file(&table)));
            self.edit.last_sequence = Some(self.last_sequence);
            self.flushed = true;
        }
        Ok(())
    }

    /// Read-only: what the logs gave stays in memory.
    fn keep_in_memory(self, inner: &Inner) -> RecoveryReport {
        let mut state = inner.state.borrow_mut();
        state.active.memtable = self.memtable;
        state.versions.counts.last_sequence = self.last_sequence;
        self.report
    }

    /// Writes down what was recovered, so that it need not be recovered again.
    async fn install(
        mut self,
        inner: &Inner,
        logs: &[(FileNumber, String)],
        manifest: &ManifestState,
    ) -> Result<RecoveryReport> {
        self.keep_damaged(inner, logs).await?;
        let last_sequence = self.seen.max(self.last_sequence);
        let many = logs.len() > LOGS_KEPT_MAX && !inner.options.reuse_logs;
        if many || self.gap_from.is_some() || self.replayed.is_some_and(|replayed| replayed < last_sequence) {
            // Damaged logs go out of use, and so do logs that the next one will not continue: what they gave must be in tables.
            self.flush(inner).await?;
            self.edit.last_sequence = Some(last_sequence);
        }
        inner.state.borrow_mut().versions.counts.last_sequence = last_sequence;
        if self.reuse(inner, logs, manifest).await? {
            return Ok(self.report);
        }
        let log = create_log(inner).await?;
        inner.env.edit_names(Vec::new()).await?;
        log.name_durable.set(true);
        let first_log = {
            let mut state = inner.state.borrow_mut();
            let recovered = std::mem::replace(&mut self.memtable, Rc::new(MemTable::new(self.order.clone())));
            if let Some(first_log) = self.first_log
                && !recovered.is_empty()
            {
                // Its logs may never have been flushed: they are, before anything newer is.
                let mut buffer = Buffer::new(recovered, first_log);
                buffer.last_sequence = last_sequence;
                state.immutables.push_back(buffer);
            }
            state.active.first_log = log.number;
            state.log = Some(log.clone());
            state.first_log()
        };
        if first_log != log.number {
            self.sync_recovered_logs(inner, logs).await?;
        }
        let mut edit = std::mem::take(&mut self.edit);
        edit.log_number = Some(first_log);
        edit.previous_log_number = Some(FileNumber(0));
        log_and_apply(inner, edit).await?;
        remove_obsolete(inner).await?;
        Ok(self.report)
    }

    /// A log that was replayed may be lost yet if it was never flushed: a synced write in a newer log would then be
    /// behind a gap.
    async fn sync_recovered_logs(&self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        for (number, name) in logs {
            if !self.empty_logs.contains(number) && !seeded(Bug::RecoveredLogNotSynced) {
                inner.env.open(name, Access::Append).await?.sync().await?;
            }
        }
        Ok(())
    }

    /// With `reuse_logs`: goes on with the last log and the manifest, if both end cleanly and nothing else has changed.
    async fn reuse(&mut self, inner: &Inner, logs: &[(FileNumber, String)], manifest: &ManifestState) -> Result<bool> {
        let Some((number, end)) = self.clean_end else { return Ok(false) };
        let limit = inner.options.max_file_size;
        if !inner.options.reuse_logs || self.flushed || manifest.torn.is_some() || manifest.size >= limit {
            return Ok(false);
        }
        let name = FileName::Log(number).to_string();
        let file = inner.env.open(&name, Access::Append).await?;
        if file.size().await? != end {
            return Ok(false);
        }
        // The process before this one may have ended with names, logs and even a manifest record that are not durable yet.
        let reopened = Manifest::reopen(&inner.env, manifest.number, manifest.size).await?;
        reopened.sync().await?;
        self.sync_recovered_logs(inner, logs).await?;
        inner.env.edit_names(Vec::new()).await?;
        let writer = LogWriter::new(inner.env.clone(), file, name, end);
        let mut state = inner.state.borrow_mut();
        state.active.memtable = self.memtable.clone();
        state.active.first_log = self.first_log.unwrap_or(number);
        state.log = Some(Rc::new(Log { number, writer, dirty: Cell::new(false), name_durable: Cell::new(true) }));
        state.manifest = Some(Rc::new(reopened));
        Ok(true)
    }

    /// Copies every log from the gap on to `NNNNNN.log.damaged`, before its own name can go.
    async fn keep_damaged(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        let Some(from) = self.gap_from else { return Ok(()) };
        for (_, name) in logs.iter().filter(|(number, _)| *number >= from) {
            let kept = format!("{name}.damaged");
            let source = inner.env.open(name, Access::Read).await?;
            let size = source.size().await?;
            let copy = inner.env.create(&kept, FileKind::Log, size).await?;
            let mut offset = 0u64;
            while offset < size {
                let piece = source.read_at(offset, 1 << 20).await?;
                if piece.is_empty() {
                    break;
                }
                let end = offset.saturating_add(u64::try_from(piece.len()).unwrap_or(u64::MAX));
                append_checked(&*inner.env, &*copy, &kept, &piece, end).await?;
                offset = end;
            }
            copy.sync().await?;
            self.report.kept.push(kept);
        }
        inner.env.edit_names(Vec::<NameEdit>::new()).await
    }
}

//! Opening: lock, replay the manifest, check the files, replay the logs ([`recovery`](super::recovery)).

use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Range;
use std::rc::Rc;

use super::background::log_and_apply;
use super::driver::Driver;
use super::files_on_storage::FilesOnStorage;
use super::read::RowCache;
use super::read::open_tables;
use super::recovery::Recovery;
use super::report::{LeftBehind, RecoveryReport};
use super::snapshot::SnapshotList;
use super::source::{ATTEMPTS, ManifestWatch, Stamp, changed};
use super::state::{Buffer, DbState, Inner, State};
use super::write::create_log;
use crate::base::{FileName, FileNumber, InternalKeyComparator, table_file_name};
use crate::bugs::{Bug, seeded};
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::memtable::MemTable;
use crate::options::{Options, RecoveryMode};
use crate::slice::Budget;
use crate::version::{LEVELS, ManifestState, VersionEdit, VersionSet, read_current, recover_manifest};

/// A database whose next file number is larger is not opened to be written: the numbers that follow must last.
pub(super) const FILE_NUMBER_MAX: u64 = u64::MAX - (1 << 20);
/// Logs looked for at once, and in all, where the storage cannot list.
const PROBES_AT_ONCE: u64 = 16;
const PROBES_MAX: u64 = 10_000;
/// A log may have a number that the manifest has not heard of.
const PROBES_BEYOND: u64 = 8;

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
        return open_unlocked(&env, &options).await;
    }
    env.lock(options.create_if_missing).await.map_err(no_place)?;
    let mut guard = LockGuard(Some(env.clone()));
    let inner = open_locked(&env, options).await?;
    guard.0 = None;
    Ok(inner)
}

/// Without a lock, another process may write meanwhile: files that the manifest has just made superfluous are missing then. What
/// fails the same way twice, with nothing changed in between, is damage.
async fn open_unlocked(env: &Rc<dyn Env>, options: &Options) -> Result<Rc<Inner>> {
    let mut failed_at = None;
    for _ in 0..ATTEMPTS {
        match open_locked(env, options.clone()).await {
            Err(Error::SourceChanged(_)) => {}
            Err(error) if error.is_corruption() || error.is_not_found() => {
                let stamp = Stamp::take(&**env).await;
                if failed_at.as_ref() == Some(&stamp) {
                    return Err(error);
                }
                failed_at = Some(stamp);
            }
            result => return result,
        }
    }
    Err(changed())
}

/// A place that is not there is a database that is not there.
fn no_place(error: Error) -> Error {
    if !error.is_not_found() {
        return error;
    }
    Error::InvalidArgument(format!("the database does not exist: {error} (create_if_missing is false)"))
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
    let names = list_or_probe(&**env, &versions, Some(manifest)).await?;
    check_files(&**env, &options, &versions, &state, &names).await?;
    let mut recovery = Recovery::new(&options, order.clone(), versions.counts.last_sequence);
    recovery.report.torn_manifest = state.torn.clone();
    if state.torn.is_some() {
        let name = FileName::Manifest(manifest).to_string();
        let bytes = state.file_size.saturating_sub(state.size);
        recovery.report.left.push(LeftBehind { name, offset: state.size, bytes });
    }
    let (files, largest) = known_files(&names);
    if let Some(largest) = largest.filter(|n| *n < FileNumber(u64::MAX))
        && !seeded(Bug::FileNumberReused)
    {
        versions.mark_used(largest)?;
    }
    if !options.read_only && versions.counts.next_file_number.0 > FILE_NUMBER_MAX {
        let next = versions.counts.next_file_number;
        return Err(Error::LimitExceeded(format!(
            "MANIFEST-{manifest}: the next file number is {next}, too near to 2^64 to be written to"
        )));
    }
    let logs = logs_to_replay(&versions, &files);
    let mut inner = build_inner(env, options, order, versions, files, RecoveryReport::default());
    recovery.replay(&inner, &logs).await?;
    inner.recovery = if inner.options.read_only {
        check_not_moved(&**env, &state).await?;
        let stamp = Stamp::of(manifest, state.file_size);
        inner.tables.watch(Rc::new(ManifestWatch { env: env.clone(), stamp }));
        recovery.keep_in_memory(&inner)
    } else {
        recovery.install(&inner, &logs, &state).await?
    };
    Ok(Rc::new(inner))
}

/// CURRENT and the manifest are what they were before the logs were read.
async fn check_not_moved(env: &dyn Env, manifest: &ManifestState) -> Result<()> {
    let name = FileName::Manifest(manifest.number).to_string();
    let moved = |why: String| Error::SourceChanged(format!("{why} while the database was being opened"));
    let current = read_current(env).await?;
    if current != manifest.number {
        return Err(moved(format!("CURRENT changed from {name} to {}", FileName::Manifest(current))));
    }
    let size = match env.open(&name, Access::Read).await {
        Err(error) if error.is_not_found() => return Err(moved(format!("{name} went away"))),
        file => file?.size().await?,
    };
    if size != manifest.file_size {
        return Err(moved(format!("{name} changed from {} to {size} bytes", manifest.file_size)));
    }
    Ok(())
}

async fn existing_manifest(env: &dyn Env, options: &Options) -> Result<Option<FileNumber>> {
    match read_current(env).await {
        Ok(_) if options.error_if_exists => {
            Err(Error::InvalidArgument("the database exists (error_if_exists is true)".into()))
        }
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_not_found() => {
            let files = match FilesOnStorage::list(env).await {
                // The lock has made it, or nothing is to be made.
                Err(Error::InvalidArgument(_)) => None,
                files => Some(files?),
            };
            // Tables or logs without CURRENT are a broken database, not a missing one.
            let broken = match &files {
                Some(files) => files.without_current(env).await?,
                None => None,
            };
            match broken {
                Some(error) => Err(error),
                None if options.create_if_missing => Ok(None),
                None => {
                    let hint = files.map(|files| files.resembling_hint()).unwrap_or_default();
                    Err(Error::InvalidArgument(format!(
                        "the database does not exist: there is no CURRENT (create_if_missing is false){hint}"
                    )))
                }
            }
        }
        Err(error) => Err(error),
    }
}

/// All names; where the storage cannot list, those that the manifest leads to.
pub(super) async fn list_or_probe(
    env: &dyn Env,
    versions: &VersionSet,
    manifest: Option<FileNumber>,
) -> Result<Vec<String>> {
    match env.list().await {
        Err(Error::NotSupported(_)) => {}
        result => return result,
    }
    let mut names: Vec<String> = manifest.map(|number| FileName::Manifest(number).to_string()).into_iter().collect();
    names.extend(versions.current().files().map(|(_, f)| table_file_name(f.number)));
    let counts = versions.counts;
    let end = counts.next_file_number.0.saturating_add(PROBES_BEYOND);
    if end.saturating_sub(counts.log_number.0) > PROBES_MAX {
        return Err(Error::LimitExceeded(format!(
            "the storage cannot list its files, and there may be logs from {} to {end}; at most {PROBES_MAX} are looked for",
            counts.log_number
        )));
    }
    let previous = counts.previous_log_number.0;
    if previous != 0 && previous < counts.log_number.0 {
        probe_logs(env, previous..previous + 1, &mut names).await?;
    }
    let mut from = counts.log_number.0;
    while from < end {
        let to = end.min(from.saturating_add(PROBES_AT_ONCE));
        probe_logs(env, from..to, &mut names).await?;
        from = to;
    }
    Ok(names)
}

/// Looks for the logs of these numbers, all at once. Only a storage that says so has none: whatever else it says, a log may
/// be there.
async fn probe_logs(env: &dyn Env, numbers: Range<u64>, names: &mut Vec<String>) -> Result<()> {
    let probes: Vec<_> = numbers
        .map(|number| FileName::Log(FileNumber(number)).to_string())
        .map(|name| (env.open(&name, Access::Read), name))
        .collect();
    for (probe, name) in probes {
        match probe.await {
            Ok(_) => names.push(name),
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// Every table of the version must exist; after a torn manifest with its size, and the log too.
async fn check_files(
    env: &dyn Env,
    options: &Options,
    versions: &VersionSet,
    manifest: &ManifestState,
    names: &[String],
) -> Result<()> {
    let mut tables = BTreeSet::new();
    for name in names {
        let number = match FileName::parse(name) {
            Some(FileName::Table(number)) => Some(number),
            // LevelDB looks for the number alone; the table is then missed when it is read.
            Some(name) if options.recovery == RecoveryMode::Compat => name.number(),
            _ => None,
        };
        if let Some(number) = number {
            tables.insert(number);
        }
    }
    let missing: Vec<_> = versions.current().files().filter(|(_, f)| !tables.contains(&f.number)).collect();
    if let Some((_, first)) = missing.first() {
        let name = table_file_name(first.number);
        return Err(Error::corruption(
            name.clone(),
            0,
            format!(
                "{} missing files; e.g.: {name}; `varve verify` lists them, `varve repair` goes on without them",
                missing.len()
            ),
        ));
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

pub(super) type Files = BTreeMap<FileNumber, Vec<(FileName, String)>>;

pub(super) fn known_files(names: &[String]) -> (Files, Option<FileNumber>) {
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
pub(super) fn logs_to_replay(versions: &VersionSet, files: &Files) -> Vec<(FileNumber, String)> {
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
        rotation_is_due: false,
        held_up: None,
        resuming: false,
        level_work: [(0, 0); LEVELS],
    };
    Inner {
        env: env.clone(),
        locked: Cell::new(!options.read_only),
        rows: RefCell::new(RowCache::beside(options.block_cache_size)),
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
        slowed: Cell::new(false),
        owes_turn: Cell::new(false),
        closed: Rc::new(Cell::new(false)),
        recovery,
    }
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

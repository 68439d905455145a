//! Opens a database: lock, manifest, check of the files, replay of the logs.

use std::rc::Rc;

use super::check::{check_files, check_not_moved, existing_manifest};
use super::discover::{FILE_NUMBER_MAX, known_files, list_or_probe, logs_to_replay};
use super::replay::Recovery;
use super::source::{ATTEMPTS, ManifestWatch, Stamp, changed};
use crate::base::{Driver, FileName, FileNumber, InternalKeyComparator, table_file_name};
use crate::bugs::{Bug, seeded};
use crate::db::background::{log_and_apply, next_job};
use crate::db::read::open_tables;
use crate::db::report::LeftBehind;
use crate::db::state::{Files, Inner, State};
use crate::db::write::{create_log, next_commit};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::memtable::MemTable;
use crate::options::Options;
use crate::version::{VersionEdit, VersionSet, recover_manifest};

/// Maximum number of tables that are opened with the database: each takes 2 ms in Chromium and 15 ms in
/// Firefox.
const TABLES_OPENED_MAX: usize = 16;

/// Releases the lock if opening fails or is cancelled.
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

/// Without a lock, another process may remove files between the reads. A failure is damage if it
/// repeats although CURRENT and the manifest did not change.
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

/// A missing directory is a missing database.
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
        let inner = build_inner(env, options, order, versions, Files::new());
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
            "MANIFEST-{manifest}: next file number {next} is too close to 2^64: the database can only be opened read-only"
        )));
    }
    let logs = logs_to_replay(&versions, &files);
    let mut inner = build_inner(env, options, order, versions, files);
    if !inner.options.read_only {
        recovery.begin_to_sync(&inner, &logs);
    }
    recovery.replay(&inner, &logs).await?;
    inner.recovery = if inner.options.read_only {
        check_not_moved(&**env, &state).await?;
        let stamp = Stamp::of(manifest, state.file_size);
        inner.tables.watch(Rc::new(ManifestWatch { env: env.clone(), stamp }));
        recovery.keep_in_memory(&inner)
    } else {
        recovery.install(&inner, &logs, &state).await?
    };
    if inner.options.open_tables {
        open_first_tables(&inner).await;
    }
    if !inner.options.read_only && inner.env.has_quota() {
        let wanted = inner.room_wanted(0);
        inner.found_no_room.set(wanted > 0 && !inner.env.keep_room(wanted).await.unwrap_or(true));
        let state = inner.state.borrow();
        inner.compacted_at.set((state.last_sequence().get(), state.version().table_bytes()));
    }
    Ok(Rc::new(inner))
}

/// Opens the tables of level 0 and the next ones. Errors are ignored: the first read of the table
/// reports them.
async fn open_first_tables(inner: &Inner) {
    let count = TABLES_OPENED_MAX.min(inner.options.max_open_files);
    let tables: Vec<_> =
        inner.state.borrow().version().files().take(count).map(|(_, file)| (file.number, file.size)).collect();
    // All at the same time: in a browser each takes a millisecond or more.
    let opening: Vec<_> =
        tables.iter().map(|(number, size)| inner.env.open_table(&table_file_name(*number), *size)).collect();
    for file in opening {
        let _ = file.await;
    }
    for (number, size) in tables {
        let _ = inner.tables.table(number, size).await;
    }
}

fn build_inner(
    env: &Rc<dyn Env>,
    options: Options,
    order: InternalKeyComparator,
    versions: VersionSet,
    files: Files,
) -> Inner {
    let counters = Rc::new(LiveCounters::default());
    let tables = open_tables(env, &options, &order, &counters);
    let memtable = Rc::new(MemTable::new(order.in_memory()));
    let state = State::new(versions, files, memtable);
    let drivers = (Driver::new(next_commit), Driver::new(next_job));
    Inner::new(env, options, (tables, counters), order, state, drivers)
}

/// Creates a database.
async fn start_new(inner: &Inner) -> Result<()> {
    let log = create_log(inner).await?;
    inner.env.edit_names(Vec::new()).await?;
    log.name_is_durable();
    let log_number = Some(log.number());
    inner.state.borrow_mut().begin_log(Vec::new(), log);
    let edit = VersionEdit { log_number, previous_log_number: Some(FileNumber(0)), ..VersionEdit::default() };
    log_and_apply(inner, edit).await
}

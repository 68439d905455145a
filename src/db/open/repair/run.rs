//! The steps of a repair, from the first look to the report.

use std::cell::Cell;
use std::rc::Rc;

use super::aside::{Aside, Move};
use super::details::Details;
use super::old_manifest::OldManifest;
use super::repairer::{NUMBER_MAX, Repairer};
use super::report::{RepairReport, UnusedFile, damaged_log, report_resembling};
use super::strictness::Strictness;
use super::tables::{UNFINISHED, is_unfinished};
use crate::base::{FileName, FileNumber, InternalKeyComparator};
use crate::budget::Budget;
use crate::db::findings::Findings;
use crate::db::open::FilesOnStorage;
use crate::db::read::open_tables;
use crate::db::verify::{VerifyReport, check};
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::options::{Options, RecoveryMode};

/// Rebuilds the database in `env` from its tables and logs.
///
/// Logs are converted to tables. An undamaged database with empty logs is left unchanged.
/// `options.comparator` must be the database's own; [`repair_as`] ignores the one in the manifest.
///
/// # Errors
/// `Locked`: the database is open. `InvalidArgument`: there is nothing to repair, an option is out of
/// range, or the manifest names another comparator. `Io`, `Full`: the storage failed; nothing is
/// lost, and repair can run again. Damage is not an error: the report lists it.
pub async fn repair(env: Rc<dyn Env>, options: Options) -> Result<RepairReport> {
    locked(env, options, false).await
}

/// Repairs a database of another comparator and sorts its entries by `options.comparator`.
///
/// Programs that open it afterwards must use that comparator.
///
/// # Errors
/// As [`repair`].
pub async fn repair_as(env: Rc<dyn Env>, options: Options) -> Result<RepairReport> {
    locked(env, options, true).await
}

async fn locked(env: Rc<dyn Env>, options: Options, any_comparator: bool) -> Result<RepairReport> {
    options.check()?;
    options.comparator.check_known()?;
    env.lock(false).await?;
    let result = run(&env, options, any_comparator).await;
    env.unlock();
    result
}

/// Rebuilds the database even if it is sound, so that all of it is counted.
///
/// # Errors
/// As [`repair`].
pub(crate) async fn rebuild(
    env: &Rc<dyn Env>,
    options: Options,
    any_comparator: bool,
    strictness: Strictness,
) -> Result<(RepairReport, Details)> {
    options.check()?;
    env.lock(false).await?;
    let result = async {
        let files = FilesOnStorage::list(&**env).await?;
        check_anything_there(&files)?;
        let options = Options { recovery: RecoveryMode::PointInTime, read_only: false, ..options };
        let order = InternalKeyComparator::new(options.comparator.clone());
        let mut findings = Findings::default();
        let old = OldManifest::read(env, &files, &order, any_comparator, &mut findings).await?;
        // A table or log alone lacks nothing; but only a table shows that its keys are in this order.
        if files.is_one_file() {
            findings = Findings::default();
        }
        if !files.is_one_table() {
            note_comparator(&old, &options, any_comparator, &mut findings);
        }
        work(env, &options, &files, old, findings, any_comparator, strictness).await
    };
    let result = result.await;
    env.unlock();
    result
}

async fn run(env: &Rc<dyn Env>, options: Options, any_comparator: bool) -> Result<RepairReport> {
    let files = FilesOnStorage::list(&**env).await?;
    check_anything_there(&files)?;
    let options = Options { recovery: RecoveryMode::PointInTime, read_only: false, ..options };
    let order = InternalKeyComparator::new(options.comparator.clone());
    let mut findings = Findings::default();
    let old = OldManifest::read(env, &files, &order, any_comparator, &mut findings).await?;
    if old.is_whole()
        && findings.is_empty()
        && let Ok(checked) = check(env, &options).await
        && checked.findings.is_empty()
        && checked.log_entries == 0
        && let Some(unfinished) = harmless(&**env, &files, &old, &checked.unused).await?
    {
        // Opening would delete them.
        let moves = unfinished.choose_targets(&**env).await?;
        if !moves.is_empty() {
            env.edit_names(moves.iter().map(Move::edit).collect()).await?;
        }
        let lost: Vec<String> = moves.iter().map(|moved| moved.target.clone()).collect();
        let unused = moves.into_iter().map(|Move { name, target }| UnusedFile {
            file: name,
            lost: target,
            reason: UNFINISHED.into(),
        });
        let unused = unused.collect();
        report_resembling(&files, next_number(&files, &old), &mut findings);
        let VerifyReport { tables, entries, .. } = checked;
        return Ok(RepairReport {
            tables,
            entries,
            unused,
            lost,
            findings: findings.into_list(),
            ..RepairReport::default()
        });
    }
    note_comparator(&old, &options, any_comparator, &mut findings);
    let repaired = work(env, &options, &files, old, findings, any_comparator, Strictness::default()).await?;
    Ok(repaired.0)
}

fn note_comparator(old: &OldManifest, options: &Options, any_comparator: bool, findings: &mut Findings) {
    if old.comparator.is_none() && !any_comparator {
        let name = options.comparator.name();
        let reason = format!("no manifest names the comparator: {name} is assumed");
        findings.push(Error::corruption("CURRENT", 0, reason));
    }
}

async fn work(
    env: &Rc<dyn Env>,
    options: &Options,
    files: &FilesOnStorage,
    old: OldManifest,
    findings: Findings,
    any_comparator: bool,
    strictness: Strictness,
) -> Result<(RepairReport, Details)> {
    let order = InternalKeyComparator::new(options.comparator.clone());
    let tables = open_tables(env, options, &order, &Rc::new(LiveCounters::default()));
    let mut repairer = Repairer {
        env,
        options,
        tables,
        next: Cell::new(next_number(files, &old)),
        order,
        any_comparator,
        comparator_is_known: old.comparator.is_some(),
        strictness,
        kept: Vec::new(),
        has_strangers: false,
        is_complete: old.is_complete(),
        aside: Aside::default(),
        leftovers: Vec::new(),
        recovered: Vec::new(),
        unused: Vec::new(),
        has_lost_entries: !old.has_all_tables() || old.lacks_log(files),
        last_sequence: old.last_sequence,
        budget: Budget::of_call(&options.pause),
        findings,
        details: Details::default(),
    };
    repairer.missing_tables(files, &old).await?;
    repairer.tables(files, &old).await?;
    repairer.logs(files, &old).await?;
    repairer.others(files);
    repairer.install(files, &old).await
}

/// Returns the unfinished tables of a sound database; `None` if it has other files to move.
async fn harmless(
    env: &dyn Env,
    files: &FilesOnStorage,
    old: &OldManifest,
    unused: &[String],
) -> Result<Option<Aside>> {
    let mut unfinished = Aside::default();
    for name in unused {
        if is_unfinished(env, files, old, name).await? {
            unfinished.add(name);
        } else if !FileName::resembles(name) || damaged_log(name).is_some() {
            return Ok(None);
        }
    }
    Ok(Some(unfinished))
}

fn check_anything_there(files: &FilesOnStorage) -> Result<()> {
    let is_part = |name: &String| {
        matches!(FileName::parse(name), Some(FileName::Table(_) | FileName::Log(_) | FileName::Manifest(_)))
    };
    if files.names().iter().any(is_part) {
        return Ok(());
    }
    let names = files.resembling();
    let hint = if names.is_empty() {
        String::new()
    } else {
        let names = names.join(", ");
        format!(
            "; possibly renamed files: {names}; rename tables to 000001.ldb and so on, logs to 000009.log, and repair"
        )
    };
    Err(Error::InvalidArgument(format!("there is no database to repair: no table, log or manifest{hint}")))
}

/// Returns a number above all file numbers in use, except files that get new numbers.
fn next_number(files: &FilesOnStorage, old: &OldManifest) -> FileNumber {
    let numbers = files.names().iter().filter_map(|name| FileName::parse(name)?.number());
    let largest = numbers.filter(|number| number.0 < NUMBER_MAX).max().unwrap_or_default();
    FileNumber(largest.0 + 1).max(old.next_file_number)
}

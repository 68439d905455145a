//! The steps of a repair, from the first look to the report.

use std::cell::Cell;
use std::rc::Rc;

use super::aside::Aside;
use super::old_manifest::OldManifest;
use super::repairer::{NUMBER_MAX, Repairer};
use super::report::{RepairReport, report_resembling};
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
    env.lock(false).await?;
    let result = run(&env, options, any_comparator).await;
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
        && checked.unused.iter().all(|name| FileName::resembles(name))
    {
        report_resembling(&files, next_number(&files, &old), &mut findings);
        let VerifyReport { tables, entries, .. } = checked;
        return Ok(RepairReport { tables, entries, lost: Vec::new(), findings: findings.into_list() });
    }
    let tables = open_tables(env, &options, &order, &Rc::new(LiveCounters::default()));
    if old.comparator.is_none() && !any_comparator {
        let name = options.comparator.name();
        let reason = format!("no manifest tells the comparator: taken for {name}");
        findings.push(Error::corruption("CURRENT", 0, reason));
    }
    let mut repairer = Repairer {
        env,
        options: &options,
        tables,
        next: Cell::new(next_number(&files, &old)),
        order,
        any_comparator,
        comparator_is_known: old.comparator.is_some(),
        kept: Vec::new(),
        has_strangers: false,
        is_complete: old.is_complete(),
        aside: Aside::default(),
        leftovers: Vec::new(),
        last_sequence: old.last_sequence,
        budget: Budget::of_call(&options.pause),
        findings,
    };
    repairer.tables(&files, &old).await?;
    repairer.logs(&files, &old).await?;
    repairer.others(&files);
    repairer.install(&files, &old).await
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
            "; {names} may be one under another name: rename tables to 000001.ldb and so on, logs to 000009.log, and repair"
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

//! Checks that a database exists, with all files that its manifest names.

use std::collections::BTreeSet;

use super::files_on_storage::FilesOnStorage;
use crate::base::{FileName, FileNumber, table_file_name};
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::options::{Options, RecoveryMode};
use crate::version::{ManifestState, VersionSet, read_current};

pub(super) async fn existing_manifest(env: &dyn Env, options: &Options) -> Result<Option<FileNumber>> {
    match read_current(env).await {
        Ok(_) if options.error_if_exists => {
            Err(Error::InvalidArgument("the database exists (error_if_exists is true)".into()))
        }
        Ok(number) => Ok(Some(number)),
        Err(error) if error.is_not_found() => {
            let files = match FilesOnStorage::list(env).await {
                // The lock created the directory, or nothing is to be created.
                Err(Error::InvalidArgument(_)) => None,
                files => Some(files?),
            };
            // Tables or logs without CURRENT are a damaged database, not a missing one.
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

/// Checks that every table exists; after a torn manifest also the sizes and the log.
pub(super) async fn check_files(
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
            // LevelDB checks the number only and misses the table when it reads it.
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
        let others = match missing.len() - 1 {
            0 => String::new(),
            1 => ", and 1 more file".to_owned(),
            count => format!(", and {count} more files"),
        };
        let advice = "`varve verify` lists missing files, `varve repair` goes on without them";
        return Err(Error::corruption(&name, 0, format!("{name} is missing{others}; {advice}")));
    }
    let log = FileName::Log(versions.counts.log_number).to_string();
    let log_is_missing = versions.counts.log_number != FileNumber(0) && !names.contains(&log);
    if log_is_missing && options.recovery == RecoveryMode::Strict {
        return Err(Error::missing(log, "the manifest names this log"));
    }
    if options.recovery == RecoveryMode::Compat {
        return Ok(());
    }
    let Some(torn) = &manifest.torn else { return check_not_cut(versions, manifest, log_is_missing, &tables) };
    if log_is_missing {
        return Err(with_reason(torn, &format!("{log}, named by earlier records, is missing")));
    }
    for (_, file) in versions.current().files() {
        let ldb = table_file_name(file.number);
        let name = if names.contains(&ldb) { ldb } else { format!("{}.sst", file.number) };
        let size = env.open(&name, Access::Read).await?.size().await?;
        if size != file.size {
            return Err(with_reason(torn, &format!("{name} has {size} bytes, earlier records say {}", file.size)));
        }
    }
    Ok(())
}

/// A manifest cut exactly between two records looks complete. But a log is removed only after a
/// later record names another: if it is missing and there are unknown tables, later records are
/// lost.
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
                "later records are missing: log {} does not exist, but {table} does, and the next file number is {next}",
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

/// Checks that CURRENT and the manifest did not change while the logs were read.
pub(super) async fn check_not_moved(env: &dyn Env, manifest: &ManifestState) -> Result<()> {
    let name = FileName::Manifest(manifest.number).to_string();
    let moved = |why: String| Error::SourceChanged(format!("{why} while the database was being opened"));
    let current = read_current(env).await?;
    if current != manifest.number {
        return Err(moved(format!("CURRENT changed from {name} to {}", FileName::Manifest(current))));
    }
    let size = match env.open(&name, Access::Read).await {
        Err(error) if error.is_not_found() => return Err(moved(format!("{name} was removed"))),
        file => file?.size().await?,
    };
    if size != manifest.file_size {
        return Err(moved(format!("{name} changed from {} to {size} bytes", manifest.file_size)));
    }
    Ok(())
}

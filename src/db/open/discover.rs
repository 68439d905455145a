//! Finds the files of a database and the logs to replay.

use std::ops::Range;

use crate::base::{FileName, FileNumber, table_file_name};
use crate::db::state::Files;
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::version::VersionSet;

/// Limit of the next file number when opening to write: enough numbers must remain.
pub(crate) const FILE_NUMBER_MAX: u64 = u64::MAX - (1 << 20);

/// Limits on the logs probed at once, and in all, if the storage cannot list.
const PROBES_AT_ONCE: u64 = 16;

const PROBES_MAX: u64 = 10_000;

/// A log may have a number that the manifest does not know.
const PROBES_BEYOND: u64 = 8;

/// Returns all names; if the storage cannot list, those reached from the manifest.
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
            "the storage cannot list files, and the logs {} to {end} would have to be probed; the limit is {PROBES_MAX}",
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

/// Probes the logs of these numbers together. Only "not found" means that a log does not exist.
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

/// Returns the logs with entries not yet in tables, oldest first.
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

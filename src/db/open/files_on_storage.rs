//! The files of a database, whether it can be opened or not.

use super::discover::{FILE_NUMBER_MAX, known_files, list_or_probe, logs_to_replay};
use crate::db::findings::{Findings, is_finding};

use crate::base::{FileName, FileNumber, sort_by, table_file_name};
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::version::{FileMetaData, VersionSet, read_current};

/// Number of names listed in a message.
const NAMED_MAX: usize = 3;

/// All names; `None` if the storage cannot list them.
pub(crate) struct FilesOnStorage {
    names: Option<Vec<String>>,
}

impl FilesOnStorage {
    pub(crate) async fn list(env: &dyn Env) -> Result<FilesOnStorage> {
        match env.list().await {
            Ok(mut names) => {
                sort_by(&mut names, Ord::cmp);
                Ok(FilesOnStorage { names: Some(names) })
            }
            Err(Error::NotSupported(_)) => Ok(FilesOnStorage { names: None }),
            Err(error) if error.is_not_found() => {
                Err(Error::InvalidArgument(format!("the database does not exist: {error}")))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn names(&self) -> &[String] {
        self.names.as_deref().unwrap_or_default()
    }

    /// Whether there is one table or one log, and nothing else.
    pub(crate) fn is_one_file(&self) -> bool {
        let is_content = |(parsed, _)| matches!(parsed, FileName::Table(_) | FileName::Log(_));
        self.names().len() == 1 && self.parsed().any(is_content)
    }

    /// Whether there is one table, and nothing else.
    pub(crate) fn is_one_table(&self) -> bool {
        self.is_one_file() && !self.all_tables().is_empty()
    }

    fn parsed(&self) -> impl Iterator<Item = (FileName, &String)> {
        self.names().iter().filter_map(|name| FileName::parse(name).map(|parsed| (parsed, name)))
    }

    /// Returns every log, oldest first.
    pub(crate) fn all_logs(&self) -> Vec<(FileNumber, String)> {
        let mut logs: Vec<_> = self
            .parsed()
            .filter_map(|(parsed, name)| match parsed {
                FileName::Log(number) => Some((number, name.clone())),
                _ => None,
            })
            .collect();
        sort_by(&mut logs, Ord::cmp);
        logs
    }

    /// Returns every table.
    pub(crate) fn all_tables(&self) -> Vec<String> {
        let tables = self.parsed().filter(|(parsed, _)| matches!(parsed, FileName::Table(_)));
        tables.map(|(_, name)| name.clone()).collect()
    }

    /// Returns every manifest, oldest first.
    pub(crate) fn all_manifests(&self) -> Vec<FileNumber> {
        let mut numbers: Vec<_> = self
            .parsed()
            .filter_map(|(parsed, name)| match parsed {
                FileName::Manifest(number) if parsed.is_spelled(name) => Some(number),
                _ => None,
            })
            .collect();
        sort_by(&mut numbers, Ord::cmp);
        numbers
    }

    /// Returns the manifest that CURRENT names, or the newest; damage to CURRENT is a finding.
    pub(crate) async fn manifest(&self, env: &dyn Env, findings: &mut Findings) -> Result<Option<FileNumber>> {
        let error = match read_current(env).await {
            Ok(number) => return Ok(Some(number)),
            Err(error) if error.is_not_found() => match self.without_current(env).await? {
                Some(error) => error,
                None => {
                    let hint = self.resembling_hint();
                    return Err(Error::InvalidArgument(format!(
                        "the database does not exist: there is no CURRENT{hint}"
                    )));
                }
            },
            Err(error) if is_finding(&error) => error,
            Err(error) => return Err(error),
        };
        findings.push(error);
        Ok(self.all_manifests().pop())
    }

    /// Returns an error if there are database files without CURRENT. An interrupted creation leaves
    /// a manifest and an empty log, which is not a database yet.
    pub(crate) async fn without_current(&self, env: &dyn Env) -> Result<Option<Error>> {
        let tables = self.all_tables();
        let mut logs = Vec::new();
        for (_, name) in self.all_logs() {
            // An unreadable file may hold data.
            let is_empty = match env.open(&name, Access::Read).await {
                Ok(file) => file.size().await.is_ok_and(|size| size == 0),
                Err(_) => false,
            };
            if !is_empty {
                logs.push(name);
            }
        }
        if tables.is_empty() && logs.is_empty() {
            return Ok(None);
        }
        let has = |names: &[String], one: &str, many: &str| match names {
            [] => None,
            [name] => Some(format!("the {one} {name}")),
            names => Some(format!("{} {many} ({})", names.len(), listed(names))),
        };
        let found: Vec<String> =
            [has(&tables, "table", "tables"), has(&logs, "log", "logs")].into_iter().flatten().collect();
        let reason = format!(
            "CURRENT is missing, but the database has {}: run `varve repair` to rebuild it{}",
            found.join(" and "),
            self.resembling_hint()
        );
        Ok(Some(Error::corruption("CURRENT", 0, reason)))
    }

    /// Returns files whose names look like those made by undelete tools or copies.
    pub(crate) fn resembling(&self) -> Vec<String> {
        self.names().iter().filter(|name| FileName::resembles(name)).cloned().collect()
    }

    /// Formats them for the end of a message; empty if there are none.
    pub(crate) fn resembling_hint(&self) -> String {
        let names = self.resembling();
        if names.is_empty() {
            return String::new();
        }
        format!("; possibly renamed files of it: {} (`varve repair` says how to use them)", listed(&names))
    }

    /// Returns the logs that opening would replay, oldest first.
    pub(crate) async fn logs_of(
        &self,
        env: &dyn Env,
        versions: &VersionSet,
        findings: &mut Findings,
    ) -> Result<Vec<(FileNumber, String)>> {
        let probed;
        let names = match &self.names {
            Some(names) => names,
            None => match list_or_probe(env, versions, None).await {
                Ok(names) => {
                    probed = names;
                    &probed
                }
                Err(error @ Error::LimitExceeded(_)) => {
                    findings.push(error);
                    return Ok(Vec::new());
                }
                Err(error) => return Err(error),
            },
        };
        Ok(logs_to_replay(versions, &known_files(names).0))
    }

    /// Returns other names of tables with this table's number.
    pub(crate) fn others_of(&self, number: FileNumber, name: &str) -> Vec<String> {
        let same = self.parsed().filter(|(parsed, other)| *parsed == FileName::Table(number) && *other != name);
        same.map(|(_, other)| other.clone()).collect()
    }

    /// Returns the file name of a table, if the file exists.
    pub(crate) async fn table(&self, env: &dyn Env, number: FileNumber) -> Result<Option<String>> {
        let spelled = [table_file_name(number), format!("{number}.sst")];
        if self.names.is_some() {
            return Ok(spelled.into_iter().find(|name| self.names().contains(name)));
        }
        for name in spelled {
            match env.open(&name, Access::Read).await {
                Err(error) if error.is_not_found() => {}
                // Other failures are reported when it is read.
                _ => return Ok(Some(name)),
            }
        }
        Ok(None)
    }

    /// Returns the finding for a missing table.
    pub(crate) fn missing_table(&self, file: &FileMetaData, manifest: Option<FileNumber>) -> Error {
        let manifest = FileName::Manifest(manifest.unwrap_or_default());
        let spelled_otherwise = self.parsed().find(|(parsed, _)| *parsed == FileName::Table(file.number));
        let hint = match spelled_otherwise {
            Some((_, name)) => format!("; {name} has the same number: run `varve repair` to use it"),
            None => self.resembling_hint(),
        };
        Error::missing(
            table_file_name(file.number),
            &format!("{manifest} names this table of {} bytes{hint}", file.size),
        )
    }

    /// Returns files that an open would delete, or whose names a database does not use.
    pub(crate) fn unused(&self, versions: &VersionSet, manifest: Option<FileNumber>) -> Vec<String> {
        let counts = versions.counts;
        let live = versions.live_tables();
        let is_unused = |name: &&String| {
            let Some(parsed) = FileName::parse(name) else { return false };
            let is_live = match parsed {
                FileName::Current | FileName::Lock | FileName::InfoLog => true,
                FileName::Manifest(number) => Some(number) == manifest,
                FileName::Log(number) => number >= counts.log_number || number == counts.previous_log_number,
                FileName::Table(number) => live.contains(&number) && self.others_of(number, name).is_empty(),
                FileName::Temporary(_) => false,
            };
            let is_near_the_end = parsed.number().is_some_and(|number| number.0 >= FILE_NUMBER_MAX);
            !is_live || is_near_the_end || !parsed.is_spelled(name)
        };
        self.names().iter().filter(|name| is_unused(name)).cloned().collect()
    }
}

/// Returns the first names of a list.
fn listed(names: &[String]) -> String {
    let more = names.len().saturating_sub(NAMED_MAX);
    let first = names.iter().take(NAMED_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    if more > 0 { format!("{first} and {more} more") } else { first }
}

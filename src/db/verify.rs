//! Reads a whole database and reports damage.

use std::cmp::Ordering;
use std::rc::Rc;

use super::findings::{Findings, is_finding};
use super::log_walk::{Before, LogWalk};
use super::open::{ATTEMPTS, FILE_NUMBER_MAX, FilesOnStorage, Stamp, changed};
use super::read::open_tables;

use super::state::Inner;
use crate::base::{
    Comparator, FileName, FileNumber, InternalKeyComparator, SequenceNumber, UserComparator, parse_internal_key,
    table_file_name,
};
use crate::budget::Budget;
use crate::env::Env;
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::iter::{InternalIterator, finish};
use crate::options::{Options, RecoveryMode};
use crate::table::{BlockRead, DamagePolicy, Table, TableCache};
use crate::version::{FileMetaData, VersionSet, recover_manifest, stored_comparator};

/// The result of [`Db::verify`](super::Db::verify) and [`verify`].
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct VerifyReport {
    /// Number of tables read.
    pub tables: u64,
    /// Number of logs read whose entries are not in tables yet.
    pub logs: u64,
    /// Number of entries in tables and logs, including overwritten ones and tombstones.
    pub entries: u64,
    /// Number of entries in logs.
    pub log_entries: u64,
    /// Total size of the tables in bytes.
    pub bytes: u64,
    /// The damage found: at most one finding per table, and one per damaged place of a log.
    pub findings: Vec<Error>,
    /// Files that do not belong to the database: leftovers, and names made by undelete tools or
    /// copies. Only for a closed database.
    pub unused: Vec<String>,
    /// The comparator that the manifest names, if this build does not have it: the order of keys was
    /// not checked.
    pub unknown_comparator: Option<String>,
}

/// Checks the files of the database in `env`, which need not be open; writes nothing.
///
/// Continues after damage and missing files: reads CURRENT, the manifest, the logs and every table.
/// Without a readable manifest each table and log is checked on its own. If the manifest names another
/// comparator than the options, its order is used, and none if this build does not have it.
///
/// # Errors
/// `InvalidArgument`: the database does not exist. `SourceChanged`: another process kept changing it
/// during the check.
pub async fn verify(env: Rc<dyn Env>, options: Options) -> Result<VerifyReport> {
    options.check()?;
    for _ in 0..ATTEMPTS {
        let before = Stamp::take(&*env).await;
        let (options, unknown_comparator) = in_its_order(&*env, &options).await;
        let result = check(&env, &options).await;
        if Stamp::take(&*env).await == before {
            return result.map(|report| VerifyReport { unknown_comparator, ..report });
        }
    }
    Err(changed())
}

/// The options with the comparator that the manifest names, and its name if it is not known.
async fn in_its_order(env: &dyn Env, options: &Options) -> (Options, Option<String>) {
    // What is wrong with the manifest is found by the check.
    let stored = stored_comparator(env).await.ok().flatten().and_then(|name| String::from_utf8(name).ok());
    match stored.filter(|name| name != options.comparator.name()) {
        None => (options.clone(), None),
        Some(name) => match UserComparator::named(name.as_bytes()) {
            Some(comparator) => (Options { comparator, ..options.clone() }, None),
            None => {
                let comparator = UserComparator::Custom(Rc::new(Unknown { name: name.clone() }));
                (Options { comparator, ..options.clone() }, Some(name))
            }
        },
    }
}

/// Takes any keys to be in order, since no other order is known.
struct Unknown {
    name: String,
}

impl Comparator for Unknown {
    fn name(&self) -> &str {
        &self.name
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        if a == b { Ordering::Equal } else { Ordering::Less }
    }
}

pub(super) async fn check(env: &Rc<dyn Env>, options: &Options) -> Result<VerifyReport> {
    let order = InternalKeyComparator::new(options.comparator.clone());
    let mut findings = Findings::default();
    let mut versions = VersionSet::new(order.clone());
    let files = FilesOnStorage::list(&**env).await?;
    let manifest = files.manifest(&**env, &mut findings).await?;
    let mut is_known = false;
    if let Some(number) = manifest {
        match recover_manifest(&**env, number, &mut versions, RecoveryMode::PointInTime).await {
            Ok(state) => {
                is_known = true;
                findings.extend(state.torn);
                let next = versions.counts.next_file_number;
                if next.0 >= FILE_NUMBER_MAX {
                    let name = FileName::Manifest(number).to_string();
                    let reason = format!(
                        "next file number {next} is too close to 2^64: the database can only be opened read-only"
                    );
                    findings.push(Error::corruption(name, state.size, reason));
                }
            }
            Err(error) if is_finding(&error) => findings.push(error),
            Err(error) => return Err(error),
        }
    }
    let options = Options { recovery: RecoveryMode::PointInTime, ..options.clone() };
    let tables = open_tables(env, &options, &order, &Rc::new(LiveCounters::default()));
    let mut checker = Checker {
        env,
        tables: &tables,
        order: &order,
        budget: Budget::of_call(&options.pause),
        last: SequenceNumber::MAX,
        report: VerifyReport::default(),
        findings,
    };
    let counts = versions.counts;
    let logs = if is_known { files.logs_of(&**env, &versions, &mut checker.findings).await? } else { files.all_logs() };
    let replayed = checker.logs(&logs, is_known.then_some((counts.log_number, counts.last_sequence.get()))).await?;
    if is_known {
        checker.last =
            SequenceNumber::new(replayed.unwrap_or(0)).unwrap_or(SequenceNumber::MAX).max(counts.last_sequence);
        for (_, file) in versions.current().files() {
            match files.table(&**env, file.number).await? {
                Some(_) => checker.table(file).await?,
                None => checker.findings.push(files.missing_table(file, manifest)),
            }
        }
    } else {
        for name in files.all_tables() {
            checker.table_called(&name).await?;
        }
    }
    let Checker { mut report, findings, .. } = checker;
    report.findings = findings.into_list();
    report.unused = if is_known { files.unused(&versions, manifest) } else { Vec::new() };
    report.unused.extend(files.resembling());
    Ok(report)
}

/// Verifies the tables and logs of an open database.
pub(crate) async fn verify_open(inner: &Rc<Inner>) -> Result<VerifyReport> {
    inner.check_open()?;
    let (version, last, logs) = {
        let state = inner.state.borrow();
        let first = state.first_log();
        let logs: Vec<String> = state.logs_from(first);
        (state.version().clone(), state.last_sequence(), logs)
    };
    let mut checker = Checker {
        env: &inner.env,
        tables: &inner.tables,
        order: &inner.order,
        budget: Budget::of_call(&inner.options.pause),
        last,
        report: VerifyReport::default(),
        findings: Findings::default(),
    };
    for (_, file) in version.files() {
        checker.table(file).await?;
    }
    // Opening has reported its torn end already, and the log keeps it until it is removed.
    let is_torn = |name: &str| inner.recovery.logs.iter().any(|log| log.name == name && log.damage.is_some());
    let told = |name: &str| !inner.options.read_only && is_torn(name);
    let mut findings = std::mem::take(&mut checker.findings);
    for name in logs {
        match checker.log(&name, Before::Unknown).await {
            Ok(_) => {}
            // Its entries were flushed meanwhile.
            Err(error) if error.is_not_found() => {}
            Err(error) if is_finding(&error) => findings.push(error),
            Err(error) => return Err(error),
        }
        let of_log = std::mem::take(&mut checker.findings);
        if !told(&name) {
            findings.append(of_log);
        }
    }
    let Checker { mut report, .. } = checker;
    report.findings = findings.into_list();
    Ok(report)
}

struct Checker<'a> {
    env: &'a Rc<dyn Env>,
    tables: &'a Rc<TableCache>,
    order: &'a InternalKeyComparator,
    budget: Budget,
    /// The last sequence number that a table may contain.
    last: SequenceNumber,
    report: VerifyReport,
    findings: Findings,
}

impl Checker<'_> {
    /// Reads logs, oldest first; returns their last sequence number. `named`: the manifest's log
    /// and the last sequence number of the tables. A gap before a log shows that an older one lost
    /// entries.
    async fn logs(&mut self, names: &[(FileNumber, String)], named: Option<(FileNumber, u64)>) -> Result<Option<u64>> {
        let mut before = Before::Unknown;
        if let Some((log, flushed)) = named
            && log.0 != 0
            && !names.iter().any(|(number, _)| *number == log)
        {
            self.findings.push(Error::missing(FileName::Log(log).to_string(), "the manifest names this log"));
            before = Before::Tables(flushed);
        }
        for (_, name) in names {
            match self.log(name, before).await {
                Ok(known) => before = known,
                Err(error) if is_finding(&error) => self.findings.push(error),
                Err(error) => return Err(error),
            }
            before = before.next_log(named.map(|(_, flushed)| flushed));
        }
        Ok(before.in_logs())
    }

    async fn log(&mut self, name: &str, before: Before) -> Result<Before> {
        let mut walk = match LogWalk::open(&**self.env, name, before).await {
            Err(error) if self.tables.gives_back(&error) => LogWalk::open(&**self.env, name, before).await?,
            walk => walk?,
        };
        self.report.logs += 1;
        while let Some(batch) = walk.next(&mut self.findings).await? {
            self.budget.spent(batch.record.data.len()).await;
            let entries = batch.read(name, &mut self.findings, |_, _| {});
            self.report.entries += entries;
            self.report.log_entries += entries;
        }
        Ok(walk.end(&mut self.findings).await?.0)
    }

    /// Checks a table of the version.
    async fn table(&mut self, file: &FileMetaData) -> Result<()> {
        self.report.tables += 1;
        self.report.bytes = self.report.bytes.saturating_add(file.size);
        let table = self.tables.table(file.number, file.size).await;
        self.checked(table, Some(file)).await
    }

    /// Checks a table that no manifest describes.
    async fn table_called(&mut self, name: &str) -> Result<()> {
        self.report.tables += 1;
        let table = self.tables.table_called(name, None).await;
        self.checked(table, None).await
    }

    async fn checked(&mut self, table: Result<Rc<Table>>, file: Option<&FileMetaData>) -> Result<()> {
        let wrong = match table {
            Ok(table) => {
                let (entries, wrong) = check_table(&table, file, self.order, self.last, &self.budget).await;
                self.report.entries += entries;
                wrong
            }
            Err(error) => Some(error),
        };
        match wrong {
            Some(error) if is_finding(&error) => self.findings.push(error),
            Some(error) => return Err(error),
            None => {}
        }
        Ok(())
    }
}

/// Reads everything from storage, verifies it, and continues after damage.
pub(super) const READ_ALL: BlockRead = BlockRead {
    policy: DamagePolicy::SKIP,
    fill_cache: false,
    fill_sought: false,
    use_cache: false,
    read_ahead: 128 << 10,
};

/// Checks a table's blocks, key order, sequence numbers, filter, and the range in the manifest.
/// Returns the number of readable entries and the first damage.
async fn check_table(
    table: &Rc<Table>,
    file: Option<&FileMetaData>,
    order: &InternalKeyComparator,
    last: SequenceNumber,
    budget: &Budget,
) -> (u64, Option<Error>) {
    let name = file.map_or_else(|| table.name().to_owned(), |file| table_file_name(file.number));
    let mut wrong = table.filter_error().cloned();
    let mut it = table.iter(READ_ALL);
    let mut previous: Vec<u8> = Vec::new();
    let mut entries = 0u64;
    let step = it.seek_to_first();
    finish(&mut it, step).await;
    while it.valid() {
        let key = it.key();
        if wrong.is_none() {
            let is_known = !order.user().is_as_stored();
            let found = if is_known && entries > 0 && order.compare(&previous, key) != Ordering::Less {
                Some(format!("entry {entries} does not come after the previous entry"))
            } else {
                match parse_internal_key(key) {
                    Err(malformed) => Some(format!("entry {entries}: {}", malformed.reason)),
                    Ok(parsed) if parsed.sequence > last => Some(format!(
                        "entry {entries} has sequence {}, the newest is {}",
                        parsed.sequence.get(),
                        last.get()
                    )),
                    Ok(_) if entries == 0 && it.status().is_ok() && file.is_some_and(|file| key != file.smallest) => {
                        Some("the first key is not the smallest key in the manifest".into())
                    }
                    Ok(_) => None,
                }
            };
            wrong = found.map(|reason| Error::corruption(&*name, 0, reason));
        }
        previous.clear();
        previous.extend_from_slice(key);
        entries += 1;
        budget.spent(key.len() + it.value().len()).await;
        let step = it.next();
        finish(&mut it, step).await;
    }
    // A lack of file descriptors proves nothing about the table.
    let skipped = it.take_skipped();
    if let Some(error) = skipped.iter().find(|error| !is_finding(error)) {
        return (entries, Some(error.clone()));
    }
    let wrong = wrong.or(skipped.into_iter().next());
    let is_cut_short = file.is_some_and(|file| previous != file.largest);
    let wrong = wrong.or_else(|| {
        is_cut_short.then(|| Error::corruption(&*name, 0, "the last key is not the largest key in the manifest"))
    });
    (entries, wrong)
}

//! A database made anew from what its files still hold.
//!
//! ```text
//! sound, logs empty?    then nothing is changed
//! old manifest          comparator, tables that should be there          old_manifest.rs
//! every table           sound: stays; damaged: its sound entries become a new table       tables.rs
//! every log             its sound records become tables                  logs.rs
//! CURRENT goes          from here on only another repair opens the database
//! tables get a place    levels as the manifest says, or all in level 0, or merged into level 1     placement.rs
//! the rest              goes to `lost/`                                  aside.rs
//! new manifest, CURRENT; the old manifests go to `lost/`
//! ```
//! Nothing is believed without its checksum, and everything that is not used is reported. A file that stays in the directory
//! is one that the new manifest names or that no later open deletes. A repair that is interrupted can be repeated: until
//! CURRENT goes only new files are made, and then everything is still there, in the directory or in `lost/`.
//!
//! Where the manifest cannot be read, or a file that it names is damaged or missing, older files that are still there are used:
//! keys that were deleted can come back with them.
//! Source of the idea: LevelDB `db/repair.cc`.

mod aside;
mod logs;
mod old_manifest;
mod placement;
mod tables;

use std::cell::Cell;
use std::rc::Rc;

use self::aside::{Aside, Move};
use self::old_manifest::OldManifest;
use self::placement::Kept;
use crate::base::{FileName, FileNumber, InternalKeyComparator, SequenceNumber, sort_by, to_u64};
use crate::db::findings::Findings;
use crate::db::open::FilesOnStorage;
use crate::db::read::open_tables;
use crate::db::verify::{VerifyReport, check};
use crate::env::{Access, Env, NameEdit};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::options::{Options, RecoveryMode};
use crate::slice::Budget;
use crate::table::TableCache;
use crate::version::{Manifest, VersionEdit};

/// What [`repair`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Tables that the new manifest names.
    pub tables: u64,
    /// Entries in them, shadowed ones and tombstones too.
    pub entries: u64,
    /// Files that went to `lost/`, under their names there. Among them are logs and tables whose sound entries are used.
    pub lost: Vec<String>,
    /// What was wrong, and everything that is not used: each damage, each file, each record.
    pub findings: Vec<Error>,
}

/// Tables and logs with larger numbers get new ones: the numbers that follow must last.
const NUMBER_MAX: u64 = 1 << 62;

/// Rebuilds the database in `env` from its tables and logs. Logs become tables; a database that is sound and whose logs are
/// empty stays as it is. `options.comparator` must be the one that it was made with; [`repair_as`] overrules the manifest.
///
/// # Errors
/// `Locked`: it is open. `InvalidArgument`: there is nothing to repair, or the manifest names another comparator. `Io`,
/// `Full`: the storage refused; nothing is lost, and repair can be called again.
pub async fn repair(env: Rc<dyn Env>, options: Options) -> Result<RepairReport> {
    locked(env, options, false).await
}

/// The same for a database whose manifest names another comparator, or whose tables are sorted in another order: its entries
/// are sorted anew by `options.comparator`. Other programs that open it must use that comparator too.
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

/// No file has this number or a larger one, but for those that get new numbers.
fn next_number(files: &FilesOnStorage, old: &OldManifest) -> FileNumber {
    let numbers = files.names().iter().filter_map(|name| FileName::parse(name)?.number());
    let largest = numbers.filter(|number| number.0 < NUMBER_MAX).max().unwrap_or_default();
    FileNumber(largest.0 + 1).max(old.next_file_number)
}

/// Files that are not touched, and may hold something. `next` is a number that is free; returns the next that is.
fn report_resembling(files: &FilesOnStorage, mut next: FileNumber, findings: &mut Findings) -> FileNumber {
    for name in files.resembling() {
        let what = if name.ends_with(".log.damaged") {
            "a copy of a damaged log that an opening has kept"
        } else {
            "it is not named as a file of a database is"
        };
        let reason = format!("not used: {what}. {}", how_to_use(&name, next));
        findings.push(Error::corruption(name, 0, reason));
        next = FileNumber(next.0 + 1);
    }
    next
}

/// What to do with a file that is not used.
fn how_to_use(name: &str, next: FileNumber) -> String {
    let suffix = if name.to_ascii_lowercase().contains(".log") { "log" } else { "ldb" };
    format!(
        "To use what it holds, rename it to {next}.{suffix} and repair again; open the database only then, since opening deletes \
         tables and logs that the manifest does not name"
    )
}

struct Repairer<'a> {
    env: &'a Rc<dyn Env>,
    options: &'a Options,
    order: InternalKeyComparator,
    /// Entries in another order are sorted anew; otherwise they are a reason to refuse.
    any_comparator: bool,
    comparator_is_known: bool,
    tables: Rc<TableCache>,
    next: Cell<FileNumber>,
    kept: Vec<Kept>,
    /// Some of them the old manifest does not name.
    has_strangers: bool,
    /// All that the old manifest names is there and sound: other tables and logs from before it are not needed.
    is_complete: bool,
    aside: Aside,
    /// Files that go there although they may be sound, and why.
    leftovers: Vec<(String, &'static str)>,
    last_sequence: SequenceNumber,
    budget: Budget,
    findings: Findings,
}

impl Repairer<'_> {
    fn new_number(&self) -> Result<FileNumber> {
        let number = self.next.get();
        self.next.set(number.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?);
        Ok(number)
    }

    /// Files that are neither tables nor logs: opening deletes old manifests and what an interrupted switch left.
    fn others(&mut self, files: &FilesOnStorage) {
        for name in files.names() {
            match FileName::parse(name) {
                Some(FileName::Manifest(_)) => self.aside.add(name),
                Some(FileName::Temporary(_)) => {
                    self.findings.push(Error::corruption(
                        name,
                        0,
                        "left by an interrupted switch of CURRENT; set aside",
                    ));
                    self.aside.add(name);
                }
                _ => {}
            }
        }
    }

    /// The point of no return: what the old manifest names is about to change.
    async fn install(mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<RepairReport> {
        let current_is_understood = self.judge_current().await?;
        // What can fail is done before anything is changed.
        let moves = self.aside.choose_targets(&**self.env).await?;
        // Names of new tables become durable before the old way to them goes.
        self.env.edit_names(Vec::new()).await?;
        if current_is_understood {
            self.env.edit_names(vec![NameEdit::Remove { name: FileName::Current.to_string() }]).await?;
        }
        self.rename_kept().await?;
        let merged = self.place(old).await?;
        // Manifests go last: without one there would be nothing to repair, should this be interrupted.
        let (manifests, others): (Vec<Move>, Vec<Move>) = moves.into_iter().partition(Move::is_manifest);
        self.env.edit_names(others.iter().map(Move::edit).collect()).await?;
        self.write_manifest(&manifests).await?;
        let removals = merged.into_iter().map(|name| NameEdit::Remove { name });
        self.env.edit_names(manifests.iter().map(Move::edit).chain(removals).collect()).await?;
        let lost = others.into_iter().chain(manifests).map(|moved| moved.target).collect();
        let mut next = report_resembling(files, self.next.get(), &mut self.findings);
        for (name, why) in std::mem::take(&mut self.leftovers) {
            let reason = format!("not used: {why}; set aside in lost/. {}", how_to_use(&name, next));
            self.findings.push(Error::corruption(name, 0, reason));
            next = FileNumber(next.0 + 1);
        }
        Ok(RepairReport {
            tables: to_u64(self.kept.len()),
            entries: self.kept.iter().map(|kept| kept.entries).sum(),
            lost,
            findings: self.findings.into_list(),
        })
    }

    /// Whether CURRENT holds what it should, so that it may go; one whose text is not understood is kept.
    async fn judge_current(&mut self) -> Result<bool> {
        let name = FileName::Current.to_string();
        match crate::version::read_current(&**self.env).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(_) => {
                // It goes first of all.
                self.aside.add_first(&name);
                Ok(false)
            }
        }
    }

    /// `old` are the manifests that are still there.
    async fn write_manifest(&mut self, old: &[Move]) -> Result<()> {
        let first = FileName::Manifest(FileNumber(1));
        let is_taken = old.iter().any(|moved| FileName::parse(&moved.name) == Some(first));
        let number = if is_taken { self.new_number()? } else { FileNumber(1) };
        sort_by(&mut self.kept, |a, b| a.level.cmp(&b.level).then(a.file.number.cmp(&b.file.number)));
        let edit = VersionEdit {
            comparator: Some(self.order.user().name().as_bytes().to_vec()),
            log_number: Some(FileNumber(0)),
            next_file_number: Some(self.next.get()),
            last_sequence: Some(self.last_sequence),
            new_files: self.kept.iter().map(|kept| (kept.level, kept.file.clone())).collect(),
            ..VersionEdit::default()
        };
        Manifest::create(self.env, number, &[edit.encode()]).await?;
        Ok(())
    }

    /// An earlier repair, or whatever it was that failed, may have left a table without flushing it.
    async fn flush(&self, name: &str) -> Result<()> {
        let file = match self.env.open(name, Access::Append).await {
            Err(Error::Io(error)) if error.kind == std::io::ErrorKind::PermissionDenied => {
                self.env.open(name, Access::Read).await?
            }
            file => file?,
        };
        file.sync().await.map(|_| ())
    }
}

//! A manifest from tables and logs alone.
//!
//! 1. Every log becomes a table; what its records hold is believed, their checksums only with `paranoid_checks`.
//! 2. Every table is read through for its range. One that cannot be read to its end is written anew from what can.
//! 3. Tables that overlap are merged into level 1.
//! 4. A manifest with all tables replaces the old ones.
//!
//! What is set aside goes to `lost/`. Keys that were deleted or overwritten can come back where an old table was still
//! lying about. Source: LevelDB `db/repair.cc`.

use std::cell::Cell;
use std::rc::Rc;

use super::background::new_file;
use super::open::open_tables;
use crate::base::{
    FileName, FileNumber, InternalKeyComparator, SequenceNumber, ValueType, parse_internal_key, sort_by,
    table_file_name, to_u64, user_key,
};
use crate::batch::{BatchHeader, BatchOperation, operations};
use crate::compaction::{self, Compaction, CompactionContext};
use crate::env::{Access, Env, NameEdit};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::flush::{FlushContext, build_table};
use crate::iter::{InternalIterator, OnBadBlock, finish};
use crate::log::{LogReader, Semantics};
use crate::memtable::MemTable;
use crate::options::{Options, RecoveryMode};
use crate::slice::Budget;
use crate::table::{BlockRead, TableCache, TableOutput};
use crate::version::{FileMetaData, Manifest, NewFile, Version, VersionEdit};

/// What [`repair`] did.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub struct RepairReport {
    /// Tables that the new manifest names.
    pub tables: u64,
    /// Entries in them, shadowed ones and tombstones too.
    pub entries: u64,
    /// Files that went to `lost/`.
    pub lost: Vec<String>,
    /// What was wrong with them.
    pub findings: Vec<Error>,
}

/// Rebuilds the database in `env` from its tables and logs. `options.comparator` must be the one that it was made with.
///
/// # Errors
/// `Locked`: it is open; `InvalidArgument`: there is nothing to repair; `Io`, `Full`: the storage refused.
pub async fn repair(env: Rc<dyn Env>, options: Options) -> Result<RepairReport> {
    options.check()?;
    env.lock(false).await?;
    let result = run(&env, options).await;
    env.unlock();
    result
}

async fn run(env: &Rc<dyn Env>, options: Options) -> Result<RepairReport> {
    let names = env.list().await?;
    let parsed: Vec<(FileName, String)> =
        names.iter().filter_map(|n| FileName::parse(n).map(|f| (f, n.clone()))).collect();
    if !parsed.iter().any(|(f, _)| matches!(f, FileName::Table(_) | FileName::Log(_) | FileName::Manifest(_))) {
        return Err(Error::InvalidArgument("there is no database to repair: no table, log or manifest".into()));
    }
    let order = InternalKeyComparator::new(options.comparator.clone());
    let options = Options { recovery: RecoveryMode::Compat, ..options };
    let tables = open_tables(env, &options, &order, &Rc::new(LiveCounters::default()));
    let largest = parsed.iter().filter_map(|(f, _)| f.number()).max().unwrap_or_default();
    let mut repairer = Repairer {
        env,
        options: &options,
        order,
        tables,
        next: Cell::new(largest.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?),
        level: 0,
        tables_found: Vec::new(),
        last_sequence: SequenceNumber::ZERO,
        budget: Budget::of_call(&options.pause),
        report: RepairReport::default(),
    };
    let mut logs: Vec<_> = parsed.iter().filter(|(f, _)| matches!(f, FileName::Log(_))).collect();
    sort_by(&mut logs, Ord::cmp);
    let mut numbers: Vec<FileNumber> = parsed
        .iter()
        .filter_map(|(f, _)| match f {
            FileName::Table(n) => Some(*n),
            _ => None,
        })
        .collect();
    for (_, name) in logs {
        numbers.extend(repairer.convert_log(name).await?);
        repairer.report.lost.push(name.clone());
    }
    sort_by(&mut numbers, Ord::cmp);
    numbers.dedup();
    for number in numbers {
        repairer.scan_table(number).await?;
    }
    let manifests = parsed.iter().filter(|(f, _)| matches!(f, FileName::Manifest(_)));
    repairer.report.lost.extend(manifests.map(|(_, name)| name.clone()));
    repairer.merge().await?;
    repairer.write_manifest().await?;
    Ok(repairer.report)
}

struct Repairer<'a> {
    env: &'a Rc<dyn Env>,
    options: &'a Options,
    order: InternalKeyComparator,
    tables: Rc<TableCache>,
    next: Cell<FileNumber>,
    /// Of this level: 0, or 1 once they were merged.
    level: usize,
    tables_found: Vec<NewFile>,
    last_sequence: SequenceNumber,
    budget: Budget,
    report: RepairReport,
}

impl Repairer<'_> {
    fn new_number(&self) -> Result<FileNumber> {
        let number = self.next.get();
        self.next.set(number.next().ok_or_else(|| Error::LimitExceeded("file numbers have reached 2^64".into()))?);
        Ok(number)
    }

    /// A look-up takes level 0's table with the highest number for the newest. Of what is found here that does not hold: tables
    /// of all levels, and some written anew. So those that overlap become one run of level 1; if that cannot be done because
    /// of damage that `repair` passes over, they stay in level 0, as LevelDB leaves them.
    async fn merge(&mut self) -> Result<()> {
        sort_by(&mut self.tables_found, |a, b| {
            self.order.compare(&a.smallest, &b.smallest).then(a.number.cmp(&b.number))
        });
        let user = self.order.user();
        let overlap = |pair: &[NewFile]| match pair {
            [a, b] => user.compare(user_key(&a.largest), user_key(&b.smallest)).is_ge(),
            _ => false,
        };
        if !self.tables_found.windows(2).any(overlap) {
            return Ok(());
        }
        let inputs = self.tables_found.iter().map(|f| Rc::new(FileMetaData::new(f.clone()))).collect();
        let compaction = Compaction {
            level: 0,
            version: Rc::new(Version::default()),
            inputs: [inputs, Vec::new()],
            grandparents: Vec::new(),
            compact_pointer: Vec::new(),
            max_file_size: self.options.max_file_size,
            manual: true,
        };
        let context = CompactionContext {
            env: self.env,
            tables: &self.tables,
            order: &self.order,
            budget: &self.budget,
            oldest_snapshot: self.last_sequence,
            new_file_number: &|| self.new_number(),
            may_go_on: &|| Ok(()),
        };
        let outputs = match compaction::run(&compaction, &context).await {
            Ok(outputs) => outputs,
            Err(Error::Corruption(_)) => return Ok(()),
            Err(error) => return Err(error),
        };
        self.level = 1;
        self.report.tables = to_u64(outputs.len());
        self.report.entries = outputs.iter().map(|t| t.entries).sum();
        self.tables_found = outputs.iter().map(new_file).collect();
        Ok(())
    }

    /// Everything that the log's records say, in tables of about the write buffer's size.
    async fn convert_log(&mut self, name: &str) -> Result<Vec<FileNumber>> {
        let verify = self.options.paranoid_checks;
        let mut reader = LogReader::open(&**self.env, name, Semantics::Compat { verify }).await?;
        let mut memtable = Rc::new(MemTable::new(self.order.clone()));
        let mut made = Vec::new();
        while let Some(record) = reader.next_record().await? {
            self.budget.spent(record.data.len()).await;
            if let Err(error) = self.enter(&memtable, &record.data) {
                self.report.findings.push(error.in_file(name, record.offset));
            }
            if memtable.logical_size() > self.options.write_buffer_size.max(64 << 20) {
                made.extend(self.write_table(&memtable).await?);
                memtable = Rc::new(MemTable::new(self.order.clone()));
            }
        }
        made.extend(self.write_table(&memtable).await?);
        let damages = reader.take_damages().into_iter().take(8);
        self.report.findings.extend(damages.map(|d| Error::corruption(name, d.offset, &*d.reason)));
        Ok(made)
    }

    fn enter(&self, memtable: &MemTable, record: &[u8]) -> Result<(), crate::error::Malformed> {
        let mut sequence = SequenceNumber::truncated(BatchHeader::decode(record)?.sequence);
        let entries = u32::try_from(record.len() / 2).unwrap_or(u32::MAX);
        memtable.reserve(entries, record.len()).map_err(|e| crate::error::Malformed::new(0, e.to_string()))?;
        for operation in operations(record) {
            match operation? {
                BatchOperation::Put { key, value } => memtable.insert(sequence, ValueType::Value, key, value),
                BatchOperation::Delete { key } => memtable.insert(sequence, ValueType::Deletion, key, &[]),
            }
            sequence = SequenceNumber::truncated(sequence.get().wrapping_add(1));
        }
        Ok(())
    }

    async fn write_table(&mut self, memtable: &Rc<MemTable>) -> Result<Option<FileNumber>> {
        if memtable.is_empty() {
            return Ok(None);
        }
        let number = self.new_number()?;
        let budget = &self.budget;
        let context = FlushContext { env: self.env, tables: &self.tables, order: &self.order, budget };
        Ok(build_table(&context, number, std::slice::from_ref(memtable), SequenceNumber::MAX).await?.map(|t| t.number))
    }

    /// Reads a table through. One with damage is written anew from what can be read, so that its checksums hold again.
    async fn scan_table(&mut self, number: FileNumber) -> Result<()> {
        let (name, size) = match self.table_file(number).await {
            Ok(found) => found,
            Err(error) => {
                self.report.findings.push(error);
                return Ok(());
            }
        };
        let scanned = self.scan(number, size, true, None).await;
        match scanned {
            Ok(found) if found.error.is_none() => {
                // An earlier repair, or whatever it was that failed, may have left it without flushing it.
                self.env.open(&name, Access::Append).await?.sync().await?;
                self.take(
                    NewFile { number, size, smallest: found.smallest, largest: found.largest },
                    found.entries,
                    found.last,
                );
            }
            Ok(found) => {
                self.report.findings.extend(found.error.clone());
                self.rewrite(number, size, &name).await?;
            }
            Err(error @ (Error::Corruption(_) | Error::Io(_) | Error::LimitExceeded(_))) => {
                self.report.findings.push(error);
                self.set_aside(&name);
            }
            Err(error) => return Err(error),
        }
        Ok(())
    }

    async fn table_file(&self, number: FileNumber) -> Result<(String, u64)> {
        let name = table_file_name(number);
        let (name, file) = match self.env.open(&name, Access::Read).await {
            Err(error) if error.is_not_found() => {
                let old = format!("{number}.sst");
                let file = self.env.open(&old, Access::Read).await?;
                (old, file)
            }
            result => (name, result?),
        };
        Ok((name, file.size().await?))
    }

    fn take(&mut self, file: NewFile, entries: u64, last: SequenceNumber) {
        if entries == 0 {
            return;
        }
        self.last_sequence = self.last_sequence.max(last);
        self.report.tables += 1;
        self.report.entries += entries;
        self.tables_found.push(file);
    }

    /// All entries that can be read, and where that ended; `copy` gets each of them.
    async fn scan(
        &self,
        number: FileNumber,
        size: u64,
        verify_checksums: bool,
        mut copy: Option<&mut TableOutput>,
    ) -> Result<Scanned> {
        let table = self.tables.table(number, size).await?;
        let read = BlockRead {
            verify_checksums,
            fill_cache: false,
            fill_sought: false,
            use_cache: false,
            read_ahead: 128 << 10,
            lenient: !verify_checksums,
        };
        let mut it = table.iter(read, OnBadBlock::Skip);
        let mut found = Scanned::default();
        let step = it.seek_to_first();
        finish(&mut it, step).await;
        while it.valid() {
            self.budget.spent(it.key().len() + it.value().len()).await;
            if let Ok(parsed) = parse_internal_key(it.key()) {
                let in_order = found.entries == 0 || self.order.compare(&found.largest, it.key()).is_lt();
                if !in_order {
                    found.error.get_or_insert_with(|| Error::corruption(table.name(), 0, "keys out of order"));
                } else {
                    if found.entries == 0 {
                        found.smallest = it.key().to_vec();
                    }
                    found.largest.clear();
                    found.largest.extend_from_slice(it.key());
                    found.last = found.last.max(parsed.sequence);
                    found.entries += 1;
                    if let Some(output) = copy.as_deref_mut() {
                        output.add(it.key(), it.value())?;
                        if output.wants_write() {
                            output.write_out().await?;
                        }
                    }
                }
            } else {
                found.error.get_or_insert_with(|| Error::corruption(table.name(), 0, "a key that is no internal key"));
            }
            let step = it.next();
            finish(&mut it, step).await;
        }
        if let Err(error) = it.status() {
            found.error.get_or_insert(error);
        }
        Ok(found)
    }

    /// Copies what can be read under a new number; the original goes to `lost/`.
    async fn rewrite(&mut self, number: FileNumber, size: u64, name: &str) -> Result<()> {
        let new = self.new_number()?;
        let mut output = TableOutput::create(self.env, &self.tables, new, size).await?;
        match self.scan(number, size, self.options.paranoid_checks, Some(&mut output)).await {
            Ok(found) if found.entries > 0 => {
                let table = output.finish(&self.tables).await?;
                self.take(new_file(&table), table.entries, found.last);
            }
            Ok(_) => output.abandon(&self.tables).await,
            Err(error) => {
                output.abandon(&self.tables).await;
                return Err(error);
            }
        }
        self.set_aside(name);
        Ok(())
    }

    fn set_aside(&mut self, name: &str) {
        self.report.lost.push(name.to_owned());
    }

    /// The new manifest takes over, then what is lost goes out of the way.
    async fn write_manifest(&mut self) -> Result<()> {
        let manifest = FileNumber(1);
        let number =
            if self.report.lost.iter().any(|n| n == "MANIFEST-000001") { self.new_number()? } else { manifest };
        self.env.edit_names(Vec::new()).await?;
        let edit = VersionEdit {
            comparator: Some(self.order.user().name().as_bytes().to_vec()),
            log_number: Some(FileNumber(0)),
            next_file_number: Some(self.next.get()),
            last_sequence: Some(self.last_sequence),
            new_files: self.tables_found.drain(..).map(|f| (self.level, f)).collect(),
            ..VersionEdit::default()
        };
        Manifest::create(self.env, number, &[edit.encode()]).await?;
        let moves =
            self.report.lost.iter().map(|name| NameEdit::Rename { from: name.clone(), to: format!("lost/{name}") });
        self.env.edit_names(moves.collect()).await
    }
}

#[derive(Default)]
struct Scanned {
    entries: u64,
    smallest: Vec<u8>,
    largest: Vec<u8>,
    last: SequenceNumber,
    error: Option<Error>,
}

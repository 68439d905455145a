//! Keeps undamaged tables, and copies the valid entries of damaged ones.

use std::cmp::Ordering;
use std::rc::Rc;

use super::logs::Gathered;
use super::old_manifest::OldManifest;
use super::repairer::{Kept, NUMBER_MAX, Repairer};
use super::report::{LostRange, RANGES_MAX, RecoveredFile};
use super::strictness::Strictness;
use crate::base::{FileName, FileNumber, SequenceNumber, parse_internal_key, table_file_name, to_u64, user_key};
use crate::budget::Budget;
use crate::db::findings::is_finding;
use crate::db::open::FilesOnStorage;
use crate::db::verify::READ_ALL;
use crate::env::{Access, Env};
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, finish};
use crate::table::{FOOTER_SIZE, Footer, LostBlock, Salvage, Salvaged, Table};
use crate::version::NewFile;

/// The place of a table in the new database.
struct Placed {
    number: FileNumber,
    /// It keeps its name.
    stays: bool,
    level: usize,
    /// The size in the manifest.
    size: Option<u64>,
    /// Its first and last user key, as the manifest says.
    bounds: Option<(Vec<u8>, Vec<u8>)>,
}

/// The result of reading a table once.
struct Scan {
    entries: u64,
    smallest: Vec<u8>,
    largest: Vec<u8>,
    oldest: SequenceNumber,
    newest: SequenceNumber,
    damages: Vec<Error>,
    is_in_order: bool,
}

impl Repairer<'_> {
    /// Reads every table except leftovers. Tables that the manifest names are read first: other
    /// tables are needed only if one of these is missing or damaged.
    pub(super) async fn tables(&mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<()> {
        let mut others = Vec::new();
        for name in files.all_tables() {
            let Some(FileName::Table(number)) = FileName::parse(&name) else { continue };
            let twins = files.others_of(number, &name);
            if !twins.is_empty() {
                let reason = format!("the same number as {}", twins.join(" and "));
                self.findings.push(Error::corruption(&*name, 0, reason));
            } else if !FileName::Table(number).is_spelled(&name) || number.0 >= NUMBER_MAX {
                self.findings.push(Error::corruption(&*name, 0, "not a valid table name"));
            }
            // Whether a reader that knows only the number opens this file.
            let is_found = files.table(&**self.env, number).await?.as_deref() == Some(&*name);
            match old.table(number).filter(|_| is_found) {
                Some((level, file)) => {
                    let told = self.findings.len();
                    let (bounds, size) = (Some(bounds_of(file)), Some(file.size));
                    let place = Placed { number, stays: number.0 < NUMBER_MAX, level: *level, size, bounds };
                    self.read_table(&name, place).await?;
                    let is_kept = self.findings.len() == told || self.aside.lacks(&name);
                    self.is_complete &= is_kept;
                    self.has_lost_entries |= !is_kept;
                }
                None => others.push((name, number, is_found)),
            }
        }
        for (name, number, is_found) in others {
            if self.is_complete && is_unfinished(&**self.env, files, old, &name).await? {
                self.leave_out(&name, UNFINISHED);
                continue;
            }
            // Another file of its number is the one, or it is older than the manifest.
            let is_known = old.table(number).is_some() && !is_found || old.is_older(number);
            if self.is_complete && is_known {
                self.aside.add(&name);
                self.leftovers.push((name, "the manifest is complete and does not name it"));
                continue;
            }
            self.has_strangers = true;
            if is_found && old.is_known() {
                self.findings.push(Error::corruption(&*name, 0, "the manifest does not name it"));
            }
            let place = Placed { number, stays: is_found && number.0 < NUMBER_MAX, level: 0, size: None, bounds: None };
            self.read_table(&name, place).await?;
        }
        Ok(())
    }

    /// Opens a table. If there are bytes after its footer, uses the size in the manifest.
    async fn open_table(&mut self, name: &str, size: Option<u64>) -> Result<Option<(Rc<Table>, bool)>> {
        match self.tables.table_called(name, None).await {
            Ok(table) => Ok(Some((table, true))),
            Err(error) => {
                if let Some(size) = size
                    && is_finding(&error)
                    && let Ok(table) = self.tables.table_called(name, Some(size)).await
                {
                    return Ok(Some((table, false)));
                }
                Ok(self.readable(Err(error))?.map(|table| (table, true)))
            }
        }
    }

    async fn read_table(&mut self, name: &str, place: Placed) -> Result<()> {
        let Some((table, is_whole_file)) = self.open_table(name, place.size).await? else {
            return self.salvage(name, place).await;
        };
        let scan = self.scan(&table).await?;
        if !scan.is_in_order && scan.damages.is_empty() && !self.any_comparator && !self.comparator_is_known {
            return Err(self.other_order(name));
        }
        if scan.entries == 0 && scan.damages.is_empty() {
            self.findings.push(Error::corruption(name, 0, "not used: it holds no entry; set aside"));
            self.leave_out(name, "it holds no entry");
            return Ok(());
        }
        if scan.damages.is_empty() && scan.is_in_order && is_whole_file && table.filter_error().is_none() {
            self.flush(name).await?;
            let (number, rename_from) =
                if place.stays { (place.number, None) } else { (self.new_number()?, Some(name.to_owned())) };
            if rename_from.is_some() {
                let reason = format!("renamed to {}", table_file_name(number));
                self.findings.push(Error::corruption(name, 0, reason));
            }
            self.last_sequence = self.last_sequence.max(scan.newest);
            let Scan { entries, smallest, largest, oldest, newest, .. } = scan;
            let file = NewFile { number, size: table.size(), smallest, largest };
            let level = place.level;
            self.details.sound.push((name.to_owned(), entries));
            self.kept.push(Kept { level, file, entries, oldest, newest, rename_from, is_from_log: false });
            return Ok(());
        }
        let first_new = self.kept.len();
        self.findings.extend(scan.damages);
        self.findings.extend(table.filter_error().cloned());
        if !scan.is_in_order {
            self.findings.push(Error::corruption(name, 0, "keys out of order: its entries are sorted again"));
        }
        let mut gathered = self.gather();
        let entries = self.copy(&table, &mut gathered).await?;
        let (blocks, lost) = table.lost_blocks(&self.budget).await?;
        let (doubtful, mut lost) =
            self.despite_checksums(table.file(), name, table.size(), lost, &mut gathered).await?;
        self.count_lost(table.file(), name, table.size(), &mut lost, (entries, blocks)).await?;
        self.write_table(gathered).await?;
        self.place_new(first_new, place.level);
        let lost_bytes = lost.iter().filter_map(|block| block.handle.length()).sum();
        self.recovered(name, entries + doubtful.entries, blocks + doubtful.blocks, lost_bytes, &lost);
        Ok(())
    }

    /// Reads a table whose footer or index cannot be used: whatever is in sound blocks.
    async fn salvage(&mut self, name: &str, place: Placed) -> Result<()> {
        if self.strictness == Strictness::Sound {
            self.leave_out(name, "its index cannot be used, and blocks that are found without one are not wanted");
            self.lose_all(name, &place);
            return Ok(());
        }
        let opened = match self.env.open(name, Access::Read).await {
            Err(error) if self.tables.gives_back(&error) => self.env.open(name, Access::Read).await,
            opened => opened,
        };
        let (file, size) = match opened {
            Ok(file) => match file.size().await {
                Ok(size) => (file, size),
                Err(error) => return self.give_up(name, &place, error),
            },
            Err(error) => return self.give_up(name, &place, error),
        };
        let tables = self.tables.clone();
        let budget = Budget::of_call(&self.options.pause);
        let salvage = Salvage {
            file: &*file,
            name,
            size,
            options: tables.options(),
            any_order: self.any_comparator,
            budget: &budget,
        };
        let Salvaged { data, lost, unreadable, has_index, is_unordered } = salvage.run().await?;
        if is_unordered && !self.any_comparator && !self.comparator_is_known {
            return Err(self.other_order(name));
        }
        if data.is_empty() {
            let reason = match size {
                0 => "it is empty".into(),
                size => format!("none of its {size} bytes are in a readable block of entries"),
            };
            self.leave_out(name, reason);
            self.lose_all(name, &place);
            return Ok(());
        }
        if !has_index {
            self.lose_all(name, &place);
        }
        let first_new = self.kept.len();
        let mut gathered = self.gather();
        let mut entries = 0;
        for block in &data {
            let read = salvage.block(block.handle).await;
            let Some(read) = self.readable(read)? else { continue };
            entries += self.add_block(&read, &mut gathered).await?;
        }
        let (doubtful, mut lost) = self.despite_checksums(&*file, name, size, lost, &mut gathered).await?;
        self.count_lost(&*file, name, size, &mut lost, (entries, to_u64(data.len()))).await?;
        entries += doubtful.entries;
        self.write_table(gathered).await?;
        self.place_new(first_new, place.level);
        let missing = place.size.map_or(0, |named| named.saturating_sub(size));
        let blocks = to_u64(data.len()) + doubtful.blocks;
        let reason = format!(
            "read without its index: {entries} entries of {blocks} blocks are used, {unreadable} of its {size} bytes \
             cannot be read"
        );
        self.findings.push(Error::corruption(name, 0, reason));
        self.recovered(name, entries, blocks, unreadable.saturating_add(missing), &lost);
        Ok(())
    }

    fn give_up(&mut self, name: &str, place: &Placed, error: Error) -> Result<()> {
        if !is_finding(&error) {
            return Err(error);
        }
        self.lose_all(name, place);
        self.leave_out(name, "it cannot be read");
        Ok(())
    }

    fn other_order(&self, name: &str) -> Error {
        Error::InvalidArgument(format!(
            "the keys of {name} are not in the order of {0}, and no manifest tells another: repair with the option \
             comparator (`varve repair --comparator {0}`) only if they are to be sorted anew by it",
            self.order.user().name()
        ))
    }

    /// The new tables of a table take its level.
    fn place_new(&mut self, first: usize, level: usize) {
        for kept in self.kept.iter_mut().skip(first) {
            kept.level = level;
            kept.is_from_log = false;
        }
    }

    /// Any key of a table may be missing.
    fn lose_all(&mut self, name: &str, place: &Placed) {
        let (from, to) = place.bounds.clone().unzip();
        self.details.lose(name, from, to, None);
    }

    /// Notes the keys of tables that are missing, and that a manifest cannot tell which are.
    pub(super) async fn missing_tables(&mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<()> {
        if !old.is_whole() {
            self.details.lose("MANIFEST", None, None, None);
        }
        for (number, (_, file)) in &old.tables {
            if files.table(&**self.env, *number).await?.is_none() {
                let (from, to) = bounds_of(file);
                self.details.lose(&table_file_name(*number), Some(from), Some(to), None);
            }
        }
        if old.lacks_log(files) {
            self.details.lose(&FileName::Log(old.log_number).to_string(), None, None, None);
        }
        Ok(())
    }

    /// Moves a table away whose entries are in new ones.
    fn recovered(&mut self, name: &str, entries: u64, blocks: u64, lost_bytes: u64, lost: &[LostBlock]) {
        self.aside.add(name);
        self.has_lost_entries = true;
        self.details.lose_blocks(name, lost);
        let lost_ranges = lost.iter().take(RANGES_MAX).map(LostRange::of).collect();
        let file = name.to_owned();
        self.recovered.push(RecoveredFile { file, lost: String::new(), entries, blocks, lost_bytes, lost_ranges });
    }

    /// Reads every entry of every sound block.
    async fn scan(&self, table: &Rc<Table>) -> Result<Scan> {
        let mut it = table.iter(READ_ALL);
        let mut scan = Scan {
            entries: 0,
            smallest: Vec::new(),
            largest: Vec::new(),
            oldest: SequenceNumber::MAX,
            newest: SequenceNumber::ZERO,
            damages: Vec::new(),
            is_in_order: true,
        };
        let step = it.seek_to_first();
        finish(&mut it, step).await;
        while it.valid() {
            self.budget.spent(it.key().len() + it.value().len()).await;
            match parse_internal_key(it.key()) {
                Ok(parsed) => {
                    if scan.entries == 0 {
                        scan.smallest = it.key().to_vec();
                    } else if self.order.compare(&scan.largest, it.key()) != Ordering::Less {
                        scan.is_in_order = false;
                    }
                    scan.largest.clear();
                    scan.largest.extend_from_slice(it.key());
                    scan.oldest = scan.oldest.min(parsed.sequence);
                    scan.newest = scan.newest.max(parsed.sequence);
                    scan.entries += 1;
                }
                Err(malformed) => scan.damages.push(malformed.in_file(table.name(), 0)),
            }
            let step = it.next();
            finish(&mut it, step).await;
        }
        let skipped = it.take_skipped();
        // A lack of file descriptors proves nothing about the table.
        if let Some(error) = skipped.iter().find(|error| !is_finding(error)) {
            return Err(error.clone());
        }
        scan.damages.extend(skipped);
        Ok(scan)
    }

    /// Gathers what can be read.
    async fn copy(&mut self, table: &Rc<Table>, gathered: &mut Gathered) -> Result<u64> {
        let mut entries = 0;
        let mut it = table.iter(READ_ALL);
        let step = it.seek_to_first();
        finish(&mut it, step).await;
        while it.valid() {
            self.budget.spent(it.key().len() + it.value().len()).await;
            if let Ok(parsed) = parse_internal_key(it.key()) {
                gathered.reserve(1, parsed.user_key.len() + it.value().len())?;
                gathered.add(parsed.sequence, parsed.value_type, parsed.user_key, it.value());
                entries += 1;
            }
            self.write_if_full(gathered).await?;
            let step = it.next();
            finish(&mut it, step).await;
        }
        Ok(entries)
    }
}

pub(super) const UNFINISHED: &str = "an unfinished table that the manifest does not name";

/// Whether a file is a table that was never finished.
///
/// It has no footer, and a readable manifest does not name it.
pub(super) async fn is_unfinished(
    env: &dyn Env,
    files: &FilesOnStorage,
    old: &OldManifest,
    name: &str,
) -> Result<bool> {
    let Some(FileName::Table(number)) = FileName::parse(name) else { return Ok(false) };
    if !old.is_whole() || !FileName::Table(number).is_spelled(name) || old.table(number).is_some() {
        return Ok(false);
    }
    if !files.others_of(number, name).is_empty() {
        return Ok(false);
    }
    let Ok(file) = env.open(name, Access::Read).await else { return Ok(false) };
    let Ok(size) = file.size().await else { return Ok(false) };
    let Some(start) = size.checked_sub(to_u64(FOOTER_SIZE)) else { return Ok(true) };
    Ok(matches!(file.read_at(start, FOOTER_SIZE).await, Ok(bytes) if Footer::decode(&bytes).is_err()))
}

fn bounds_of(file: &NewFile) -> (Vec<u8>, Vec<u8>) {
    (user_key(&file.smallest).to_vec(), user_key(&file.largest).to_vec())
}

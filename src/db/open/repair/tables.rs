//! Keeps undamaged tables, and copies the valid entries of damaged ones.

use std::cmp::Ordering;
use std::rc::Rc;

use super::old_manifest::OldManifest;
use super::repairer::{Kept, NUMBER_MAX, Repairer};
use crate::base::{FileName, FileNumber, SequenceNumber, parse_internal_key, table_file_name};
use crate::db::findings::is_finding;
use crate::db::open::FilesOnStorage;
use crate::db::verify::READ_ALL;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, finish};
use crate::table::Table;
use crate::version::NewFile;

/// The place of a table in the new database.
struct Placed {
    number: FileNumber,
    /// It keeps its name.
    stays: bool,
    level: usize,
    /// The size in the manifest.
    size: Option<u64>,
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
                    let place = Placed { number, stays: number.0 < NUMBER_MAX, level: *level, size: Some(file.size) };
                    self.read_table(&name, place).await?;
                    self.is_complete &= self.findings.len() == told || self.aside.lacks(&name);
                }
                None => others.push((name, number, is_found)),
            }
        }
        for (name, number, is_found) in others {
            // The manifest's table is another file of this number, or this one is older than the
            // manifest.
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
            let place = Placed { number, stays: is_found && number.0 < NUMBER_MAX, level: 0, size: None };
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
            self.aside.add(name);
            return Ok(());
        };
        let scan = self.scan(&table).await?;
        if !scan.is_in_order && scan.damages.is_empty() && !self.any_comparator && !self.comparator_is_known {
            return Err(Error::InvalidArgument(format!(
                "the keys of {name} are not in the order of {0}, and no manifest names another comparator; to sort the \
                 entries by {0}, repair with the option comparator (`varve repair --comparator {0}`)",
                self.order.user().name()
            )));
        }
        if scan.entries == 0 && scan.damages.is_empty() {
            self.findings.push(Error::corruption(name, 0, "not used: it has no entries; moved to lost/"));
            self.aside.add(name);
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
            self.kept.push(Kept { level, file, entries, oldest, newest, rename_from, is_from_log: false });
            return Ok(());
        }
        let first_new = self.kept.len();
        self.findings.extend(scan.damages);
        self.findings.extend(table.filter_error().cloned());
        if !scan.is_in_order {
            self.findings.push(Error::corruption(name, 0, "keys out of order: its entries are sorted again"));
        }
        self.copy(&table).await?;
        for kept in self.kept.iter_mut().skip(first_new) {
            kept.level = place.level;
            kept.is_from_log = false;
        }
        self.aside.add(name);
        Ok(())
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

    /// Copies the readable entries to new tables.
    async fn copy(&mut self, table: &Rc<Table>) -> Result<()> {
        let mut gathered = self.gather();
        let mut it = table.iter(READ_ALL);
        let step = it.seek_to_first();
        finish(&mut it, step).await;
        while it.valid() {
            self.budget.spent(it.key().len() + it.value().len()).await;
            if let Ok(parsed) = parse_internal_key(it.key()) {
                gathered.reserve(1, parsed.user_key.len() + it.value().len())?;
                gathered.add(parsed.sequence, parsed.value_type, parsed.user_key, it.value());
            }
            self.write_if_full(&mut gathered).await?;
            let step = it.next();
            finish(&mut it, step).await;
        }
        self.write_table(gathered).await
    }
}

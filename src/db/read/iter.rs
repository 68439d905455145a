//! Iterates over user keys at one state of the database, in both directions.
//!
//! Forward, the inner iterator is positioned at the current entry. Backward, it is positioned
//! before all entries of the current key, whose key and value are saved here. Source: LevelDB
//! `db/db_iter.cc`.

use std::cell::Cell;
use std::rc::{Rc, Weak};

use super::look_up::{block_read, charge_seek, check_snapshot};
use super::source::Source;
#[cfg(feature = "comparators")]
use super::stored::StoredIterator;
use crate::base::{
    InternalKeyComparator, KeyOrder, ParsedInternalKey, SequenceNumber, ValueType, append_internal_key,
    parse_internal_key, same_bytes, user_key,
};
use crate::db::state::{Inner, View};
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, MergingIterator, OnBadBlock, Step, finish};
use crate::memtable::MemTable;
use crate::options::ReadOptions;
use crate::table::BlockRead;
use crate::version::{LEVELS, LevelIterator, Version};

/// Bytes read between two read samples, which trigger compactions.
const SAMPLE_BYTES: usize = 1 << 20;
/// Read-ahead of a long scan, in bytes.
const READ_AHEAD: u32 = 64 << 10;

/// An iterator over the live entries of one consistent state of the database.
///
/// Every move returns whether the iterator is then positioned at an entry. After an error it is not
/// positioned and may seek again. Dropping an unfinished move leaves it not positioned.
pub struct DbIterator {
    inner: MergingIterator<Source>,
    order: InternalKeyComparator,
    sequence: SequenceNumber,
    lower_bound: Option<Vec<u8>>,
    upper_bound: Option<Vec<u8>>,
    on_bad_block: OnBadBlock,
    valid: bool,
    backward: bool,
    /// Backward: the current key. Forward: scratch.
    saved_key: Vec<u8>,
    saved_value: Vec<u8>,
    error: Option<Error>,
    closed: Rc<Cell<bool>>,
    database: Weak<Inner>,
    version: Rc<Version>,
    until_sample: usize,
    /// Keeps the snapshot alive as long as the iterator.
    _snapshot: Option<crate::base::Snapshot>,
}

/// The memtables and tables of a view, the newest first.
pub(crate) fn sources(db: &Rc<Inner>, view: &View, read: BlockRead) -> Vec<Source> {
    let run = |files| Source::Level(LevelIterator::new(files, db.order.clone(), db.tables.clone(), read));
    let deeper = (1..LEVELS).filter(|level| !view.version.level(*level).is_empty());
    let count = 1 + view.immutables.len() + view.version.level(0).len() + deeper.clone().count();
    let mut sources = Vec::with_capacity(count);
    for memtable in std::iter::once(&view.active).chain(&view.immutables) {
        if !memtable.is_empty() {
            sources.push(Source::Memtable(MemTable::iter(memtable)));
        }
    }
    sources.extend(view.version.level(0).iter().map(|f| run(Rc::from([f.clone()]))));
    sources.extend(deeper.map(|level| run(view.version.share_level(level))));
    sources
}

impl DbIterator {
    pub(crate) fn new(db: &Rc<Inner>, options: &ReadOptions) -> Result<DbIterator> {
        db.check_open()?;
        check_snapshot(db, options)?;
        let view = db.view();
        let mut read = block_read(db, options);
        let on_bad_block = read.policy.on_bad_block;
        read.read_ahead = READ_AHEAD;
        let sources = sources(db, &view, read);
        if options.lower_bound.is_some() || options.upper_bound.is_some() {
            db.order.user().check_known()?;
        }
        #[cfg(feature = "comparators")]
        let sources = if db.order.user().is_as_stored() {
            vec![Source::Stored(Box::new(StoredIterator::new(sources, on_bad_block)))]
        } else {
            sources
        };
        Ok(DbIterator {
            inner: MergingIterator::new(sources, KeyOrder::Internal(db.order.clone()), on_bad_block),
            order: db.order.clone(),
            sequence: options.sequence(view.last_sequence),
            lower_bound: options.lower_bound.clone(),
            upper_bound: options.upper_bound.clone(),
            on_bad_block,
            valid: false,
            backward: false,
            saved_key: Vec::new(),
            saved_value: Vec::new(),
            error: None,
            closed: db.closed(),
            database: Rc::downgrade(db),
            version: view.version,
            until_sample: SAMPLE_BYTES,
            _snapshot: options.snapshot.clone(),
        })
    }

    /// The order of keys.
    #[cfg(feature = "full")]
    pub(crate) fn order(&self) -> &crate::base::UserComparator {
        self.order.user()
    }

    /// Returns whether the iterator is positioned at an entry.
    #[inline]
    pub fn valid(&self) -> bool {
        self.valid
    }

    /// Returns the current key; empty if not valid.
    #[inline]
    pub fn key(&self) -> &[u8] {
        match (self.valid, self.backward) {
            (true, false) => user_key(self.inner.key()),
            (true, true) => &self.saved_key,
            (false, _) => &[],
        }
    }

    /// Returns the sequence number of the entry; valid for forward moves only.
    pub(crate) fn sequence(&self) -> Option<SequenceNumber> {
        debug_assert!(!self.backward);
        parse_internal_key(self.inner.key()).ok().filter(|_| self.valid).map(|entry| entry.sequence)
    }

    /// Returns the current value; empty if not valid.
    #[inline]
    pub fn value(&self) -> &[u8] {
        match (self.valid, self.backward) {
            (true, false) => self.inner.value(),
            (true, true) => &self.saved_value,
            (false, _) => &[],
        }
    }

    /// Returns the first error since the last seek, or `Closed` after a move of a closed database.
    ///
    /// With [`RecoveryMode::Compat`](crate::RecoveryMode::Compat), moves skip damage without an error,
    /// and this is the first damage since the iterator was created.
    pub fn status(&self) -> Result<()> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => self.inner.status(),
        }
    }

    /// Moves to the first entry; returns whether there is one.
    ///
    /// # Errors
    /// `Corruption`, `Io`: a block cannot be read, unless
    /// [`RecoveryMode::Compat`](crate::RecoveryMode::Compat) skips it; `Closed`.
    pub async fn seek_to_first(&mut self) -> Result<bool> {
        self.begin()?;
        match self.lower_bound.clone() {
            Some(lower) => self.seek_inner(&lower).await,
            None => {
                let step = self.inner.seek_to_first();
                self.carry_on(step).await;
            }
        }
        self.find_next(false).await
    }

    /// Moves to the last entry. Errors as [`seek_to_first`](DbIterator::seek_to_first).
    pub async fn seek_to_last(&mut self) -> Result<bool> {
        self.begin()?;
        self.order.user().check_known()?;
        self.backward = true;
        let mut step = Step::Done;
        match self.upper_bound.clone() {
            Some(upper) => {
                self.seek_inner(&upper).await;
                if self.inner.valid() {
                    step = self.inner.prev();
                } else if self.inner_stopped().is_none() {
                    step = self.inner.seek_to_last();
                }
            }
            None => step = self.inner.seek_to_last(),
        }
        self.carry_on(step).await;
        self.find_previous().await
    }

    /// Moves to the first entry whose key is at or after `target`.
    ///
    /// Errors as [`seek_to_first`](DbIterator::seek_to_first).
    pub async fn seek(&mut self, target: &[u8]) -> Result<bool> {
        self.begin()?;
        self.order.user().check_known()?;
        let below = self.lower_bound.as_ref().is_some_and(|l| self.order.user().compare(target, l).is_lt());
        let target = if below { self.lower_bound.clone().unwrap_or_default() } else { target.to_vec() };
        self.seek_inner(&target).await;
        self.find_next(false).await
    }

    /// Moves to the next entry; does nothing if not positioned.
    ///
    /// Errors as [`seek_to_first`](DbIterator::seek_to_first).
    #[inline]
    pub async fn next(&mut self) -> Result<bool> {
        if !self.valid {
            return self.check_open().map(|()| false);
        }
        self.check_open()?;
        self.valid = false;
        if self.backward {
            // The inner iterator is before the entries of `saved_key`, which must be skipped.
            self.backward = false;
            let step = if self.inner.valid() { self.inner.next() } else { self.inner.seek_to_first() };
            self.carry_on(step).await;
        } else {
            self.saved_key.clear();
            self.saved_key.extend_from_slice(user_key(self.inner.key()));
            let step = self.inner.next();
            if step == Step::NeedsBlock {
                finish(&mut self.inner, step).await;
            }
        }
        self.find_next(true).await
    }

    /// Moves to the previous entry; does nothing if not positioned.
    ///
    /// Errors as [`seek_to_first`](DbIterator::seek_to_first).
    #[inline]
    pub async fn prev(&mut self) -> Result<bool> {
        if !self.valid {
            return self.check_open().map(|()| false);
        }
        self.check_open()?;
        self.valid = false;
        if !self.backward {
            self.order.user().check_known()?;
            self.saved_key.clear();
            self.saved_key.extend_from_slice(user_key(self.inner.key()));
            self.backward = true;
            loop {
                let step = self.inner.prev();
                self.carry_on(step).await;
                if !self.inner.valid() || self.order.user().compare(user_key(self.inner.key()), &self.saved_key).is_lt()
                {
                    break;
                }
            }
        }
        self.find_previous().await
    }

    fn begin(&mut self) -> Result<()> {
        self.valid = false;
        self.backward = false;
        if self.on_bad_block == OnBadBlock::Stop {
            self.error = None;
        }
        self.check_open()
    }

    #[inline]
    fn check_open(&mut self) -> Result<()> {
        if self.closed.get() { Err(self.refuse()) } else { Ok(()) }
    }

    #[cold]
    fn refuse(&mut self) -> Error {
        self.valid = false;
        self.error = Some(Error::Closed);
        Error::Closed
    }

    async fn seek_inner(&mut self, target: &[u8]) {
        let mut internal = std::mem::take(&mut self.saved_value);
        internal.clear();
        append_internal_key(&mut internal, target, self.sequence, ValueType::Value);
        let step = self.inner.seek(&internal);
        self.saved_value = internal;
        self.carry_on(step).await;
    }

    #[inline]
    async fn carry_on(&mut self, step: Step) {
        if step == Step::NeedsBlock {
            finish(&mut self.inner, step).await;
        }
    }

    /// Handles an error that ended a move of the inner iterator.
    fn inner_stopped(&self) -> Option<Error> {
        if self.on_bad_block == OnBadBlock::Skip { None } else { self.inner.status().err() }
    }

    fn ended(&mut self) -> Result<bool> {
        match self.inner_stopped() {
            Some(error) => {
                self.error.get_or_insert_with(|| error.clone());
                Err(error)
            }
            None => Ok(false),
        }
    }

    /// Handles an invalid internal key; in skipping mode it is passed over.
    fn bad_key(&mut self, reason: &str) -> Result<()> {
        let error = Error::corruption("iterator", 0, format!("corrupted internal key in DBIter: {reason}"));
        self.error.get_or_insert_with(|| error.clone());
        if self.on_bad_block == OnBadBlock::Skip { Ok(()) } else { Err(error) }
    }

    /// Moves forward to the first live entry; with `skipping`, past `saved_key`.
    #[inline]
    async fn find_next(&mut self, mut skipping: bool) -> Result<bool> {
        while self.inner.valid() {
            self.sample();
            match parse_internal_key(self.inner.key()) {
                Err(malformed) => self.bad_key(&malformed.reason)?,
                Ok(entry) => {
                    if self.upper_bound.as_ref().is_some_and(|u| self.order.user().compare(entry.user_key, u).is_ge()) {
                        return Ok(false);
                    }
                    if entry.sequence <= self.sequence {
                        let order = self.order.user();
                        match entry.value_type {
                            ValueType::Value if skipping && order.compare(entry.user_key, &self.saved_key).is_le() => {}
                            ValueType::Value => {
                                self.valid = true;
                                return Ok(true);
                            }
                            // Sets it for hidden entries too: if damage put keys out of order,
                            // LevelDB does the same.
                            ValueType::Deletion => {
                                self.saved_key.clear();
                                self.saved_key.extend_from_slice(entry.user_key);
                                skipping = true;
                                if self.on_bad_block == OnBadBlock::Stop {
                                    self.pass_deleted().await;
                                    continue;
                                }
                            }
                        }
                    }
                }
            }
            let step = self.inner.next();
            if step == Step::NeedsBlock {
                finish(&mut self.inner, step).await;
            }
        }
        self.ended()
    }

    /// Skips a tombstone of `saved_key` and the entries it hides. An invalid key is left to
    /// `find_next`, which reports it.
    #[inline]
    async fn pass_deleted(&mut self) {
        let mut passed = 0;
        let key = &self.saved_key;
        let hidden = |entry: &[u8]| same_bytes(user_key(entry), key) && parse_internal_key(entry).is_ok();
        let step = self.inner.pass(hidden, &mut passed);
        if step == Step::NeedsBlock {
            finish(&mut self.inner, step).await;
        }
        self.sample_bytes(passed);
    }

    /// Moves backward to the last live entry; the inner iterator is then before all of its key.
    #[inline]
    async fn find_previous(&mut self) -> Result<bool> {
        let mut found = ValueType::Deletion;
        while self.inner.valid() {
            self.sample();
            match parse_internal_key(self.inner.key()) {
                Err(malformed) => self.bad_key(&malformed.reason)?,
                Ok(ParsedInternalKey { user_key, sequence, value_type }) if sequence <= self.sequence => {
                    if found == ValueType::Value && self.order.user().compare(user_key, &self.saved_key).is_lt() {
                        break;
                    }
                    if self.lower_bound.as_ref().is_some_and(|l| self.order.user().compare(user_key, l).is_lt()) {
                        break;
                    }
                    found = value_type;
                    if value_type == ValueType::Value {
                        self.saved_key.clear();
                        self.saved_key.extend_from_slice(user_key);
                        self.saved_value.clear();
                        self.saved_value.extend_from_slice(self.inner.value());
                    }
                }
                Ok(_) => {}
            }
            let step = self.inner.prev();
            if step == Step::NeedsBlock {
                finish(&mut self.inner, step).await;
            }
        }
        if !self.inner.valid()
            && let Some(error) = self.inner_stopped()
        {
            self.error.get_or_insert_with(|| error.clone());
            return Err(error);
        }
        self.valid = found == ValueType::Value;
        Ok(self.valid)
    }

    /// About once per MiB read: if several tables hold the key, charges the first one a seek.
    #[inline]
    fn sample(&mut self) {
        let bytes = self.inner.key().len() + self.inner.value_len();
        self.sample_bytes(bytes);
    }

    #[inline]
    fn sample_bytes(&mut self, bytes: usize) {
        match self.until_sample.checked_sub(bytes) {
            Some(left) => self.until_sample = left,
            None => self.charge_sample(),
        }
    }

    #[cold]
    fn charge_sample(&mut self) {
        self.until_sample = SAMPLE_BYTES;
        let Some(db) = self.database.upgrade() else { return };
        let key = user_key(self.inner.key());
        let mut holders = self.version.files().filter(|(_, file)| file.covers(&self.order, key));
        if let (Some((level, file)), Some(_)) = (holders.next(), holders.next()) {
            charge_seek(&db, level, file);
        }
    }
}

impl std::fmt::Debug for DbIterator {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("DbIterator").field("valid", &self.valid).field("key", &self.key()).finish_non_exhaustive()
    }
}

//! User keys at one state of the database, in both directions.
//!
//! Forward, the inner iterator stands on the entry shown. Backward, it stands before all entries of the key shown, whose
//! key and value are kept here. Source: LevelDB `db/db_iter.cc`.

use std::cell::Cell;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll};

use super::look_up::{block_read, charge_seek, check_snapshot};
use crate::base::{
    InternalKeyComparator, KeyOrder, ParsedInternalKey, SequenceNumber, ValueType, append_internal_key,
    parse_internal_key, same_bytes, user_key,
};
use crate::db::state::Inner;
use crate::error::{Error, Result};
use crate::iter::{InternalIterator, MergingIterator, OnBadBlock, Step, finish};
use crate::memtable::{MemTable, MemTableIterator};
use crate::options::ReadOptions;
use crate::version::{LEVELS, LevelIterator, Version};

/// Bytes read between two samples of which tables reads have to merge.
const SAMPLE_BYTES: usize = 1 << 20;
/// Bytes read at once by a scan that has gone on for a while.
const READ_AHEAD: u32 = 64 << 10;

/// One sorted source of a database.
pub(crate) enum Source {
    Memtable(MemTableIterator),
    Level(LevelIterator),
}

macro_rules! delegate {
    ($self:ident, $it:ident => $call:expr) => {
        match $self {
            Source::Memtable($it) => $call,
            Source::Level($it) => $call,
        }
    };
}

impl InternalIterator for Source {
    #[inline]
    fn valid(&self) -> bool {
        delegate!(self, it => it.valid())
    }
    #[inline]
    fn key(&self) -> &[u8] {
        delegate!(self, it => it.key())
    }
    #[inline]
    fn value(&self) -> &[u8] {
        delegate!(self, it => it.value())
    }
    #[inline]
    fn value_len(&self) -> usize {
        delegate!(self, it => it.value_len())
    }
    fn status(&self) -> Result<()> {
        delegate!(self, it => it.status())
    }
    fn seek_to_first(&mut self) -> Step {
        delegate!(self, it => it.seek_to_first())
    }
    fn seek_to_last(&mut self) -> Step {
        delegate!(self, it => it.seek_to_last())
    }
    fn seek(&mut self, target: &[u8]) -> Step {
        delegate!(self, it => it.seek(target))
    }
    #[inline]
    fn next(&mut self) -> Step {
        delegate!(self, it => it.next())
    }
    #[inline]
    fn prev(&mut self) -> Step {
        delegate!(self, it => it.prev())
    }
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        delegate!(self, it => it.poll_fill(cx))
    }
    fn resume(&mut self) -> Step {
        delegate!(self, it => it.resume())
    }
}

/// Moves over the live entries of a database as of one moment, whatever is written meanwhile.
///
/// Every move returns whether the iterator is then positioned at an entry. After an error it is not positioned and may seek again. A
/// move that is dropped before it ends leaves the iterator nowhere.
pub struct DbIterator {
    inner: MergingIterator<Source>,
    order: InternalKeyComparator,
    sequence: SequenceNumber,
    lower_bound: Option<Vec<u8>>,
    upper_bound: Option<Vec<u8>>,
    on_bad_block: OnBadBlock,
    valid: bool,
    backward: bool,
    /// Backward: the key shown. Forward: scratch.
    saved_key: Vec<u8>,
    saved_value: Vec<u8>,
    error: Option<Error>,
    closed: Rc<Cell<bool>>,
    database: Weak<Inner>,
    version: Rc<Version>,
    until_sample: usize,
    /// The snapshot stays held as long as the iterator that reads it.
    _snapshot: Option<crate::base::Snapshot>,
}

impl DbIterator {
    pub(crate) fn new(db: &Rc<Inner>, options: &ReadOptions) -> Result<DbIterator> {
        db.check_open()?;
        check_snapshot(db, options)?;
        let view = db.view();
        let mut read = block_read(db, options);
        let on_bad_block = read.policy.on_bad_block;
        read.read_ahead = READ_AHEAD;
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

    /// Whether the iterator stands on an entry.
    #[inline]
    pub fn valid(&self) -> bool {
        self.valid
    }

    /// The key; empty if not valid.
    #[inline]
    pub fn key(&self) -> &[u8] {
        match (self.valid, self.backward) {
            (true, false) => user_key(self.inner.key()),
            (true, true) => &self.saved_key,
            (false, _) => &[],
        }
    }

    /// The write that the entry is of. For moves forward alone.
    pub(crate) fn sequence(&self) -> Option<SequenceNumber> {
        debug_assert!(!self.backward);
        parse_internal_key(self.inner.key()).ok().filter(|_| self.valid).map(|entry| entry.sequence)
    }

    /// The value; empty if not valid.
    #[inline]
    pub fn value(&self) -> &[u8] {
        match (self.valid, self.backward) {
            (true, false) => self.inner.value(),
            (true, true) => &self.saved_value,
            (false, _) => &[],
        }
    }

    /// Returns the first error. With [`RecoveryMode::Compat`], moves skip damage and only this reports it.
    pub fn status(&self) -> Result<()> {
        match &self.error {
            Some(error) => Err(error.clone()),
            None => self.inner.status(),
        }
    }

    /// Moves to the first entry. Returns, like all moves, whether there is one.
    ///
    /// # Errors
    /// `Corruption`, `Io`: a block on the way cannot be read (in [`RecoveryMode::Compat`] it is passed over); `Closed`.
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

    /// To the last entry. Errors as [`seek_to_first`](DbIterator::seek_to_first).
    pub async fn seek_to_last(&mut self) -> Result<bool> {
        self.begin()?;
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

    /// To the first entry whose key is at or after `target`. Errors as [`seek_to_first`](DbIterator::seek_to_first).
    pub async fn seek(&mut self, target: &[u8]) -> Result<bool> {
        self.begin()?;
        let below = self.lower_bound.as_ref().is_some_and(|l| self.order.user().compare(target, l).is_lt());
        let target = if below { self.lower_bound.clone().unwrap_or_default() } else { target.to_vec() };
        self.seek_inner(&target).await;
        self.find_next(false).await
    }

    /// To the entry behind. On an iterator that stands nowhere it does nothing. Errors as
    /// [`seek_to_first`](DbIterator::seek_to_first).
    #[inline]
    pub async fn next(&mut self) -> Result<bool> {
        if !self.valid {
            return self.check_open().map(|()| false);
        }
        self.check_open()?;
        self.valid = false;
        if self.backward {
            // The inner iterator stands before the entries of `saved_key`, which is to be passed.
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

    /// To the entry before. On an iterator that stands nowhere it does nothing. Errors as
    /// [`seek_to_first`](DbIterator::seek_to_first).
    #[inline]
    pub async fn prev(&mut self) -> Result<bool> {
        if !self.valid {
            return self.check_open().map(|()| false);
        }
        self.check_open()?;
        self.valid = false;
        if !self.backward {
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
    fn check_open(&self) -> Result<()> {
        if self.closed.get() { Err(Error::Closed) } else { Ok(()) }
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

    /// An error that ended the inner iterator's move.
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

    /// An internal key that is none. Skipping passes over it.
    fn bad_key(&mut self, reason: &str) -> Result<()> {
        let error = Error::corruption("iterator", 0, format!("corrupted internal key in DBIter: {reason}"));
        self.error.get_or_insert_with(|| error.clone());
        if self.on_bad_block == OnBadBlock::Skip { Ok(()) } else { Err(error) }
    }

    /// Forward to the first live entry from where the inner iterator stands; with `skipping`, past `saved_key`.
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
                            // A hidden one too: where damage has put keys out of order, LevelDB's result is that of this.
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

    /// Past a tombstone of `saved_key` and what it hides. A key that cannot be understood is left for `find_next` to complain of.
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

    /// Backward to the last live entry before where the inner iterator stands, which then stands before all of its key.
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

    /// Once about every MiB read: if several tables hold the key, the first is charged a seek.
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

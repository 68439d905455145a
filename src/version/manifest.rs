//! The MANIFEST and CURRENT files: replay, append, switch.
//!
//! ```text
//! CURRENT          the text "MANIFEST-000002\n"
//! MANIFEST-000002  a log (log/mod.rs) of version edits (edit.rs); the first is a complete version
//! ```
//! A new manifest becomes current in three steps: sync its content, make its name durable, replace
//! CURRENT.

use std::cell::Cell;
use std::future::{Future, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;

use super::edit::VersionEdit;
use super::levels::Version;
use super::set::{Builder, Counts, VersionSet};
use crate::base::{FileKind, FileName, FileNumber, UserComparator, to_u64};
use crate::bugs::{Bug, seeded};
use crate::env::{Env, NameEdit, read_file};
use crate::error::{Error, Malformed, Result};
use crate::log::{LogReader, LogWriter, Semantics, Tail};
use crate::options::RecoveryMode;

/// Largest size of CURRENT in bytes.
const CURRENT_SIZE_MAX: u64 = 4096;
/// Size in bytes at which a manifest is replaced by a new one.
const MANIFEST_SIZE_MAX: u64 = 32 << 20;

/// The manifest being written.
pub(crate) struct Manifest {
    pub(crate) number: FileNumber,
    writer: LogWriter,
    /// Records of an earlier process may not be durable yet.
    found: Cell<bool>,
    /// As above, but only removal of files depends on those records.
    may_wait: bool,
}

/// Waits for two steps that go on at the same time; the first begins first.
async fn both<A, B>(first: impl Future<Output = Result<A>>, second: impl Future<Output = Result<B>>) -> Result<()> {
    let (mut first, mut second) = (pin!(first), pin!(second));
    let (mut a, mut b) = (None, None);
    poll_fn(|cx| {
        if a.is_none()
            && let Poll::Ready(result) = first.as_mut().poll(cx)
        {
            a = Some(result);
        }
        if b.is_none()
            && let Poll::Ready(result) = second.as_mut().poll(cx)
        {
            b = Some(result);
        }
        if a.is_some() && b.is_some() { Poll::Ready(()) } else { Poll::Pending }
    })
    .await;
    a.transpose()?;
    b.transpose()?;
    Ok(())
}

impl Manifest {
    /// Writes `MANIFEST-number` with `records` and points CURRENT to it.
    pub(crate) async fn create(env: &Rc<dyn Env>, number: FileNumber, records: &[Vec<u8>]) -> Result<Manifest> {
        let name = FileName::Manifest(number).to_string();
        let file = env.create(&name, FileKind::Manifest, 0).await?;
        let manifest = Manifest {
            number,
            writer: LogWriter::new(env.clone(), file, name.clone(), 0),
            found: Cell::default(),
            may_wait: true,
        };
        for record in records {
            manifest.writer.add_record(record).await?;
        }
        let replace = NameEdit::Replace {
            name: FileName::Current.to_string(),
            via: FileName::Temporary(number).to_string(),
            content: format!("{name}\n").into_bytes(),
        };
        if seeded(Bug::CurrentBeforeManifest) {
            env.edit_names(vec![replace]).await?;
            manifest.writer.sync().await?;
            return Ok(manifest);
        }
        // Content and name may become durable in any order, but both before CURRENT names the file.
        both(manifest.writer.sync(), env.edit_names(Vec::new())).await?;
        env.edit_names(vec![replace]).await?;
        Ok(manifest)
    }

    /// Reuses a manifest that ends cleanly at `size`. Its existing records must be made durable by
    /// [`sync_found`](Manifest::sync_found), at the latest before files are removed.
    pub(crate) async fn reopen(env: &Rc<dyn Env>, number: FileNumber, size: u64, may_wait: bool) -> Result<Manifest> {
        let name = FileName::Manifest(number).to_string();
        let file = env.open(&name, crate::env::Access::Append).await?;
        Ok(Manifest { number, writer: LogWriter::new(env.clone(), file, name, size), found: Cell::new(true), may_wait })
    }

    /// Appends one record and flushes it.
    pub(crate) async fn append(&self, record: &[u8]) -> Result<()> {
        self.writer.add(record, true).await?;
        if !seeded(Bug::ManifestNotSynced) {
            self.writer.sync().await?;
        }
        self.found.set(false);
        Ok(())
    }

    /// Returns whether [`sync_found`](Manifest::sync_found) is needed even if no file is removed.
    pub(crate) fn must_sync(&self) -> bool {
        self.found.get() && !self.may_wait
    }

    /// Makes the existing records and CURRENT durable, before files of older records are removed.
    pub(crate) async fn sync_found(&self, env: &dyn Env) -> Result<()> {
        if self.found.get() {
            self.writer.sync().await?;
            env.edit_names(Vec::new()).await?;
            self.found.set(false);
        }
        Ok(())
    }

    /// Returns whether the manifest should be replaced.
    pub(crate) fn is_large(&self) -> bool {
        self.writer.size() >= MANIFEST_SIZE_MAX
    }
}

/// Returns the number of the manifest that CURRENT names.
pub(crate) async fn read_current(env: &dyn Env) -> Result<FileNumber> {
    let content = read_file(env, "CURRENT", CURRENT_SIZE_MAX).await?;
    parse_current(&content).map_err(|malformed| malformed.in_file("CURRENT", 0))
}

/// Returns the number of the manifest that this content of CURRENT names.
pub(crate) fn parse_current(content: &[u8]) -> Result<FileNumber, Malformed> {
    if content.is_empty() {
        return Err(Malformed::new(0, "CURRENT is empty"));
    }
    let Some((b'\n', name)) = content.split_last() else {
        return Err(Malformed::new(to_u64(content.len()), "CURRENT file does not end with newline"));
    };
    let parsed = std::str::from_utf8(name).ok().and_then(FileName::parse);
    let canonical = parsed.filter(|parsed| parsed.to_string().as_bytes() == name);
    let Some(FileName::Manifest(number)) = canonical else {
        let found = name.escape_ascii().to_string();
        return Err(Malformed::new(0, format!("CURRENT holds \"{found}\", expected a name like MANIFEST-000002")));
    };
    Ok(number)
}

/// Returns the name of the comparator of the database in `env`.
///
/// Use it to choose the comparator for [`Db::open`](crate::Db::open). Returns `None` if no readable
/// record of the manifest names one; damage after that record is not checked.
///
/// # Errors
/// `Io` (see [`Error::is_not_found`]): there is no database, or the storage failed. `Corruption`:
/// `CURRENT` does not name a manifest.
///
/// ```
/// # use std::rc::Rc;
/// # use varve::{Db, Options, block_on, env::MemoryEnv, stored_comparator};
/// let env = Rc::new(MemoryEnv::new());
/// let options = Options { create_if_missing: true, ..Options::default() };
/// block_on(async {
///     Db::open(env.clone(), options).await?.close().await?;
///     let name = stored_comparator(&*env).await?;
///     assert_eq!(name.as_deref(), Some(&b"leveldb.BytewiseComparator"[..]));
///     Ok::<(), varve::Error>(())
/// })?;
/// # Ok::<(), varve::Error>(())
/// ```
pub async fn stored_comparator(env: &dyn Env) -> Result<Option<Vec<u8>>> {
    let name = FileName::Manifest(read_current(env).await?).to_string();
    let mut reader = LogReader::open(env, &name, Semantics::Prefix).await?;
    while let Some(record) = reader.next_record().await? {
        let edit = VersionEdit::decode(&record.data).map_err(|e| e.in_file(&name, record.offset))?;
        if edit.comparator.is_some() {
            return Ok(edit.comparator);
        }
    }
    Ok(None)
}

/// The result of reading a manifest to its end.
pub(crate) struct ManifestState {
    pub(crate) number: FileNumber,
    /// Offset of the end of the last whole record.
    pub(crate) size: u64,
    /// Size of the file in bytes.
    pub(crate) file_size: u64,
    /// Damage after the last record: the caller must check that every named file exists.
    pub(crate) torn: Option<Error>,
}

/// Replays `MANIFEST-number` into `set`. Damage is an error; a torn tail is one in strict mode
/// only, and otherwise left to the caller.
pub(crate) async fn recover_manifest(
    env: &dyn Env,
    number: FileNumber,
    set: &mut VersionSet,
    mode: RecoveryMode,
) -> Result<ManifestState> {
    let name = FileName::Manifest(number).to_string();
    let semantics = if mode == RecoveryMode::Compat { Semantics::Compat { verify: true } } else { Semantics::Prefix };
    let opened = LogReader::open(env, &name, semantics).await;
    let mut reader = opened.map_err(|error| {
        if error.is_not_found() {
            Error::corruption("CURRENT", 0, format!("CURRENT points to a non-existent file: {name}"))
        } else {
            error
        }
    })?;
    let file_size = reader.file_size().await?;
    let mut replay = Replay::new();
    while let Some(record) = reader.next_record().await? {
        let edit = VersionEdit::decode(&record.data).map_err(|e| e.in_file(&name, record.offset))?;
        check_comparator(set, &edit)?;
        if edit.comparator.is_some() {
            set.stored_comparator.clone_from(&edit.comparator);
        }
        replay.apply(&edit).map_err(|reason| Error::corruption(&name, record.offset, reason))?;
    }
    if let Some(damage) = reader.take_damages().into_iter().next() {
        return Err(Error::corruption(&name, damage.offset, damage.reason));
    }
    let torn = match reader.tail().clone() {
        Tail::Clean => None,
        Tail::Zeros { offset } => Some(Error::corruption(&name, offset, "the rest of the file is zeros")),
        Tail::Torn { offset, reason } => Some(Error::corruption(&name, offset, reason)),
    };
    if let Some(error) = &torn {
        let after = reader.tail().offset().unwrap_or_else(|| reader.good_end());
        if mode == RecoveryMode::Strict || reader.scan_for_record_after(after).await?.is_some() {
            return Err(error.clone());
        }
    }
    let size = reader.good_end();
    if size == 0 {
        let extent = if file_size == 0 { "is empty" } else { "has no complete record" };
        // LevelDB's sentence stays in it.
        let reason = format!("{name} {extent}: no meta-nextfile entry in descriptor");
        return Err(Error::corruption(&name, 0, reason));
    }
    replay.finish(set, mode == RecoveryMode::Compat).map_err(|reason| Error::corruption(&name, size, reason))?;
    Ok(ManifestState { number, size, file_size, torn })
}

/// A wrong comparator is the caller's mistake, not damage.
fn check_comparator(set: &VersionSet, edit: &VersionEdit) -> Result<()> {
    let given = set.order().user().name();
    match &edit.comparator {
        Some(stored) if stored != given.as_bytes() && !set.order().user().is_as_stored() => {
            let is_unknown = cfg!(feature = "comparators") && UserComparator::named(stored).is_none();
            let stored = stored.escape_ascii();
            let advice = if is_unknown {
                "its own is not known here, but with the comparator as-stored and read_only its entries can be read in \
                 the order of its files"
            } else {
                "open it with its own"
            };
            Err(Error::InvalidArgument(format!(
                "the database uses the comparator {stored}, the options say {given}: {advice} (in Rust, `repair_as` \
                 sorts it anew)"
            )))
        }
        _ => Ok(()),
    }
}

/// Edits merged into one version.
struct Replay {
    builder: Builder,
    last: VersionEdit,
}

impl Replay {
    fn new() -> Replay {
        Replay { builder: Builder::new(&Version::default()), last: VersionEdit::default() }
    }

    fn apply(&mut self, edit: &VersionEdit) -> Result<(), String> {
        self.builder.apply(edit)?;
        self.last.compact_pointers.extend(edit.compact_pointers.iter().cloned());
        self.last.log_number = edit.log_number.or(self.last.log_number);
        self.last.previous_log_number = edit.previous_log_number.or(self.last.previous_log_number);
        self.last.next_file_number = edit.next_file_number.or(self.last.next_file_number);
        self.last.last_sequence = edit.last_sequence.or(self.last.last_sequence);
        Ok(())
    }

    fn finish(self, set: &mut VersionSet, lenient: bool) -> Result<(), String> {
        let next = self.last.next_file_number.ok_or("no meta-nextfile entry in descriptor")?;
        let log = self.last.log_number.ok_or("no meta-lognumber entry in descriptor")?;
        let sequence = self.last.last_sequence.ok_or("no last-sequence-number entry in descriptor")?;
        let version = self.builder.finish(set.order(), lenient)?;
        let numbers = version.files().map(|(_, f)| f.number).chain([log]).max();
        if numbers.is_some_and(|largest| largest >= FileNumber(u64::MAX)) {
            return Err("a file number has reached 2^64 - 1".into());
        }
        set.install(&self.last, version);
        set.counts = Counts {
            log_number: log,
            previous_log_number: self.last.previous_log_number.unwrap_or_default(),
            next_file_number: next,
            last_sequence: sequence,
            flushed_sequence: sequence,
        };
        if let Some(largest) = numbers {
            set.mark_used(largest).map_err(|e| e.to_string())?;
        }
        Ok(())
    }
}

//! The write-ahead log: appends records, truncates failed ones, flushes, starts a new log.

use std::rc::Rc;

use crate::base::{FileKind, FileName};
use crate::bugs::{Bug, seeded};
use crate::db::state::{Inner, Log};
use crate::error::{Error, Result};
use crate::events::{Event, count};
use crate::log::LogWriter;
use crate::memtable::MemTable;

/// Appends the record; a failed append is truncated, so that only this group is lost.
///
/// With `sync_follows`, the log is flushed next.
pub(super) async fn append(inner: &Inner, log: &Log, record: &[u8], sync_follows: bool) -> Result<()> {
    let before = log.writer().size();
    log.begin_record();
    match log.writer().add(record, sync_follows).await {
        Ok(()) => {
            logged(inner, log, before);
            Ok(())
        }
        Err(error) => Err(take_back(inner, log, error).await),
    }
}

/// Notes that a record was added to the log when it had `before` bytes.
pub(super) fn logged(inner: &Inner, log: &Log, before: u64) {
    count(&inner.counters.log_records, 1);
    count(&inner.counters.bytes_logged, log.writer().size().saturating_sub(before));
}

/// Truncates a failed append; returns the error for the writer.
pub(super) async fn take_back(inner: &Inner, log: &Log, error: Error) -> Error {
    if seeded(Bug::FailedAppendNotTruncated) {
        return error;
    }
    // The truncation is flushed too, or a crash could restore a refused write.
    let has_left_nothing = matches!(error, Error::Full(_)) && inner.env.appends_are_atomic();
    let cut = match log.writer().truncate_to_good().await {
        Ok(()) if has_left_nothing => Ok(()),
        Ok(()) if !seeded(Bug::CutNotSynced) => sync_log(inner, log).await,
        result => result,
    };
    log.cut();
    let Err(second) = cut else { return error };
    inner.degrade(&second);
    Error::Poisoned { cause: format!("{error}; then: {second}"), maybe_applied: true }
}

/// Returns whether a flush failed only to open the directory, and can be retried.
pub(super) fn lacked_descriptor(inner: &Inner, error: &Error) -> bool {
    let state = inner.state.borrow();
    let mut logs = state.older_dirty_logs();
    logs.extend(state.log().cloned());
    inner.tables.gives_back(error);
    error.is_too_many_open_files() && logs.iter().all(|log| log.writer().is_ready())
}

/// Makes all records durable, older logs first, so that a crash leaves a prefix.
pub(super) async fn flush_logs(inner: &Inner, log: &Log) -> Result<()> {
    if seeded(Bug::LogNotSynced) {
        return Ok(());
    }
    let older = inner.state.borrow().older_dirty_logs();
    if !seeded(Bug::OlderLogNotSynced) {
        for old in &older {
            sync_log(inner, old).await?;
        }
    }
    if older.is_empty() && !log.is_dirty() {
        return Ok(());
    }
    if !log.has_durable_name() {
        inner.env.edit_names(Vec::new()).await?;
        log.name_is_durable();
    }
    if log.is_dirty() {
        sync_log(inner, log).await?;
    }
    Ok(())
}

async fn sync_log(inner: &Inner, log: &Log) -> Result<()> {
    let result = log.writer().sync().await;
    if !seeded(Bug::SyncErrorIgnored) {
        result?;
    }
    log.flushed();
    count(&inner.counters.log_syncs, 1);
    Ok(())
}

pub(super) fn current_log(inner: &Inner) -> Result<Rc<Log>> {
    let log = inner.state.borrow().log().cloned();
    log.ok_or_else(|| Error::NotSupported("the database is open read-only".into()))
}

/// Starts a new log and an empty memtable.
pub(super) async fn rotate(inner: &Rc<Inner>) -> Result<()> {
    let log = create_log(inner).await?;
    let memtable = Rc::new(MemTable::new(inner.order.clone()));
    inner.state.borrow_mut().rotate(memtable, log);
    Ok(())
}

/// Creates a log. Its name becomes durable with the first flush.
pub(crate) async fn create_log(inner: &Inner) -> Result<Rc<Log>> {
    let number = inner.state.borrow_mut().new_file_number()?;
    let name = FileName::Log(number).to_string();
    let size_hint = u64::try_from(inner.options.write_buffer_size).unwrap_or(0);
    let file = match inner.env.create(&name, FileKind::Log, size_hint).await {
        Err(error) if inner.tables.gives_back(&error) => inner.env.create(&name, FileKind::Log, size_hint).await?,
        file => file?,
    };
    inner.state.borrow_mut().note_file(FileName::Log(number));
    inner.emit(|| Event::FileCreated { name: name.clone() });
    let writer = LogWriter::new(inner.env.clone(), file, name, 0);
    Ok(Log::new(number, writer, false))
}

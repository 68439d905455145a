//! Stores the recovered state, so that the next open does not recover it again.
use std::rc::Rc;

use super::replay::Recovery;
use crate::base::{FileKind, FileName, FileNumber, to_u64};
use crate::bugs::{Bug, seeded};
use crate::db::background::log_and_apply;
use crate::db::obsolete_files::remove_obsolete;
use crate::db::report::RecoveryReport;
use crate::db::state::{Inner, Log};
use crate::db::write::create_log;
use crate::env::{Access, Io, NameEdit, append_checked};
use crate::error::Result;
use crate::log::LogWriter;
use crate::options::RecoveryMode;
use crate::version::{Manifest, ManifestState};

/// Entries of up to this many logs stay in a memtable. Those of more logs are flushed during open;
/// otherwise short sessions would accumulate logs.
const LOGS_KEPT_MAX: usize = 4;

impl Recovery {
    /// Keeps replayed entries in memory, for a read-only database.
    pub(super) fn keep_in_memory(self, inner: &Inner) -> RecoveryReport {
        inner.state.borrow_mut().keep_in_memory(self.memtable, self.last_sequence);
        self.report
    }

    /// Stores the recovered state in the manifest and starts a new log, or reuses the old one.
    pub(super) async fn install(
        mut self,
        inner: &Inner,
        logs: &[(FileNumber, String)],
        manifest: &ManifestState,
    ) -> Result<RecoveryReport> {
        self.keep_damaged(inner, logs).await?;
        let last_sequence = self.seen.max(self.last_sequence);
        let many = logs.len() > LOGS_KEPT_MAX && !inner.options.reuse_logs;
        let is_lenient = self.mode == RecoveryMode::Compat
            && (!self.damaged.is_empty() || logs.iter().any(|(number, _)| !self.empty_logs.contains(number)));
        if many
            || is_lenient
            || self.gap_from.is_some()
            || self.replayed.is_some_and(|replayed| replayed < last_sequence)
        {
            // Entries of damaged logs, of logs that the next one does not continue, and of logs that
            // another recovery mode may refuse, must be in tables.
            self.flush(inner).await?;
            self.edit.last_sequence = Some(last_sequence);
        }
        inner.state.borrow_mut().use_sequences(last_sequence);
        if self.reuse(inner, logs, manifest).await? {
            remove_obsolete(inner).await?;
            return Ok(self.report);
        }
        let log = create_log(inner).await?;
        self.set_aside(log.number());
        let first_log = {
            let mut state = inner.state.borrow_mut();
            state.begin_log(std::mem::take(&mut self.full), log.clone());
            state.first_log()
        };
        // These logs may never have been flushed, and must be before newer ones.
        if first_log != log.number() {
            self.sync_recovered_logs(inner, logs).await?;
        }
        let mut edit = std::mem::take(&mut self.edit);
        edit.log_number = Some(first_log);
        edit.previous_log_number = Some(FileNumber(0));
        // This makes names durable too.
        log_and_apply(inner, edit).await?;
        log.name_is_durable();
        remove_obsolete(inner).await?;
        Ok(self.report)
    }

    /// Starts flushing the logs for [`sync_recovered_logs`](Recovery::sync_recovered_logs) while
    /// they are replayed. Logs of a storage that opens files asynchronously are flushed afterwards.
    pub(super) fn begin_to_sync(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) {
        for (number, name) in logs {
            if !seeded(Bug::RecoveredLogNotSynced)
                && let Io::Ready(Some(Ok(file))) = inner.env.open(name, Access::Append)
                && let Io::Ready(Some(Ok(1..))) = file.size()
            {
                self.flushes.push((*number, file.sync()));
            }
        }
    }

    /// Flushes replayed logs. Otherwise a crash could lose one and keep a synced write in a newer
    /// log, which would be a gap.
    async fn sync_recovered_logs(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        for (number, name) in logs {
            if self.empty_logs.contains(number) || seeded(Bug::RecoveredLogNotSynced) {
                continue;
            }
            match self.flushes.iter().position(|(begun, _)| begun == number) {
                Some(at) => self.flushes.swap_remove(at).1.await?,
                None => inner.env.open(name, Access::Append).await?.sync().await?,
            };
        }
        Ok(())
    }

    /// Reuses the last log and the manifest if both end cleanly and nothing else changed: with
    /// `reuse_logs`, or if the only log is empty after a close or flush.
    async fn reuse(&mut self, inner: &Inner, logs: &[(FileNumber, String)], manifest: &ManifestState) -> Result<bool> {
        let Some((number, end)) = self.clean_end else { return Ok(false) };
        let is_wanted = inner.options.reuse_logs
            || end == 0 && matches!(logs, [only] if *only == canonical(inner.state.borrow().counts().log_number));
        let is_whole = manifest.torn.is_none() && manifest.size == manifest.file_size;
        if !is_wanted
            || self.flushed
            || !self.full.is_empty()
            || !is_whole
            || manifest.size >= inner.options.max_file_size
        {
            return Ok(false);
        }
        let Some((_, name)) = logs.iter().find(|(log, _)| *log == number) else { return Ok(false) };
        let name = name.clone();
        let file = match inner.env.open(&name, Access::Append).await {
            // If an old file is not writable, a new one is created.
            Err(_) if !inner.options.reuse_logs => return Ok(false),
            file => file?,
        };
        if file.size().await? != end {
            return Ok(false);
        }
        // The previous process may have left names, logs and one manifest record that are not
        // durable. The operation that depends on them flushes them: a sync of the log, the next
        // record, or removal of files. Sequence numbers reveal a second record; CURRENT was made
        // durable before it.
        let may_wait = end == 0 && logs.len() == 1 && self.last_sequence.get() > 0;
        let reopened = match Manifest::reopen(&inner.env, manifest.number, manifest.size, may_wait).await {
            Err(_) if !inner.options.reuse_logs => return Ok(false),
            reopened => reopened?,
        };
        self.sync_recovered_logs(inner, logs).await?;
        let writer = LogWriter::new(inner.env.clone(), file, name, end);
        let log = Log::new(number, writer, !may_wait);
        let first_log = self.first_log.unwrap_or(number);
        inner.state.borrow_mut().continue_log(self.memtable.clone(), first_log, log, Rc::new(reopened));
        Ok(true)
    }

    /// Copies damaged logs, and those from the gap on, to `NNNNNN.log.damaged` before they can be
    /// removed.
    async fn keep_damaged(&mut self, inner: &Inner, logs: &[(FileNumber, String)]) -> Result<()> {
        if self.gap_from.is_none() && self.damaged.is_empty() {
            return Ok(());
        }
        let is_kept =
            |number: &FileNumber| self.gap_from.is_some_and(|from| *number >= from) || self.damaged.contains(number);
        for (_, name) in logs.iter().filter(|(number, _)| is_kept(number)) {
            let kept = format!("{name}.damaged");
            let source = inner.env.open(name, Access::Read).await?;
            let size = source.size().await?;
            let copy = inner.env.create(&kept, FileKind::Log, size).await?;
            let mut offset = 0u64;
            while offset < size {
                let piece = source.read_at(offset, 1 << 20).await?;
                if piece.is_empty() {
                    break;
                }
                let end = offset.saturating_add(to_u64(piece.len()));
                append_checked(&*inner.env, &*copy, &kept, &piece, end).await?;
                offset = end;
            }
            copy.sync().await?;
            self.report.kept.push(kept);
        }
        inner.env.edit_names(Vec::<NameEdit>::new()).await
    }
}

/// Returns the log with the name that LevelDB gives it.
fn canonical(number: FileNumber) -> (FileNumber, String) {
    (number, FileName::Log(number).to_string())
}

//! Replaces the old database with the repaired one.

use super::aside::Move;
use super::old_manifest::OldManifest;
use super::repairer::Repairer;
use super::report::{RepairReport, how_to_use, report_resembling};
use crate::base::{FileName, FileNumber, sort_by, to_u64};
use crate::db::open::FilesOnStorage;
use crate::env::NameEdit;
use crate::error::{Error, Result};
use crate::version::{Manifest, VersionEdit};

impl Repairer<'_> {
    /// Handles files that are neither tables nor logs: opening deletes old manifests and temporary
    /// files.
    pub(super) fn others(&mut self, files: &FilesOnStorage) {
        for name in files.names() {
            match FileName::parse(name) {
                Some(FileName::Manifest(_)) => self.aside.add(name),
                Some(FileName::Temporary(_)) => {
                    self.findings.push(Error::corruption(
                        name,
                        0,
                        "left by an interrupted update of CURRENT; moved to lost/",
                    ));
                    self.aside.add(name);
                }
                _ => {}
            }
        }
    }

    /// Replaces CURRENT and the manifest. From here on the old manifest is no longer valid.
    pub(super) async fn install(mut self, files: &FilesOnStorage, old: &OldManifest) -> Result<RepairReport> {
        let current_is_understood = self.judge_current().await?;
        // Steps that can fail come before the first change.
        let moves = self.aside.choose_targets(&**self.env).await?;
        // The names of new tables become durable before CURRENT is removed.
        self.env.edit_names(Vec::new()).await?;
        if current_is_understood {
            self.env.edit_names(vec![NameEdit::Remove { name: FileName::Current.to_string() }]).await?;
        }
        self.rename_kept().await?;
        let merged = self.place(old).await?;
        // Manifests are moved last, so that an interrupted repair can be repeated.
        let (manifests, others): (Vec<Move>, Vec<Move>) = moves.into_iter().partition(Move::is_manifest);
        self.env.edit_names(others.iter().map(Move::edit).collect()).await?;
        self.write_manifest(&manifests).await?;
        let removals = merged.into_iter().map(|name| NameEdit::Remove { name });
        self.env.edit_names(manifests.iter().map(Move::edit).chain(removals).collect()).await?;
        let lost = others.into_iter().chain(manifests).map(|moved| moved.target).collect();
        let mut next = report_resembling(files, self.next.get(), &mut self.findings);
        for (name, why) in std::mem::take(&mut self.leftovers) {
            let reason = format!("not used: {why}; moved to lost/. {}", how_to_use(&name, next));
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

    /// Returns whether CURRENT is valid and can be removed. An invalid one is moved to `lost/`.
    async fn judge_current(&mut self) -> Result<bool> {
        let name = FileName::Current.to_string();
        match crate::version::read_current(&**self.env).await {
            Ok(_) => Ok(true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(_) => {
                // It is moved before all other files.
                self.aside.add_first(&name);
                Ok(false)
            }
        }
    }

    /// Writes the new manifest and CURRENT. `old` are the manifests not yet moved.
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
}

//! Replaces the old database with the repaired one.

use super::aside::Move;
use super::details::Details;
use super::old_manifest::OldManifest;
use super::repairer::Repairer;
use super::report::{RecoveredFile, RepairReport, UnusedFile, how_to_use, report_resembling};
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
                    self.leave_out(name, "left by an interrupted switch of CURRENT");
                }
                _ => {}
            }
        }
    }

    /// Replaces CURRENT and the manifest. From here on the old manifest is no longer valid.
    pub(super) async fn install(
        mut self,
        files: &FilesOnStorage,
        old: &OldManifest,
    ) -> Result<(RepairReport, Details)> {
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
        let moves: Vec<Move> = others.into_iter().chain(manifests).collect();
        let mut next = report_resembling(files, self.next.get(), &mut self.findings);
        for (name, why) in std::mem::take(&mut self.leftovers) {
            let reason = format!("not used: {why}; set aside in lost/. {}", how_to_use(&name, next));
            self.findings.push(Error::corruption(&*name, 0, reason));
            self.unused.push((name, why.into()));
            next = FileNumber(next.0 + 1);
        }
        let (recovered, unused) = self.sorted_moves(&moves);
        let details = std::mem::take(&mut self.details);
        let report = RepairReport {
            tables: to_u64(self.kept.len()),
            entries: self.kept.iter().map(|kept| kept.entries).sum(),
            recovered,
            unused,
            old_data_may_reappear: self.has_lost_entries,
            lost: moves.into_iter().map(|moved| moved.target).collect(),
            findings: self.findings.into_list(),
        };
        Ok((report, details))
    }

    /// Sorts the files that were moved: those with entries in the database, and the others.
    fn sorted_moves(&mut self, moves: &[Move]) -> (Vec<RecoveredFile>, Vec<UnusedFile>) {
        let mut known = std::mem::take(&mut self.recovered);
        let (mut recovered, mut unused) = (Vec::new(), Vec::new());
        for moved in moves {
            let lost = moved.target.clone();
            if let Some(at) = known.iter().position(|file| file.file == moved.name) {
                recovered.push(RecoveredFile { lost, ..known.swap_remove(at) });
                continue;
            }
            let reason = self.unused.iter().find(|(name, _)| *name == moved.name).map(|(_, reason)| reason.clone());
            let reason = reason.unwrap_or_else(|| match FileName::parse(&moved.name) {
                Some(FileName::Manifest(_)) => "replaced by a new manifest".into(),
                Some(FileName::Current) => "it does not name a manifest".into(),
                _ => "nothing of it can be used".into(),
            });
            unused.push(UnusedFile { file: moved.name.clone(), lost, reason });
        }
        (recovered, unused)
    }

    /// Whether CURRENT holds what it should, so that it may go; one whose text is not understood is kept.
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

//! A version edit becomes durable, then current.

use std::rc::Rc;

use crate::base::FileName;
use crate::db::state::Inner;
use crate::error::{Error, Result};
use crate::table::FinishedTable;
use crate::version::{Manifest, NewFile, VersionEdit};

/// Makes `edit` durable, then current. New names are made durable first. After a failure the manifest is in doubt: nothing
/// is removed, and the next edit goes into a new one.
pub(crate) async fn log_and_apply(inner: &Inner, edit: VersionEdit) -> Result<()> {
    log_and_apply_unless(inner, edit, || None).await.map(|_| ())
}

/// The same; but if `undo` gives an edit once this one is durable, that one is made durable too, and none is made current: both
/// together must change nothing. Answers whether `edit` is current.
pub(crate) async fn log_and_apply_unless(
    inner: &Inner,
    mut edit: VersionEdit,
    undo: impl FnOnce() -> Option<VersionEdit>,
) -> Result<bool> {
    let (version, manifest) = {
        let state = inner.state.borrow();
        edit.next_file_number = Some(state.versions.counts.next_file_number);
        edit.last_sequence = edit.last_sequence.or(Some(state.versions.counts.flushed_sequence));
        edit.log_number = edit.log_number.or(Some(state.versions.counts.log_number));
        let version = state.versions.next_version(&edit).map_err(|reason| {
            Error::corruption("MANIFEST", 0, format!("an edit contradicts the current version: {reason}"))
        })?;
        (version, state.manifest.clone().filter(|m| !m.is_large()))
    };
    let manifest = match manifest {
        Some(manifest) => {
            if !crate::bugs::seeded(crate::bugs::Bug::NamesNotSynced) {
                inner.env.edit_names(Vec::new()).await?;
            }
            // While the record is on its way, what is stored is in doubt.
            inner.state.borrow_mut().manifest = None;
            manifest.append(&edit.encode()).await?;
            manifest
        }
        None => new_manifest(inner, &mut edit).await?,
    };
    if let Some(undo) = undo() {
        manifest.append(&undo.encode()).await?;
        inner.state.borrow_mut().manifest = Some(manifest);
        return Ok(false);
    }
    let mut state = inner.state.borrow_mut();
    state.manifest = Some(manifest);
    state.versions.install(&edit, version);
    Ok(true)
}

async fn new_manifest(inner: &Inner, edit: &mut VersionEdit) -> Result<Rc<Manifest>> {
    let (number, snapshot) = {
        let mut state = inner.state.borrow_mut();
        state.manifest = None;
        let number = state.versions.new_file_number()?;
        state.note_file(FileName::Manifest(number));
        state.note_file(FileName::Temporary(number));
        edit.next_file_number = Some(state.versions.counts.next_file_number);
        (number, state.versions.snapshot_edit())
    };
    let records = [snapshot.encode(), edit.encode()];
    Ok(Rc::new(Manifest::create(&inner.env, number, &records).await?))
}

pub(crate) fn new_file(table: &FinishedTable) -> NewFile {
    NewFile { number: table.number, size: table.size, smallest: table.smallest.clone(), largest: table.largest.clone() }
}

//! Makes version edits durable, then current.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use crate::db::state::Inner;
use crate::error::{Error, Result};
use crate::table::FinishedTable;
use crate::version::{Manifest, NewFile, VersionEdit};

/// Makes `edit` durable, then current. New file names are made durable first. After a failure the
/// manifest is in doubt: nothing is removed, and the next edit starts a new manifest.
pub(crate) async fn log_and_apply(inner: &Inner, edit: VersionEdit) -> Result<()> {
    change(inner, edit, 0, Box::new(|| None)).await.map(|_| ())
}

/// Applies an edit whose new table holds the oldest `flushed` immutable memtables, and drops these.
pub(crate) async fn log_and_apply_flush(inner: &Inner, edit: VersionEdit, flushed: usize) -> Result<()> {
    change(inner, edit, flushed, Box::new(|| None)).await.map(|_| ())
}

/// Applies an edit, unless `undo` returns a second one once the first is durable: then that is made
/// durable too, and neither becomes current. Returns whether `edit` is current.
pub(crate) async fn log_and_apply_unless(
    inner: &Inner,
    edit: VersionEdit,
    undo: impl FnOnce() -> Option<VersionEdit>,
) -> Result<bool> {
    change(inner, edit, 0, Box::new(undo)).await
}

type Undo<'a> = Box<dyn FnOnce() -> Option<VersionEdit> + 'a>;

/// Boxed: called in several places, it would be compiled into each.
fn change<'a>(
    inner: &'a Inner,
    edit: VersionEdit,
    flushed: usize,
    undo: Undo<'a>,
) -> Pin<Box<dyn Future<Output = Result<bool>> + 'a>> {
    Box::pin(changed(inner, edit, flushed, undo))
}

async fn changed(inner: &Inner, mut edit: VersionEdit, flushed: usize, undo: Undo<'_>) -> Result<bool> {
    let (version, manifest) = {
        let state = inner.state.borrow();
        edit.next_file_number = Some(state.counts().next_file_number);
        edit.last_sequence = edit.last_sequence.or(Some(state.counts().flushed_sequence));
        edit.log_number = edit.log_number.or(Some(state.counts().log_number));
        let version = state.next_version(&edit).map_err(|reason| {
            Error::corruption("MANIFEST", 0, format!("an edit contradicts the current version: {reason}"))
        })?;
        (version, state.manifest().cloned().filter(|m| !m.is_large()))
    };
    let manifest = match manifest {
        Some(manifest) => {
            if !crate::bugs::seeded(crate::bugs::Bug::NamesNotSynced) {
                inner.env.edit_names(Vec::new()).await?;
            }
            // While the record is being written, the stored state is in doubt.
            inner.state.borrow_mut().doubt_manifest();
            manifest.append(&edit.encode()).await?;
            manifest
        }
        None => new_manifest(inner, &mut edit).await?,
    };
    if let Some(undo) = undo() {
        manifest.append(&undo.encode()).await?;
        inner.state.borrow_mut().trust_manifest(manifest);
        return Ok(false);
    }
    inner.state.borrow_mut().install(manifest, &edit, version, flushed);
    Ok(true)
}

async fn new_manifest(inner: &Inner, edit: &mut VersionEdit) -> Result<Rc<Manifest>> {
    let (number, snapshot) = {
        let mut state = inner.state.borrow_mut();
        let begun = state.begin_manifest()?;
        edit.next_file_number = Some(state.counts().next_file_number);
        begun
    };
    let records = [snapshot.encode(), edit.encode()];
    Ok(Rc::new(Manifest::create(&inner.env, number, &records).await?))
}

pub(crate) fn new_file(table: &FinishedTable) -> NewFile {
    NewFile { number: table.number, size: table.size, smallest: table.smallest.clone(), largest: table.largest.clone() }
}

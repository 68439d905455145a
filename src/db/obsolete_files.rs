//! Finds and removes files that are no longer needed.

use super::state::Inner;
use crate::base::FileName;
use crate::env::NameEdit;
use crate::error::{Error, Result};
use crate::events::Event;

/// Removes obsolete files, unused outputs of a finished job too. Removes nothing while the stored
/// manifest is in doubt.
pub(crate) async fn remove_obsolete(inner: &Inner) -> Result<()> {
    inner.state.borrow_mut().end_outputs();
    remove_unneeded(inner).await
}

/// Removes obsolete files in the middle of a job, whose outputs stay.
pub(crate) async fn remove_unneeded(inner: &Inner) -> Result<()> {
    let gone = inner.state.borrow_mut().take_obsolete();
    let manifest = inner.state.borrow().manifest().cloned();
    if gone.is_empty() && !manifest.as_ref().is_some_and(|manifest| manifest.must_sync()) {
        return Ok(());
    }
    if let Some(manifest) = manifest
        && let Err(error) = manifest.sync_found(&*inner.env).await
    {
        let mut state = inner.state.borrow_mut();
        gone.into_iter().for_each(|(name, text)| state.note_file_called(name, text));
        return Err(error);
    }
    for (name, _) in &gone {
        if let FileName::Table(number) = name {
            inner.tables.forget(*number);
        }
    }
    let edits = gone.iter().map(remove).collect();
    match inner.env.edit_names(edits).await {
        Ok(()) => {
            for (_, name) in gone {
                inner.emit(|| Event::FileRemoved { name });
            }
            Ok(())
        }
        Err(error @ Error::Fenced(_)) => Err(error),
        Err(error) => {
            inner.emit(|| Event::BackgroundError { message: error.to_string() });
            remove_one_by_one(inner, gone).await;
            Ok(())
        }
    }
}

/// A file that cannot be removed must not keep the others. The next removal, or the next open,
/// tries it again.
async fn remove_one_by_one(inner: &Inner, gone: Vec<(FileName, String)>) {
    for file in gone {
        match inner.env.edit_names(vec![remove(&file)]).await {
            Ok(()) => inner.emit(|| Event::FileRemoved { name: file.1 }),
            Err(_) => inner.state.borrow_mut().note_file_called(file.0, file.1),
        }
    }
}

fn remove((_, text): &(FileName, String)) -> NameEdit {
    NameEdit::Remove { name: text.clone() }
}

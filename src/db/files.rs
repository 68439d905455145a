//! Which files may be deleted, and their removal.

use super::state::Inner;
use crate::base::FileName;
use crate::env::NameEdit;
use crate::error::Result;
use crate::events::Event;

/// Removes what nothing needs any more. While the stored manifest is in doubt that is nothing.
pub(crate) async fn remove_obsolete(inner: &Inner) -> Result<()> {
    inner.state.borrow_mut().pending_outputs.clear();
    let gone = inner.state.borrow_mut().take_obsolete();
    if gone.is_empty() {
        return Ok(());
    }
    for (name, _) in &gone {
        if let FileName::Table(number) = name {
            inner.tables.forget(*number);
        }
    }
    let edits = gone.iter().map(|(_, text)| NameEdit::Remove { name: text.clone() }).collect();
    let result = inner.env.edit_names(edits).await;
    if let Err(error) = result {
        // They are still there, and still of no use: the next removal takes them.
        let mut state = inner.state.borrow_mut();
        gone.into_iter().for_each(|(name, text)| state.note_file_called(name, text));
        return Err(error);
    }
    for (_, text) in gone {
        inner.emit(|| Event::FileRemoved { name: text });
    }
    Ok(())
}

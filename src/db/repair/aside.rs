//! Files that are not used go to `lost/`, where nothing is overwritten.

use std::io::ErrorKind;

use crate::env::{Access, Env, NameEdit};
use crate::error::{Error, Result};

const NAMES_TRIED_MAX: u32 = 10_000;

/// Names to be moved.
#[derive(Default)]
pub(super) struct Aside {
    names: Vec<String>,
}

impl Aside {
    pub(super) fn add(&mut self, name: &str) {
        if !self.names.iter().any(|known| known == name) {
            self.names.push(name.to_owned());
        }
    }

    /// Moves them. Returns their names in `lost/`: an earlier repair may have put a file of the same name there, which stays.
    pub(super) async fn move_all(&self, env: &dyn Env) -> Result<Vec<String>> {
        let mut moved = Vec::new();
        let mut edits = Vec::new();
        for name in &self.names {
            let mut target = name.clone();
            let mut attempt = 1;
            while is_taken(env, &target).await? {
                if attempt > NAMES_TRIED_MAX {
                    return Err(Error::Busy(format!("lost/ has too many files called {name}: clear it first")));
                }
                target = format!("{name}.{attempt}");
                attempt += 1;
            }
            edits.push(NameEdit::Rename { from: name.clone(), to: format!("lost/{target}") });
            moved.push(target);
        }
        env.edit_names(edits).await?;
        Ok(moved)
    }
}

/// Whether `lost/` has a file of this name; one that may not be read is one.
async fn is_taken(env: &dyn Env, name: &str) -> Result<bool> {
    match env.open(&format!("lost/{name}"), Access::Read).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(Error::Io(error)) if error.kind == ErrorKind::PermissionDenied => Ok(true),
        Err(error) => Err(error),
    }
}

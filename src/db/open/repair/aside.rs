//! Moves unused files to `lost/` without overwriting files there.

use std::io::ErrorKind;

use crate::base::FileName;
use crate::env::{Access, Env, NameEdit};
use crate::error::{Error, Result};

const NAMES_TRIED_MAX: u32 = 1_000;

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

    pub(super) fn add_first(&mut self, name: &str) {
        self.names.insert(0, name.to_owned());
    }

    pub(super) fn lacks(&self, name: &str) -> bool {
        !self.names.iter().any(|known| known == name)
    }

    /// Finds free names in `lost/`, which may have files of the same names from an earlier repair.
    pub(super) async fn choose_targets(&self, env: &dyn Env) -> Result<Vec<Move>> {
        let mut moves = Vec::new();
        for name in &self.names {
            let mut target = name.clone();
            let mut attempt = 1;
            while is_taken(env, &target).await? {
                if attempt > NAMES_TRIED_MAX {
                    return Err(Error::Busy(format!("lost/ has too many files named {name}: empty it first")));
                }
                target = format!("{name}.{attempt}");
                attempt += 1;
            }
            moves.push(Move { name: name.clone(), target });
        }
        Ok(moves)
    }
}

/// A file to be moved to `lost/`.
pub(super) struct Move {
    pub(super) name: String,
    /// Its name in `lost/`.
    pub(super) target: String,
}

impl Move {
    pub(super) fn is_manifest(&self) -> bool {
        matches!(FileName::parse(&self.name), Some(FileName::Manifest(_)))
    }

    pub(super) fn edit(&self) -> NameEdit {
        NameEdit::Rename { from: self.name.clone(), to: format!("lost/{}", self.target) }
    }
}

/// Whether the name exists in `lost/`, also if it cannot be read. It is an error if `lost` is not a
/// directory.
async fn is_taken(env: &dyn Env, name: &str) -> Result<bool> {
    match env.open(&format!("lost/{name}"), Access::Read).await {
        Ok(_) => Ok(true),
        Err(error) if error.is_not_found() => Ok(false),
        Err(Error::Io(error)) if matches!(error.kind, ErrorKind::PermissionDenied | ErrorKind::IsADirectory) => {
            Ok(true)
        }
        Err(error) => Err(error),
    }
}

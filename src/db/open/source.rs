//! Detects that another process changes a database that is read without its lock.

use std::rc::Rc;

use crate::base::{FileName, FileNumber};
use crate::env::{Access, Env, Io, read_file};
use crate::error::{Error, Result};
use crate::table::Watch;

/// An upper bound of CURRENT's size.
const CURRENT_SIZE_MAX: u64 = 4096;

/// Identifies the set of live files: CURRENT and the size of the manifest that it names. Unreadable
/// parts are `None`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Stamp {
    current: Option<Vec<u8>>,
    manifest_size: Option<u64>,
}

impl Stamp {
    /// Makes the stamp of a database whose manifest has this number and size.
    pub(crate) fn of(manifest: FileNumber, size: u64) -> Stamp {
        let current = format!("{}\n", FileName::Manifest(manifest)).into_bytes();
        Stamp { current: Some(current), manifest_size: Some(size) }
    }

    pub(crate) async fn take(env: &dyn Env) -> Stamp {
        let current = read_file(env, "CURRENT", CURRENT_SIZE_MAX).await.ok();
        let name = current.as_deref().and_then(|text| std::str::from_utf8(text).ok()).map(str::trim_end);
        let manifest = name.filter(|name| matches!(FileName::parse(name), Some(FileName::Manifest(_))));
        let manifest_size = match manifest {
            Some(name) => size_of(env, name).await.ok(),
            None => None,
        };
        Stamp { current, manifest_size }
    }
}

async fn size_of(env: &dyn Env, name: &str) -> Result<u64> {
    env.open(name, Access::Read).await?.size().await
}

/// Repeats reads without a lock until nothing changed meanwhile, or fails with `SourceChanged`.
pub(crate) const ATTEMPTS: usize = 5;

pub(crate) fn changed() -> Error {
    Error::SourceChanged("another process is changing the database; try again".into())
}

/// Explains a missing table of a read-only database to the table cache.
pub(crate) struct ManifestWatch {
    pub(crate) env: Rc<dyn Env>,
    pub(crate) stamp: Stamp,
}

impl Watch for ManifestWatch {
    fn has_changed(&self) -> Io<bool> {
        let (env, before) = (self.env.clone(), self.stamp.clone());
        Io::pending(async move { Ok(Stamp::take(&*env).await != before) })
    }
}

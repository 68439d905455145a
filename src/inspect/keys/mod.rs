//! What keys of well-known applications mean: their parts, as spans with offsets in the key.
//!
//! ```text
//! some keys of a file -> guess -> the scheme of all its keys
//! a key, a scheme     -> a span with a field for each part, or nothing if the key is not of the scheme
//! ```
//! A wrong meaning is worse than none: a key has one only if all its bytes are accounted for.

mod bedrock;
mod indexed_db;
mod names;
mod text;
mod web_storage;

pub use names::Names;

use super::span::Span;

/// Longer keys are not decoded.
const KEY_MAX: usize = 64 << 10;

/// A way to write keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// Chromium's IndexedDB (comparator `idb_cmp1`).
    IndexedDb,
    /// Chromium's Local Storage.
    LocalStorage,
    /// Chromium's Session Storage.
    SessionStorage,
    /// Worlds of Minecraft Bedrock.
    Bedrock,
}

const SCHEMES: [Scheme; 4] = [Scheme::IndexedDb, Scheme::LocalStorage, Scheme::SessionStorage, Scheme::Bedrock];

impl Scheme {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Scheme::IndexedDb => "indexeddb",
            Scheme::LocalStorage => "local storage",
            Scheme::SessionStorage => "session storage",
            Scheme::Bedrock => "bedrock",
        }
    }

    /// The scheme of this name.
    pub fn named(name: &str) -> Option<Scheme> {
        SCHEMES.into_iter().find(|scheme| scheme.name() == name)
    }

    /// The scheme that all of these keys are of, if they tell.
    pub fn guess<'a>(keys: impl Iterator<Item = &'a [u8]> + Clone) -> Option<Scheme> {
        SCHEMES.into_iter().find(|scheme| {
            let (mut count, mut telling) = (0, 0);
            for key in keys.clone() {
                count += 1;
                match scheme.weight(key) {
                    Some(weight) => telling += weight,
                    None => return false,
                }
            }
            count > 0 && telling >= WEIGHT_MIN
        })
    }

    /// How much a key of the scheme tells; `None`: it is not of the scheme.
    fn weight(self, key: &[u8]) -> Option<u32> {
        let span = self.explain(key)?;
        Some(match self {
            Scheme::IndexedDb => 2,
            Scheme::LocalStorage => web_storage::local_weight(&span),
            Scheme::SessionStorage => web_storage::session_weight(&span),
            Scheme::Bedrock => bedrock::weight(&span),
        })
    }

    /// The parts of a key; `None` if it is not of the scheme.
    pub fn explain(self, key: &[u8]) -> Option<Span> {
        if key.len() > KEY_MAX {
            return None;
        }
        match self {
            Scheme::IndexedDb => indexed_db::explain(key),
            Scheme::LocalStorage => web_storage::explain_local(key),
            Scheme::SessionStorage => web_storage::explain_session(key),
            Scheme::Bedrock => bedrock::explain(key),
        }
    }
}

/// What keys must tell together: one key that is unmistakable, or several that only fit.
const WEIGHT_MIN: u32 = 8;

#[cfg(test)]
mod tests;

//! Names of files, and changes of them.

use crate::error::{Error, Result};

/// One change of the set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameEdit {
    /// `from` becomes `to`, replacing it. `to` may begin with `lost/`: kept, but out of the way of `list`.
    Rename {
        /// The old name; it must exist.
        from: String,
        /// The new name.
        to: String,
    },
    /// The name goes away. A name that does not exist is no error.
    Remove {
        /// The name.
        name: String,
    },
    /// The file holds exactly `content`, atomically.
    Replace {
        /// The name, whether it exists or not.
        name: String,
        /// A name that the storage may use on the way; a crash may leave it behind.
        via: String,
        /// The whole content.
        content: Vec<u8>,
    },
}

impl NameEdit {
    /// Whether all names in it are allowed ([`check_name`]).
    pub fn check(&self) -> Result<()> {
        let (one, other) = match self {
            NameEdit::Rename { from, to } => (from, to),
            NameEdit::Remove { name } => (name, name),
            NameEdit::Replace { name, via, .. } => (name, via),
        };
        check_name(one)?;
        check_name(other)
    }
}

/// Whether a storage takes this name: 1 to 255 bytes, none of `/ \ :` and no control character, not `.`, `..` or `LOCK`
/// (which is the lock's own); all this may follow one `lost/`.
pub fn check_name(name: &str) -> Result<()> {
    let bare = name.strip_prefix("lost/").unwrap_or(name);
    let forbidden = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    if bare.is_empty() || bare.len() > 255 || matches!(bare, "." | ".." | "LOCK" | "lost") || bare.contains(forbidden) {
        // Not `{:?}`: that brings Unicode's tables with it, for what may be printed.
        return Err(Error::InvalidArgument(format!("\"{}\" cannot be the name of a file", name.escape_default())));
    }
    Ok(())
}

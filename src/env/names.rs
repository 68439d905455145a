//! Names of files, and changes to them.

use crate::error::{Error, Result};

/// One change to the set of names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NameEdit {
    /// Renames `from` to `to`, replacing it.
    ///
    /// `to` may begin with `lost/`: kept, but not listed by `list`.
    Rename {
        /// The old name; it must exist.
        from: String,
        /// The new name.
        to: String,
    },
    /// Removes the name. A name that does not exist is not an error.
    Remove {
        /// The name.
        name: String,
    },
    /// Atomically makes the file contain exactly `content`.
    Replace {
        /// The name, whether it exists or not.
        name: String,
        /// A temporary name that the storage may use; a crash may leave it behind.
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

/// Whether a storage accepts this name.
///
/// Allowed are 1 to 255 bytes, without `/ \ :` and control characters, other than `.`, `..` and
/// `LOCK` (reserved for the lock). One `lost/` may precede them.
pub fn check_name(name: &str) -> Result<()> {
    let bare = name.strip_prefix("lost/").unwrap_or(name);
    let forbidden = |c: char| matches!(c, '/' | '\\' | ':') || c.is_control();
    if bare.is_empty() || bare.len() > 255 || matches!(bare, "." | ".." | "LOCK" | "lost") || bare.contains(forbidden) {
        // Not `{:?}`: it would add Unicode's tables of printable characters to the module.
        return Err(Error::InvalidArgument(format!("\"{}\" is not a valid file name", name.as_bytes().escape_ascii())));
    }
    Ok(())
}

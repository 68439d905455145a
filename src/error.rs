//! The only public error type. Its variants tell what the caller can do.

use std::fmt;

/// The result of every fallible call of this crate.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// The reason why a call failed, by what the caller can do about it.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// Stored bytes are damaged.
    ///
    /// Other files, and most other keys, stay readable; `repair` recovers what can be read.
    #[error("corruption: {0}")]
    Corruption(Box<Corruption>),
    /// The storage failed a call. Retry, or reopen once the cause is fixed.
    #[error("i/o error: {0}")]
    Io(Box<IoError>),
    /// The quota or disk is full.
    ///
    /// Reads still work. If only an append to the log failed, that write did not happen and the
    /// database accepts others; otherwise writes except deletes are refused: free space, then call
    /// [`Db::resume`](crate::Db::resume). See [`Db::state`](crate::Db::state).
    #[error("storage is full: {0}")]
    Full(Box<IoError>),
    /// Another process or handle has the database open.
    #[error("locked: {0}")]
    Locked(String),
    /// Another owner has taken over the database; close this handle.
    #[error("fenced: {0}")]
    Fenced(String),
    /// A read-only source changed while it was open; open it again.
    #[error("source changed: {0}")]
    SourceChanged(String),
    /// The platform deleted the database.
    #[error("evicted: {0}")]
    Evicted(String),
    /// An earlier failure stopped writes; call `resume` or reopen.
    #[error("{} after an earlier failure: {cause}", if *.maybe_applied { "write with unknown result" } else { "no more writes" })]
    Poisoned {
        /// The failure that stopped writing.
        cause: String,
        /// Whether the write that returned this error may be present after reopening.
        maybe_applied: bool,
    },
    /// Too many calls are queued; try again later.
    #[error("busy: {0}")]
    Busy(String),
    /// An input is larger than a documented limit. Nothing was written.
    #[error("limit exceeded: {0}")]
    LimitExceeded(String),
    /// An argument or option is invalid, or contradicts what is stored. Nothing was written.
    #[error("invalid argument: {0}")]
    InvalidArgument(String),
    /// The storage or this build does not support this.
    #[error("not supported: {0}")]
    NotSupported(String),
    /// A block is compressed with a codec that this build lacks. Nothing is damaged: a build with
    /// the codec reads it.
    #[error("not supported: {0}")]
    MissingCodec(Box<MissingCodec>),
    /// The database is closed.
    #[error("the database is closed")]
    Closed,
}

/// The place of damaged bytes, and the damage.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Corruption {
    /// Name of the file inside the database directory, e.g. `000005.ldb`.
    pub file: String,
    /// Byte offset of the damage in that file.
    pub offset: u64,
    /// The field, the stored value and the expected value.
    pub reason: String,
}

impl fmt::Display for Corruption {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The reason of the whole file: it is missing, or empty.
        if self.reason.strip_prefix(&*self.file).is_some_and(|rest| rest.starts_with(" is ")) {
            return write!(f, "{}", self.reason);
        }
        write!(f, "{} at offset {}: {}", self.file, self.offset, self.reason)
    }
}

/// A block whose codec this build lacks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MissingCodec {
    /// Name of the file inside the database directory, e.g. `000005.ldb`.
    pub file: String,
    /// Byte offset of the block in that file.
    pub offset: u64,
    /// The codec, and which build has it.
    pub reason: String,
}

impl fmt::Display for MissingCodec {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, block at offset {}: {}", self.file, self.offset, self.reason)
    }
}

/// The failure that a storage reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct IoError {
    /// Name of the file inside the database directory, or of the directory.
    pub file: String,
    /// The call that failed: `append`, `sync`, `read`, `create` ...
    pub operation: &'static str,
    /// The kind of failure, as in the standard library.
    pub kind: std::io::ErrorKind,
    /// The storage's message.
    pub message: String,
}

impl fmt::Display for IoError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} of {}: {}", self.operation, self.file, self.message)
    }
}

/// Damage inside one byte slice.
///
/// A decoder knows only its slice; its caller, which knows the file, turns this into a
/// [`Corruption`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Malformed {
    /// Byte offset in the slice.
    pub offset: u64,
    /// The field, the stored value and the expected value.
    pub reason: String,
}

impl Malformed {
    /// An error at `offset` of the slice being decoded.
    pub fn new(offset: u64, reason: impl Into<String>) -> Malformed {
        Malformed { offset, reason: reason.into() }
    }

    /// The same error in `file`, whose decoded slice begins at `base`.
    pub fn in_file(self, file: &str, base: u64) -> Error {
        Error::corruption(file, base.saturating_add(self.offset), self.reason)
    }
}

impl Error {
    /// The [`Corruption`] of a missing `file`; `why` says what refers to it.
    pub fn missing(file: impl Into<String>, why: &str) -> Error {
        let file = file.into();
        let reason = if why.is_empty() { format!("{file} is missing") } else { format!("{file} is missing: {why}") };
        Error::corruption(file, 0, reason)
    }

    /// A [`Corruption`] of `file` at `offset`.
    pub fn corruption(file: impl Into<String>, offset: u64, reason: impl Into<String>) -> Error {
        Error::Corruption(Box::new(Corruption { file: file.into(), offset, reason: reason.into() }))
    }

    /// A failed call of the storage; a full disk or quota becomes [`Error::Full`].
    pub fn io(
        file: impl Into<String>,
        operation: &'static str,
        kind: std::io::ErrorKind,
        message: impl Into<String>,
    ) -> Error {
        let full = matches!(kind, std::io::ErrorKind::StorageFull | std::io::ErrorKind::QuotaExceeded);
        let error = Box::new(IoError { file: file.into(), operation, kind, message: message.into() });
        if full { Error::Full(error) } else { Error::Io(error) }
    }

    /// An error of the standard library while doing `operation` on `file`.
    pub fn from_std(file: impl Into<String>, operation: &'static str, error: &std::io::Error) -> Error {
        if is_exhausted(error) {
            let advice = "close other files or sockets of the process, or raise its limit (ulimit -n)";
            let message = format!("{error}; no table has a descriptor that could be closed: {advice}");
            return Error::io(file, operation, std::io::ErrorKind::ResourceBusy, message);
        }
        Error::io(file, operation, error.kind(), error.to_string())
    }

    /// Returns a short stable word for programs.
    ///
    /// One of `corruption`, `io`, `full`, `locked`, `fenced`, `source-changed`, `evicted`, `poisoned`,
    /// `busy`, `limit-exceeded`, `invalid-argument`, `not-supported` (also of
    /// [`MissingCodec`](Error::MissingCodec)) and `closed`.
    pub fn code(&self) -> &'static str {
        match self {
            Error::Corruption(_) => "corruption",
            Error::Io(_) => "io",
            Error::Full(_) => "full",
            Error::Locked(_) => "locked",
            Error::Fenced(_) => "fenced",
            Error::SourceChanged(_) => "source-changed",
            Error::Evicted(_) => "evicted",
            Error::Poisoned { .. } => "poisoned",
            Error::Busy(_) => "busy",
            Error::LimitExceeded(_) => "limit-exceeded",
            Error::InvalidArgument(_) => "invalid-argument",
            Error::NotSupported(_) | Error::MissingCodec(_) => "not-supported",
            Error::Closed => "closed",
        }
    }

    /// Whether the write that returned this error may still be found after reopening.
    pub fn maybe_applied(&self) -> bool {
        matches!(self, Error::Poisoned { maybe_applied: true, .. })
    }

    /// Whether the storage reports that the file or directory does not exist.
    pub fn is_not_found(&self) -> bool {
        matches!(self, Error::Io(e) if e.kind == std::io::ErrorKind::NotFound)
    }

    /// Whether the storage could not open a file because too many are open.
    ///
    /// Nothing was done and nothing is damaged: the same call can succeed later.
    pub fn is_too_many_open_files(&self) -> bool {
        matches!(self, Error::Io(e) if e.kind == std::io::ErrorKind::ResourceBusy)
    }

    /// Whether this is a [`Corruption`].
    pub fn is_corruption(&self) -> bool {
        matches!(self, Error::Corruption(_))
    }
}

/// Whether the process or the system is out of file descriptors (EMFILE, ENFILE).
///
/// The standard library has no kind for them.
pub(crate) fn is_exhausted(error: &std::io::Error) -> bool {
    let codes: &[i32] = if cfg!(windows) { &[4] } else { &[23, 24] };
    error.raw_os_error().is_some_and(|code| codes.contains(&code))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_full_disk_is_not_a_plain_io_error() {
        let e = Error::io("000003.log", "append", std::io::ErrorKind::StorageFull, "no space");
        assert_eq!(e.code(), "full");
        assert_eq!(e.to_string(), "storage is full: append of 000003.log: no space");
    }

    #[test]
    fn a_missing_file_needs_no_offset() {
        let told = |why| Error::missing("000014.log", why).to_string();
        assert_eq!(told("the manifest names it"), "corruption: 000014.log is missing: the manifest names it");
        assert_eq!(told(""), "corruption: 000014.log is missing");
        assert_eq!(Error::corruption("CURRENT", 0, "CURRENT is empty").to_string(), "corruption: CURRENT is empty");
    }

    #[test]
    fn errors_are_small_enough_to_return_from_hot_paths() {
        assert!(size_of::<Error>() <= 32, "{}", size_of::<Error>());
    }
}

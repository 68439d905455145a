//! File names of a database.
//!
//! ```text
//! CURRENT  LOCK  LOG  LOG.old  MANIFEST-000002  000003.log  000005.ldb  000005.sst  000004.dbtmp
//! ```
//! Numbers are decimal, printed with at least six digits, and fit 64 bits. Any other name does not
//! belong to the database: it is never touched. Source: LevelDB `db/filename.cc`.

use std::fmt;

/// A file number. One counter serves all kinds of files, and no number is used twice.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileNumber(pub u64);

impl FileNumber {
    /// The next number; `None` at the end of 64 bits.
    pub fn next(self) -> Option<FileNumber> {
        self.0.checked_add(1).map(FileNumber)
    }
}

impl fmt::Display for FileNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:06}", self.0)
    }
}

/// The kind of a new file, from which a storage can choose how to write it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum FileKind {
    /// A write-ahead log: many small appends, some of them synced while a writer waits.
    Log,
    /// A manifest: few small appends, each synced.
    Manifest,
    /// A table: large appends, synced once at the end.
    Table,
}

/// A parsed file name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FileName {
    /// `CURRENT`: the name of the current manifest.
    Current,
    /// `LOCK`: locked while the database is open.
    Lock,
    /// `LOG`, `LOG.old`: LevelDB's messages (Varve leaves them alone).
    InfoLog,
    /// `MANIFEST-000002`.
    Manifest(FileNumber),
    /// `000003.log`: a write-ahead log.
    Log(FileNumber),
    /// `000005.ldb`, or `000005.sst` as written before LevelDB 1.14.
    Table(FileNumber),
    /// `000004.dbtmp`: will be renamed to `CURRENT`.
    Temporary(FileNumber),
}

/// Returns the name of the table with this number: `000005.ldb`.
pub fn table_file_name(number: FileNumber) -> String {
    format!("{number}.ldb")
}

impl FileName {
    /// `None` for other files' names.
    pub fn parse(name: &str) -> Option<FileName> {
        match name {
            "CURRENT" => return Some(FileName::Current),
            "LOCK" => return Some(FileName::Lock),
            "LOG" | "LOG.old" => return Some(FileName::InfoLog),
            _ => {}
        }
        if let Some(digits) = name.strip_prefix("MANIFEST-") {
            return parse_number(digits).map(FileName::Manifest);
        }
        let (digits, suffix) = name.split_once('.')?;
        let number = parse_number(digits)?;
        match suffix {
            "log" => Some(FileName::Log(number)),
            "ldb" | "sst" => Some(FileName::Table(number)),
            "dbtmp" => Some(FileName::Temporary(number)),
            _ => None,
        }
    }

    /// Whether this engine, or an older LevelDB, writes that file's name so.
    ///
    /// `000005.ldb`, not `5.ldb`.
    pub fn is_spelled(self, name: &str) -> bool {
        match self {
            FileName::InfoLog => true,
            FileName::Table(number) => name == self.to_string() || name == format!("{number}.sst"),
            _ => name == self.to_string(),
        }
    }

    /// Whether a file that is not the database's may once have been.
    ///
    /// Undelete tools, copies and other file systems change names (`f1234567.ldb`, `000005.LDB`,
    /// `000005 (1).ldb`, `MANIFEST-000004.bak`), and opening keeps damaged logs as
    /// `000003.log.damaged`.
    pub fn resembles(name: &str) -> bool {
        if FileName::parse(name).is_some() {
            return false;
        }
        let has =
            |part: &str| name.as_bytes().windows(part.len()).any(|bytes| bytes.eq_ignore_ascii_case(part.as_bytes()));
        let has_digit = name.bytes().any(|byte| byte.is_ascii_digit());
        has(".ldb") || has_digit && [".sst", ".log", "manifest"].into_iter().any(has)
    }

    /// The number in the name, if it has one.
    pub fn number(self) -> Option<FileNumber> {
        match self {
            FileName::Current | FileName::Lock | FileName::InfoLog => None,
            FileName::Manifest(n) | FileName::Log(n) | FileName::Table(n) | FileName::Temporary(n) => Some(n),
        }
    }
}

impl fmt::Display for FileName {
    /// Formats the name as this engine writes it (tables end in `.ldb`).
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FileName::Current => f.write_str("CURRENT"),
            FileName::Lock => f.write_str("LOCK"),
            FileName::InfoLog => f.write_str("LOG"),
            FileName::Manifest(n) => write!(f, "MANIFEST-{n}"),
            FileName::Log(n) => write!(f, "{n}.log"),
            FileName::Table(n) => write!(f, "{n}.ldb"),
            FileName::Temporary(n) => write!(f, "{n}.dbtmp"),
        }
    }
}

fn parse_number(digits: &str) -> Option<FileNumber> {
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    decimal.then(|| digits.parse().ok().map(FileNumber)).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_parsed_as_they_are_formatted() {
        for name in [
            "CURRENT",
            "LOCK",
            "LOG",
            "MANIFEST-000002",
            "000003.log",
            "000005.ldb",
            "000004.dbtmp",
            "18446744073709551615.log",
        ] {
            assert_eq!(FileName::parse(name).map(|n| n.to_string()).as_deref(), Some(name));
        }
        assert_eq!(FileName::parse("000005.sst"), Some(FileName::Table(FileNumber(5))));
        assert_eq!(FileName::parse("100.log"), Some(FileName::Log(FileNumber(100))));
    }

    #[test]
    fn names_given_by_undelete_tools_are_recognised() {
        for name in
            ["f1234567.ldb", "000005.LDB", "000005 (1).ldb", "000005.ldb.bak", "000003.log.damaged", "Manifest-4 (2)"]
        {
            assert!(FileName::resembles(name), "{name}");
        }
        for name in ["000005.ldb", "5.ldb", "debug.log", "notes.txt", "photo.sst", "LOCK.varve", "lost"] {
            assert!(!FileName::resembles(name), "{name}");
        }
        assert!(FileName::Table(FileNumber(5)).is_spelled("000005.sst"));
        assert!(!FileName::Table(FileNumber(5)).is_spelled("5.ldb"));
    }

    #[test]
    fn other_names_are_not_the_databases() {
        for name in [
            "",
            "foo",
            "foo-dx-100.log",
            ".log",
            "manifest-3",
            "CURREN",
            "MANIFEST",
            "MANIFEST-",
            "MANIFEST-3x",
            "100",
            "100.",
            "100.lop",
            "100.log.damaged",
            "+5.log",
            "18446744073709551616.log",
            "100.ldbx",
        ] {
            assert_eq!(FileName::parse(name), None, "{name}");
        }
    }
}

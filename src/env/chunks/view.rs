//! The names of a database of chunks, read by a reader that is not its owner.
//!
//! Names, sizes and the number of commits that one transaction reads are one state. The content of a file is
//! only appended to and its number is never used again, so later transactions may read the rest of it, as
//! long as the row of the file is there and its size is not less.

use super::database::{Loaded, Row};
use super::directory::Directory;
use super::layout::{CHUNK_SIZE, FileRow};
use crate::error::Result;

/// Bytes of a chunk.
pub const CHUNK_BYTES: u64 = CHUNK_SIZE;

/// The names of a database of chunks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkNames {
    /// The number of transactions that wrote to it.
    pub commits: u64,
    /// By name.
    pub files: Vec<ChunkName>,
}

/// A file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChunkName {
    /// The name that the engine knows.
    pub name: String,
    /// Its number.
    pub file: u64,
    /// Its size.
    pub size: u64,
}

/// The names that head and rows tell.
pub fn chunk_names(loaded: Loaded) -> Result<ChunkNames> {
    let (head, directory) = Directory::of(loaded)?;
    let files = directory.named().map(|(name, file)| {
        let size = directory.file(file).map_or(0, |stored| stored.size);
        ChunkName { name: name.to_owned(), file, size }
    });
    Ok(ChunkNames { commits: head.commits, files: files.collect() })
}

/// The size of the file with this row.
pub fn chunk_file_size(row: Row, file: u64) -> Result<u64> {
    FileRow::of(row, file).map(|row| row.size)
}

#[cfg(test)]
mod tests {
    use super::super::layout::Head;
    use super::*;

    fn row(size: u64, name: &str) -> Row {
        Row::Bytes(FileRow { size, name: name.into() }.encode())
    }

    #[test]
    fn names_have_the_sizes_of_their_rows() {
        let head = Head { next_file: 9, commits: 41, ..Head::new(3) };
        let files = vec![(Some(7), row(70_000, "000005.ldb")), (Some(8), row(3, "")), (Some(2), row(16, "CURRENT"))];
        let found = chunk_names(Loaded { head: Some(Row::Bytes(head.encode())), files }).unwrap();
        assert_eq!(found.commits, 41);
        let all: Vec<_> = found.files.iter().map(|file| (&*file.name, file.file, file.size)).collect();
        assert_eq!(all, [("000005.ldb", 7, 70_000), ("CURRENT", 2, 16)]);
        assert_eq!(chunk_file_size(row(5, ""), 7).unwrap(), 5);
        assert!(chunk_file_size(Row::Foreign("text".into()), 7).is_err());
    }

    #[test]
    fn damaged_rows_are_an_error() {
        let head = Row::Bytes(Head { next_file: 9, ..Head::new(3) }.encode());
        let of = |head: Option<Row>, row| chunk_names(Loaded { head, files: vec![(Some(7), row)] });
        assert!(of(Some(head.clone()), row(1, "a")).is_ok());
        assert!(of(None, row(1, "a")).is_err());
        assert!(of(Some(head.clone()), Row::Bytes(vec![1, 2])).is_err());
        assert!(of(Some(head), Row::Foreign("number".into())).is_err());
    }
}

//! Which file has which name, as far as transactions are complete.

use std::rc::Rc;

use super::database::Loaded;
use super::layout::{CHUNK_SIZE, FileRow, Head, NUMBER_MAX};
use crate::base::{Sorted, to_u64};
use crate::error::{Error, Result};

/// A file.
#[derive(Clone, Debug)]
pub(super) struct Stored {
    /// Empty once its name was removed.
    pub(super) name: String,
    pub(super) size: u64,
    /// The content of the last chunk if it is not full; `None`: not known.
    pub(super) tail: Option<Vec<u8>>,
}

impl Stored {
    pub(super) fn new(name: &str) -> Stored {
        Stored { name: name.to_owned(), size: 0, tail: Some(Vec::new()) }
    }

    /// The number of full chunks, and that of the one that is not.
    pub(super) fn last_chunk(&self) -> u64 {
        self.size / CHUNK_SIZE
    }

    pub(super) fn row(&self) -> Vec<u8> {
        FileRow { size: self.size, name: self.name.clone() }.encode()
    }
}

/// The files of a database.
///
/// Invariant: `names` has exactly the files whose name is not empty.
#[derive(Clone, Debug, Default)]
pub(super) struct Directory {
    names: Sorted<String, u64>,
    files: Sorted<u64, Rc<Stored>>,
}

impl Directory {
    /// The head and the files that were read; damage if they contradict one another.
    pub(super) fn of(loaded: Loaded) -> Result<(Head, Directory)> {
        let head = Head::of(loaded.head)?;
        let mut directory = Directory::default();
        for (file, row) in loaded.files {
            let Some(file) = file.filter(|file| *file < head.next_file && *file <= NUMBER_MAX) else {
                let reason = format!("a file has a number that is not below {}", head.next_file);
                return Err(Error::corruption("the list of files", 0, reason));
            };
            let FileRow { size, name } = FileRow::of(row, file)?;
            if !name.is_empty() && directory.names.insert(name.clone(), file).is_some() {
                return Err(Error::corruption(&*name, 0, "two files have this name"));
            }
            let tail = size.is_multiple_of(CHUNK_SIZE).then(Vec::new);
            directory.files.insert(file, Rc::new(Stored { name, size, tail }));
        }
        Ok((head, directory))
    }

    pub(super) fn find(&self, name: &str) -> Option<u64> {
        self.names.get(name).copied()
    }

    pub(super) fn file(&self, file: u64) -> Option<&Rc<Stored>> {
        self.files.get(&file)
    }

    /// All names, with the number of the file.
    pub(super) fn named(&self) -> impl Iterator<Item = (&str, u64)> {
        self.names.iter().map(|(name, file)| (&**name, *file))
    }

    /// All names that `list` has.
    pub(super) fn listed(&self) -> Vec<String> {
        self.names.keys().filter(|name| !name.starts_with("lost/")).cloned().collect()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.names.is_empty()
    }

    /// Files without a name.
    pub(super) fn removed(&self) -> impl Iterator<Item = u64> {
        self.files.iter().filter(|(_, stored)| stored.name.is_empty()).map(|(file, _)| *file)
    }

    pub(super) fn add(&mut self, file: u64, stored: Stored) {
        if !stored.name.is_empty() {
            self.names.insert(stored.name.clone(), file);
        }
        self.files.insert(file, Rc::new(stored));
    }

    /// Replaces what is known of a file, but for its name.
    pub(super) fn update(&mut self, file: u64, stored: Stored) {
        self.files.insert(file, Rc::new(stored));
    }

    /// Takes the name from the file that has it.
    pub(super) fn unname(&mut self, name: &str) -> Option<u64> {
        let file = self.names.remove(name)?;
        self.rename(file, String::new());
        Some(file)
    }

    /// Gives a file, which has no name, a name, which no file has.
    pub(super) fn name(&mut self, file: u64, name: String) {
        self.names.insert(name.clone(), file);
        self.rename(file, name);
    }

    fn rename(&mut self, file: u64, name: String) {
        if let Some(stored) = self.files.get(&file) {
            let renamed = Stored { name, ..Stored::clone(stored) };
            self.files.insert(file, Rc::new(renamed));
        }
    }

    /// Forgets a file without a name.
    pub(super) fn forget(&mut self, file: u64) {
        self.files.remove(&file);
    }

    /// Gives back the memory of a file that is not appended to any more.
    pub(super) fn forget_tail(&mut self, file: u64) {
        if let Some(stored) = self.files.get(&file).filter(|stored| !stored.size.is_multiple_of(CHUNK_SIZE)) {
            let without = Stored { tail: None, name: stored.name.clone(), size: stored.size };
            self.files.insert(file, Rc::new(without));
        }
    }

    /// Remembers the content of the last chunk, if the file still has `size` bytes.
    pub(super) fn learn_tail(&mut self, file: u64, size: u64, tail: Vec<u8>) {
        debug_assert_eq!(to_u64(tail.len()), size % CHUNK_SIZE);
        if let Some(stored) = self.files.get(&file).filter(|stored| stored.size == size) {
            let with = Stored { tail: Some(tail), name: stored.name.clone(), size };
            self.files.insert(file, Rc::new(with));
        }
    }
}

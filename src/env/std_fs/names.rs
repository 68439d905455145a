//! Names in a directory: creates them, changes them, and makes them durable.

use std::fs;
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use super::descriptors::{keep_open, with_spare};
use crate::env::NameEdit;
use crate::error::{Error, Result};

/// Creates a file even if the name is in use: open handles of the old file keep it.
pub(super) fn create_new(path: &Path) -> io::Result<fs::File> {
    let mut options = fs::OpenOptions::new();
    options.read(true).append(true).create_new(true);
    match with_spare(|| options.open(path)) {
        Err(e) if e.kind() == ErrorKind::AlreadyExists => {
            keep_open(path)?;
            fs::remove_file(path)?;
            with_spare(|| options.open(path))
        }
        result => result,
    }
}

/// Applies the edits in order, then makes them and all earlier creations durable.
pub(super) fn apply(directory: &Path, edits: Vec<NameEdit>) -> Result<()> {
    edits.iter().try_for_each(NameEdit::check)?;
    let mut lost = false;
    for edit in edits {
        match edit {
            NameEdit::Rename { from, to } => {
                lost |= prepare_lost(directory, &to)? || from.starts_with("lost/");
                let kept = keep_open(&directory.join(&from)).and_then(|()| keep_open(&directory.join(&to)));
                kept.map_err(|e| Error::from_std(&*from, "rename", &e))?;
                fs::rename(directory.join(&from), directory.join(&to))
                    .map_err(|e| Error::from_std(from, "rename", &e))?;
            }
            NameEdit::Remove { name } => {
                let path = directory.join(&name);
                match keep_open(&path).and_then(|()| fs::remove_file(path)) {
                    Ok(()) => lost |= name.starts_with("lost/"),
                    Err(e) if e.kind() == ErrorKind::NotFound => {}
                    Err(e) => return Err(Error::from_std(name, "remove", &e)),
                }
            }
            NameEdit::Replace { name, via, content } => {
                let result = replace(&directory.join(&name), &directory.join(&via), &content);
                result.map_err(|e| Error::from_std(name, "replace", &e))?;
            }
        }
    }
    let sync = |place: &Path| sync_directory(place).map_err(|e| Error::from_std(place.to_string_lossy(), "sync", &e));
    if lost {
        sync(&directory.join("lost"))?;
    }
    sync(directory)
}

/// Creates `lost/` if `name` is in it; returns whether it is.
fn prepare_lost(directory: &Path, name: &str) -> Result<bool> {
    if !name.starts_with("lost/") {
        return Ok(false);
    }
    match fs::create_dir(directory.join("lost")) {
        Err(e) if e.kind() != ErrorKind::AlreadyExists => Err(Error::from_std("lost", "create", &e)),
        _ => Ok(true),
    }
}

fn replace(target: &Path, via: &Path, content: &[u8]) -> io::Result<()> {
    let write = || {
        let mut file = create_new(via)?;
        file.write_all(content)?;
        file.sync_data()?;
        drop(file);
        keep_open(target)?;
        fs::rename(via, target)
    };
    write().inspect_err(|_| {
        // The caller gets the first error; a file left at `via` only takes space.
        let _ = fs::remove_file(via);
    })
}

/// Creates the directory and its parents, and makes their names durable.
pub(super) fn make_directory(directory: &Path) -> io::Result<()> {
    let missing: Vec<&Path> = directory.ancestors().take_while(|d| *d != Path::new("") && !d.exists()).collect();
    if missing.is_empty() {
        return Ok(());
    }
    fs::create_dir_all(directory)?;
    missing.iter().filter_map(|d| parent_of(d)).try_for_each(sync_directory)
}

pub(super) fn parent_of(directory: &Path) -> Option<&Path> {
    let parent = directory.parent()?;
    Some(if parent == Path::new("") { Path::new(".") } else { parent })
}

#[cfg(unix)]
pub(super) fn sync_directory(directory: &Path) -> io::Result<()> {
    match with_spare(|| fs::File::open(directory))?.sync_all() {
        // Some file systems (network or user-space ones) cannot sync a directory and report that.
        Err(e) if matches!(e.kind(), ErrorKind::InvalidInput | ErrorKind::Unsupported) => Ok(()),
        result => result,
    }
}

/// On other systems a directory cannot be opened as a file; NTFS journals its names.
#[cfg(not(unix))]
pub(super) fn sync_directory(_directory: &Path) -> io::Result<()> {
    Ok(())
}

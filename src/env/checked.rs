//! Appends and reads that check whether all bytes were written or read.

use std::io::ErrorKind;

use super::{Access, Env, File};
use crate::base::to_u64;
use crate::error::{Error, Result};

/// Appends and verifies it: `end` is the size that the file must have afterwards.
pub fn append_checked<'a>(
    env: &'a dyn Env,
    file: &'a dyn File,
    name: &'a str,
    data: &'a [u8],
    end: u64,
) -> impl Future<Output = Result<()>> + 'a {
    append_checked_as(env, file, name, data, end, false)
}

/// The same; with `sync_follows`, the file is synced next.
pub(crate) async fn append_checked_as(
    env: &dyn Env,
    file: &dyn File,
    name: &str,
    data: &[u8],
    end: u64,
    sync_follows: bool,
) -> Result<()> {
    let asked = to_u64(data.len());
    let taken = if sync_follows { file.append_before_sync(data) } else { file.append(data) };
    let taken = taken.await?;
    check_taken(name, asked, taken)?;
    if !env.appends_are_exact() && !crate::bugs::seeded(crate::bugs::Bug::SizeNotChecked) {
        let size = file.size().await?;
        if size != end {
            let message = format!("the storage took {taken} bytes but the file ends at {size}, expected {end}");
            return Err(Error::io(name, "append", ErrorKind::WriteZero, message));
        }
    }
    Ok(())
}

/// Checks that an append wrote all the bytes it was given.
pub(crate) fn check_taken(name: &str, asked: u64, taken: u64) -> Result<()> {
    if taken == asked {
        return Ok(());
    }
    let message = format!("the storage took {taken} of {asked} bytes");
    Err(Error::io(name, "append", ErrorKind::WriteZero, message))
}

/// Reads a whole file of at most `size_max` bytes.
pub async fn read_file(env: &dyn Env, name: &str, size_max: u64) -> Result<Vec<u8>> {
    let file = env.open(name, Access::Read).await?;
    let size = file.size().await?;
    if size > size_max {
        return Err(Error::LimitExceeded(format!("{name} has {size} bytes, at most {size_max} are read at once")));
    }
    read_exact(&*file, name, 0, usize::try_from(size).unwrap_or(usize::MAX)).await
}

/// Reads exactly `length` bytes; it is an error if the file ends before.
pub async fn read_exact(file: &dyn File, name: &str, offset: u64, length: usize) -> Result<Vec<u8>> {
    let data = file.read_at(offset, length).await?;
    if data.len() == length { Ok(data) } else { Err(short_read(name, offset, length, data.len())) }
}

/// The error for a short read: the file is shorter than the place that points into it says.
fn short_read(name: &str, offset: u64, expected: usize, found: usize) -> Error {
    Error::corruption(name, offset, format!("expected {expected} bytes, found {found}"))
}

/// The result of an append to a file that was opened for reading.
pub(super) fn opened_to_be_read(name: &str, operation: &'static str) -> Error {
    Error::io(name, operation, ErrorKind::PermissionDenied, "the file was opened for reading")
}

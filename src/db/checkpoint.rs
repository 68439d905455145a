//! Copies the current state to a separate database.

use std::rc::Rc;

use super::live_files::Moment;
use super::read::open_table;
use super::state::Inner;
use crate::base::{FileKind, table_file_name, to_u64};
use crate::budget::Budget;
use crate::env::{Env, Io, NameEdit, append_checked};
use crate::error::{Error, Result};
use crate::version::FileMetaData;

/// Bytes copied at once.
const PIECE: usize = 1 << 20;

/// Links a file of the database into the target without copying; returns false if that is not
/// possible.
pub(crate) type Link = dyn Fn(&str) -> Io<bool>;

/// Copies tables unchanged and writes the memtables as one more table of level 0. After a failure
/// nothing is left.
pub(crate) async fn checkpoint(inner: &Rc<Inner>, target: &Rc<dyn Env>, link: Option<&Link>) -> Result<()> {
    inner.check_open()?;
    let moment = Moment::now(inner);
    let made_place = match target.lock(false).await {
        Err(error) if error.is_not_found() => {
            target.lock(true).await?;
            true
        }
        result => result.map(|_| false)?,
    };
    let result = match check_empty(&**target).await {
        Ok(()) => {
            let names = moment.names();
            let copied = copy(inner, target, moment, link).await;
            if copied.is_err() {
                clean_up(&**target, names, made_place).await;
            }
            copied
        }
        error => error,
    };
    target.unlock();
    result
}

async fn check_empty(target: &dyn Env) -> Result<()> {
    match target.list().await?.first() {
        Some(name) => {
            Err(Error::InvalidArgument(format!("the target of a checkpoint must be empty, but contains {name}")))
        }
        None => Ok(()),
    }
}

async fn copy(inner: &Rc<Inner>, target: &Rc<dyn Env>, mut moment: Moment, link: Option<&Link>) -> Result<()> {
    let budget = Budget::of_call(&inner.options.pause);
    moment.write_memory(inner, target, &budget).await?;
    for file in moment.tables() {
        inner.check_open()?;
        copy_table(inner, target, file, link, &budget).await?;
    }
    target.edit_names(Vec::new()).await?;
    moment.write_manifest(target).await
}

async fn copy_table(
    inner: &Inner,
    target: &Rc<dyn Env>,
    file: &FileMetaData,
    link: Option<&Link>,
    budget: &Budget,
) -> Result<()> {
    let (source, old) = open_table(inner, file).await?;
    if let Some(link) = link {
        match link(&old).await {
            Ok(true) => return Ok(()),
            Ok(false) => {}
            // Another process removed the name, but the open file can still be read.
            Err(error) if error.is_not_found() => {}
            Err(error) => return Err(error),
        }
    }
    let name = table_file_name(file.number);
    let copy = target.create(&name, FileKind::Table, file.size).await?;
    let mut offset = 0u64;
    while offset < file.size {
        let piece = source.read_at(offset, PIECE).await?;
        if piece.is_empty() {
            return Err(Error::corruption(name, offset, format!("file ends here, the manifest says {}", file.size)));
        }
        offset = offset.saturating_add(to_u64(piece.len()));
        append_checked(&**target, &*copy, &name, &piece, offset).await?;
        budget.spent(piece.len()).await;
    }
    copy.sync().await.map(|_| ())
}

/// CURRENT is removed first: without it the rest is not a database, even if other files remain.
async fn clean_up(target: &dyn Env, mut names: Vec<String>, made_place: bool) {
    names.reverse();
    for name in names {
        let _ = target.edit_names(vec![NameEdit::Remove { name }]).await;
    }
    if made_place {
        let _ = target.remove_place().await;
    }
}

//! A copy of the present state as a database of its own.

use std::rc::Rc;

use super::background::new_file;
use super::open::open_tables;
use super::state::{DbState, Inner};
use super::write::rotate_in_turn;
use crate::base::{FileKind, FileName, FileNumber, table_file_name, to_u64};
use crate::env::{Access, Env, append_checked};
use crate::error::{Error, Result};
use crate::events::LiveCounters;
use crate::flush::{FlushContext, build_table};
use crate::slice::Budget;
use crate::version::{FileMetaData, Manifest, VersionEdit};

/// Bytes copied at once.
const PIECE: usize = 1 << 20;

/// Copies tables as they are; what is in memory becomes one more table of level 0.
pub(crate) async fn checkpoint(inner: &Rc<Inner>, target: &Rc<dyn Env>) -> Result<()> {
    inner.check_open()?;
    target.lock(true).await?;
    let result = copy(inner, target).await;
    target.unlock();
    result
}

async fn copy(inner: &Rc<Inner>, target: &Rc<dyn Env>) -> Result<()> {
    let names = target.list().await?;
    if let Some(name) = names.iter().find(|n| FileName::parse(n).is_some_and(|f| f != FileName::Lock)) {
        return Err(Error::InvalidArgument(format!("the target of a checkpoint must be empty, it has {name}")));
    }
    let writable = !inner.options.read_only && inner.state.borrow().status == DbState::Open;
    if writable && !inner.state.borrow().active.memtable.is_empty() {
        // From here on no entry joins the memtables that are copied.
        rotate_in_turn(inner).await?;
    }
    let (view, mut edit, next) = {
        let view = inner.view();
        let state = inner.state.borrow();
        (view, state.versions.snapshot_edit(), state.versions.counts.next_file_number)
    };
    for (_, file) in view.version.files() {
        copy_table(inner, target, file).await?;
    }
    let mut memtables = view.immutables;
    if !view.active.is_empty() && !writable {
        memtables.insert(0, view.active);
    }
    let (table, manifest) = (next, FileNumber(next.0.saturating_add(1)));
    let tables = open_tables(target, &inner.options, &inner.order, &Rc::new(LiveCounters::default()));
    let budget = Budget::default();
    budget.start(u64::MAX);
    let context = FlushContext { env: target, tables: &tables, order: &inner.order, budget: &budget };
    if let Some(table) = build_table(&context, table, &memtables).await? {
        edit.new_files.push((0, new_file(&table)));
    }
    target.edit_names(Vec::new()).await?;
    edit.log_number = Some(manifest);
    edit.previous_log_number = Some(FileNumber(0));
    edit.next_file_number = manifest.next();
    edit.last_sequence = Some(view.last_sequence);
    Manifest::create(target, manifest, &[VersionEdit::encode(&edit)]).await.map(|_| ())
}

async fn copy_table(inner: &Inner, target: &Rc<dyn Env>, file: &FileMetaData) -> Result<()> {
    let name = table_file_name(file.number);
    let source = match inner.env.open(&name, Access::Read).await {
        Err(error) if error.is_not_found() => inner.env.open(&format!("{}.sst", file.number), Access::Read).await?,
        result => result?,
    };
    let copy = target.create(&name, FileKind::Table, file.size).await?;
    let mut offset = 0u64;
    loop {
        let piece = source.read_at(offset, PIECE).await?;
        if piece.is_empty() {
            break;
        }
        offset = offset.saturating_add(to_u64(piece.len()));
        append_checked(&**target, &*copy, &name, &piece, offset).await?;
    }
    if offset != file.size {
        return Err(Error::corruption(
            name,
            offset,
            format!("file has {offset} bytes, the manifest says {}", file.size),
        ));
    }
    copy.sync().await.map(|_| ())
}

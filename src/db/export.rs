//! Exports a consistent state as a zip, piece by piece.
//!
//! A future writes the archive into an outlet that holds one piece; [`Export::next`] drives it
//! until the outlet is full, then takes the piece. So memory holds one piece, and reads keep pace
//! with the caller.

use std::cell::{Cell, RefCell};
use std::future::{Future, poll_fn};
use std::pin::Pin;
use std::rc::Rc;
use std::task::Poll;

use super::live_files::Moment;
use super::read::open_table;
use super::state::Inner;
use crate::archive::{Crc32, ZipWriter};
use crate::base::to_u64;
use crate::budget::Budget;
use crate::env::{Access, Env, File, MemoryEnv};
use crate::error::{Error, Result};

/// Bytes read at once.
const PIECE: usize = 256 << 10;
/// A file up to this size is read once; a larger one twice, because its checksum precedes it.
const KEPT_MAX: u64 = 4 << 20;

type Work = Pin<Box<dyn Future<Output = Result<()>>>>;

/// A running export. It keeps the files that it needs until it is dropped.
pub struct Export {
    inner: Rc<Inner>,
    outlet: Rc<Outlet>,
    work: RefCell<Option<Work>>,
}

#[derive(Default)]
struct Outlet {
    bytes: RefCell<Vec<u8>>,
    size_max: Cell<usize>,
    /// Work done in this call, which bounds its duration.
    budget: Budget,
}

impl Export {
    pub(crate) fn new(inner: &Rc<Inner>) -> Result<Export> {
        inner.check_open()?;
        let outlet = Rc::<Outlet>::default();
        let work = write_all(inner.clone(), Moment::now(inner), outlet.clone());
        Ok(Export { inner: inner.clone(), outlet, work: RefCell::new(Some(Box::pin(work))) })
    }

    /// Returns about `size` more bytes, or `None` at the end.
    ///
    /// The result is empty if the work has not produced bytes yet.
    ///
    /// # Errors
    /// `Io`, `Corruption`: a file cannot be read or has the wrong size. `Closed`.
    pub async fn next(&self, size: usize) -> Result<Option<Vec<u8>>> {
        self.inner.check_open()?;
        self.outlet.size_max.set(size.max(1));
        self.outlet.budget.start(to_u64(size).max(to_u64(PIECE)));
        poll_fn(|cx| {
            if !self.outlet.is_full() {
                let Some(mut work) = self.work.take() else { return Poll::Ready(Ok(self.outlet.take())) };
                match work.as_mut().poll(cx) {
                    Poll::Ready(Ok(())) => return Poll::Ready(Ok(self.outlet.take())),
                    Poll::Ready(Err(error)) => {
                        // A repeated call must not report the end instead.
                        let again = error.clone();
                        self.work.replace(Some(Box::pin(async { Err(again) })));
                        return Poll::Ready(Err(error));
                    }
                    Poll::Pending => self.work.replace(Some(work)),
                };
            }
            if self.outlet.is_full() || self.outlet.budget.is_exhausted() {
                return Poll::Ready(Ok(Some(self.outlet.bytes.take())));
            }
            Poll::Pending
        })
        .await
    }
}

impl std::fmt::Debug for Export {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Export").finish_non_exhaustive()
    }
}

impl Outlet {
    fn is_full(&self) -> bool {
        self.bytes.borrow().len() >= self.size_max.get()
    }

    fn take(&self) -> Option<Vec<u8>> {
        let rest = self.bytes.take();
        (!rest.is_empty()).then_some(rest)
    }

    /// Adds bytes and waits while the piece is full.
    async fn write(&self, bytes: &[u8]) {
        self.bytes.borrow_mut().extend_from_slice(bytes);
        poll_fn(|_| if self.is_full() { Poll::Pending } else { Poll::Ready(()) }).await;
    }

    /// Counts work, and ends the call when it has done enough.
    async fn spend(&self, bytes: usize) {
        self.budget.spend(bytes);
        if self.budget.is_spent() {
            self.budget.give_way().await;
        }
    }
}

async fn write_all(inner: Rc<Inner>, mut moment: Moment, outlet: Rc<Outlet>) -> Result<()> {
    let staging = MemoryEnv::new();
    let env: Rc<dyn Env> = Rc::new(staging.clone());
    env.lock(true).await?;
    moment.write_memory(&inner, &env, &outlet.budget).await?;
    moment.write_manifest(&env).await?;
    let mut zip = Zip { writer: ZipWriter::default(), crc: Crc32::new(), outlet };
    for file in moment.tables() {
        let (source, name) = open_table(&inner, file).await?;
        zip.add(&*source, &name, file.size).await?;
    }
    // CURRENT is last: a truncated archive, if unpacked anyway, is not a database.
    let current = "CURRENT".to_owned();
    for name in staging.names().into_iter().filter(|name| *name != current).chain([current.clone()]) {
        let source = env.open(&name, Access::Read).await?;
        let size = source.size().await?;
        zip.add(&*source, &name, size).await?;
    }
    zip.outlet.write(&zip.writer.finish()).await;
    Ok(())
}

struct Zip {
    writer: ZipWriter,
    crc: Crc32,
    outlet: Rc<Outlet>,
}

impl Zip {
    async fn add(&mut self, source: &dyn File, name: &str, size: u64) -> Result<()> {
        let mut kept = Vec::new();
        self.crc.reset();
        let mut offset = 0u64;
        while offset < size {
            let piece = read(source, name, offset, size).await?;
            offset = offset.saturating_add(to_u64(piece.len()));
            self.crc.update(&piece);
            self.outlet.spend(piece.len()).await;
            if size <= KEPT_MAX {
                kept.push(piece);
            }
        }
        self.outlet.write(&self.writer.begin(name, self.crc.value(), size)).await;
        for piece in &kept {
            self.outlet.write(piece).await;
        }
        if !kept.is_empty() {
            return Ok(());
        }
        let crc = self.crc.value();
        self.crc.reset();
        offset = 0;
        while offset < size {
            let piece = read(source, name, offset, size).await?;
            offset = offset.saturating_add(to_u64(piece.len()));
            self.crc.update(&piece);
            self.outlet.write(&piece).await;
        }
        if crc != self.crc.value() {
            return Err(Error::corruption(name, 0, "the file changed during the export"));
        }
        Ok(())
    }
}

/// Bytes of a file from `offset` on.
async fn read(source: &dyn File, name: &str, offset: u64, size: u64) -> Result<Vec<u8>> {
    let left = usize::try_from(size.saturating_sub(offset)).unwrap_or(usize::MAX);
    let piece = source.read_at(offset, left.min(PIECE)).await?;
    if piece.is_empty() {
        return Err(Error::corruption(name, offset, format!("the file ends here, expected {size} bytes")));
    }
    Ok(piece)
}

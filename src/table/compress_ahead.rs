//! Compresses closed blocks in batches.
//!
//! This happens on another thread if the storage's platform has one to spare, else in place.
//!
//! ```text
//! close block -> [ filling ] -> [ sealing, at most IN_FLIGHT ] -> written to the file, oldest first
//! ```
//! Neither the batch of a block nor its offset depends on the thread: the same entries make the
//! same tables.

use std::collections::VecDeque;
use std::io::ErrorKind;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};

use super::codec::Compressor;
use crate::env::{ComputeThread, Io};
use crate::error::{Error, Result};
use crate::options::Compression;

/// Bytes of contents for which a batch is worth sending.
const BATCH_SIZE: usize = 64 << 10;
/// Batches in progress while the next is filled, if they are not larger than this.
///
/// A large block is a batch.
const IN_FLIGHT: usize = 2;
const IN_FLIGHT_SIZE: usize = 4 * BATCH_SIZE;
/// A batch with more memory than this is not reused.
const KEPT_SIZE: usize = 8 * BATCH_SIZE;

/// A number of blocks: either all of them are sealed or none.
pub(super) struct Batch {
    /// Contents not sealed yet, concatenated, and the end of each.
    contents: Vec<u8>,
    ends: Vec<usize>,
    /// Bytes of contents of all blocks, sealed or not.
    raw_size: usize,
    /// Stored bytes, and the size of each block without its trailer.
    stored: Vec<u8>,
    sizes: Vec<usize>,
    compressor: Compressor,
}

impl Batch {
    fn new(compression: Compression) -> Batch {
        Batch {
            contents: Vec::new(),
            ends: Vec::new(),
            raw_size: 0,
            stored: Vec::new(),
            sizes: Vec::new(),
            compressor: Compressor::new(compression),
        }
    }

    fn seal(&mut self) {
        let mut begin = 0;
        for end in self.ends.drain(..) {
            let contents = self.contents.get(begin..end).unwrap_or_default();
            self.sizes.push(self.compressor.store(contents, &mut self.stored));
            begin = end;
        }
        self.contents.clear();
    }

    fn clear(&mut self) {
        self.raw_size = 0;
        self.stored.clear();
        self.sizes.clear();
    }

    /// Bytes of contents.
    pub(super) fn raw_size(&self) -> usize {
        self.raw_size
    }

    /// Blocks with their trailers, concatenated.
    pub(super) fn stored(&self) -> &[u8] {
        &self.stored
    }

    /// Size of each block, without its trailer.
    pub(super) fn sizes(&self) -> &[usize] {
        &self.sizes
    }
}

/// A batch in progress; it is returned when `done` completes.
struct Sealing {
    done: Io<()>,
    raw_size: usize,
    batch: Arc<Mutex<Option<Batch>>>,
}

/// See the module documentation.
pub(super) struct Sealer {
    compression: Compression,
    thread: Option<Rc<dyn ComputeThread>>,
    filling: Batch,
    sealing: VecDeque<Sealing>,
    spare: Vec<Batch>,
}

impl Sealer {
    pub(super) fn new(compression: Compression, thread: Option<Rc<dyn ComputeThread>>) -> Sealer {
        // Without compression there is almost no work.
        let thread = thread.filter(|_| compression != Compression::None);
        let filling = Batch::new(compression);
        Sealer { compression, thread, filling, sealing: VecDeque::new(), spare: Vec::new() }
    }

    /// Takes a closed block.
    pub(super) fn add(&mut self, contents: &[u8]) {
        let batch = &mut self.filling;
        batch.raw_size = batch.raw_size.saturating_add(contents.len());
        if self.thread.is_some() {
            batch.contents.extend_from_slice(contents);
            batch.ends.push(batch.contents.len());
        } else {
            batch.sizes.push(batch.compressor.store(contents, &mut batch.stored));
        }
    }

    /// Whether a batch is full.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.filling.raw_size >= BATCH_SIZE
    }

    /// Sends the current batch.
    pub(super) fn hand_over(&mut self) {
        if self.filling.raw_size == 0 {
            return;
        }
        let next = self.spare.pop().unwrap_or_else(|| Batch::new(self.compression));
        let raw_size = self.filling.raw_size;
        let batch = Arc::new(Mutex::new(Some(std::mem::replace(&mut self.filling, next))));
        let done = match &self.thread {
            Some(thread) => {
                let shared = Arc::clone(&batch);
                thread.run(Box::new(move || {
                    let mut batch = shared.lock().unwrap_or_else(PoisonError::into_inner);
                    batch.iter_mut().for_each(Batch::seal);
                }))
            }
            None => Io::ready(Ok(())),
        };
        self.sealing.push_back(Sealing { done, raw_size, batch });
    }

    /// The oldest batch, sealed, if more than allowed are in progress (`all`: if there is one).
    pub(super) async fn next(&mut self, all: bool) -> Result<Option<Batch>> {
        let large = self.sealing.iter().map(|s| s.raw_size).fold(0, usize::saturating_add) > IN_FLIGHT_SIZE;
        let may_wait = if all || large { 0 } else { IN_FLIGHT };
        if self.sealing.len() <= may_wait {
            return Ok(None);
        }
        let Some(oldest) = self.sealing.front_mut() else { return Ok(None) };
        (&mut oldest.done).await?;
        let oldest = self.sealing.pop_front();
        let batch = oldest.and_then(|o| o.batch.lock().unwrap_or_else(PoisonError::into_inner).take());
        let lost = || Error::io("", "compress", ErrorKind::Other, "a batch of blocks was lost on the compute thread");
        batch.map(Some).ok_or_else(lost)
    }

    /// Takes back a placed batch, to reuse its memory.
    pub(super) fn give_back(&mut self, mut batch: Batch) {
        if batch.contents.capacity().max(batch.stored.capacity()) <= KEPT_SIZE {
            batch.clear();
            self.spare.push(batch);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::env::try_now;

    /// Does the work when its result is polled.
    struct Late;

    impl ComputeThread for Late {
        fn run(&self, work: Box<dyn FnOnce() + Send>) -> Io<()> {
            Io::pending(async move {
                work();
                Ok(())
            })
        }
    }

    /// The sealed blocks, batch by batch.
    fn sealed(thread: Option<Rc<dyn ComputeThread>>) -> Vec<(Vec<u8>, Vec<usize>)> {
        let mut sealer = Sealer::new(Compression::Snappy, thread);
        let mut batches = Vec::new();
        let mut take = |sealer: &mut Sealer, all| {
            while let Some(batch) = try_now(sealer.next(all)).unwrap().unwrap() {
                batches.push((batch.stored().to_vec(), batch.sizes().to_vec()));
                sealer.give_back(batch);
            }
        };
        for i in 0u16..1000 {
            let block: Vec<u8> = (0..i % 1500).flat_map(|j| (i.wrapping_mul(j) / 3).to_le_bytes()).collect();
            sealer.add(&block);
            if sealer.is_full() {
                sealer.hand_over();
                take(&mut sealer, false);
                assert!(sealer.sealing.len() <= IN_FLIGHT);
            }
        }
        sealer.hand_over();
        take(&mut sealer, true);
        batches
    }

    #[test]
    fn the_result_does_not_depend_on_the_thread() {
        let here = sealed(None);
        assert!(here.len() > 10);
        assert_eq!(here.iter().map(|(_, sizes)| sizes.len()).sum::<usize>(), 1000);
        assert_eq!(here, sealed(Some(Rc::new(Late))));
    }
}

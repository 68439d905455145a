//! One open file of a storage with injected faults.

use std::rc::Rc;

use super::control::{Control, Fault, OpenFile};
use super::rule::{FaultKind, Operation, SectorFault};
use crate::base::{crc32c, to_u64};
use crate::env::memory::percent_of;
use crate::env::testing::random::Seeded;
use crate::env::{Durability, File, Io};
use crate::error::Result;

#[derive(Clone)]
pub(super) struct FaultFile {
    pub(super) control: Rc<Control>,
    pub(super) inner: Rc<dyn File>,
    pub(super) name: Rc<str>,
    pub(super) _open: Rc<OpenFile>,
}

impl FaultFile {
    fn append_now(&self, data: &[u8]) -> Io<u64> {
        let asked = to_u64(data.len());
        let turn = self.control.begin(Operation::Append, &self.name, 0, asked, crc32c(data));
        let part = |percent: u8| data.get(..percent_of(data.len(), percent)).unwrap_or(data);
        let Some(Fault::Planned(kind)) = &turn.fault else { return turn.plainly(|| self.inner.append(data)) };
        let io = match kind {
            FaultKind::ShortWrite { percent, kind } => {
                let error = turn.error(*kind);
                self.inner.append(part(*percent)).map(|taken| taken.and(Err(error)))
            }
            FaultKind::ShortCount { percent } => self.inner.append(part(*percent)),
            FaultKind::WrongCount(count) => Io::ready(Ok(*count)),
            FaultKind::MissingBytes { percent } => {
                self.inner.append(part(*percent)).map(move |taken| taken.and(Ok(asked)))
            }
            _ => return turn.plainly(|| self.inner.append(data)),
        };
        turn.end(io)
    }

    fn read_at_now(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let asked = to_u64(length);
        let turn = self.control.begin(Operation::ReadAt, &self.name, offset, asked, 0);
        let io = match turn.fault {
            Some(Fault::Planned(FaultKind::ShortRead { percent })) => {
                self.inner.read_at(offset, length).map(move |data| {
                    let mut data = data?;
                    data.truncate(percent_of(data.len(), percent));
                    Ok(data)
                })
            }
            Some(Fault::Planned(FaultKind::BadSector { fault, size })) => {
                let this = self.clone();
                Io::pending(async move { this.read_badly(offset, length, fault, size.max(1)).await })
            }
            _ => return turn.plainly(|| self.inner.read_at(offset, length)),
        };
        turn.end(io)
    }

    /// Reads, and damages one random sector of the result.
    async fn read_badly(&self, offset: u64, length: usize, fault: SectorFault, size: usize) -> Result<Vec<u8>> {
        let mut data = self.inner.read_at(offset, length).await?;
        let into_sector = usize::try_from(offset % to_u64(size)).unwrap_or(0);
        let Some(last) = into_sector.saturating_add(data.len()).saturating_sub(1).checked_div(size) else {
            return Ok(data);
        };
        let mut rng = self.rng();
        let sector = rng.up_to(last).saturating_mul(size);
        let from = sector.saturating_sub(into_sector);
        let to = sector.saturating_add(size).saturating_sub(into_sector).min(data.len());
        let other = match fault {
            SectorFault::Misdirected => self.other_sector(offset, from, to, size, &mut rng).await?,
            SectorFault::Stale => self.stale(offset, from, to),
            _ => Vec::new(),
        };
        let spoilt = data.get_mut(from..to).unwrap_or_default();
        match fault {
            SectorFault::Zeroed => spoilt.fill(0),
            SectorFault::Noise => rng.fill(spoilt),
            SectorFault::Misdirected | SectorFault::Stale => {
                spoilt.iter_mut().zip(other).for_each(|(byte, wrong)| *byte = wrong)
            }
            SectorFault::BitFlip => {
                let at = rng.up_to(spoilt.len().saturating_sub(1));
                if let Some(byte) = spoilt.get_mut(at) {
                    *byte ^= 1 << rng.up_to(7);
                }
            }
        }
        Ok(data)
    }

    /// The bytes at the same place of another sector, for bytes `from..to` of a read at `offset`.
    async fn other_sector(
        &self,
        offset: u64,
        from: usize,
        to: usize,
        size: usize,
        rng: &mut Seeded,
    ) -> Result<Vec<u8>> {
        let size = to_u64(size);
        let start = offset.saturating_add(to_u64(from));
        let sectors = self.inner.size().await?.div_ceil(size);
        let steps = usize::try_from(sectors).unwrap_or(usize::MAX).saturating_sub(2);
        let step = u64::try_from(rng.up_to(steps)).unwrap_or(0).saturating_add(1);
        let wrong = (start / size).saturating_add(step).checked_rem(sectors).unwrap_or(0);
        self.inner.read_at(wrong.saturating_mul(size).saturating_add(start % size), to.saturating_sub(from)).await
    }

    /// The bytes that the medium held before, for bytes `from..to` of a read at `offset`.
    fn stale(&self, offset: u64, from: usize, to: usize) -> Vec<u8> {
        let stale = self.control.stale.borrow();
        let start = usize::try_from(offset).unwrap_or(usize::MAX).saturating_add(from);
        let mut bytes: Vec<u8> = stale.iter().skip(start).take(to.saturating_sub(from)).copied().collect();
        bytes.resize(to.saturating_sub(from), 0);
        bytes
    }

    /// A random stream for this fault alone, so that no borrow is held while the read waits.
    fn rng(&self) -> Seeded {
        Seeded::new(self.control.rng.borrow_mut().next())
    }

    fn sync_now(&self) -> Io<Durability> {
        let turn = self.control.begin(Operation::Sync, &self.name, 0, 0, 0);
        match turn.fault {
            Some(Fault::Planned(FaultKind::LoseSync)) => turn.end(Io::ready(Ok(self.control.durability))),
            _ => turn.plainly(|| self.inner.sync()),
        }
    }
}

impl File for FaultFile {
    fn read_at(&self, offset: u64, length: usize) -> Io<Vec<u8>> {
        let this = self.clone();
        self.control.soon(move || this.read_at_now(offset, length))
    }

    fn append(&self, data: &[u8]) -> Io<u64> {
        let (this, data) = (self.clone(), data.to_vec());
        self.control.soon(move || this.append_now(&data))
    }

    fn sync(&self) -> Io<Durability> {
        let this = self.clone();
        self.control.soon(move || this.sync_now())
    }

    fn truncate(&self, size: u64) -> Io<()> {
        let this = self.clone();
        self.control.soon(move || {
            this.control.begin(Operation::Truncate, &this.name, size, 0, 0).plainly(|| this.inner.truncate(size))
        })
    }

    fn size(&self) -> Io<u64> {
        let this = self.clone();
        self.control
            .soon(move || this.control.begin(Operation::Size, &this.name, 0, 0, 0).plainly(|| this.inner.size()))
    }
}

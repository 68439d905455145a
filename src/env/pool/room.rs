//! Keeps room for when the quota is used up.

use std::rc::Rc;

use super::handles::Pool;
use crate::env::Io;
use crate::error::{Error, Result};

impl Pool {
    /// Makes the reserve at least `bytes` large; whether it is.
    pub(super) fn keep_room(self: &Rc<Pool>, bytes: u64) -> Io<bool> {
        if self.reserve.size.get() >= bytes && self.reserve.is_beside_claims.get() {
            return Io::ready(Ok(true));
        }
        if self.reserve.is_open() {
            match self.grow_reserve(bytes) {
                Ok(false) => {}
                done => return Io::ready(done),
            }
        }
        let pool = self.clone();
        Io::pending(async move {
            pool.open_reserve().await?;
            Ok(pool.grow_reserve(bytes)? || pool.sweep().await? && pool.grow_reserve(bytes)?)
        })
    }

    /// Gives back the space of removed files that are closed; whether there was one.
    async fn sweep(self: &Rc<Pool>) -> Result<bool> {
        let mut found = false;
        while let Some(slot) = self.clean_one().await? {
            if self.raw.reserves() {
                slot.close();
            }
            found = true;
        }
        Ok(found)
    }

    fn grow_reserve(&self, bytes: u64) -> Result<bool> {
        let Some(file) = self.reserve.file.borrow().clone() else { return Ok(false) };
        let claim = || self.with(|state| state.claim());
        match claim() {
            Err(Error::Full(_)) if !self.reclaim() => return Ok(false),
            Err(Error::Full(_)) => claim()?,
            claimed => claimed?,
        }
        self.reserve.is_beside_claims.set(true);
        let before = self.reserve.size.get();
        let grow = || match file.truncate(bytes) {
            // Where it was not granted, or only a part, the size tells.
            Ok(()) | Err(Error::Full(_)) => file.size(),
            Err(error) => Err(error),
        };
        let mut size = if before < bytes { grow()? } else { before };
        if size < bytes && self.reclaim() {
            size = grow()?;
        }
        if size < bytes && size > before {
            file.truncate(before)?;
            size = file.size()?;
        }
        self.reserve.size.set(size);
        Ok(size >= bytes)
    }
}

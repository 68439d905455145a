//! The orders of keys that this build has, by their names.

#[cfg(feature = "comparators")]
use std::cmp::Ordering;
#[cfg(feature = "comparators")]
use std::rc::Rc;

#[cfg(feature = "comparators")]
use super::comparator::Comparator;
use super::comparator::{BYTEWISE_NAME, UserComparator};
#[cfg(feature = "comparators")]
use super::idb::{IDB_NAME, IdbComparator};
use crate::error::Error;

/// The name of [`UserComparator::as_stored`]; no manifest has it.
const AS_STORED_NAME: &str = "as-stored";

impl UserComparator {
    /// The order with this name in a manifest, if this build has it.
    pub fn named(name: &[u8]) -> Option<UserComparator> {
        if name == BYTEWISE_NAME.as_bytes() {
            return Some(UserComparator::Bytewise);
        }
        #[cfg(feature = "comparators")]
        if name == IDB_NAME.as_bytes() {
            return Some(UserComparator::Custom(Rc::new(IdbComparator)));
        }
        None
    }

    /// The order of a database whose comparator is not known: it opens read-only, and its entries come
    /// table by table.
    ///
    /// Iterators return the memtables, which are in bytewise order, from the newest on, then the tables of
    /// level 0 from the newest on, then those of each deeper level by number, in the order inside each.
    /// Of a key, the newest entry is returned, where it stands. Look-ups, seeks, bounds and moves backward
    /// need the order of keys, and are `NotSupported`.
    #[cfg(feature = "comparators")]
    pub fn as_stored() -> UserComparator {
        UserComparator::Custom(Rc::new(AsStored))
    }

    /// Whether the order is not known.
    pub(crate) fn is_as_stored(&self) -> bool {
        cfg!(feature = "comparators") && matches!(self, UserComparator::Custom(order) if order.name() == AS_STORED_NAME)
    }

    /// Refuses what needs an order if none is known.
    pub(crate) fn check_known(&self) -> Result<(), Error> {
        if !self.is_as_stored() {
            return Ok(());
        }
        let message =
            "the order of keys is not known (comparator as-stored), so they can only be read one after the other";
        Err(Error::NotSupported(message.into()))
    }
}

/// Only whether keys are equal is known.
#[cfg(feature = "comparators")]
struct AsStored;

#[cfg(feature = "comparators")]
impl Comparator for AsStored {
    fn name(&self) -> &str {
        AS_STORED_NAME
    }

    fn compare(&self, a: &[u8], b: &[u8]) -> Ordering {
        if a == b { Ordering::Equal } else { Ordering::Greater }
    }
}

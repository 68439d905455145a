//! Entries of one user key, which follow one another in the order of the database.

use crate::base::InternalKeyComparator;

/// The user key of the entry before.
#[derive(Default)]
pub(super) struct UserKeys {
    previous: Option<Vec<u8>>,
}

impl UserKeys {
    /// Whether `user_key` is another than that before; two with other bytes can be one key.
    pub(super) fn begins(&mut self, order: &InternalKeyComparator, user_key: &[u8]) -> bool {
        if self.previous.as_deref().is_some_and(|previous| order.user().compare(previous, user_key).is_eq()) {
            return false;
        }
        let previous = self.previous.get_or_insert_default();
        previous.clear();
        previous.extend_from_slice(user_key);
        true
    }
}

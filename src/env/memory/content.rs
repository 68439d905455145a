//! The bytes of one file.

#[cfg(feature = "testing")]
use super::crash::{CrashModel, History};

/// The bytes of a file and, for tests, the changes since the last sync.
#[derive(Clone, Default)]
pub(super) struct Content {
    bytes: Vec<u8>,
    unsynced: History,
}

/// Only tests use it.
#[cfg(not(feature = "testing"))]
#[derive(Clone, Default)]
struct History;

#[cfg(not(feature = "testing"))]
impl History {
    fn appended(&mut self, _: usize) {}
    fn cut(&mut self, _: Vec<u8>) {}
    fn synced(&mut self) {}
}

impl Content {
    /// The synced bytes.
    pub(super) fn synced(bytes: Vec<u8>) -> Content {
        Content { bytes, unsynced: Default::default() }
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(super) fn has_room_for(&mut self, more: usize) -> bool {
        self.bytes.try_reserve(more).is_ok()
    }

    pub(super) fn append(&mut self, data: &[u8]) {
        self.bytes.extend_from_slice(data);
        self.unsynced.appended(data.len());
    }

    pub(super) fn set_size(&mut self, size: usize) {
        if let Some(added) = size.checked_sub(self.bytes.len()) {
            self.bytes.resize(size, 0);
            self.unsynced.appended(added);
        } else {
            let removed = self.bytes.split_off(size);
            self.unsynced.cut(removed);
        }
    }

    pub(super) fn sync(&mut self) {
        self.unsynced.synced();
    }

    /// The bytes of the file called `name` that a crash now may leave.
    #[cfg(feature = "testing")]
    pub(super) fn after_crash(&self, model: &CrashModel, name: &str) -> Vec<u8> {
        self.unsynced.after_crash(&self.bytes, model, name)
    }
}

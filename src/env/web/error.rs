//! What JavaScript throws, as an error of ours and back.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::error::Error;

#[cold]
pub(super) fn unexpected(name: &str, operation: &'static str, expected: &str) -> Error {
    Error::io(name, operation, ErrorKind::InvalidData, format!("the storage did not answer {expected}"))
}

/// What was thrown, by its `code`, or by its `name` as DOMExceptions have it.
#[cold]
pub(super) fn to_error(thrown: &JsValue, name: &str, operation: &'static str) -> Error {
    let property = |key: &str| Reflect::get(thrown, &JsValue::from_str(key)).ok().and_then(|value| value.as_string());
    let code = property("code").or_else(|| property("name")).unwrap_or_default();
    let message = property("message").or_else(|| thrown.as_string()).unwrap_or_else(|| "no reason was given".into());
    remember(&message, thrown);
    let kind = match code.as_str() {
        "LEVEL_LOCKED" => return Error::Locked(message),
        "LEVEL_FENCED" => return Error::Fenced(message),
        "LEVEL_NOT_SUPPORTED" => return Error::NotSupported(message),
        "LEVEL_EVICTED" => return Error::Evicted(message),
        "LEVEL_SOURCE_CHANGED" | "SOURCE_CHANGED" => return Error::SourceChanged(message),
        // A name that the storage does not take; from a disk it may mean anything.
        "EINVAL" if matches!(operation, "create" | "open" | "change names") => return Error::InvalidArgument(message),
        "ENOENT" | "NotFoundError" => ErrorKind::NotFound,
        "EEXIST" => ErrorKind::AlreadyExists,
        "EACCES" | "EPERM" | "EROFS" | "NotAllowedError" | "NoModificationAllowedError" => ErrorKind::PermissionDenied,
        "ENOSPC" => ErrorKind::StorageFull,
        "EDQUOT" | "QuotaExceededError" => ErrorKind::QuotaExceeded,
        "EMFILE" | "ENFILE" => ErrorKind::ResourceBusy,
        "ENOTDIR" => ErrorKind::NotADirectory,
        "EISDIR" => ErrorKind::IsADirectory,
        _ => ErrorKind::Other,
    };
    Error::io(name, operation, kind, message)
}

/// So many errors of storages are remembered: enough for those that are on their way to the caller.
const REMEMBERED_MAX: usize = 16;

thread_local! {
    /// What storages threw lately, with its message: an `Error` of ours can be compared and copied, and what JavaScript threw cannot.
    static THROWN: RefCell<VecDeque<(String, JsValue)>> = const { RefCell::new(VecDeque::new()) };
}

#[cold]
fn remember(message: &str, thrown: &JsValue) {
    THROWN.with_borrow_mut(|all| {
        if all.len() == REMEMBERED_MAX {
            all.pop_front();
        }
        all.push_back((message.into(), thrown.clone()));
    });
}

/// What the storage threw that has become an error with this message, or with one that ends so, if that was lately.
#[cold]
pub(crate) fn thrown_as(message: &str) -> Option<JsValue> {
    THROWN.with_borrow(|all| {
        all.iter().rev().find(|(known, _)| message.ends_with(known.as_str())).map(|(_, thrown)| thrown.clone())
    })
}

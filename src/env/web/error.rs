//! Converts errors thrown by JavaScript to ours and back.

use std::cell::RefCell;
use std::collections::VecDeque;
use std::io::ErrorKind;

use js_sys::Reflect;
use wasm_bindgen::JsValue;

use crate::error::Error;

#[cold]
pub(super) fn unexpected(name: &str, operation: &'static str, expected: &str) -> Error {
    Error::io(name, operation, ErrorKind::InvalidData, format!("the storage did not return {expected}"))
}

/// Converts a thrown value, by its `code`, or by its `name` as in a DOMException.
#[cold]
pub(super) fn to_error(thrown: &JsValue, name: &str, operation: &'static str) -> Error {
    let property = |key: &str| Reflect::get(thrown, &JsValue::from_str(key)).ok().and_then(|value| value.as_string());
    let code = property("code").or_else(|| property("name")).unwrap_or_default();
    let message = property("message").filter(|message| !message.is_empty()).or_else(|| thrown.as_string());
    let message = message.unwrap_or_else(|| format!("no reason was given {code}").trim_end().to_owned());
    remember(&message, thrown);
    let kind = match code.as_str() {
        "LEVEL_LOCKED" => return Error::Locked(message),
        "LEVEL_FENCED" => return Error::Fenced(message),
        "LEVEL_NOT_SUPPORTED" => return Error::NotSupported(message),
        "LEVEL_EVICTED" => return Error::Evicted(message),
        "LEVEL_SOURCE_CHANGED" | "SOURCE_CHANGED" => return Error::SourceChanged(message),
        // A name that the storage refuses; on a disk this code has several meanings.
        "EINVAL" if matches!(operation, "create" | "open" | "change names") => return Error::InvalidArgument(message),
        "ENOENT" | "NotFoundError" => ErrorKind::NotFound,
        "EEXIST" => ErrorKind::AlreadyExists,
        "EACCES" | "EPERM" | "EROFS" | "NotAllowedError" | "NoModificationAllowedError" => ErrorKind::PermissionDenied,
        // Firefox throws the last one where a file is made larger than the quota.
        "ENOSPC" | "NS_ERROR_FILE_NO_DEVICE_SPACE" => ErrorKind::StorageFull,
        "EDQUOT" | "QuotaExceededError" => ErrorKind::QuotaExceeded,
        "EMFILE" | "ENFILE" => ErrorKind::ResourceBusy,
        "ENOTDIR" => ErrorKind::NotADirectory,
        "EISDIR" => ErrorKind::IsADirectory,
        _ => ErrorKind::Other,
    };
    Error::io(name, operation, kind, message)
}

/// The number of storage errors remembered: enough for those on their way to the caller.
const REMEMBERED_MAX: usize = 16;

thread_local! {
    /// Recent errors of storages, with their messages.
    ///
    /// An `Error` of ours can be compared and copied; a JavaScript error cannot.
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

/// The recent storage error that became an error with this message, or with one that ends in it.
#[cold]
pub(crate) fn thrown_as(message: &str) -> Option<JsValue> {
    THROWN.with_borrow(|all| {
        all.iter().rev().find(|(known, _)| message.ends_with(known.as_str())).map(|(_, thrown)| thrown.clone())
    })
}

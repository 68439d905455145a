//! Converts errors and reports of errors to JavaScript.

use js_sys::{Array, Object, Reflect};
use wasm_bindgen::JsValue;

use crate::db::VerifyReport;
use crate::error::Error;

/// A JavaScript `Error` with the engine's message and, as own properties:
///
/// - `code`: [`Error::code`], a stable word;
/// - `file` and `offset` (a byte, as a number) where they are known;
/// - `maybeApplied`: true on a write whose fate is unknown;
/// - `cause`: what a storage written in JavaScript threw, now or when writing stopped.
pub(crate) fn to_js(error: &Error) -> JsValue {
    let object = JsValue::from(js_sys::Error::new(&error.to_string()));
    set(&object, "code", error.code());
    match error {
        Error::Corruption(corruption) => {
            set(&object, "file", &*corruption.file);
            set(&object, "offset", number(corruption.offset));
        }
        Error::MissingCodec(block) => {
            set(&object, "file", &*block.file);
            set(&object, "offset", number(block.offset));
        }
        Error::Io(io) | Error::Full(io) => set(&object, "file", &*io.file),
        _ => {}
    }
    if error.maybe_applied() {
        set(&object, "maybeApplied", true);
    }
    if let Some(thrown) = message_of_storage(error).and_then(crate::env::thrown_as) {
        set(&object, "cause", thrown);
    } else if let Error::Poisoned { cause, .. } = error {
        set(&object, "cause", js_sys::Error::new(cause));
    }
    object
}

fn message_of_storage(error: &Error) -> Option<&str> {
    match error {
        Error::Io(io) | Error::Full(io) => Some(&io.message),
        Error::Locked(message)
        | Error::Fenced(message)
        | Error::SourceChanged(message)
        | Error::Evicted(message)
        | Error::NotSupported(message)
        | Error::InvalidArgument(message)
        | Error::Poisoned { cause: message, .. } => Some(message),
        _ => None,
    }
}

/// `{ tables, logs, entries, logEntries, bytes, findings, unused }`.
pub(crate) fn verify_report(report: &VerifyReport) -> JsValue {
    let object = JsValue::from(Object::new());
    set(&object, "tables", number(report.tables));
    set(&object, "logs", number(report.logs));
    set(&object, "entries", number(report.entries));
    set(&object, "logEntries", number(report.log_entries));
    set(&object, "bytes", number(report.bytes));
    set(&object, "findings", report.findings.iter().map(to_js).collect::<Array>());
    #[cfg(feature = "full")]
    if let Some(name) = &report.unknown_comparator {
        set(&object, "unknownComparator", &**name);
    }
    set(&object, "unused", report.unused.iter().map(JsValue::from).collect::<Array>());
    object
}

/// Sets one property of a plain object, which cannot fail.
pub(crate) fn set(object: &JsValue, name: &str, value: impl Into<JsValue>) {
    let _ = Reflect::set(object, &JsValue::from_str(name), &value.into());
}

/// Converts a count or an offset; exact up to 2^53.
pub(crate) fn number(value: u64) -> f64 {
    value as f64
}

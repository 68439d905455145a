//! Results from JavaScript: a value or a promise of one.

use js_sys::{Promise, Reflect};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use super::error::to_error;
use crate::env::Io;
use crate::error::Result;

/// Converts a value, or a promise of one, to a result.
pub(super) fn answer<T: 'static>(
    result: Result<JsValue, JsValue>,
    name: &str,
    operation: &'static str,
    convert: impl FnOnce(JsValue) -> Result<T> + 'static,
) -> Io<T> {
    match result {
        Err(thrown) => Io::ready(Err(to_error(&thrown, name, operation))),
        Ok(value) => match promise(&value) {
            None => Io::ready(convert(value)),
            Some(promise) => {
                let name = name.to_string();
                // Handled from now on: a promise that rejects before it has a handler would end the
                // process.
                let answer = JsFuture::from(promise);
                Io::pending(async move {
                    let value = answer.await.map_err(|thrown| to_error(&thrown, &name, operation))?;
                    convert(value)
                })
            }
        },
    }
}

/// `value` as a promise, if it is a promise or a thenable.
pub(super) fn promise(value: &JsValue) -> Option<Promise> {
    if let Some(promise) = value.dyn_ref::<Promise>() {
        return Some(promise.clone());
    }
    let thenable =
        value.is_object() && Reflect::get(value, &JsValue::from_str("then")).is_ok_and(|then| then.is_function());
    thenable.then(|| Promise::resolve(value))
}

/// An integer that JavaScript represents exactly.
pub(super) fn exact(value: &JsValue) -> Option<u64> {
    let number = value.as_f64()?;
    if number.fract() != 0.0 || !(0.0..=9_007_199_254_740_992.0).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Some(number as u64)
}

/// Offsets and sizes; no storage has any above 2^53.
pub(super) fn number(value: u64) -> f64 {
    value as f64
}

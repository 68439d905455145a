//! Called by long operations so that the host can run other tasks; may return a promise.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;

use js_sys::{Function, Promise};
use wasm_bindgen::{JsCast, JsValue};
use wasm_bindgen_futures::JsFuture;

use crate::budget::Pause;
use crate::error::{Error, Result};

struct JsPause(Function);

impl Pause for JsPause {
    fn pause(&self) -> Option<Pin<Box<dyn Future<Output = ()>>>> {
        let promise: Promise = self.0.call0(&JsValue::UNDEFINED).ok()?.dyn_into().ok()?;
        Some(Box::pin(async move { drop(JsFuture::from(promise).await) }))
    }
}

/// Returns the option's value.
pub(super) fn from_js(name: &str, value: &JsValue) -> Result<Rc<dyn Pause>> {
    let function = value.dyn_ref::<Function>().cloned();
    let function = function.ok_or_else(|| Error::InvalidArgument(format!("{name} must be a function")))?;
    Ok(Rc::new(JsPause(function)))
}

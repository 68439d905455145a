//! Memory regions for the arguments and results of calls.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use js_sys::Uint8Array;
use wasm_bindgen::JsValue;
use wasm_bindgen_futures::future_to_promise;

use super::error::{number, to_js};
use crate::base::to_u64;
use crate::error::{Error, Result};

/// Returned by a call that continues; `outcome` returns its promise.
pub(super) const LATE: f64 = -2.0;
/// Returned by a call that failed; `outcome` returns its error.
pub(super) const FAILED: f64 = -3.0;
/// Returned by a lookup that found nothing.
pub(super) const MISSING: f64 = -1.0;
/// A region larger than this is freed after use.
const KEPT_MAX: usize = 1 << 20;

/// The regions of one database.
#[derive(Default)]
pub(super) struct Regions {
    /// Arguments of the next call.
    scratch: RefCell<Vec<u8>>,
    /// The bytes of the last answer.
    out: RefCell<Vec<u8>>,
    outcome: RefCell<Option<JsValue>>,
}

impl Regions {
    /// Returns the address of at least `size` bytes for the next call.
    pub(super) fn scratch(&self, size: usize) -> Result<*mut u8> {
        let mut scratch = self.scratch.borrow_mut();
        if scratch.len() < size {
            let more = size - scratch.len();
            if scratch.try_reserve(more).is_err() {
                return Err(Error::LimitExceeded(format!("no memory for {size} bytes")));
            }
            scratch.resize(size, 0);
        } else if scratch.len() > KEPT_MAX && size <= KEPT_MAX {
            scratch.truncate(KEPT_MAX);
            scratch.shrink_to_fit();
        }
        Ok(scratch.as_mut_ptr())
    }

    /// Applies `take` to the scratch region.
    pub(super) fn with_scratch<T>(&self, take: impl FnOnce(&[u8]) -> T) -> T {
        take(&self.scratch.borrow())
    }

    /// Copies the first `size` bytes of the scratch region.
    pub(super) fn copied(&self, size: usize) -> Vec<u8> {
        part(&self.scratch.borrow(), 0, size).to_vec()
    }

    /// Returns the address of the last result.
    pub(super) fn out(&self) -> *const u8 {
        self.out.borrow().as_ptr()
    }

    /// Returns the size of the last result in bytes.
    pub(super) fn out_size(&self) -> usize {
        self.out.borrow().len()
    }

    /// Sets the result to `bytes` and returns its size.
    pub(super) fn answer(&self, bytes: Vec<u8>) -> f64 {
        let size = number(to_u64(bytes.len()));
        self.out.replace(bytes);
        size
    }

    /// Takes the memory of the last result for the next one.
    pub(super) fn take_out(&self) -> Vec<u8> {
        let buffer = self.out.take();
        if buffer.capacity() > KEPT_MAX { Vec::new() } else { buffer }
    }

    /// Returns the promise after [`LATE`], or the error after [`FAILED`].
    pub(super) fn outcome(&self) -> JsValue {
        self.outcome.take().unwrap_or(JsValue::UNDEFINED)
    }

    /// Keeps `error` for [`outcome`](Regions::outcome).
    #[cold]
    pub(super) fn failed(&self, error: JsValue) -> f64 {
        self.outcome.replace(Some(error));
        FAILED
    }

    /// Returns the size of the call's result, or late.
    pub(super) fn bytes(&self, call: impl Future<Output = Result<Vec<u8>>> + 'static) -> Result<f64, JsValue> {
        let Some(bytes) = self.now(call, |bytes| Uint8Array::from(&bytes[..]).into())? else { return Ok(LATE) };
        Ok(self.answer(bytes))
    }

    /// Returns 0 when the call is done, or late.
    pub(super) fn done(&self, call: impl Future<Output = Result<()>> + 'static) -> Result<f64, JsValue> {
        Ok(self.now(call, |()| JsValue::UNDEFINED)?.map_or(LATE, |()| 0.0))
    }

    /// Returns an immediate result, or keeps the promise for [`outcome`](Regions::outcome).
    pub(super) fn now<T: 'static>(
        &self,
        call: impl Future<Output = Result<T>> + 'static,
        convert: fn(T) -> JsValue,
    ) -> Result<Option<T>, JsValue> {
        let mut call: Pin<Box<dyn Future<Output = Result<T>>>> = Box::pin(call);
        match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
            Poll::Ready(result) => result.map(Some).map_err(|error| to_js(&error)),
            Poll::Pending => {
                self.outcome.replace(Some(promise_of(call, convert)));
                Ok(None)
            }
        }
    }
}

/// Returns `size` bytes of the region from `at`, cut at its end.
pub(super) fn part(region: &[u8], at: usize, size: usize) -> &[u8] {
    at.checked_add(size).and_then(|end| region.get(at..end)).unwrap_or_default()
}

/// Converts a JavaScript number to a length.
pub(super) fn exact(number: f64) -> Option<usize> {
    if !(0.0..=f64::from(u32::MAX)).contains(&number) {
        return None;
    }
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "checked above")]
    Some(number as usize)
}

fn promise_of<T: 'static>(call: Pin<Box<dyn Future<Output = Result<T>>>>, convert: fn(T) -> JsValue) -> JsValue {
    // One future type for all calls, because each type adds its own copy of the promise code.
    let call: Pin<Box<dyn Future<Output = Result<JsValue, JsValue>>>> =
        Box::pin(async move { call.await.map(convert).map_err(|error| to_js(&error)) });
    future_to_promise(call).into()
}

/// Returns the result of an infrequent call.
pub(super) fn value_or_promise(call: impl Future<Output = Result<JsValue>> + 'static) -> Result<JsValue, JsValue> {
    let mut call: Pin<Box<dyn Future<Output = Result<JsValue>>>> = Box::pin(call);
    match call.as_mut().poll(&mut Context::from_waker(Waker::noop())) {
        Poll::Ready(result) => result.map_err(|error| to_js(&error)),
        Poll::Pending => Ok(promise_of(call, |value| value)),
    }
}

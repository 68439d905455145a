//! Runs futures.
//!
//! With a storage in memory, all are done when nothing wakes them any more, and WebAssembly cannot
//! block.

#[cfg(not(target_arch = "wasm32"))]
pub use varve::block_on;

#[cfg(target_arch = "wasm32")]
pub fn block_on<F: Future>(future: F) -> F::Output {
    varve::try_now(future).expect("the storage in memory has no more to say, yet the call waits")
}

//! Code shared by the families of tests.

mod block_on;
#[path = "../../../examples/support/comparators.rs"]
#[allow(dead_code, reason = "shared with the examples")]
pub mod comparators;
#[cfg(not(target_arch = "wasm32"))]
pub mod executor;
#[cfg(not(target_arch = "wasm32"))]
pub mod framing;
#[cfg(not(target_arch = "wasm32"))]
pub mod golden;
pub mod model;
pub mod random;
#[cfg(not(target_arch = "wasm32"))]
pub mod scripts;
#[cfg(not(target_arch = "wasm32"))]
pub mod temp_dir;
#[cfg(not(target_arch = "wasm32"))]
pub mod world;

pub use block_on::block_on;

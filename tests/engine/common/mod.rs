//! What the families share.

mod block_on;
#[cfg(not(target_arch = "wasm32"))]
pub mod executor;
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

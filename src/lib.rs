pub mod base;
mod error;
pub mod events;
pub mod iter;
pub use error::{Corruption, Error, IoError, Malformed, Result};

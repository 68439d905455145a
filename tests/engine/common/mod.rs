//! What the families share.

pub mod model;
pub mod random;
pub mod temp_dir;

//! Damage of every kind: every read returns an error or the right result.
//!
//! `VARVE_LONG=1` runs every case; otherwise one in eight if there are many, chosen by index.

mod bits;
pub mod bytes;
mod cuts;
mod false_contents;
mod image;
mod sectors;

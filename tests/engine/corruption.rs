//! Damage of every kind: every read returns an error or the right result.
//!
//! `VARVE_LONG=1` runs every case; otherwise some of them if there are many, chosen by index.

mod bits;
pub mod bytes;
mod cuts;
mod false_contents;
mod image;
mod sectors;

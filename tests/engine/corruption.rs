//! Damage of every kind: what is read is an error or the right answer, never a wrong one.
//!
//! `VARVE_LONG=1` runs every case; otherwise one in eight of the many ones, chosen by index.

mod bits;
pub mod bytes;
mod cuts;
mod image;
mod liars;
mod sectors;

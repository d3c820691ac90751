//! Releases: what is in them, that they are the same whoever makes them, that nothing of people or of the machine
//! leaves with them, and that `verify` finds what is wrong with one. Each file is one subject.
//!
//! Everything goes through the real binary. Kills and full disks stand with the others of their kind, in `resume.rs`
//! and `full_disk.rs`. Needs no data but for the test over real photographs, which says so loudly where they are
//! absent.

#[path = "../common/mod.rs"]
mod common;

mod contents;
mod damage;
mod forged;
mod hostile;
mod lost;
mod pages;
mod people;
mod photographs;
mod push;
mod same;
mod unfit;
mod versions;

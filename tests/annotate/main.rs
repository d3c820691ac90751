//! The part of people, from task sheets to verdicts: simulated people answer through every format; nothing that reaches
//! them tells sentinels apart; answers are read in any order, and hostile ones cost only themselves. Each file is one
//! subject.
//!
//! The tests on made-up images need nothing; those on photographs need the project's real data and ONNX Runtime.

#[path = "../common/mod.rs"]
mod common;

mod again;
mod collecting;
mod field;
mod formats;
mod giving;
mod hosts;
mod journey;
mod leaks;
mod people;
mod runs;
mod server;
mod sheets;
mod slow;

//! The verbs: one file or folder each.
//!
//! Uses sources, generators and scorers through their traits and does not know candle, ort, polars, clap or image,
//! because a verb must be testable without them. Each verb has its own error, so that its signature says what can go
//! wrong; `cli` joins them.

pub mod annotate;
pub mod compare;
pub mod doctor;
pub mod evaluate;
pub mod fetch;
pub mod generate;
pub mod inspect;
pub mod job;
pub mod leaderboard;
pub mod mine;
pub mod plan;
pub mod prepare;
pub mod push;
pub mod release;
pub mod report;
pub mod status;
pub mod verify;

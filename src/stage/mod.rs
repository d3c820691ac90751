//! The verbs: one file or folder each.
//!
//! Sees sources, generators and scorers through their traits; knows neither candle, ort, polars, clap nor image,
//! because a verb that knows them cannot be tried without them. Each verb has its own error; `cli` joins them.

pub mod annotate;
pub mod doctor;
pub mod fetch;
pub mod generate;
pub mod mine;
pub mod plan;
pub mod prepare;
pub mod release;
pub mod report;
pub mod status;
pub mod verify;

//! How work on a run is done: shard by shard, resumed where it stopped ([`for_each_shard`]), on this process's threads
//! ([`Context`]) or shared out over processes, one for each device ([`processes`]).
//!
//! Knows no verb: what is made of a shard is told by a [`ShardWork`].
//!
//! Holds always: rows in = kept + dropped + failed, checked at every commit, because an item that vanishes without a
//! row in `dropped.parquet` is a wrong benchmark that nobody notices.

mod context;
mod error;
pub mod processes;
mod shards;

pub use context::{Context, Progress};
pub use error::WorkError;
pub use shards::{Made, Output, Part, ShardRecords, ShardWork, for_each_shard};

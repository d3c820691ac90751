//! How work on a run is done: shard by shard, resumed where it stopped ([`for_each_shard`]), on this process's threads
//! ([`Context`]) or divided among processes, one for each device ([`processes`]).
//!
//! Does not know the verbs: a [`ShardWork`] says what is made of a shard.
//!
//! Holds always: rows in = kept + dropped + failed, checked at every commit, because an item that vanishes without a
//! row in `dropped.parquet` is a wrong benchmark that nobody notices.

mod context;
mod error;
pub mod processes;
mod shards;

pub use context::{Accept, Context, Progress};
pub use error::WorkError;
pub use shards::{
    Part, ShardDone, ShardRecords, ShardResult, ShardTarget, ShardWork, finished, for_each_shard, stretch, work_on,
};

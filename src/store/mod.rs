//! The only writer of files: run directories, shards, commit records, the lock, whole-file writes.
//!
//! Does not know what is in a table. Nothing but this module writes files (`assets` moves files that the hub and pip
//! have written into the cache), because only then do the following hold for all of them:
//!
//! * A file appears under its name whole or not at all (temporary name, fsync, rename, fsync of the folder), because a
//!   process may be killed at any moment.
//! * A record is written after the files that it vouches for, because its existence means that they are complete. A
//!   unit counts as done only if its record exists and has the requested key, and every file has the recorded size and,
//!   if asked for, the recorded hash.
//! * Rows in = kept + dropped + failed in every record, because an item must not disappear without a reason.

mod atomic;
mod ballots;
mod error;
mod hand_out;
mod hashing;
mod inside;
mod lock;
mod rates;
mod record;
mod release_dir;
mod run_dir;
mod secret_file;
mod small_map;
mod tar;

pub use atomic::{PendingFile, write_whole};
pub use ballots::{BallotChange, Ballots, HandedOut, PersonProgress, read_ballots};
pub use error::StoreError;
pub use hand_out::HandOut;
pub use hashing::hash_file;
pub use inside::is_inside;
pub use lock::Lock;
pub use rates::{measured_rates, record_rate};
pub use record::{Check, FileRecord, RowCounts, ShardRecord, Unit};
pub use release_dir::{Draft, RELEASE_FORMAT, ReleaseDir, ReleasePlace};
pub use run_dir::{FORMAT, RunDir};
pub use small_map::{read_map, write_map};
pub use tar::{TarFile, TarShard, read_member};

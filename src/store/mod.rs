//! The only writer of files: run directories, shards, commit records, the lock, whole-file writes.
//!
//! Does not know what is in a table. Nothing but this module writes files (`assets` moves files that the hub and pip
//! have written into the cache), because only then do the following hold for all of them:
//!
//! * A file appears under its name whole or not at all (temporary name of the writer's own, fsync, rename, fsync of the
//!   folder), because a process may be killed at any moment, and because several may write the same file at once.
//! * A record is written after the files that it vouches for, because its existence means that they are complete. Files
//!   have their hashes in their names, and of two writers the first record stays. A unit counts as done only if its
//!   record exists and has the requested key, and every file has the recorded size and, if asked for, the recorded
//!   hash.
//! * Specs, records and small tables vouch for themselves by a hash in their first lines; one that was changed is an
//!   error, never taken for absent.
//! * Rows in = kept + dropped + failed in every record, because an item must not disappear without a reason.

mod atomic;
mod ballots;
#[cfg(feature = "s3")]
mod bucket;
mod check;
mod error;
mod evaluation_dir;
mod hand_out;
mod hashing;
mod home;
mod if_any;
mod inside;
mod job_dir;
mod lenient;
mod lock;
mod objects;
mod people_dir;
mod people_stems;
mod rates;
mod record;
mod release_dir;
mod run_dir;
mod scratch;
mod seal;
mod sealed_map;
mod secret_file;
mod shard_dirs;
mod side_by_side;
mod small_map;
mod spec_file;
mod tar;
mod unfinished;
mod unit;
mod written;

pub use atomic::{PendingFile, write_whole};
pub use ballots::{BallotChange, Ballots, HandedOut, PersonProgress, read_ballots};
pub use check::Check;
pub use error::StoreError;
pub use evaluation_dir::{EVALUATION_FORMAT, EvaluationDir, write_if_changed};
pub use hand_out::HandOut;
pub use hashing::{hash_file, hash_once};
pub use home::Home;
pub use inside::{beside, is_inside, numbered};
pub use job_dir::{JobDir, RankProcess};
pub use lock::{Lock, host_name};
pub use objects::is_in_bucket;
pub use rates::{measured_rates, record_rate};
pub use record::{FileRecord, NewRecord, RowCounts, ShardRecord};
pub use release_dir::{Draft, RELEASE_FORMAT, ReleaseDir, ReleasePlace};
pub use run_dir::RunDir;
pub use scratch::Scratch;
pub use side_by_side::side_by_side;
pub use small_map::{read_map, write_map};
pub use spec_file::{FORMAT, spec_text};
pub use tar::{LastShard, TarFile, TarShard, read_member};
pub use unit::{Unit, UnitFile, UnitState};
pub use written::written_order;

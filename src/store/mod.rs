//! The only writer of files: run directories, shards, commit records, the lock, whole-file writes.
//!
//! Does not know what is in a table and decides nothing. Holds always: a file appears under its name whole or not at all
//! (temporary name, fsync, rename, fsync of the folder); a shard counts as done only when its record exists, has the key
//! that is asked for, and every file has the size (and, where asked, the hash) that the record says.

mod atomic;
mod ballots;
mod error;
mod hand_out;
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
pub use ballots::{Ballots, Entry, GivenOut, PersonBallots, read_ballots};
pub use error::StoreError;
pub use hand_out::HandOut;
pub use inside::is_inside;
pub use lock::Lock;
pub use rates::{measured_rates, record_rate};
pub use record::{Check, FileRecord, Rows, ShardRecord, Unit};
pub use release_dir::{Draft, Place, RELEASE_FORMAT, ReleaseDir};
pub use run_dir::{FORMAT, RunDir};
pub use small_map::{read_map, write_map};
pub use tar::{TarFile, TarShard, read_member};

//! Why there is no release.

use crate::config::ConfigError;
use crate::pool::PoolError;
use crate::source::SourceError;
use crate::stage::annotate::AnnotateError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// Why there is no release.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// The recipe is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The run cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// What people answered cannot be read.
    #[error(transparent)]
    People(#[from] AnnotateError),
    /// A folder to compare with cannot be read.
    #[error(transparent)]
    Compare(#[from] SourceError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// The release would be empty.
    #[error("{run} has no image to release: {why}")]
    Nothing {
        /// The run directory.
        run: String,
        /// Why.
        why: String,
    },
    /// The server has answers that are not in the verdicts.
    #[error(
        "the server of {run} has {answers} answer(s) that are not collected; run `hardset annotate collect {run}` first"
    )]
    NotCollected {
        /// The run directory.
        run: String,
        /// How many.
        answers: u64,
    },
    /// A folder to compare with has no images.
    #[error(
        "{folder} has no image (jpg, jpeg, jpe, jfif, png, apng, webp, bmp, dib); give --against a folder of images, \
         or a release"
    )]
    NothingToCompare {
        /// The folder.
        folder: String,
    },
    /// The folder of the release is inside the run or the photographs.
    #[error("{out} is inside {folder}; choose a folder outside with --out")]
    Inside {
        /// The place of the release.
        out: String,
        /// The run, or the folder of photographs.
        folder: String,
    },
    /// The data of the older release do not match its record.
    #[error("{file} {problem}; check it with `hardset verify`")]
    BaseDamaged {
        /// The data file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The recipe cannot be written as TOML.
    #[error("cannot write the recipe as TOML: {0}; please report this bug")]
    Recipe(String),
    /// An image was lost while the release was made.
    #[error("item {item} cannot be released: {reason}; run the same command again to leave it out")]
    Image {
        /// The item.
        item: String,
        /// Why.
        reason: String,
    },
    /// The parts of the run do not belong together.
    #[error(
        "{run} is damaged: {problem}; `hardset verify {run}` says which file it is: restore it, or build a new run"
    )]
    RunDamaged {
        /// The run directory.
        run: String,
        /// What does not fit.
        problem: String,
    },
    /// Another command has changed the run while it was released.
    #[error("{run} was changed by another command meanwhile; run the same command again")]
    RunChanged {
        /// The run directory.
        run: String,
    },
    /// Hard items were lost without a reason, which is a bug.
    #[error("of {given} hard items {accounted} are released or left out with a reason; please report this bug")]
    Accounting {
        /// Hard items.
        given: u64,
        /// Items that are released or left out.
        accounted: u64,
    },
    /// The version is not newer than that of the older release.
    #[error(
        "version {new} is not newer than {old}, that of the older release; set another with --set release.version=…"
    )]
    Version {
        /// The older one's.
        old: String,
        /// The new one's.
        new: String,
    },
}

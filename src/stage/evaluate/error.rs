//! Why an evaluation stops.

use crate::config::{ConfigError, StandardError};
use crate::pool::PoolError;
use crate::source::SourceError;
use crate::stage::generate::GenerateError;
use crate::stage::mine::MineError;
use crate::stage::plan::PlanError;
use crate::stage::prepare::PrepareError;
use crate::store::StoreError;
use crate::table::TableError;
use crate::work::WorkError;

/// See the module.
#[derive(Debug, thiserror::Error)]
pub enum EvaluateError {
    /// The TOML of a target is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The pool cannot be used.
    #[error(transparent)]
    Source(#[from] SourceError),
    /// A target cannot be used.
    #[error(transparent)]
    Prepare(#[from] PrepareError),
    /// The images cannot be listed.
    #[error(transparent)]
    Plan(#[from] PlanError),
    /// The images cannot be pinned.
    #[error(transparent)]
    Generate(#[from] GenerateError),
    /// The targets cannot score.
    #[error(transparent)]
    Mine(#[from] MineError),
    /// The run in the evaluation's folder cannot be read.
    #[error(transparent)]
    Pool(#[from] PoolError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// A file cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// A target has mined the pool.
    #[error(
        "`{target}` cannot be a target: {pool} was mined with these weights (as surrogate `{surrogate}`), so it is \
         wrong there by construction; leave it out: the surrogates are shown beside the targets, without a rank"
    )]
    TargetMined {
        /// The target.
        target: String,
        /// The pool.
        pool: String,
        /// The surrogate of the same weights.
        surrogate: String,
    },
    /// The folder has an evaluation of other images.
    #[error(
        "{path} is an evaluation of another pool ({found}, not {wanted}, or with other images, categories or seed); \
         choose another folder with --out, or give the pool that it was made of"
    )]
    OtherPool {
        /// The folder.
        path: String,
        /// Its pool.
        found: String,
        /// The pool that was given.
        wanted: String,
    },
    /// A file of questions or answers cannot be used.
    #[error("{file}: {problem}")]
    Answers {
        /// The file.
        file: String,
        /// What is wrong, and what to do.
        problem: String,
    },
    /// A name that no target has.
    #[error("{option} names `{name}`, but the targets are {known}")]
    NoSuchTarget {
        /// Where it was named.
        option: &'static str,
        /// The name.
        name: String,
        /// The targets.
        known: String,
    },
    /// The runs of an earlier call are gone.
    #[error(
        "{path} has lost its folder runs, in which `{target}` scored, so nothing can be added to it; give all of its \
         targets again, or choose another folder with --out"
    )]
    RunsGone {
        /// The folder.
        path: String,
        /// A target that is not given again.
        target: String,
    },
    /// Two of one name.
    #[error("two models are named `{name}`; give one of them another name (the stem of its TOML, or NAME=FILE)")]
    TwoOfOneName {
        /// The name.
        name: String,
    },
    /// The clean twin is of other categories.
    #[error(
        "{path} has the categories of {found}, not those of {wanted}, so it is no clean twin of the pool; give a run \
         or release of the same categories, or a folder of images"
    )]
    OtherCategories {
        /// The clean twin.
        path: String,
        /// Its categories.
        found: String,
        /// Those of the pool.
        wanted: String,
    },
    /// A target compared with itself.
    #[error("`{name}` is compared with itself; name two targets")]
    SameTarget {
        /// The target.
        name: String,
    },
    /// The place of the evaluation lies in its pool.
    #[error("--out {out} lies inside {pool}, of which nothing may change; choose a folder outside it")]
    Inside {
        /// The place.
        out: String,
        /// The pool.
        pool: String,
    },
    /// The table of standard models cannot be used.
    #[error(transparent)]
    Standard(#[from] StandardError),
    /// No published shift of that name.
    #[error("--shift names `{name}`, but the built-in lines are of {known}; give a table of your own with --fit")]
    NoShift {
        /// The name.
        name: String,
        /// The names of the built-in lines.
        known: String,
    },
}

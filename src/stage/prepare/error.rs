//! Why something that a run needs is missing or wrong.
//!
//! Every message says what to install, restore or change, because these are found before any work is done.

use crate::assets::AssetError;
use crate::config::ConfigError;
use crate::domain::Sha256;
use crate::generator::GeneratorError;
use crate::onnx::{ExternalError, RuntimeError};
use crate::scorer::ScorerError;
use crate::store::StoreError;
use crate::work::WorkError;

/// Why something that a run needs is missing or wrong.
#[derive(Debug, thiserror::Error)]
pub enum PrepareError {
    /// A TOML file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The work was stopped.
    #[error(transparent)]
    Work(#[from] WorkError),
    /// An external file is missing or wrong.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A surrogate's weights are missing or wrong.
    #[error("surrogate `{name}`: {source}")]
    Weights {
        /// The surrogate.
        name: String,
        /// The cause.
        source: Box<AssetError>,
    },
    /// A surrogate's file is not an ONNX model, or names files that it must not.
    #[error("surrogate `{name}`: {file} cannot be used: {problem}; export the model again, or fetch the file again")]
    NotAModel {
        /// The surrogate.
        name: String,
        /// Its graph.
        file: String,
        /// What is wrong.
        problem: ExternalError,
    },
    /// A file of weights that the graph names is not there.
    #[error(
        "surrogate `{name}`: {missing} is missing; {graph} is a graph without weights, and they are in that file: put \
         it beside the graph"
    )]
    NoData {
        /// The surrogate.
        name: String,
        /// Its graph.
        graph: String,
        /// The file.
        missing: String,
    },
    /// Two lists of classes have one name.
    #[error(
        "two lists of classes are called `{space}`, which is the stem of their files, and differ, or a category \
         accepts other classes of it now: rename the newer file, or start a new run"
    )]
    OtherClasses {
        /// Their name.
        space: String,
    },
    /// The run was made by a program that did not know the files of weights of a graph.
    #[error(
        "surrogate `{name}`: the run does not know the hash of its weights in {file}; run `hardset build` again, which \
         scores anew"
    )]
    UnknownData {
        /// The surrogate.
        name: String,
        /// The first of its files of weights.
        file: String,
    },
    /// The recipe has the hash of the graph, but the model has more files.
    #[error(
        "surrogate `{name}`: weights.sha256 is the hash of {graph} alone, but its weights are in {count} other file(s) \
         too; write {whole}, which is the hash of all"
    )]
    HashOfGraph {
        /// The surrogate.
        name: String,
        /// Its graph.
        graph: String,
        /// Its files of weights.
        count: usize,
        /// The hash of all.
        whole: Sha256,
    },
    /// A surrogate's model cannot be used.
    #[error(transparent)]
    Scorer(#[from] ScorerError),
    /// The source of images cannot be used.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// ONNX Runtime or a device cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A target is also a surrogate.
    #[error(
        "the surrogate `{voter}` is the same model as the target `{target}`, and a target must not vote; remove it \
         from the surrogates, or `{target}` from mine.targets"
    )]
    TargetVotes {
        /// The target.
        target: String,
        /// Its name as a surrogate.
        voter: String,
    },
    /// The run directory has the pool of another recipe.
    #[error("{run} has the pool of another recipe: {difference}; choose another directory with --run-dir")]
    OtherPool {
        /// The run directory.
        run: String,
        /// What differs.
        difference: String,
    },
    /// The model of a run has changed since the run was planned.
    #[error(
        "{file} has changed since {run} was planned; restore it, or make a new run with the changed model in another \
         --run-dir"
    )]
    OtherModel {
        /// The run directory.
        run: String,
        /// The first file that differs.
        file: String,
    },
    /// The images of the run were made by another engine than the requested one.
    #[error(
        "{run} has images made with --engine {made_by}, but {wanted} is requested; leave --engine out to continue, \
         or make another run with --run-dir"
    )]
    OtherEngine {
        /// The run.
        run: String,
        /// The engine that made them.
        made_by: &'static str,
        /// The requested one.
        wanted: &'static str,
    },
    /// The images of the run were made on another kind of device than the requested one.
    #[error(
        "{run} has images made on {made_on}, but --device {wanted} is requested; leave --device out to continue \
         there, or make another run with --run-dir"
    )]
    OtherMaker {
        /// The run.
        run: String,
        /// `cpu` or `cuda`.
        made_on: String,
        /// The requested one.
        wanted: String,
    },
}

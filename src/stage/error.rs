//! What can stop a stage. What costs one item only is no error: it is a row in `dropped.parquet`.

use super::sheets::SheetError;
use crate::assets::AssetError;
use crate::config::ConfigError;
use crate::domain::RuleError;
use crate::generator::GeneratorError;
use crate::onnx::RuntimeError;
use crate::server::ServerError;
use crate::store::StoreError;
use crate::surrogate::SurrogateError;
use crate::table::TableError;

/// Why a stage stopped.
#[derive(Debug, thiserror::Error)]
pub enum StageError {
    /// A TOML file is wrong.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// A file of the run cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// A table cannot be read or written.
    #[error(transparent)]
    Table(#[from] TableError),
    /// An external file cannot be had.
    #[error(transparent)]
    Asset(#[from] AssetError),
    /// A surrogate's weights cannot be had.
    #[error("surrogate `{name}`: {source}")]
    Weights {
        /// The surrogate.
        name: String,
        /// The cause.
        source: Box<AssetError>,
    },
    /// The source of images cannot be used.
    #[error(transparent)]
    Generator(#[from] GeneratorError),
    /// ONNX Runtime or a device cannot be used.
    #[error(transparent)]
    Runtime(#[from] RuntimeError),
    /// A surrogate cannot be used.
    #[error(transparent)]
    Surrogate(#[from] SurrogateError),
    /// The rule makes no sense.
    #[error("{0}")]
    Rule(#[from] RuleError),
    /// The run directory holds another recipe's pool.
    #[error("{run} holds another pool: {difference}; give this one a directory of its own with --run-dir")]
    OtherPool {
        /// The run directory.
        run: String,
        /// What differs.
        difference: String,
    },
    /// An earlier stage is not done.
    #[error("{run} is not ready for this: {missing}; run `hardset build` first")]
    NotReady {
        /// The run directory.
        run: String,
        /// What is missing.
        missing: String,
    },
    /// A target must not vote.
    #[error(
        "the surrogate `{voter}` is the same model as the target `{target}`, which must have no say; leave it out of the surrogates, \
         or take `{target}` out of mine.targets"
    )]
    TargetVotes {
        /// The target.
        target: String,
        /// Its name as a surrogate.
        voter: String,
    },
    /// Predictions that are there were made on another device than the one asked for.
    #[error(
        "surrogate `{name}` has predictions made on {made_on}, but --device {wanted} is asked for; leave --device out to use them, or delete {folder} to make them again"
    )]
    OtherDevice {
        /// The surrogate.
        name: String,
        /// Where they were made.
        made_on: String,
        /// What is asked for.
        wanted: String,
        /// Where they are.
        folder: String,
    },
    /// Images that are there were made by another engine than the one asked for.
    #[error(
        "{run} has images made with --engine {made_by}, but {wanted} is asked for; leave --engine out to go on, or make another run with --run-dir"
    )]
    OtherEngine {
        /// The run.
        run: String,
        /// What made them.
        made_by: &'static str,
        /// What is asked for.
        wanted: &'static str,
    },
    /// Images that are there were made on another kind of device than the one asked for.
    #[error(
        "{run} has images made on {made_on}, but --device {wanted} is asked for; leave --device out to go on where they \
         were made, or make another run with --run-dir"
    )]
    OtherMaker {
        /// The run.
        run: String,
        /// `cpu` or `cuda`.
        made_on: String,
        /// What is asked for.
        wanted: String,
    },
    /// Every image of a shard failed for one surrogate.
    #[error(
        "surrogate `{name}` failed on every image of shard {shard} ({reason}); its weights or preprocessing are wrong"
    )]
    AllFailed {
        /// The surrogate.
        name: String,
        /// The shard.
        shard: usize,
        /// The first image's reason.
        reason: String,
    },
    /// Rows were lost without a trace: a bug.
    #[error("{stage}, shard {shard}: {given} rows went in, but {accounted} came out; please report this bug")]
    Accounting {
        /// The stage.
        stage: &'static str,
        /// The shard.
        shard: usize,
        /// Rows given.
        given: u64,
        /// Rows kept, dropped or failed.
        accounted: u64,
    },
    /// A process that made some of the images ended badly; it has said why, unless a signal ended it.
    #[error(
        "the process for {device} stopped ({how}; a SIGKILL that nobody sent means that memory ran out); what is done is kept: run the same command again to go on"
    )]
    Share {
        /// Its device.
        device: String,
        /// Exit status or signal.
        how: String,
        /// Its exit code, unless a signal ended it.
        code: Option<u8>,
    },
    /// The model of a run is not the one that it was planned with.
    #[error(
        "{file} is not what it was when {run} was planned; restore it, or make a new run with the changed model in another --run-dir"
    )]
    OtherModel {
        /// The run directory.
        run: String,
        /// The first file that differs.
        file: String,
    },
    /// Task sheets cannot be made.
    #[error(transparent)]
    Sheets(#[from] SheetError),
    /// An image that people are to see cannot be shown.
    #[error("cannot show {image}: {reason}")]
    TaskImage {
        /// Item or file.
        image: String,
        /// Why.
        reason: String,
    },
    /// Prolific reads images from addresses only.
    #[error(
        "Prolific shows images by their addresses: say with --image-url https://… where you will put the folder that is written"
    )]
    ImageUrl,
    /// People would get more than they should.
    #[error("{out} lies inside the run, which nobody who answers may see; choose a folder outside with --out")]
    OutInside {
        /// The folder.
        out: String,
    },
    /// There is nothing to answer yet.
    #[error("{run} has no task sheets yet; make them with `hardset annotate export {run} --to … --out DIR`")]
    NoSheets {
        /// The run directory.
        run: String,
    },
    /// A file of answers cannot be used.
    #[error("{file}: {problem}")]
    Answers {
        /// The file.
        file: String,
        /// What is wrong with it, and what to do.
        problem: String,
    },
    /// Other machines would reach the page.
    #[error(
        "other machines can reach {address}; say --allow-remote if that is meant, and put a proxy with TLS before the page"
    )]
    Remote {
        /// The address.
        address: String,
    },
    /// Links need a name.
    #[error(
        "{address} is no address that people can open; say with --host NAME under which name they reach this machine"
    )]
    NoHost {
        /// The address.
        address: String,
    },
    /// A name of a person is none.
    #[error("--people: {problem}")]
    PersonName {
        /// What is wrong.
        problem: String,
    },
    /// The page for people cannot be served.
    #[error(transparent)]
    Server(#[from] ServerError),
    /// A release would be empty.
    #[error("{run} has no image to release: {why}")]
    NothingToRelease {
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
        "no image (jpg, jpeg, png, webp, bmp) lies below {folder}; give --against a folder of images, or a release"
    )]
    NothingToCompare {
        /// The folder.
        folder: String,
    },
    /// A release must lie elsewhere.
    #[error("{out} lies inside {folder}; choose a folder outside with --out")]
    ReleaseInside {
        /// The place of the release.
        out: String,
        /// The run, or the folder of photographs.
        folder: String,
    },
    /// The older release is not what it says.
    #[error("{file} {problem}; check it with `hardset verify`")]
    BaseDamaged {
        /// The data file.
        file: String,
        /// What is wrong.
        problem: String,
    },
    /// The recipe cannot be written down.
    #[error("cannot write the recipe as TOML: {0}; please report this bug")]
    Recipe(String),
    /// An image of a release went away while the release was made.
    #[error("item {item} cannot be released: {reason}; run the same command again to leave it out")]
    ReleaseImage {
        /// The item.
        item: String,
        /// Why.
        reason: String,
    },
    /// A release must be newer than the one that it is based on.
    #[error("version {new} is not newer than {old} of the older release; give another with --set release.version=…")]
    Version {
        /// The older one's.
        old: String,
        /// The new one's.
        new: String,
    },
    /// No threads could be started.
    #[error("cannot start threads: {0}")]
    Threads(String),
    /// A signal came.
    #[error("stopped by a signal; what is done is kept: run the same command again to go on")]
    Interrupted,
}

//! The nouns of hardset: ids, hashes, seeds, specs, rows and outcomes.
//!
//! Does no I/O, starts no threads, and knows no file format beyond serde's derive. Every other module may import this
//! one, and it imports none of them, because types that everybody shares must not depend on one user of them.

mod annotate;
mod benchmark;
mod category;
mod class_space;
mod compared;
mod diffusion;
mod draft;
mod evaluation;
mod format;
mod geometry;
mod graph;
mod hard;
mod hash;
mod identity;
mod imported;
mod item;
mod job;
mod key;
mod manifest;
mod outcome;
mod passed_over;
mod pinned_file;
mod prediction;
mod prompt;
mod release;
mod rng;
mod rule;
mod sampler_kind;
mod score_sums;
mod secret;
mod spec;
mod task;
mod time;
mod zero_shot;

pub use annotate::{
    Aggregate, AnnotateSpec, Answer, CheckSpec, ExportFormat, ItemChoice, Pay, Question, Sentinels, VerdictRule,
};
pub use benchmark::{BenchmarkLayout, BenchmarkSource, FolderNames, ParquetColumns};
pub use category::{Category, CategorySet, ClassRef};
pub use class_space::{CATEGORIES, ClassSpace, IMAGENET_1K};
pub use compared::Compared;
pub use diffusion::{DiffusionModel, DiffusionSource, NuisanceSet, NuisanceValue, Precision, PromptGrid};
pub use draft::{Draft, DraftLine, DraftTable};
pub use evaluation::{
    AgreementRow, ChoiceRow, ComparisonRow, EvaluationRecord, Figure, LineRecord, MinerRecord, MinerRow, NotScored,
    PoolRecord, PoolRole, ResultRow, TargetRecord, TargetResults,
};
pub use format::FormatVersion;
pub use geometry::{Crop, Geometry, Interpolation, Resize};
pub use graph::{ChannelOrder, Dtype, InputSpec, Layout, OnnxGraph};
pub use hard::HardRow;
pub use hash::{Hasher, Sha256};
pub use imported::{ImportedModel, ImportedScores};
pub use item::{DropRow, ImageRow, ItemId, PlanRow, Provenance, Stage, fake_class, fake_pixel};
pub use job::{JobEngine, JobRecord, JobStart, LiveRecord, MinedCounts, RankScorer, RankShard, RankShards};
pub use key::{Key, KeyValue};
pub use manifest::{DataEntry, DataSource, ModelEntry, ModelFile, PipPlatform, PipWheel};
pub use outcome::Outcome;
pub use passed_over::PassedOver;
pub use pinned_file::PinnedFile;
pub use prediction::{Prediction, ProbKind, Scores, SpacePrediction};
pub use prompt::{PLACEHOLDERS, render_prompt, template_problem};
pub use release::{
    BaseRecord, CategoryCount, Cell, ColumnFacts, ColumnKind, ComparedRecord, DataFileRecord, NearDuplicates,
    PeopleRecord, QuestionRecord, ReleaseForm, ReleaseRecord, ReleaseRow, ReleaseSpec, SurrogateRecord, is_web_address,
};
pub use rng::Philox;
pub use rule::{LabelSpace, Rule, RuleError, SelectSpec};
pub use sampler_kind::{SamplerKind, UnknownSampler};
pub use score_sums::{CommonClass, ScoreSums};
pub use secret::Secret;
pub use spec::{
    Device, Devices, EngineChoice, FakeImages, FakeModel, FolderSource, GenerateSpec, LabelSource, MineSpec, OnnxModel,
    OutputKind, OutputSpec, RunSpec, SurrogateModel, SurrogateSpec,
};
pub use task::{
    Agreement, AnswerRow, Assignment, ChecksPassed, ItemVerdict, PersonRow, RawAnswer, Tally, Task, TaskImage,
    TaskKind, Verdict, VoteRow, person_name,
};
pub use time::{is_date, parse_time};
pub use zero_shot::{Activation, Cleaning, ImageTower, PLACE, TextTower, ZeroShotModel, same_texts};
